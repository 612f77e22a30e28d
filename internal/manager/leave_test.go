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

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	ctrlmanager "sigs.k8s.io/controller-runtime/pkg/manager"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
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
