// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package ui

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podgate/podgate/internal/timeline"
)

// said are answers that a test sets.
type said struct {
	overview func() (*Overview, error)
}

func (s said) Overview(context.Context, client.Reader, string) (*Overview, error) {
	return s.overview()
}

func (said) Explain(_ context.Context, _ client.Reader, pod types.NamespacedName) (string, error) {
	return "Pod " + pod.String() + " is <b>Ready</b>", nil
}

// Follow is of a workload with one pod whose name is no text for a page.
func (said) Follow(workload types.NamespacedName, kind string) (Look, error) {
	if kind == "nonsense" {
		return nil, errors.New("there is no kind nonsense")
	}
	return func(_ context.Context, _ client.Reader, since time.Duration) (timeline.Timeline, error) {
		now := time.Now()
		r := timeline.NewRecorder(kind, workload.Namespace, workload.Name)
		r.Missing("<img>")
		r.Pod(&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "<img>", UID: "1", CreationTimestamp: metav1.NewTime(now.Add(-time.Minute))}}, now)
		for i := 1; kind == "crowd" && i < 100; i++ {
			r.Pod(&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("web-%d", i), UID: types.UID(fmt.Sprint("1", i)), CreationTimestamp: metav1.NewTime(now.Add(-time.Minute))}}, now)
		}
		return r.Timeline(now.Add(-since), now), nil
	}, nil
}

func serverOf(overview func() (*Overview, error)) *Server {
	return NewServer(Follow(context.Background(), nil, time.Now, nil), said{overview}, "shop", time.Now)
}

func nothing() (*Overview, error) { return &Overview{}, nil }

// answerOf is what the server says to a request.
func answerOf(s *Server, method, address string, header map[string]string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, address, nil)
	r.AddCookie(&http.Cookie{Name: cookie(r.Host), Value: s.key})
	for name, value := range header {
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	s.handler().ServeHTTP(w, r)
	return w
}

// TestGuard: nobody but who was given the address is answered, and nothing can be changed.
func TestGuard(t *testing.T) {
	s := serverOf(nothing)
	for reason, c := range map[string]struct {
		method, address string
		header          map[string]string
		want            int
	}{
		"by address":                      {"GET", "http://127.0.0.1:8080/", nil, 200},
		"by name":                         {"GET", "http://localhost:8080/", nil, 200},
		"by address of version 6":         {"GET", "http://[::1]:8080/", nil, 200},
		"without a port":                  {"GET", "http://localhost/", nil, 200},
		"a name that leads here":          {"GET", "http://evil.example:8080/", nil, 403},
		"an address of another machine":   {"GET", "http://10.0.0.1:8080/", nil, 403},
		"of its own page":                 {"GET", "http://localhost:8080/", map[string]string{"Origin": "http://localhost:8080"}, 200},
		"of another page":                 {"GET", "http://localhost:8080/", map[string]string{"Origin": "http://evil.example"}, 403},
		"of a page at another port":       {"GET", "http://localhost:8080/", map[string]string{"Origin": "http://localhost:8081"}, 403},
		"of a file":                       {"GET", "http://localhost:8080/", map[string]string{"Origin": "null"}, 403},
		"changing something":              {"POST", "http://localhost:8080/", nil, 405},
		"deleting something":              {"DELETE", "http://localhost:8080/", nil, 405},
		"without the key":                 {"GET", "http://localhost:8080/", map[string]string{"Cookie": "a=b"}, 403},
		"with a wrong key":                {"GET", "http://localhost:8080/", map[string]string{"Cookie": "podgate-ui-8080=x"}, 403},
		"with the key of another port":    {"GET", "http://localhost:8081/", map[string]string{"Cookie": "podgate-ui-8080=" + s.key}, 403},
		"a wrong key in the address":      {"GET", "http://localhost:8080/?key=x", map[string]string{"Cookie": "a=b"}, 403},
		"an empty key in the address":     {"GET", "http://localhost:8080/?key=", map[string]string{"Cookie": "a=b"}, 403},
		"the right one":                   {"GET", "http://localhost:8080/?key=" + s.key, map[string]string{"Cookie": "a=b"}, 303},
		"a page that is not there":        {"GET", "http://localhost:8080/etc/passwd", nil, 404},
		"a folder above the static files": {"GET", "http://localhost:8080/static/../server.go", nil, 307},
	} {
		if got := answerOf(s, c.method, c.address, c.header); got.Code != c.want {
			t.Errorf("%s: %d %s, want %d", reason, got.Code, got.Body, c.want)
		}
	}
}

