// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package http

import (
	"context"
	"net"
	nethttp "net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/podgate/podgate/internal/allow"
	"github.com/podgate/podgate/internal/check"
	"github.com/podgate/podgate/internal/check/network"
	"github.com/podgate/podgate/internal/check/network/networktest"
)

// heard are the requests that a server got.
type heard struct {
	*httptest.Server

	mu       sync.Mutex
	requests []string
}

// listen starts a server that answers 200, and 503 where the request says down.
func listen(t *testing.T) *heard {
	t.Helper()
	h := &heard{}
	h.Server = httptest.NewServer(nethttp.HandlerFunc(func(w nethttp.ResponseWriter, r *nethttp.Request) {
		text := strings.Join([]string{r.Host, r.RequestURI, r.Header.Get("X-Pod")}, " ")
		h.mu.Lock()
		h.requests = append(h.requests, text)
		h.mu.Unlock()
		if strings.Contains(text, "down") {
			w.WriteHeader(nethttp.StatusServiceUnavailable)
		}
	}))
	t.Cleanup(h.Close)
	return h
}

// sorted are the requests so far.
func (h *heard) sorted() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Sorted(slices.Values(h.requests))
}

// known makes a pod of which something is known.
func known(pod check.Subject, name string, labels map[string]string) check.Subject {
	pod.Pod = &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "shop", UID: pod.UID, Labels: labels}}
	return pod
}

// withVariables are settings with variables wherever they may stand.
var withVariables = Settings{
	Path: "/v1/$(pod.ip)/$(pod.labels['shard'])?pod=$(pod.name)", Host: "$(pod.name).example.com", Headers: []Header{{Name: "X-Pod", Value: "pod $(pod.name)"}},
}

// TestVariables: each pod is asked with its own values.
func TestVariables(t *testing.T) {
	h, pods := listen(t), networktest.New()
	one, other := known(pods.Add(), "web-1", map[string]string{"shard": "a"}), known(pods.Add(), "web-2", map[string]string{"shard": "down"})
	for _, pod := range []check.Subject{one, other} {
		pods.Serve(pod, h.Listener.Addr().String())
	}

	checker, err := New(place, withVariables, timeout, pods.Dial)
	if err != nil {
		t.Fatal(err)
	}
	answers, err := checker.Check(t.Context(), []check.Subject{one, other})
	if err != nil || answers[one.UID].Verdict != check.Pass || answers[other.UID].Verdict != check.Fail {
		t.Errorf("got %v and the error %v", answers, err)
	}

	want := []string{
		"web-1.example.com /v1/" + one.Addrs[0].String() + "/a?pod=web-1 pod web-1",
		"web-2.example.com /v1/" + other.Addrs[0].String() + "/down?pod=web-2 pod web-2",
	}
	if got := h.sorted(); !slices.Equal(got, want) {
		t.Errorf("asked %q, want %q", got, want)
	}
}

// TestVariablesStayWithin: nobody is asked with a value that is empty, or that would end a header, a path or a query.
func TestVariablesStayWithin(t *testing.T) {
	for _, shard := range []string{"", "a\r\nX-Pod: b", "../..", "..", "a/b", "a?b", "a#b", "a&b=c", "%2f", "a b", "é"} {
		for name, settings := range map[string]Settings{
			"Path":   {Path: "/v1/$(pod.labels['shard'])"},
			"Query":  {Path: "/v1?shard=$(pod.labels['shard'])"},
			"Host":   {Host: "$(pod.labels['shard']).example.com"},
			"Header": {Headers: []Header{{Name: "X-Pod", Value: "$(pod.labels['shard'])"}}},
		} {
			pods := networktest.New()
			pod := known(pods.Add(), "web-1", map[string]string{"shard": shard})
			if got := askOf(t, settings, pods, pod); got.Verdict != check.NoAnswer || got.Word != check.VariableUnusable || pods.Dialled() != 0 {
				t.Errorf("%s of %q: got %s (%s) after %d connections", name, shard, got.Verdict, got.Word, pods.Dialled())
			}
		}
	}
}

func TestVariablesThereAreNot(t *testing.T) {
	for name, settings := range map[string]Settings{
		"path": {Path: "/$(pod.x)"}, "host": {Host: "$(pod.x)"}, "header": {Headers: []Header{{Name: "X-Pod", Value: "$(pod.x)"}}},
	} {
		if _, err := New(place, settings, timeout, networktest.New().Dial); err == nil || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), "$(pod.x) is not a variable") {
			t.Errorf("%s: got the error %v", name, err)
		}
	}
}

// TestURLs: a host is asked once for all pods, and about each of them where the URL says which one is meant.
func TestURLs(t *testing.T) {
	for text, want := range map[string][]string{
		"http://registry.example.com/v1/all":                            {"registry.example.com:80 /v1/all "},
		"http://registry.example.com/v1/$(pod.name)":                    {"registry.example.com:80 /v1/down-2 ", "registry.example.com:80 /v1/web-1 "},
		"http://registry.example.com/?a=$(pod.labels['shard'])":         {"registry.example.com:80 /?a=a ", "registry.example.com:80 /?a=down "},
		"http://registry.example.com/$(pod.labels['down'])/$(pod.name)": nil,
	} {
		h := listen(t)
		dial := func(ctx context.Context, _ network.Destination) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", h.Listener.Addr().String())
		}

		var rules allow.List
		if err := rules.Set("team => http://registry.example.com/*"); err != nil {
			t.Fatal(err)
		}
		at, u, err := network.AllowedURL(rules, map[string]string{"team": "shop"}, text)
		if err != nil {
			t.Fatal(err)
		}
		checker, err := New(at, Settings{Path: u.RequestURI()}, timeout, dial)
		if err != nil {
			t.Fatal(err)
		}

		one := known(check.Subject{UID: "1"}, "web-1", map[string]string{"shard": "a"})
		other := known(check.Subject{UID: "2"}, "down-2", map[string]string{"shard": "down"})
		answers, err := checker.Check(t.Context(), []check.Subject{one, other})
		if err != nil {
			t.Fatal(err)
		}

		if got := h.sorted(); !slices.Equal(got, want) {
			t.Errorf("%s: asked %q, want %q", text, got, want)
		}
		verdicts := map[int][2]check.Verdict{0: {}, 1: {check.Pass, check.Pass}, 2: {check.Pass, check.Fail}}[len(want)]
		if got := [2]check.Verdict{answers[types.UID("1")].Verdict, answers[types.UID("2")].Verdict}; got != verdicts {
			t.Errorf("%s: got %v, want %v", text, got, verdicts)
		}
	}
}
