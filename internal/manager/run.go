// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package manager

import (
	"context"
	"fmt"

	ctrlmanager "sigs.k8s.io/controller-runtime/pkg/manager"
)

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
