// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package manager

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sync/errgroup"
)

// A server that leaves loses no call, although its callers keep their connections and are too busy to read that one was closed
// before they call over it: it ends when they have closed them.
func TestLeavingLosesNoCall(t *testing.T) {
	// Calls that are under way together have a connection each.
	var together sync.WaitGroup
	together.Add(calls)
	leaving := serve(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		together.Done()
		together.Wait()
		_, _ = io.Copy(io.Discard, r.Body)
	}))
	staying := serve(t, readAll)

	leaving.frequent.SetBurst(0)
	c := newCaller(leaving)
	defer c.CloseIdleConnections()
	c.callTogether(t)

	c.to.Store(staying)
	if left := leaving.leave(t.Context(), 0, time.Minute); left != 0 {
		t.Errorf("%d connections were left", left)
	}
	c.busy.Lock()
	leaving.end()
	time.AfterFunc(100*time.Millisecond, c.busy.Unlock)
	c.callTogether(t)
}

// Each answer ends its connection, so that none waits when the server or its node dies; and not while calls come fast, when
// handshakes would burden callers.
func TestConnectionsEnd(t *testing.T) {
	for name, tc := range map[string]struct {
		fast, leaving bool
		want          int32
	}{
		"Seldom": {want: calls},
		"Fast":   {fast: true, want: 1},
		"Leaves": {fast: true, leaving: true, want: calls},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, readAll)
			s.leaving.Store(tc.leaving)
			if tc.fast {
				s.frequent.SetBurst(0)
			}
			c := newCaller(s)
			defer c.CloseIdleConnections()
			for range calls {
				if err := c.call(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			if got := c.dialled.Load(); got != tc.want {
				t.Errorf("%d connections for %d calls one after the other, want %d", got, calls, tc.want)
			}
		})
	}
}

// Calls come fast when there are more than a hundred in a second, and for a second after that.
func TestCallsComeFast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newWebhookServer(0, func(*tls.Config) {})
		h := s.handle(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		ends := func() bool {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", nil))
			return w.Header().Get("Connection") == "close"
		}

		for range 3 * fast {
			if !ends() {
				t.Fatal("kept a connection at 50 calls a second")
			}
			time.Sleep(2 * time.Second / fast)
		}
		kept := 0
		for range 3 * fast {
			if !ends() {
				kept++
			}
			time.Sleep(time.Second / fast / 2)
		}
		if kept < fast {
			t.Errorf("kept %d of %d connections at 200 calls a second", kept, 3*fast)
		}
		time.Sleep(crowd + time.Second)
		if !ends() {
			t.Error("kept a connection after calls came fast")
		}
	})
}

// A call that is under way when its server ends is answered.
func TestEndAnswersWhatIsUnderWay(t *testing.T) {
	begun, release := make(chan struct{}), make(chan struct{})
	s := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(begun)
		<-release
		readAll(w, r)
	}))
	c := newCaller(s)
	defer c.CloseIdleConnections()

	answered := make(chan error, 1)
	go func() { answered <- c.call(t.Context()) }()
	<-begun
	ended := make(chan struct{})
	go func() { s.end(); close(ended) }()
	for refused := false; !refused; {
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", s.address)
		if refused = err != nil; !refused {
			_ = conn.Close()
		}
	}

	close(release)
	if err := <-answered; err != nil {
		t.Error(err)
	}
	<-ended
}

