// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package awssim

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/google/go-cmp/cmp"
)

// instant is a data path without delays.
func instant() Config {
	return Config{
		DataPath: DataPath{EphemeralPorts: true}, Throttle: ThrottleOff,
		ELB: ELB{Profiles: Profiles{ALB: &Profile{InitialHealthyChecks: 1}, NLB: &Profile{InitialHealthyChecks: 1}}},
	}
}

// route puts targets, healthy by script, behind an application load balancer
// and returns its group and address.
func (e *env) front(targets ...Target) (group, address string) {
	e.Helper()
	group = e.group("web")
	listener := e.balance(group, types.LoadBalancerTypeEnumApplication)
	e.script(group, Script{State: "healthy"})
	if len(targets) > 0 {
		e.register(group, targets...)
	}
	return group, e.sim.ListenerAddress(listener)
}

// get asks once, on a connection of its own.
func (e *env) get(address, path string, edit ...func(*http.Request)) (int, string, http.Header) {
	e.Helper()
	r, err := http.NewRequestWithContext(e.Context(), http.MethodGet, "http://"+address+path, nil)
	if err != nil {
		e.Fatal(err)
	}
	for _, f := range edit {
		f(r)
	}
	return e.do(r)
}

func (e *env) do(r *http.Request) (int, string, http.Header) {
	e.Helper()
	transport := &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	ctx, cancel := context.WithTimeout(r.Context(), patience)
	defer cancel()
	response, err := transport.RoundTrip(r.WithContext(ctx))
	if err != nil {
		e.Fatal(err)
	}

	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return response.StatusCode, "cut off: " + string(body), response.Header
	}

	return response.StatusCode, string(body), response.Header
}

// TestNeverRetries counts, at the target's socket, what one request becomes.
func TestNeverRetries(t *testing.T) {
	cases := map[string]struct {
		reason  string
		f       answer
		methods []string
		want    []int
	}{
		"FreshConnection": {reason: "a target that hangs up on a new connection", f: hangUp, methods: []string{"GET", "GET"}, want: []int{502, 502}},
		"KeptConnection": {
			reason: "a target that hangs up on the second request of a connection, the case that Go's own transport retries",
			f: func(c net.Conn, r *http.Request, n int64) bool {
				return n != 2 && say("ok")(c, r, n)
			},
			methods: []string{"GET", "GET", "GET"}, want: []int{200, 502, 200},
		},
		"HalfAnHeader": {
			reason: "a target that breaks off in the header",
			f: func(c net.Conn, _ *http.Request, _ int64) bool {
				_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Le")
				return false
			},
			methods: []string{"GET"}, want: []int{502},
		},
		"Malformed": {
			reason: "a target that does not speak HTTP",
			f: func(c net.Conn, _ *http.Request, _ int64) bool {
				_, _ = io.WriteString(c, "SSH-2.0-OpenSSH_9.2\r\n\r\n")
				return false
			},
			methods: []string{"GET"}, want: []int{502},
		},
		"Post": {reason: "a request with a body", f: hangUp, methods: []string{"POST"}, want: []int{502}},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			e := start(t, instant())
			b := serve(t, tc.f)
			other := serve(t, tc.f) // somewhere a retry could go
			group, address := e.front(b.Target, other.Target)
			if err := e.sim.SetHealth(group, &other.Target, Script{State: "unhealthy"}); err != nil { // but it gets no turn
				t.Fatal(err)
			}

			var got []int
			for _, method := range tc.methods {
				var body io.Reader
				if method == http.MethodPost {
					body = strings.NewReader("data")
				}
				r, err := http.NewRequestWithContext(t.Context(), method, "http://"+address+"/", body)
				if err != nil {
					t.Fatal(err)
				}
				status, _, _ := e.do(r)
				got = append(got, status)
			}

			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}

			if n := b.requests.Load() + other.requests.Load(); n != int64(len(tc.methods)) {
				t.Errorf("%s: %d requests became %d at the socket", tc.reason, len(tc.methods), n)
			}
		})
	}
}

func TestConnectionsToTargetsAreKept(t *testing.T) {
	e := start(t, instant())
	b := serve(t, say("ok"))
	_, address := e.front(b.Target)
	for range 5 {
		if status, body, _ := e.get(address, "/"); status != 200 || body != "ok" {
			t.Fatalf("%d %q", status, body)
		}
	}
	if n := b.accepted.Load(); n != 1 {
		t.Errorf("five requests in a row took %d connections to the target, want 1", n)
	}
}

