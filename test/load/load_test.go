// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package load

import (
	"bufio"
	stdcmp "cmp"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// nastyServer answers each connection by a script and counts what reaches it.
type nastyServer struct {
	url string

	mu       sync.Mutex
	heads    int
	accepted int
}

// conversation handles one connection; next reads a request, false at the connection's end.
type conversation func(c net.Conn, next func() bool)

const (
	good      = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nv1\n"
	cutOff    = "HTTP/1.1 200 OK\r\nContent-Length: 300\r\n\r\nv1\n"
	badGate   = "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n"
	lastWords = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nv1\n"
)

func newNastyServer(t *testing.T, talk conversation) *nastyServer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}

	s := &nastyServer{url: "http://" + l.Addr().String() + "/"}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s.count(0, 1)
			all.Go(func() { s.serve(c, talk) })
		}
	})

	t.Cleanup(func() {
		_ = l.Close()
		all.Wait()
	})

	return s
}

func (s *nastyServer) serve(c net.Conn, talk conversation) {
	defer func() { _ = c.Close() }()
	r := bufio.NewReader(c)
	talk(c, func() bool {
		if _, err := http.ReadRequest(r); err != nil {
			return false
		}
		s.count(1, 0)
		return true
	})
}

func (s *nastyServer) count(heads, accepted int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.heads += heads
	s.accepted += accepted
}

// seen is how many requests and connections arrived.
func (s *nastyServer) seen() (heads, accepted int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.heads, s.accepted
}

func run(t *testing.T, c Config) Result {
	t.Helper()
	g, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	r := g.Run(t.Context())
	p := g.Progress()
	if int(p.Sent) != len(r.Requests) || p.Answered+p.Failed != p.Sent {
		t.Errorf("progress %+v does not fit %d requests", p, len(r.Requests))
	}
	return r
}

func say(c net.Conn, s string) bool {
	_, err := io.WriteString(c, s)
	return err == nil
}

// reset makes a close send a reset instead of an end.
func reset(c net.Conn) { _ = c.(*net.TCPConn).SetLinger(0) }

func TestNothingIsTriedAgain(t *testing.T) {
	const requests = 40
	cases := []struct {
		name, reason string
		talk         conversation
		// outcomes that may occur; the kernel decides between EOF and a reset in some races.
		allowed []string
		// unread tells that the server reads no request, so it cannot count them.
		unread bool
	}{
		{
			name:   "keeps connections",
			reason: "the ordinary case",
			talk: func(c net.Conn, next func() bool) {
				for next() && say(c, good) {
				}
			},
			allowed: []string{"200"},
		},
		{
			name:    "closes at once",
			reason:  "a connection that is accepted and closed carried the attempt",
			talk:    func(net.Conn, func() bool) {},
			allowed: []string{EOF, Reset},
			unread:  true,
		},
		{
			name:    "reads and closes",
			reason:  "net/http would send this again on another connection",
			talk:    func(_ net.Conn, next func() bool) { next() },
			allowed: []string{EOF},
		},
		{
			name:    "reads and resets",
			reason:  "a reset after the request was written is its result",
			talk:    func(c net.Conn, next func() bool) { next(); reset(c) },
			allowed: []string{Reset},
		},
		{
			name:    "cuts the body off",
			reason:  "a status of 200 with half a body is no answer",
			talk:    func(c net.Conn, next func() bool) { _ = next() && say(c, cutOff) },
			allowed: []string{EOF},
		},
		{
			name:   "answers once, then closes at the second request",
			reason: "a kept-alive connection that dies under a written request must not be replaced",
			talk: func(c net.Conn, next func() bool) {
				_ = next() && say(c, good) && next()
			},
			allowed: []string{"200", EOF},
		},
		{
			name:    "says that it closes",
			reason:  "a connection that was announced to end is not used again",
			talk:    func(c net.Conn, next func() bool) { _ = next() && say(c, lastWords) },
			allowed: []string{"200"},
		},
		{
			name:   "answers with an error",
			reason: "a status of 502 is a failure, and the connection goes on",
			talk: func(c net.Conn, next func() bool) {
				for next() && say(c, badGate) {
				}
			},
			allowed: []string{"502"},
		},
		{
			name:    "is no web server",
			reason:  "anything but HTTP is a failure",
			talk:    func(c net.Conn, next func() bool) { _ = next() && say(c, "220 mail ready\r\n") },
			allowed: []string{Malformed},
		},
	}

	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s := newNastyServer(t, c.talk)
			r := run(t, Config{URL: s.url, Rate: 2000, MaxRequests: requests, Connections: 2})
			if len(r.Requests) != requests || r.Attempts != requests {
				t.Errorf("%s: %d requests, %d attempts; want %d of each", c.reason, len(r.Requests), r.Attempts, requests)
			}

			if heads, _ := s.seen(); !c.unread && heads != requests {
				t.Errorf("%s: %d requests reached the server, want %d", c.reason, heads, requests)
			}

			got := r.Summarize(r.Start).Outcomes
			for _, o := range c.allowed {
				delete(got, o)
			}

			if len(got) > 0 {
				t.Errorf("%s: unexpected outcomes %v, want only %v", c.reason, got, c.allowed)
			}
		})
	}
}

func TestARefusedConnectionIsAnAttempt(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}

	url := "http://" + l.Addr().String() + "/"
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}

	r := run(t, Config{URL: url, Rate: 2000, MaxRequests: 10})
	if diff := cmp.Diff(map[string]int{ConnectRefused: 10}, r.Summarize(r.Start).Outcomes); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}

	if r.Attempts != 10 {
		t.Errorf("%d attempts, want 10", r.Attempts)
	}
}