// A replica leaves when nobody has a connection any more, when API servers have heard of it, and not later than it may.
func TestLeave(t *testing.T) {
	for name, tc := range map[string]struct {
		connected, calling, ends, want time.Duration
	}{
		"nobody calls":               {want: 3 * time.Second},
		"a caller closes before":     {connected: time.Second, want: 3 * time.Second},
		"a caller keeps one a while": {connected: time.Minute, want: time.Minute},
		"a caller keeps one forever": {connected: time.Hour, want: callersKeep},
		"somebody calls a while":     {calling: 10 * time.Second, want: 13 * time.Second},
		"somebody calls forever":     {calling: time.Hour, want: callersKeep},
		"it is told to end at once":  {connected: time.Hour, ends: 2 * time.Second, want: 2 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newWebhookServer(0, func(*tls.Config) {})
				if tc.connected > 0 {
					s.count(nil, http.StateNew)
					s.count(nil, http.StateActive)
					s.count(nil, http.StateIdle)
					time.AfterFunc(tc.connected, func() { s.count(nil, http.StateClosed) })
				}
				ctx, cancel := context.WithCancel(t.Context())
				var called sync.WaitGroup
				called.Go(func() {
					for begun := time.Now(); time.Since(begun) < tc.calling && ctx.Err() == nil; {
						time.Sleep(time.Second)
						s.count(nil, http.StateNew)
						s.count(nil, http.StateClosed)
					}
				})
				// Time stands still when the test's own goroutine has returned, so that who sleeps then never wakes.
				defer called.Wait()
				defer cancel()
				if tc.ends > 0 {
					time.AfterFunc(tc.ends, cancel)
				}

				begun := time.Now()
				s.leave(ctx, 3*time.Second, callersKeep)
				if got := time.Since(begun); got < tc.want || got > tc.want+2*look {
					t.Errorf("left after %s, want %s", got, tc.want)
				}
			})
		})
	}
}

// A server that never listened ends at once.
func TestEndWithoutStart(*testing.T) {
	s := newWebhookServer(-1, func(*tls.Config) {})
	s.leave(context.Background(), 0, time.Hour)
	s.end()
}

// calls are how many a test makes: fewer than the connections that a caller keeps.
const calls = 8

func readAll(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }

// serving is a server that serves.
type serving struct {
	*webhookServer
	address string
	once    sync.Once
}

func serve(t *testing.T, h http.HandlerFunc) *serving {
	t.Helper()
	// The test server gives no more than its certificate.
	unused := httptest.NewTLSServer(h)
	unused.Close()
	s := newWebhookServer(0, func(c *tls.Config) { c.Certificates = unused.TLS.Certificates })
	s.Register("/", h)

	var config net.ListenConfig
	listener, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}

	// The manager ends at once, and its server does not.
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.start(ctx, listener); err != nil {
		t.Fatal(err)
	}
	serving := &serving{webhookServer: s, address: listener.Addr().String()}
	t.Cleanup(serving.end)
	return serving
}

// end ends the server, once.
func (s *serving) end() { s.once.Do(s.webhookServer.end) }

// caller calls as API servers do, over HTTP/1.1, and keeps connections for a while, but not as long.
type caller struct {
	*http.Client
	// to is where it dials, dialled how often it did. It reads nothing while busy is held.
	to      atomic.Pointer[serving]
	dialled atomic.Int32
	busy    sync.RWMutex
}

func newCaller(to *serving) *caller {
	c := &caller{}
	c.to.Store(to)
	dialer := &net.Dialer{}
	c.Client = &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, MaxIdleConnsPerHost: 25, IdleConnTimeout: time.Second,
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			c.dialled.Add(1)
			conn, err := dialer.DialContext(ctx, network, c.to.Load().address)
			return deaf{conn, &c.busy}, err
		},
	}}
	return c
}

// deaf is a connection of a caller that is busy.
type deaf struct {
	net.Conn
	busy *sync.RWMutex
}

// Read implements net.Conn.
func (d deaf) Read(b []byte) (int, error) {
	n, err := d.Conn.Read(b)
	d.busy.RLock()
	defer d.busy.RUnlock()
	return n, err
}

func (c *caller) call(ctx context.Context) error {
	// A pod is longer than what a client buffers.
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://webhook.test/", bytes.NewReader(bytes.Repeat([]byte("pod "), 2000)))
	if err != nil {
		return err
	}
	response, err := c.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	_, err = io.Copy(io.Discard, response.Body)
	return err
}

func (c *caller) callTogether(t *testing.T) {
	t.Helper()
	var group errgroup.Group
	for range calls {
		group.Go(func() error { return c.call(t.Context()) })
	}
	if err := group.Wait(); err != nil {
		t.Error(err)
	}
}
