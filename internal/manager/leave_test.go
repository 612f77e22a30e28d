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
	"testing/synctest"
	"time"

	"github.com/go-logr/logr"
	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	ctrlmanager "sigs.k8s.io/controller-runtime/pkg/manager"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
)

// A server that leaves loses no call, although its callers would keep their connections, and are too busy to read that one was
// closed before they call over it: they find a server anew for each call.
func TestLeavingLosesNoCall(t *testing.T) {
	var l leave
	answer := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) })
	leaving, staying := serve(t, l.handle(answer)), serve(t, answer)
	var gone atomic.Bool
	var busy sync.RWMutex // Held while the caller reads nothing.
	client := caller(func() string {
		if gone.Load() {
			return staying.Listener.Addr().String()
		}
		return leaving.Listener.Addr().String()
	}, &busy)
	defer client.CloseIdleConnections()

	// By several calls at a time the caller has several connections.
	var group errgroup.Group
	for range 8 {
		group.Go(func() error { return call(t.Context(), client) })
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}

	busy.Lock()
	gone.Store(true)
	if err := leaving.Config.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(100*time.Millisecond, busy.Unlock)
	for range 8 {
		if err := call(t.Context(), client); err != nil {
			t.Error(err)
		}
	}
}

// A replica serves on until nobody has called for a while, and not for ever.
func TestLeavesLater(t *testing.T) {
	for name, tc := range map[string]struct {
		calls int
		want  time.Duration
	}{
		"nobody calls":        {want: 3 * time.Second},
		"somebody calls":      {calls: 3, want: 6 * time.Second},
		"somebody calls ever": {calls: 100, want: 15 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var l leave
				h := l.handle(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
				call := func() {
					h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", nil))
				}
				ctx, told := context.WithCancel(t.Context())
				later, cancel := l.after(ctx, 3*time.Second)
				defer cancel()

				// Calls from before it was told to end count for nothing.
				call()
				time.Sleep(time.Hour)
				told()
				begun := time.Now()
				var calling sync.WaitGroup
				calling.Go(func() {
					for n := 0; n < tc.calls && later.Err() == nil; n++ {
						time.Sleep(time.Second)
						call()
					}
				})

				<-later.Done()
				got := time.Since(begun)
				calling.Wait()
				if got != tc.want {
					t.Errorf("left after %s, want %s", got, tc.want)
				}
			})
		})
	}
}

// A replica can be ended before its time.
func TestLeavesAtOnce(t *testing.T) {
	var l leave
	ctx, told := context.WithCancel(t.Context())
	later, cancel := l.after(ctx, time.Hour)
	told()
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

// caller calls as API servers do, over HTTP/1.1, and dials what address says. It hears of nothing while busy is held.
func caller(address func() string, busy *sync.RWMutex) *http.Client {
	dialer := &net.Dialer{}
	return &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, MaxIdleConnsPerHost: 25,
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			conn, err := dialer.DialContext(ctx, network, address())
			return deaf{conn, busy}, err
		},
	}}
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

// A manager whose caches do not fill, as without permission to list, is not waited for: its pod would be killed at the end
// of its grace period. One that works ends in order.
func TestEndWithAndWithoutCaches(t *testing.T) {
	for name, fill := range map[string]bool{"Filled": true, "Empty": false} {
		t.Run(name, func(t *testing.T) {
			m := newSlowManager(t)
			if fill {
				m.fill()
			}

			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() { done <- run(ctx, m) }()

			<-m.begun
			cancel()
			select {
			case err := <-done:
				if err != nil {
					t.Error(err)
				}
			case <-time.After(10 * time.Second):
				t.Error("still waits for its caches")
			}

			select {
			case <-m.ended:
			default:
				if fill {
					t.Error("did not wait for what runs")
				}
			}

			m.fill()
			<-m.ended
		})
	}
}

// slowManager is a manager whose cache fills when it is told to, and whose work takes a moment to end. It has begun when it
// works or waits for the cache.
type slowManager struct {
	ctrlmanager.Manager
	fill         func()
	begun, ended chan struct{}
}

func newSlowManager(t *testing.T) slowManager {
	t.Helper()
	filled := make(chan struct{})
	m := slowManager{fill: sync.OnceFunc(func() { close(filled) }), begun: make(chan struct{}), ended: make(chan struct{})}
	begin := sync.OnceFunc(func() { close(m.begun) })

	var err error
	m.Manager, err = ctrlmanager.New(&rest.Config{}, ctrlmanager.Options{
		Logger: logr.Discard(), Metrics: metricsserver.Options{BindAddress: "0"},
		MapperProvider: func(*rest.Config, *http.Client) (meta.RESTMapper, error) { return meta.NewDefaultRESTMapper(nil), nil },
		NewCache: func(*rest.Config, cache.Options) (cache.Cache, error) {
			return slowCache{filled: filled, begin: begin}, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}

	err = m.Add(ctrlmanager.RunnableFunc(func(ctx context.Context) error {
		begin()
		<-ctx.Done()
		time.Sleep(100 * time.Millisecond)
		return nil
	}))
	if err != nil {
		t.Fatal(err)
	}

	return m
}

// Start implements manager.Manager.
func (m slowManager) Start(ctx context.Context) error {
	defer close(m.ended)
	return m.Manager.Start(ctx)
}

// slowCache is a cache that is empty until it is filled.
type slowCache struct {
	cache.Cache
	filled chan struct{}
	begin  func()
}

// Start implements cache.Cache.
func (c slowCache) Start(ctx context.Context) error {
	<-ctx.Done()
	return nil
}

// WaitForCacheSync implements cache.Cache.
func (c slowCache) WaitForCacheSync(ctx context.Context) bool {
	select {
	case <-c.filled:
		return true
	default:
	}

	c.begin()
	select {
	case <-c.filled:
		return true
	case <-ctx.Done():
		return false
	}
}
