// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package manager

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// A server that leaves loses no call, although its callers keep to their connections: they
// go elsewhere before the server closes them.
func TestLeavingLosesNoCall(t *testing.T) {
	for range 3 {
		var l leave
		ctx, told := context.WithCancel(t.Context())
		later, stop := l.after(ctx, time.Hour)
		var elsewhere atomic.Int32
		leaving := serve(t, l.handle(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) })))
		staying := serve(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) }))
		// New connections go to the server that stays, as soon as the other one leaves.
		client := caller(func() string {
			if l.begun.Load() {
				return staying.Listener.Addr().String()
			}
			return leaving.Listener.Addr().String()
		})

		over, done := make(chan struct{}), make(chan struct{})
		end := sync.OnceFunc(func() {
			close(over)
			<-done
			client.CloseIdleConnections()
		})

		defer end()
		go func() {
			defer close(done)
			for n := 0; ; n++ {
				select {
				case <-over:
					return
				case <-time.After(idle):
				}
				if err := call(t.Context(), client); err != nil {
					t.Errorf("call %d: %v", n, err)
				}
				if n == 5 {
					told()
				}
			}
		}()

		for deadline := time.Now().Add(10 * time.Second); elsewhere.Load() == 0; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatal("the caller keeps to the connection of the server that leaves")
			}
		}

		stop()
		<-later.Done()

		if err := leaving.Config.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}

		for reached := elsewhere.Load(); elsewhere.Load() < reached+3; {
			time.Sleep(time.Millisecond)
		}

		end()
	}
}

func TestLeavesLater(t *testing.T) {
	var l leave
	ctx, told := context.WithCancel(t.Context())
	later, cancel := l.after(ctx, time.Hour)
	told()

	for !l.begun.Load() {
		time.Sleep(time.Millisecond)
	}

	if later.Err() != nil {
		t.Error("ended as soon as it was told to")
	}

	cancel()
	if later.Err() == nil {
		t.Error("cannot be ended before its time")
	}
}

func serve(t *testing.T, h http.Handler) *httptest.Server {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

// caller calls as API servers do, over HTTP/1.1, and dials what address says.
func caller(address func() string) *http.Client {
	dialer := &net.Dialer{}
	return &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			conn, err := dialer.DialContext(ctx, network, address())
			return far{conn}, err
		},
	}}
}

// far is a connection on which what is sent arrives a while later.
type far struct{ net.Conn }

// distance is how long it is on its way, idle the time between two calls of a caller.
const (
	distance = 6 * time.Millisecond
	idle     = 5 * time.Millisecond
)

func (f far) Write(b []byte) (int, error) {
	time.Sleep(distance)
	return f.Conn.Write(b)
}

func call(ctx context.Context, c *http.Client) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://webhook.test/", struct{ io.Reader }{strings.NewReader(strings.Repeat("pod ", 2000))})
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