// TestKeyLeavesTheAddress: the key goes into a cookie, so that no link or history has it, and the way leads to this server.
func TestKeyLeavesTheAddress(t *testing.T) {
	s := serverOf(nothing)
	for _, path := range []string{"/", "//evil.example/", "/workload/shop/deployment/web"} {
		w := answerOf(s, "GET", "http://localhost:8080"+path+"?a=b&key="+s.key, map[string]string{"Cookie": ""})
		to, set := w.Header().Get("Location"), w.Header().Get("Set-Cookie")
		if want := "/" + strings.TrimLeft(path, "/") + "?a=b"; to != want {
			t.Errorf("%s leads to %q, want %q", path, to, want)
		}
		if !strings.Contains(set, "podgate-ui-8080="+s.key) || !strings.Contains(set, "HttpOnly") || !strings.Contains(set, "SameSite=Strict") {
			t.Errorf("it sets the cookie %q", set)
		}
	}
}

// TestPolicy: the page may load what is its own, and nothing else.
func TestPolicy(t *testing.T) {
	w := answerOf(serverOf(nothing), "GET", "http://localhost:8080/", nil)
	policy := w.Header().Get("Content-Security-Policy")
	for _, rule := range []string{"default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'"} {
		if !strings.Contains(policy, rule) {
			t.Errorf("the policy %q lacks %q", policy, rule)
		}
	}
	if body := w.Body.String(); strings.Contains(body, "http:") || strings.Contains(body, "style=") || strings.Contains(body, "onclick") {
		t.Errorf("the page loads something, or has what the policy forbids:\n%s", body)
	}
}

// TestEscapes: what objects say is text, wherever it stands.
func TestEscapes(t *testing.T) {
	const evil = `"><img src=x onerror=alert(1)>`
	replicas := 1
	s := serverOf(func() (*Overview, error) {
		return &Overview{
			Podgate:        Podgate{Namespace: evil, Leader: evil, Replicas: &replicas},
			Problems:       []Problem{{Level: Waiting, Key: evil, Title: evil, Reason: evil, Message: evil, Next: evil, Count: 1, Objects: []Object{{Kind: "pod", Namespace: evil, Name: evil}, {Kind: evil, Name: evil}}}},
			Workloads:      []Workload{{Kind: evil, Namespace: evil, Name: evil}},
			Bindings:       []Binding{{Kind: evil, Namespace: evil, Name: evil, Service: evil, Group: evil, Status: evil, Reason: evil, Message: evil, Targets: evil}},
			ReadinessGates: []ReadinessGate{{Namespace: evil, Name: evil, Status: evil, Reason: evil, Pods: evil, Checks: []Check{{Name: evil, Asks: evil, Message: evil}}}},
			LoadBalancers:  []LoadBalancer{{Group: evil, AskedBy: evil, Serves: evil, State: evil, Hostname: evil}},
			Unknown:        []string{evil},
		}, nil
	})
	if body := answerOf(s, "GET", "http://localhost:8080/", nil).Body.String(); strings.Contains(body, "<img") || strings.Count(body, "&lt;img") < 25 {
		t.Errorf("it is not text everywhere (%d times):\n%s", strings.Count(body, "&lt;img"), body)
	}
	if body := answerOf(s, "GET", "http://localhost:8080/workload/shop/deployment/web", nil).Body.String(); strings.Contains(body, "<img") || strings.Count(body, "&lt;img") < 3 {
		t.Errorf("a picture is not text everywhere:\n%s", body)
	}
	if body := answerOf(s, "GET", "http://localhost:8080/explain/shop/web-1", nil).Body.String(); !strings.Contains(body, "&lt;b&gt;Ready") {
		t.Errorf("an explanation is not text:\n%s", body)
	}
}

// TestCrowd: each of many pods has a lane, on one of several pages, and a row of the table on a page of its own.
func TestCrowd(t *testing.T) {
	s := serverOf(nothing)
	const path = "http://localhost:8080/workload/shop/crowd/web"
	seen := map[string]bool{}
	for _, c := range []struct {
		query string
		lanes int
		leads []string
	}{
		{"", 40, []string{"after=40", "table=all"}},
		{"?since=10m0s&after=40", 40, []string{"/web?since=10m0s\"", "after=80&amp;since=10m0s", "since=10m0s&amp;table=all"}},
		{"?after=80", 20, []string{"after=40", "table=all"}},
		{"?after=4000", 20, []string{"after=40"}},
		{"?after=-1", 40, []string{"after=40"}},
		{"?table=all", 0, []string{"/web\""}},
	} {
		body := answerOf(s, "GET", path+c.query, nil).Body.String()
		pods := regexp.MustCompile(`data-pod="([^"]*)"`).FindAllStringSubmatch(body, -1)
		for _, p := range pods {
			seen[p[1]] = true
		}
		if len(pods) != c.lanes {
			t.Errorf("%q has %d lanes, want %d", c.query, len(pods), c.lanes)
		}
		for _, to := range c.leads {
			if !strings.Contains(body, to) {
				t.Errorf("%q does not lead to %s", c.query, to)
			}
		}
		if rows, table := strings.Count(body, `<th scope="row">`), c.lanes == 0; table != (rows == 100) || !table && rows > 0 {
			t.Errorf("%q has %d rows", c.query, rows)
		}
	}
	if len(seen) != 100 {
		t.Errorf("%d pods have a lane", len(seen))
	}
}

