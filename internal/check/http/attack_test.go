// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package http

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"log"
	"net"
	nethttp "net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/podgate/podgate/internal/check"
	"github.com/podgate/podgate/internal/check/expr"
	"github.com/podgate/podgate/internal/check/network"
	"github.com/podgate/podgate/internal/check/network/networktest"
)

// TestRedirectsAreNotFollowed: a pod cannot send podgate elsewhere.
func TestRedirectsAreNotFollowed(t *testing.T) {
	var elsewhere atomic.Int32
	other := httptest.NewServer(nethttp.HandlerFunc(func(nethttp.ResponseWriter, *nethttp.Request) { elsewhere.Add(1) }))
	defer other.Close()

	for _, status := range []int{301, 302, 303, 307, 308} {
		server := httptest.NewServer(nethttp.HandlerFunc(func(w nethttp.ResponseWriter, _ *nethttp.Request) {
			w.Header().Set("Location", other.URL)
			w.Header().Set("Refresh", "0; url="+other.URL)
			w.Header().Set("Alt-Svc", `h2="`+other.Listener.Addr().String()+`"`)
			w.WriteHeader(status)
		}))
		got := ask(t, Settings{}, server.Listener.Addr().String())
		server.Close()
		if got.Verdict != check.Fail || got.Word != check.HTTPStatus(status) {
			t.Errorf("%d: got %s (%s)", status, got.Verdict, got.Word)
		}
	}

	if n := elsewhere.Load(); n != 0 {
		t.Errorf("podgate was sent elsewhere %d times", n)
	}
}

// TestNoProxy: neither the environment nor anything else puts a proxy between, which would dial where the guard does not look.
func TestNoProxy(t *testing.T) {
	var proxied atomic.Int32
	proxy := httptest.NewServer(nethttp.HandlerFunc(func(nethttp.ResponseWriter, *nethttp.Request) { proxied.Add(1) }))
	defer proxy.Close()
	for _, name := range []string{"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"} {
		t.Setenv(name, proxy.URL)
	}

	server := httptest.NewServer(nethttp.NotFoundHandler())
	defer server.Close()
	if got := ask(t, Settings{}, server.Listener.Addr().String()); got.Word != check.HTTPStatus(404) || proxied.Load() != 0 {
		t.Errorf("got %s (%s), and the proxy was asked %d times", got.Verdict, got.Word, proxied.Load())
	}
}

// TestNoCookies: nothing that one pod sends is told to the next, nor to itself.
func TestNoCookies(t *testing.T) {
	var told atomic.Int32
	server := httptest.NewServer(nethttp.HandlerFunc(func(w nethttp.ResponseWriter, r *nethttp.Request) {
		told.Add(int32(len(r.Cookies())))
		w.Header().Set("Set-Cookie", "a=b; Path=/")
	}))
	defer server.Close()

	pods := networktest.New()
	pod := pods.Add()
	pods.Serve(pod, server.Listener.Addr().String())
	for range 3 {
		askOf(t, Settings{}, pods, pod)
	}
	if n := told.Load(); n != 0 {
		t.Errorf("%d cookies came back", n)
	}
	if got := pods.Dialled(); got != 3 {
		t.Errorf("3 requests over %d connections", got)
	}
}

