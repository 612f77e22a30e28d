// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package targets

import (
	"sync"
	"time"
)

// laneWait is how long a binding waits whose account has no worker left for it.
const laneWait = 200 * time.Millisecond

// lanes keep one account from taking every worker: calls about its groups may hang,
// or wait for its budget, while those of others are served.
type lanes struct {
	// limit is how many workers an account may take.
	limit int

	mu   sync.Mutex
	busy map[string]int
}

// newLanes gives each account a quarter of some workers, and one at least.
func newLanes(workers int) *lanes {
	return &lanes{limit: max(workers/4, 1), busy: map[string]int{}}
}

// enter takes a worker for an account; false when it has its share already.
func (l *lanes) enter(account string) (leave func(), ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.busy[account] >= l.limit {
		return nil, false
	}
	l.busy[account]++
	return func() { l.leave(account) }, true
}

func (l *lanes) leave(account string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.busy[account]--; l.busy[account] == 0 {
		delete(l.busy, account)
	}
}
