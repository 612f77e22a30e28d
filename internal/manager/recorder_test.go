// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package manager

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/funcr"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/events"

	"github.com/podgate/podgate/internal/limit"
)

// TestNotesFit: an event of any length reaches the API server in a form that it takes.
func TestNotesFit(t *testing.T) {
	for name, c := range map[string]struct {
		note string
		args []any
		want string
	}{
		"short":                {note: "Service %q has no port.", args: []any{"web"}, want: `Service "web" has no port.`},
		"a percent sign":       {note: "100 % of the pods", want: "100 % of the pods"},
		"just fits":            {note: strings.Repeat("a", limit.Note), want: strings.Repeat("a", limit.Note)},
		"one byte too many":    {note: "%s", args: []any{strings.Repeat("a", limit.Note+1)}, want: strings.Repeat("a", limit.Note-3) + "…"},
		"cut within a letter":  {note: strings.Repeat("a", limit.Note-4) + strings.Repeat("ü", 10), want: strings.Repeat("a", limit.Note-4) + "…"},
		"nothing but umlauts":  {note: strings.Repeat("ü", limit.Note), want: strings.Repeat("ü", (limit.Note-3)/2) + "…"},
		"arguments as a whole": {note: "%s and %d more", args: []any{strings.Repeat("b", 2*limit.Note), 7}, want: strings.Repeat("b", limit.Note-3) + "…"},
	} {
		t.Run(name, func(t *testing.T) {
			fake := events.NewFakeRecorder(1)
			boundedRecorder{fake}.Eventf(nil, nil, "Warning", "PortNotFound", "Reconcile", c.note, c.args...)
			got := strings.TrimPrefix(<-fake.Events, "Warning PortNotFound ")
			if got != c.want {
				t.Errorf("got %d bytes %q, want %d bytes", len(got), got, len(c.want))
			}
			if len(got) > limit.Note || !utf8.ValidString(got) {
				t.Errorf("the API server refuses %d bytes, valid %t", len(got), utf8.ValidString(got))
			}
		})
	}
}

// TestNoEventIsLostInSilence: whatever the API server refuses an event for, it is counted, and logged once. What it takes, or
// what client-go sends again in another way, is not counted.
func TestNoEventIsLostInSilence(t *testing.T) {
	for name, tc := range map[string]struct {
		code int
		want string
	}{
		"taken":                   {code: http.StatusCreated, want: ""},
		"there already":           {code: http.StatusConflict, want: ""},
		"invalid":                 {code: http.StatusUnprocessableEntity, want: "422: 1"},
		"a namespace that ends":   {code: http.StatusForbidden, want: "403: 1"},
		"a namespace that is not": {code: http.StatusNotFound, want: "404: 1"},
		"trouble":                 {code: http.StatusInternalServerError, want: "500: 1"},
	} {
		t.Run(name, func(t *testing.T) {
			answered := make(chan struct{}, 10)
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(tc.code)
				if tc.code == http.StatusCreated {
					_, _ = io.WriteString(w, `{"kind": "Event", "apiVersion": "events.k8s.io/v1"}`)
					answered <- struct{}{}
					return
				}
				reason := map[int]string{http.StatusConflict: "AlreadyExists"}[tc.code]
				_, _ = fmt.Fprintf(w, `{"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": %q, "code": %d}`, reason, tc.code)
				answered <- struct{}{}
			}))
			defer server.Close()

			registry := prometheus.NewRegistry()
			kube, err := countRejected(&rest.Config{Host: server.URL}, registry)
			if err != nil {
				t.Fatal(err)
			}
			var log lines
			record(t, kube, log.logger(), answered)

			if got := rejected(t, registry); got != tc.want {
				t.Errorf("counted %q, want %q", got, tc.want)
			}
			if got, want := log.with("Server rejected event"), len(tc.want) > 0; (got == 1) != want || got > 1 {
				t.Errorf("logged %d times, want once: %t", got, want)
			}
		})
	}
}