// TestInjectedHeaders: what would be a second header or request is not sent, nor anything that is made of it.
func TestInjectedHeaders(t *testing.T) {
	for name, header := range map[string]Header{
		"Value":   {"X-A", "b\r\nX-C: d"},
		"NewLine": {"X-A", "b\nX-C: d"},
		"Agent":   {"User-Agent", "b\r\nX-C: d"},
		"Null":    {"X-A", "b\x00"},
		"Name":    {"X-A: b\r\nX-C", "d"},
		"Space":   {"X A", "b"},
		"Empty":   {"", "b"},
	} {
		if _, err := New(place, Settings{Headers: []Header{header}}, timeout, networktest.New().Dial); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}

// bodies is an expression that reads bodies, and remembers the latest.
type bodies struct {
	read  bool
	err   error
	got   expr.HTTPResponse
	asked bool
}

func (b *bodies) ReadsBody() bool { return b.read }

func (b *bodies) Passes(_ context.Context, in expr.Input) (bool, error) {
	b.got, b.asked = in.Response, true
	return bytes.Equal(in.Response.Body, []byte("ready")), b.err
}

func TestExpression(t *testing.T) {
	server := httptest.NewServer(nethttp.HandlerFunc(func(w nethttp.ResponseWriter, r *nethttp.Request) {
		w.Header().Set("X-Cache", "warm")
		if r.URL.Path == "/ready" {
			w.WriteHeader(nethttp.StatusTeapot)
			_, _ = io.WriteString(w, "ready")
		}
	}))
	defer server.Close()

	for name, tc := range map[string]struct {
		reason     string
		expression bodies
		path       string
		want       check.Answer
		body       string
	}{
		"True":    {reason: "The expression decides, whatever the status.", expression: bodies{read: true}, path: "/ready", want: check.Answer{Verdict: check.Pass, Word: check.HTTPStatus(418)}, body: "ready"},
		"False":   {reason: "The expression decides, whatever the status.", expression: bodies{read: true}, path: "/", want: check.Answer{Verdict: check.Fail, Word: check.HTTPStatus(200)}},
		"Error":   {reason: "It cannot tell.", expression: bodies{read: true, err: errors.New("no such key: " + secretBody)}, path: "/ready", want: check.Answer{Word: check.ExpressionFailed}, body: "ready"},
		"NotRead": {reason: "A body that it does not need is not read.", path: "/ready", want: check.Answer{Verdict: check.Fail, Word: check.HTTPStatus(418)}},
	} {
		t.Run(name, func(t *testing.T) {
			got := ask(t, Settings{Path: tc.path, Expression: &tc.expression}, server.Listener.Addr().String())
			if tc.want.Addr = got.Addr; got != tc.want {
				t.Errorf("%s\ngot %s (%s)", tc.reason, got.Verdict, got.Word)
			}
			if string(tc.expression.got.Body) != tc.body || tc.expression.got.Header.Get("X-Cache") != "warm" {
				t.Errorf("%s\nthe expression got %+v", tc.reason, tc.expression.got)
			}
		})
	}
}

// TestBodies: what is read is bounded, in bytes and in time.
func TestBodies(t *testing.T) {
	bomb := &bytes.Buffer{}
	zip := gzip.NewWriter(bomb)
	_, _ = zip.Write(make([]byte, 10<<20))
	_ = zip.Close()

	for name, tc := range map[string]struct {
		reason string
		body   []byte
		header string
		read   bool
		want   check.Word
		length int
	}{
		"Greatest":   {reason: "64 KiB are read.", body: make([]byte, maxBody), read: true, want: check.HTTPStatus(200), length: maxBody},
		"TooLarge":   {reason: "One byte more is too large.", body: make([]byte, maxBody+1), read: true, want: check.BodyTooLarge},
		"Huge":       {reason: "Nothing like it is kept.", body: make([]byte, 8<<20), read: true, want: check.BodyTooLarge},
		"HugeUnread": {reason: "Nobody needs it.", body: make([]byte, 8<<20), want: check.HTTPStatus(200)},
		"Bomb":       {reason: "What is compressed stays so.", body: bomb.Bytes(), header: "gzip", read: true, want: check.HTTPStatus(200), length: bomb.Len()},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(nethttp.HandlerFunc(func(w nethttp.ResponseWriter, r *nethttp.Request) {
				if r.Header.Get("Accept-Encoding") != "" {
					t.Error("podgate asks for compressed bodies")
				}
				if tc.header != "" {
					w.Header().Set("Content-Encoding", tc.header)
				}
				_, _ = w.Write(tc.body)
			}))
			defer server.Close()
			expression := &bodies{read: tc.read}
			if got := ask(t, Settings{Expression: expression}, server.Listener.Addr().String()); got.Word != tc.want || got.Verdict == check.Pass {
				t.Errorf("%s\ngot %s (%s)", tc.reason, got.Verdict, got.Word)
			}
			if got := len(expression.got.Body); got != tc.length {
				t.Errorf("%s\nthe expression got %d bytes", tc.reason, got)
			}
		})
	}
}

