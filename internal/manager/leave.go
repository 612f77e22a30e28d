// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package manager

import (
	"context"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	ctrlmanager "sigs.k8s.io/controller-runtime/pkg/manager"
	ctrlwebhook "sigs.k8s.io/controller-runtime/pkg/webhook"
)

// leave is how a replica ends: it serves on until nobody calls its webhook any more, for a call that meets a replica which has
// gone is lost, as no client repeats a POST, and with it a pod's gate.
//
// API servers call webhooks over HTTP/1.1. They keep up to 25 connections, go on calling over them long after the replica is no
// endpoint any more, and write to one that was closed until they have read of its end, which takes its time where processors are
// busy. Over one to a node that has died they call until the kernel gives up. So each answer ends its connection, and each call
// finds a replica anew, which costs a handshake for each pod that is created.
type leave struct {
	// called is when a call ended last, by the clock of time.Now, in nanoseconds.
	called atomic.Int64
}

// patience is how much longer than that a replica serves on at most while it is still called. The kubelet has patience, too.
const patience = 12 * time.Second

// after gives a context that ends when, after the end of ctx, nobody has called for a while; and cancel to end it before.
func (l *leave) after(ctx context.Context, while time.Duration) (later context.Context, cancel context.CancelFunc) {
	later, cancel = context.WithCancel(context.WithoutCancel(ctx))
	context.AfterFunc(ctx, func() { l.end(later, cancel, time.Now(), while) })
	return later, cancel
}

// end calls cancel when nobody has called for a while, and when patience ends.
func (l *leave) end(later context.Context, cancel context.CancelFunc, begun time.Time, while time.Duration) {
	defer cancel()
	last := begun.Add(while + patience)
	for {
		quiet := begun
		if called := time.Unix(0, l.called.Load()); called.After(quiet) {
			quiet = called
		}
		until := quiet.Add(while)
		if until.After(last) {
			until = last
		}

		left := time.Until(until)
		if left <= 0 {
			return
		}
		select {
		case <-time.After(left):
		case <-later.Done():
			return
		}
	}
}

// unready is how long the kubelet takes to find out that a replica is not ready: its probe fails three times, two seconds apart.
const unready = 8 * time.Second

// afterLoss serves the webhook on when a leader has lost its lease, as when the API server starved for some seconds: calls of
// a process that ended at once would be refused until API servers have heard of it. The manager has ended, and with it the
// probes' answers and all that a leader does. It returns when nobody has called for a while, or ctx has ended.
func (l *leave) afterLoss(ctx context.Context, while time.Duration) {
	later, cancel := context.WithCancel(ctx)
	l.end(later, cancel, time.Now().Add(unready), while)
}

// until returns a context that ends when end is closed, and not when the given one does.
func until(ctx context.Context, end <-chan struct{}) (lasting context.Context, cancel context.CancelFunc) {
	lasting, cancel = context.WithCancel(context.WithoutCancel(ctx))
	go func() {
		select {
		case <-end:
			cancel()
		case <-lasting.Done():
		}
	}()
	return lasting, cancel
}

// lastingServer is the webhook's server, which outlives the manager.
type lastingServer struct {
	ctrlwebhook.Server
	// end ends it; ended is closed when all calls are answered then.
	end   <-chan struct{}
	ended chan struct{}
}

// Start implements manager.Runnable.
func (s lastingServer) Start(ctx context.Context) error {
	defer close(s.ended)
	ctx, cancel := until(ctx, s.end)
	defer cancel()
	return s.Server.Start(ctx)
}

// lastingCache is what the webhook's answers are read from, which outlives the manager as well.
type lastingCache struct {
	cache.Cache
	end <-chan struct{}
}

// Start implements manager.Runnable.
func (c lastingCache) Start(ctx context.Context) error {
	ctx, cancel := until(ctx, c.end)
	defer cancel()
	return c.Cache.Start(ctx)
}

// lastingCaches makes caches that end with end.
func lastingCaches(end <-chan struct{}) cache.NewCacheFunc {
	return func(kube *rest.Config, o cache.Options) (cache.Cache, error) {
		c, err := cache.New(kube, o)
		return lastingCache{Cache: c, end: end}, err
	}
}

// handle has each answer end its connection, and notes that somebody called.
func (l *leave) handle(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() { l.called.Store(time.Now().UnixNano()) }()
		w.Header().Set("Connection", "close")
		next.ServeHTTP(w, r)
	})
}

// run runs a manager until ctx ends. controller-runtime waits for its caches without an end, whatever becomes of ctx, so a
// manager whose caches never filled is left to the end of the process: it is not ready, and leads nothing.
func run(ctx context.Context, mgr ctrlmanager.Manager) error {
	filled := make(afterCaches)
	if err := mgr.Add(filled); err != nil {
		return fmt.Errorf("follow the caches: %w", err)
	}

	ended := make(chan error, 1)
	go func() { ended <- mgr.Start(ctx) }()

	select {
	case <-filled:
		return <-ended
	case err := <-ended:
		return err
	case <-ctx.Done():
		return nil
	}
}

// afterCaches is closed when the manager's caches are filled.
type afterCaches chan struct{}

// Start implements manager.Runnable.
func (a afterCaches) Start(context.Context) error {
	close(a)
	return nil
}

// NeedLeaderElection implements manager.LeaderElectionRunnable.
func (afterCaches) NeedLeaderElection() bool { return false }