// TestOnlyEventsAreCounted: other refused requests are reported where they are made.
func TestOnlyEventsAreCounted(t *testing.T) {
	for name, tc := range map[string]struct {
		method, path string
		code         int
		want         bool
	}{
		"an event":                      {http.MethodPost, "/apis/events.k8s.io/v1/namespaces/shop/events", 422, true},
		"an event of the core group":    {http.MethodPost, "/api/v1/namespaces/shop/events", 422, true},
		"a series":                      {http.MethodPatch, "/apis/events.k8s.io/v1/namespaces/shop/events/web.1", 422, true},
		"a series that is gone":         {http.MethodPatch, "/apis/events.k8s.io/v1/namespaces/shop/events/web.1", 404, false},
		"too many requests":             {http.MethodPost, "/apis/events.k8s.io/v1/namespaces/shop/events", 429, true},
		"a read":                        {http.MethodGet, "/apis/events.k8s.io/v1/namespaces/shop/events", 403, false},
		"a pod":                         {http.MethodPatch, "/api/v1/namespaces/shop/pods/web-1/status", 422, false},
		"something that is called so":   {http.MethodPatch, "/api/v1/namespaces/shop/pods/events", 422, false},
		"a namespace that is called so": {http.MethodPatch, "/api/v1/namespaces/events/pods/web-1", 422, false},
	} {
		req := httptest.NewRequestWithContext(t.Context(), tc.method, tc.path, http.NoBody)
		if got := lost(req, tc.code, false); got != tc.want {
			t.Errorf("%s: counted %t, want %t", name, got, tc.want)
		}
		if again := tc.code == http.StatusTooManyRequests; lost(req, tc.code, true) != (tc.want && !again) {
			t.Errorf("%s, and to be sent again: counted %t", name, again)
		}
	}

	// Without an answer client-go tries again.
	c := eventCounter{next: failing{}}
	answer, err := c.RoundTrip(httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/api/v1/namespaces/shop/events", http.NoBody))
	if answer != nil {
		_ = answer.Body.Close()
	}
	if !errors.Is(err, io.EOF) {
		t.Errorf("error %v, want it passed on", err)
	}
}

type failing struct{}

func (failing) RoundTrip(*http.Request) (*http.Response, error) { return nil, io.EOF }

// record sends one event as the manager does, and waits until it was answered.
func record(t *testing.T, kube *rest.Config, log logr.Logger, answered chan struct{}) {
	t.Helper()
	client, err := kubernetes.NewForConfig(kube)
	if err != nil {
		t.Fatal(err)
	}

	broadcaster := events.NewBroadcaster(&events.EventSinkImpl{Interface: client.EventsV1()})
	ctx, cancel := context.WithCancel(logr.NewContext(t.Context(), log))
	defer cancel()
	if err := broadcaster.StartRecordingToSinkWithContext(ctx); err != nil {
		t.Fatal(err)
	}
	defer broadcaster.Shutdown()

	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web"}}
	boundedRecorder{broadcaster.NewRecorder(clientgoscheme.Scheme, name)}.Eventf(pod, nil, "Warning", "PortNotFound", "Reconcile", "no port")
	select {
	case <-answered:
	case <-time.After(10 * time.Second):
		t.Fatal("no event arrived")
	}
	time.Sleep(100 * time.Millisecond) // client-go reads the answer and logs it.
}

// rejected is what was counted, as "code: count".
func rejected(t *testing.T, registry prometheus.Gatherer) string {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}

	var all []string
	for _, f := range families {
		for _, m := range f.GetMetric() {
			all = append(all, fmt.Sprintf("%s: %.0f", labelOf(m), m.GetCounter().GetValue()))
		}
	}
	return strings.Join(all, ", ")
}

func labelOf(m *dto.Metric) string {
	for _, l := range m.GetLabel() {
		return l.GetValue()
	}
	return ""
}

// lines are what was logged.
type lines struct {
	mu  sync.Mutex
	all []string
}

func (l *lines) logger() logr.Logger {
	return funcr.New(func(_, args string) {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.all = append(l.all, args)
	}, funcr.Options{})
}

func (l *lines) with(text string) (count int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, line := range l.all {
		if strings.Contains(line, text) {
			count++
		}
	}
	return count
}