func TestClosedIdleConnectionIsNoticed(t *testing.T) {
	e := start(t, instant())
	b := serve(t, func(c net.Conn, r *http.Request, n int64) bool {
		say("ok")(c, r, n)
		return false // without having said so
	})

	group, address := e.front(b.Target)
	for i := range 3 {
		if status, _, _ := e.get(address, "/"); status != 200 {
			t.Fatalf("request %d: %d", i, status)
		}
		e.until("the load balancer could know", func() bool {
			kept, closed := e.sim.elb.KeptConnections(group, b.Target)
			return kept == 1 && closed == 1
		})
	}

	if n := b.requests.Load(); n != 3 {
		t.Errorf("%d requests at the socket, want 3", n)
	}
}

func TestFailuresOfTargets(t *testing.T) {
	t.Run("Refused", func(t *testing.T) {
		e := start(t, instant())
		_, address := e.front(vacant(t))
		status, body, header := e.get(address, "/")
		if status != 502 || header.Get("Server") != "awselb/2.0" || !strings.Contains(body, "502 Bad Gateway") {
			t.Errorf("%d %v %s", status, header, body)
		}
	})

	t.Run("NoTargets", func(t *testing.T) {
		e := start(t, instant())
		_, address := e.front()
		if status, _, _ := e.get(address, "/"); status != 503 {
			t.Errorf("an empty group answers %d, want 503", status)
		}
	})

	t.Run("ConnectTimeout", func(t *testing.T) {
		cfg := instant()
		cfg.TimeScale = 1000 // the time-out of 10 s is then 1 s, its least
		e := start(t, cfg)
		_, address := e.front(deaf(t))
		if status, _, _ := e.get(address, "/"); status != 504 {
			t.Errorf("a target that does not accept: %d, want 504", status)
		}
	})

	t.Run("IdleTimeout", func(t *testing.T) {
		cfg := instant()
		cfg.TimeScale = 1000
		e := start(t, cfg)
		b := serve(t, func(c net.Conn, _ *http.Request, _ int64) bool {
			_, _ = c.Read(make([]byte, 1)) // until the load balancer gives up
			return false
		})

		_, address := e.front(b.Target)
		if status, _, _ := e.get(address, "/"); status != 504 {
			t.Errorf("a target that does not answer: %d, want 504", status)
		}

		if n := b.requests.Load(); n != 1 {
			t.Errorf("%d requests at the socket, want 1", n)
		}
	})

	t.Run("CutOff", func(t *testing.T) {
		e := start(t, instant())
		b := serve(t, func(c net.Conn, _ *http.Request, _ int64) bool {
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
			return false
		})
		_, address := e.front(b.Target)
		if status, body, _ := e.get(address, "/"); status != 200 || body != "cut off: half" {
			t.Errorf("%d %q: an answer that breaks off must break off for the client too", status, body)
		}
	})
}

// deaf is a target whose accept queue is full: connecting to it hangs.
func deaf(t *testing.T) Target {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}

	t.Cleanup(func() { _ = syscall.Close(fd) })
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}

	if err := syscall.Listen(fd, 0); err != nil {
		t.Fatal(err)
	}

	name, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}

	target := Target{ID: "127.0.0.1", Port: name.(*syscall.SockaddrInet4).Port}
	for {
		conn, err := net.DialTimeout("tcp", net.JoinHostPort(target.ID, strconv.Itoa(target.Port)), 200*time.Millisecond)
		if err != nil {
			return target
		}
		t.Cleanup(func() { _ = conn.Close() })
	}
}

func TestRoundRobinOverHealthyTargets(t *testing.T) {
	e := start(t, instant())
	a, b, c := serve(t, say("a")), serve(t, say("b")), serve(t, say("c"))
	group, address := e.front(a.Target, b.Target, c.Target)
	seen := func(n int) map[string]int {
		counts := map[string]int{}
		for range n {
			_, body, _ := e.get(address, "/")
			counts[body]++
		}
		return counts
	}
	if diff := cmp.Diff(map[string]int{"a": 3, "b": 3, "c": 3}, seen(9)); diff != "" {
		t.Errorf("all healthy (-want +got):\n%s", diff)
	}

	if err := e.sim.SetHealth(group, &c.Target, Script{State: "unhealthy"}); err != nil {
		t.Fatal(err)
	}

	if diff := cmp.Diff(map[string]int{"a": 3, "b": 3}, seen(6)); diff != "" {
		t.Errorf("one unhealthy (-want +got):\n%s", diff)
	}

	e.script(group, Script{State: "unhealthy"})
	if diff := cmp.Diff(map[string]int{"a": 3, "b": 3, "c": 3}, seen(9)); diff != "" {
		t.Errorf("none healthy: it fails open (-want +got):\n%s", diff)
	}

	e.script(group, Script{State: "initial"})
	if diff := cmp.Diff(map[string]int{"a": 2, "b": 2}, only(seen(6), "a", "b")); diff != "" {
		t.Errorf("also to targets that are only initial (-want +got):\n%s", diff)
	}
}

