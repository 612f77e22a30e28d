// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package manager

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	ctrlmanager "sigs.k8s.io/controller-runtime/pkg/manager"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
)

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
