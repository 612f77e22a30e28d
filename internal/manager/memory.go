// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package manager

import (
	"context"
	"runtime/debug"
	"time"

	"github.com/go-logr/logr"
)

const (
	// settled is how long after the caches are filled the start is over, where nothing is slow: most groups are read by then.
	settled = time.Minute
	// between is how often memory is given back later; the time until the next doubles up to that. It takes the time of one
	// garbage collection, of which the runtime makes one every two minutes in any case.
	between = 10 * time.Minute
)

// thrift gives memory back to the kernel that podgate does not use any more. Filling the caches takes several times what they
// hold, and the start runs code that is not run again, most of it in libraries. The runtime keeps the one and the kernel the
// other, as if both were needed again soon. At rest that is half of all memory.
type thrift struct {
	log     logr.Logger
	release func() error
}

// giveBack makes one that starts when the manager's caches are filled.
func giveBack(log logr.Logger) thrift {
	return thrift{log: log, release: func() error {
		debug.FreeOSMemory()
		return releaseProgram()
	}}
}

// Start implements manager.Runnable.
func (t thrift) Start(ctx context.Context) error {
	for next := settled; ; next = min(2*next, between) {
		select {
		case <-time.After(next):
		case <-ctx.Done():
			return nil
		}
		if err := t.release(); err != nil {
			t.log.V(1).Info("Memory could not be given back", "error", err.Error())
		}
	}
}

// NeedLeaderElection implements manager.LeaderElectionRunnable: so the manager starts it once the caches are filled.
func (thrift) NeedLeaderElection() bool { return false }