func only(counts map[string]int, keys ...string) map[string]int {
	picked := map[string]int{}
	for _, k := range keys {
		picked[k] = counts[k]
	}
	return picked
}

func TestDrainingTargetIsRoutedToUntilItsClockSaysSo(t *testing.T) {
	cfg := instant()
	cfg.TimeScale = 20
	cfg.ALB.DrainRoutingDelay = 17 * time.Second
	e := start(t, cfg)
	a, b := serve(t, say("a")), serve(t, say("b"))
	group, address := e.front(a.Target, b.Target)
	e.deregister(group, a.Target)

	if got := e.states(group)[a.Target]; got != "draining" {
		t.Fatalf("the API says %q", got)
	}

	first, second := "", ""
	_, first, _ = e.get(address, "/")
	_, second, _ = e.get(address, "/")
	if first == second {
		t.Errorf("%q twice: a target that just began to drain should still take its turn", first)
	}

	e.until("the data path leaves the target alone", func() bool {
		_, x, _ := e.get(address, "/")
		_, y, _ := e.get(address, "/")
		return x == "b" && y == "b"
	})
}

func TestInFlightRequestAtTheEndOfTheDelay(t *testing.T) {
	cfg := instant()
	cfg.TimeScale = 20
	e := start(t, cfg)
	entered := make(chan struct{})
	b := serve(t, func(c net.Conn, _ *http.Request, _ int64) bool {
		close(entered)
		_, _ = c.Read(make([]byte, 1)) // until the load balancer closes
		return false
	})

	group, address := e.front(b.Target)
	e.attribute(group, "deregistration_delay.timeout_seconds", "10")
	status := make(chan int)
	go func() {
		code, _, _ := e.get(address, "/")
		status <- code
	}()

	<-entered
	e.deregister(group, b.Target)

	if got := <-status; got != 502 {
		t.Errorf("in flight when the deregistration delay ended: %d, want 502", got)
	}

	if got := e.states(group); len(got) != 0 {
		t.Errorf("the row is still there: %v", got)
	}
}

func TestBodiesAndHeadersPass(t *testing.T) {
	e := start(t, instant())
	b := serve(t, func(c net.Conn, r *http.Request, _ int64) bool {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return false
		}

		_, _ = fmt.Fprintf(c, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-Seen: %s|%s|%s|%s\r\n\r\n",
			r.Host, r.Header.Get("X-Forwarded-For"), r.Header.Get("X-Forwarded-Proto"), r.Header.Get("Connection"))

		for len(body) > 0 {
			n := min(len(body), 50000)
			_, _ = fmt.Fprintf(c, "%x\r\n%s\r\n", n, body[:n])
			body = body[n:]
		}

		_, err = io.WriteString(c, "0\r\n\r\n")
		return err == nil
	})

	_, address := e.front(b.Target)
	sent := bytes.Repeat([]byte("0123456789"), 100_000)
	for range 3 {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+address+"/", bytes.NewReader(sent))
		if err != nil {
			t.Fatal(err)
		}

		r.Host = "web.test"
		r.Header.Set("X-Forwarded-For", "192.0.2.1")
		status, body, header := e.do(r)
		if status != 200 || body != string(sent) {
			t.Errorf("status %d, %d bytes of %d", status, len(body), len(sent))
		}

		if got := header.Get("X-Seen"); got != "web.test|192.0.2.1, 127.0.0.1|http|" {
			t.Errorf("the target saw %q", got)
		}
	}

	if n := b.accepted.Load(); n != 1 {
		t.Errorf("%d connections to the target, want 1", n)
	}
}

func TestHTTPSListenerAndTarget(t *testing.T) {
	e := start(t, instant())
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.Header.Get("X-Forwarded-Proto"))
	}))
	t.Cleanup(server.Close)

	group := e.group("web", func(in *elbv2.CreateTargetGroupInput) {
		in.Protocol, in.HealthCheckProtocol = types.ProtocolEnumHttps, types.ProtocolEnumHttps
	})

	e.listen(e.balancer("web", types.LoadBalancerTypeEnumApplication), types.ProtocolEnumHttps, 443, forwardTo(group))
	target := Target{ID: "127.0.0.1", Port: server.Listener.Addr().(*net.TCPAddr).Port}
	e.register(group, target)
	e.until("the target is healthy over TLS", func() bool { return e.states(group)[target] == "healthy" })

	for range 2 {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+e.sim.Listeners()[0].Address+"/", nil)
		if err != nil {
			t.Fatal(err)
		}
		if status, body, _ := e.do(r); status != 200 || body != "https" {
			t.Errorf("%d %q", status, body)
		}
	}
}
