// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package manager

import (
	"context"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	ctrlmanager "sigs.k8s.io/controller-runtime/pkg/manager"
)

// leave is how a replica ends. API servers call webhooks over HTTP/1.1, keep connections
// open and go on calling over them long after the replica is no endpoint any more. A call
// that meets a server which closes its idle connections is lost, as no client repeats a
// POST, and with it a pod's gate. So, for a while before anything stops, every answer asks
// the caller to call elsewhere the next time.
type leave struct {
	begun atomic.Bool
}

// after gives a context that ends a while after ctx, and cancel to end it before.
func (l *leave) after(ctx context.Context, while time.Duration) (later context.Context, cancel context.CancelFunc) {
	later, cancel = context.WithCancel(context.WithoutCancel(ctx))
	context.AfterFunc(ctx, func() {
		l.begun.Store(true)
		time.AfterFunc(while, cancel)
	})
	return later, cancel
}

// handle has answers say that the connection ends with them, once the replica leaves.
func (l *leave) handle(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if l.begun.Load() {
			w.Header().Set("Connection", "close")
		}
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