// TestExplanation: the lines of an explanation stay lines, and what to do next is seen at once.
func TestExplanation(t *testing.T) {
	text := "Pod shop/web-1 is not Ready.\n\nGATE web: False\n  message   no\n  next      look\n"
	got := string((&view{scope: "shop"}).explanation("shop", "web-1", text))
	for _, want := range []string{
		"<h1>Pod web-1 ", `<span class="line">Pod shop/web-1 is not Ready.</span><span class="line"></span><span class="line heading">GATE web: False</span>`,
		`<span class="line part">  message   no</span><span class="line part next">  next      look</span></pre>`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("it lacks %s:\n%s", want, got)
		}
	}
}

// TestLive: a page is sent again when it changed, and stays as it is while it cannot be made.
func TestLive(t *testing.T) {
	title := make(chan string, 1)
	title <- "first"
	now := ""
	s := serverOf(func() (*Overview, error) {
		select {
		case now = <-title:
		default:
			return nil, errors.New("nobody answers")
		}
		return &Overview{Problems: []Problem{{Level: Waiting, Title: now}}}, nil
	})

	server := httptest.NewServer(s.handler())
	defer server.Close()
	defer close(s.ending)
	at, _ := url.Parse(server.URL)
	r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/live?path=%2F", nil)
	r.AddCookie(&http.Cookie{Name: cookie(at.Host), Value: s.key})
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()

	lines := bufio.NewScanner(answer.Body)
	next := func() (u update) {
		t.Helper()
		for lines.Scan() {
			if data, is := strings.CutPrefix(lines.Text(), "data: "); is {
				if err := json.Unmarshal([]byte(data), &u); err != nil {
					t.Fatal(err)
				}
				return u
			}
		}
		t.Fatalf("it ends: %v", lines.Err())
		return u
	}

	if u := next(); u.Title != "(1) podgate" || !strings.Contains(u.Content, "first") {
		t.Errorf("first it is %+v", u)
	}
	s.cluster.changes.send()
	title <- "second"
	if u := next(); !strings.Contains(u.Content, "second") {
		t.Errorf("then it is %+v", u)
	}

	for _, path := range []string{"%2Flive", "%2Fstatic%2Fpage.js", "%3A%3A", "http%3A%2F%2Fevil.example%2Fx%2Fy"} {
		if w := answerOf(s, "GET", "http://localhost:8080/live?path="+path, nil); w.Code != http.StatusBadRequest {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
}

// TestLatest: what was found out is found out again when something changed, but no more often than it may.
func TestLatest(t *testing.T) {
	now, found := time.Now(), 0
	var took time.Duration
	var failure error
	var l latest[int]
	get := func(version int64) int {
		n, _ := l.get(func() time.Time { return now }, version, func() (int, error) {
			found++
			now = now.Add(took)
			return found, failure
		})
		return n
	}

	for _, c := range []struct {
		reason  string
		later   time.Duration
		version int64
		took    time.Duration
		failure error
		want    int
	}{
		{"the first", 0, 1, 0, nil, 1},
		{"nothing changed", 4 * time.Second, 1, 0, nil, 1},
		{"nothing changed for long, and a lease may have", time.Second, 1, 0, nil, 2},
		{"it changed a moment later", atMost - 1, 2, 0, nil, 2},
		{"the moment is over", 1, 2, time.Second, nil, 3},
		{"it takes long", 3*time.Second - 1, 3, 0, nil, 3},
		{"not that long", 1, 3, 0, nil, 4},
		{"it fails", time.Second, 4, 0, io.EOF, 4},
		{"it fails no longer", time.Second, 4, 0, nil, 6},
	} {
		now, took, failure = now.Add(c.later), c.took, c.failure
		if got := get(c.version); got != c.want {
			t.Errorf("%s: %d, want %d", c.reason, got, c.want)
		}
	}
}

// TestServeEnds: it listens on this machine, tells where, and ends with its context although a page is open.
func TestServeEnds(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	s := serverOf(nothing)
	address := make(chan string, 1)
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, 0, func(a string) { address <- a }) }()

	at, err := url.Parse(<-address)
	if err != nil || at.Hostname() != "127.0.0.1" || at.Query().Get("key") != s.key {
		t.Fatalf("it is at %s, %v", at, err)
	}
	r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+at.Host+"/live?path=%2F", nil)
	r.AddCookie(&http.Cookie{Name: cookie(at.Host), Value: s.key})
	open, err := http.DefaultClient.Do(r)
	if err != nil || open.StatusCode != http.StatusOK {
		t.Fatalf("%v, %v", open, err)
	}
	defer func() { _ = open.Body.Close() }()

	stop()
	if err := <-ended; err != nil {
		t.Errorf("it ends with %v", err)
	}
}