// TestRawServers: whatever a server sends, the check ends in time and says no more than a word.
func TestRawServers(t *testing.T) {
	drip := func(text string) func(net.Conn) {
		return func(c net.Conn) {
			for _, err := io.WriteString(c, text); err == nil; _, err = io.WriteString(c, "a") {
				time.Sleep(10 * time.Millisecond)
			}
		}
	}
	flood := func(text string) func(net.Conn) {
		return func(c net.Conn) {
			more := strings.Repeat("a", 1<<16)
			for _, err := io.WriteString(c, text); err == nil; _, err = io.WriteString(c, more) {
				continue
			}
		}
	}
	keep := func(text string) func(net.Conn) {
		return func(c net.Conn) {
			_, _ = io.WriteString(c, text)
			_, _ = io.Copy(io.Discard, c)
		}
	}
	once := func(text string) func(net.Conn) { return func(c net.Conn) { _, _ = io.WriteString(c, text) } }

	for name, tc := range map[string]struct {
		reason string
		serve  func(net.Conn)
		read   bool
		want   check.Word
	}{
		"SlowHeader":     {reason: "One deadline for all.", serve: drip("HTTP/1.1 200 OK\r\nX-A: "), want: check.TimedOut},
		"SlowBody":       {reason: "One deadline for all.", serve: drip("HTTP/1.1 200 OK\r\n\r\n"), read: true, want: check.TimedOut},
		"EndlessBody":    {reason: "64 KiB are read.", serve: flood("HTTP/1.1 200 OK\r\n\r\n"), read: true, want: check.BodyTooLarge},
		"EndlessHeader":  {reason: "16 KiB are read.", serve: flood("HTTP/1.1 200 OK\r\nX-A: "), want: check.Malformed},
		"Silent":         {reason: "Nothing comes.", serve: drip(""), want: check.TimedOut},
		"HugeHeader":     {reason: "16 KiB are read.", serve: once("HTTP/1.1 200 OK\r\nX-A: " + strings.Repeat("a", 1<<20) + "\r\n\r\n"), want: check.Malformed},
		"ManyHeaders":    {reason: "16 KiB are read.", serve: once("HTTP/1.1 200 OK\r\n" + strings.Repeat("X-A: b\r\n", 1<<16) + "\r\n"), want: check.Malformed},
		"Interim":        {reason: "Responses before the response are bounded, too.", serve: once(strings.Repeat("HTTP/1.1 103 Early Hints\r\nLink: <"+strings.Repeat("a", 1000)+">\r\n\r\n", 1000)), want: check.Malformed},
		"InterimOnly":    {reason: "The response does not come.", serve: once("HTTP/1.1 100 Continue\r\n\r\n"), want: check.Malformed},
		"InterimFirst":   {reason: "The response comes after them.", serve: keep("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n"), read: true, want: check.HTTPStatus(500)},
		"NotHTTP":        {reason: "Another protocol.", serve: once("SSH-2.0-OpenSSH_9.2p1\r\n"), want: check.Malformed},
		"CutOff":         {reason: "Half an answer is none.", serve: once("HTTP/1.1 200 OK\r\nX-A: b\r\n"), want: check.Malformed},
		"CutOffBody":     {reason: "Half an answer is none.", serve: once("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nrea"), read: true, want: check.Malformed},
		"Closed":         {reason: "It says nothing.", serve: func(net.Conn) {}, want: check.Malformed},
		"StatusTooLarge": {reason: "Not a status.", serve: once("HTTP/1.1 2000 OK\r\n\r\n"), want: check.Malformed},
		"StatusText":     {reason: "The server's own text is not told.", serve: once("HTTP/1.1 500 " + secretBody + "\r\nContent-Length: 0\r\n\r\n"), want: check.HTTPStatus(500)},
		"Switching":      {reason: "Nobody asked for another protocol.", serve: once("HTTP/1.1 101 Switching Protocols\r\nUpgrade: " + secretBody + "\r\nConnection: Upgrade\r\n\r\n"), want: check.HTTPStatus(101)},
		"SwitchingKept":  {reason: "Nobody reads what comes then.", serve: keep("HTTP/1.1 101 Switching Protocols\r\nUpgrade: a\r\nConnection: Upgrade\r\n\r\n"), read: true, want: check.HTTPStatus(101)},
		"UnreadKept":     {reason: "A body that nobody needs is not waited for.", serve: keep("HTTP/1.1 500 No\r\nContent-Length: 5\r\n\r\n"), want: check.HTTPStatus(500)},
	} {
		t.Run(name, func(t *testing.T) {
			listener := networktest.Listen(t)
			done := make(chan struct{})
			go func() {
				defer close(done)
				conn, err := listener.Accept()
				if err != nil {
					return
				}
				go func() { _, _ = io.Copy(io.Discard, conn) }() // Nobody resets what was not read.
				tc.serve(conn)
				_ = conn.(*net.TCPConn).CloseWrite()
				time.Sleep(50 * time.Millisecond)
				_ = conn.Close()
			}()

			began := time.Now()
			got := ask(t, Settings{Expression: &bodies{read: tc.read}}, listener.Addr().String())
			if took := time.Since(began); took > timeout+3*time.Second {
				t.Errorf("%s\nit took %s", tc.reason, took)
			}
			if got.Verdict == check.Pass || got.Word != tc.want {
				t.Errorf("%s\ngot %s (%s), want %s", tc.reason, got.Verdict, got.Word, tc.want)
			}
			<-done
		})
	}
}