// TestAConnectionClosedWhileIdleIsReplaced: the server answers once and closes the
// connection without a word. The close is awaited, so the client can know of it.
func TestAConnectionClosedWhileIdleIsReplaced(t *testing.T) {
	s := newNastyServer(t, func(c net.Conn, next func() bool) { _ = next() && say(c, good) })
	g, err := New(Config{URL: s.url, Connections: 1})
	if err != nil {
		t.Fatal(err)
	}

	defer g.pool.close()
	for range 20 {
		var q Request
		a := g.sendKept(time.Now().Add(time.Minute), &q)
		if a.outcome() != "200" || q.Reused {
			t.Fatalf("got %s (%v), reused %t; want 200 on a new connection", a.outcome(), a.err, q.Reused)
		}
		for _, i := range g.pool.idle {
			<-i.done
		}
	}

	heads, accepted := s.seen()
	if attempts := g.sockets.attempts.Load(); heads != 20 || accepted != 20 || attempts != 20 {
		t.Errorf("%d requests on %d connections, %d attempts; want 20 of each", heads, accepted, attempts)
	}
}

func TestHalfOnNewAndHalfOnKeptConnections(t *testing.T) {
	s := newNastyServer(t, func(c net.Conn, next func() bool) {
		for next() && say(c, good) {
		}
	})

	r := run(t, Config{URL: s.url, Rate: 1000, MaxRequests: 200, Connections: 4})
	kept := 0
	for _, q := range r.Requests {
		if q.KeepAlive {
			kept++
		}
		if q.Reused && !q.KeepAlive {
			t.Fatal("a request of the first half was sent on a used connection")
		}
	}

	sum := r.Summarize(r.Start)
	if kept != 100 {
		t.Errorf("%d of 200 requests on kept-alive connections, want half", kept)
	}

	if _, accepted := s.seen(); accepted != sum.NewConnections || sum.NewConnections >= 200 {
		t.Errorf("%d connections at the server, %d reported of 200 requests", accepted, sum.NewConnections)
	}

	if diff := cmp.Diff(map[string]int{"v1": 200}, r.Summarize(r.Start.Add(-time.Hour)).goodTotal()); diff != "" {
		t.Errorf("versions (-want +got):\n%s", diff)
	}
}

func (s Summary) goodTotal() map[string]int {
	total := map[string]int{}
	for _, second := range s.Seconds {
		for v, n := range second.Good {
			total[v] += n
		}
	}
	return total
}

// TestSlowAnswersDoNotSlowTheLoad: the server answers nobody before all have asked, which
// a client that waits for answers before it sends more would never do.
func TestRequestsAskForAHost(t *testing.T) {
	for _, host := range []string{"", "web.example.com"} {
		var mu sync.Mutex
		asked := map[string]int{}
		server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			mu.Lock()
			defer mu.Unlock()
			asked[r.Host]++
		}))

		address := strings.TrimPrefix(server.URL, "http://")
		run(t, Config{URL: server.URL, Host: host, Rate: 500, MaxRequests: 6})
		server.Close()
		if want := map[string]int{stdcmp.Or(host, address): 6}; !maps.Equal(asked, want) {
			t.Errorf("host %q: requests asked for %v, want %v", host, asked, want)
		}
	}
}

func TestSlowAnswersDoNotSlowTheLoad(t *testing.T) {
	const requests = 300
	var arrived sync.WaitGroup
	arrived.Add(requests)
	s := newNastyServer(t, func(c net.Conn, next func() bool) {
		for next() {
			arrived.Done()
			arrived.Wait()
			if !say(c, good) {
				return
			}
		}
	})

	r := run(t, Config{URL: s.url, Rate: 3000, MaxRequests: requests, Connections: 4})
	if diff := cmp.Diff(map[string]int{"200": requests}, r.Summarize(r.Start).Outcomes); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
}

// TestBurstsKeepTheRate: as many requests in the same time, some of them at once.
func TestBurstsKeepTheRate(t *testing.T) {
	s := newNastyServer(t, func(c net.Conn, next func() bool) {
		for next() && say(c, good) {
		}
	})
	r := run(t, Config{URL: s.url, Rate: 1000, Burst: 3, MaxRequests: 7})
	at := map[time.Duration]int{}
	for _, q := range r.Requests {
		at[q.Scheduled]++
	}
	if diff := cmp.Diff(map[time.Duration]int{0: 3, 3 * time.Millisecond: 3, 6 * time.Millisecond: 1}, at); diff != "" {
		t.Errorf("requests by time (-want +got):\n%s", diff)
	}
}

func TestASilentServerIsATimeout(t *testing.T) {
	s := newNastyServer(t, func(_ net.Conn, next func() bool) {
		for next() {
		}
	})
	r := run(t, Config{URL: s.url, Rate: 1000, MaxRequests: 6, Timeout: 50 * time.Millisecond})
	if diff := cmp.Diff(map[string]int{Timeout: 6}, r.Summarize(r.Start).Outcomes); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
}

func TestBadConfigurationsAreRefused(t *testing.T) {
	for _, c := range []Config{{URL: "https://a/"}, {URL: "a"}, {URL: "http://"}, {URL: "http://a/", Rate: -1}, {URL: "http://a/", Burst: -1}} {
		if _, err := New(c); err == nil || !strings.HasPrefix(err.Error(), "load: ") {
			t.Errorf("%+v: got %v, want an error", c, err)
		}
	}
}