// TestFramings: a body ends where the response says so, whether or not the server closes the connection.
func TestFramings(t *testing.T) {
	for name, tc := range map[string]struct {
		reason   string
		method   string
		response string
		closes   bool
		want     string
	}{
		"Length":  {reason: "It has this many bytes.", response: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nready, and more", want: "ready"},
		"Chunked": {reason: "It ends with an empty chunk.", response: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nre\r\n3\r\nady\r\n0\r\n\r\n", want: "ready"},
		"Close":   {reason: "It ends with the connection.", response: "HTTP/1.0 200 OK\r\n\r\nready", closes: true, want: "ready"},
		"Head":    {reason: "There is none, whatever its length would be.", method: nethttp.MethodHead, response: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"},
		"None":    {reason: "There is none with this status.", response: "HTTP/1.1 204 No Content\r\n\r\n"},
	} {
		t.Run(name, func(t *testing.T) {
			listener := networktest.Listen(t)
			served := make(chan struct{})
			go func() {
				defer close(served)
				conn, err := listener.Accept()
				if err != nil {
					return
				}
				defer func() { _ = conn.Close() }()
				_, _ = io.WriteString(conn, tc.response)
				if tc.closes {
					_ = conn.(*net.TCPConn).CloseWrite()
				}
				_, _ = io.Copy(io.Discard, conn)
			}()

			expression := &bodies{read: true}
			got := ask(t, Settings{Method: tc.method, Expression: expression}, listener.Addr().String())
			<-served
			if !expression.asked || string(expression.got.Body) != tc.want {
				t.Errorf("%s\ngot %s (%s) and the body %q, want %q", tc.reason, got.Verdict, got.Word, expression.got.Body, tc.want)
			}
		})
	}
}

// TestNothingOutlivesAQuestion: a server that never answers costs one time-out, and no connection or goroutine after it.
func TestNothingOutlivesAQuestion(t *testing.T) {
	for name, tc := range map[string]struct {
		reason string
		tls    *network.TLS
		listen bool
	}{
		"Connecting":    {reason: "Nothing answers at the address.", tls: nil},
		"ConnectingTLS": {reason: "Nothing answers at the address.", tls: &network.TLS{}},
		"Handshake":     {reason: "The server does not answer the ClientHello.", tls: &network.TLS{}, listen: true},
		"Request":       {reason: "The server does not answer the request.", listen: true},
	} {
		t.Run(name, func(t *testing.T) {
			before := goleak.IgnoreCurrent()
			var address string
			var listener net.Listener
			if tc.listen {
				// The kernel takes connections that nobody accepts.
				listener = networktest.Listen(t)
				address = listener.Addr().String()
			}

			if got := ask(t, Settings{TLS: tc.tls}, address); got.Verdict != check.NoAnswer || got.Word != check.TimedOut {
				t.Errorf("%s\ngot %s (%s)", tc.reason, got.Verdict, got.Word)
			}
			if err := goleak.Find(before); err != nil {
				t.Errorf("%s\n%v", tc.reason, err)
			}

			if tc.listen {
				conn, err := listener.Accept()
				if err != nil {
					t.Fatal(err)
				}
				defer func() { _ = conn.Close() }()
				_ = conn.SetReadDeadline(time.Now().Add(timeout))
				if _, err := io.Copy(io.Discard, conn); errors.Is(err, os.ErrDeadlineExceeded) {
					t.Errorf("%s\nthe connection is still open", tc.reason)
				}
			}
		})
	}
}

// TestNothingIsLogged: what a server sends unasked gets nowhere, such as the banner of SSH.
func TestNothingIsLogged(t *testing.T) {
	var logged bytes.Buffer
	log.SetOutput(&logged)
	defer log.SetOutput(os.Stderr)

	listener := networktest.Listen(t)
	pods := networktest.New()
	pod := pods.Add()
	pods.Serve(pod, listener.Addr().String())
	checker, err := New(place, Settings{}, timeout, func(ctx context.Context, to network.Destination) (net.Conn, error) {
		conn, err := pods.Dial(ctx, to)
		if err != nil {
			return nil, err
		}
		server, err := listener.Accept()
		if err != nil {
			return nil, err
		}
		t.Cleanup(func() { _ = server.Close() })
		_, err = io.WriteString(server, "SSH-2.0-"+secretBody+"\r\n")
		return conn, err
	})
	if err != nil {
		t.Fatal(err)
	}

	for range 500 {
		answers, err := checker.Check(t.Context(), []check.Subject{pod})
		if got := answers[pod.UID]; err != nil || got.Verdict != check.NoAnswer || got.Word != check.Malformed {
			t.Errorf("got %s (%s) and the error %v", got.Verdict, got.Word, err)
		}
	}
	if logged.Len() > 0 {
		t.Errorf("this was logged: %s", logged.String())
	}
}
