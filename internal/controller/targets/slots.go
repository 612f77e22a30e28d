// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package targets

import (
	"sync"
	"time"

	"github.com/podgate/podgate/internal/balancer"
)

// slotWait is how long a binding waits whose account has no worker left for it.
const slotWait = 200 * time.Millisecond

// accountSlots keep one account from taking every worker: calls about its groups may hang,
// or wait for its budget, while those of others are served.
type accountSlots struct {
	// account returns whose budget of calls a group draws on.
	account func(balancer.Ref) string
	// limit is how many workers an account may take.
	limit int

	mu   sync.Mutex
	busy map[string]int
}

// newAccountSlots allows each account a quarter of some workers, and one at least.
func newAccountSlots(workers int, account func(balancer.Ref) string) *accountSlots {
	return &accountSlots{account: account, limit: max(workers/4, 1), busy: map[string]int{}}
}

// take takes a worker for the account of a group; false when the account has its share already.
func (s *accountSlots) take(ref balancer.Ref) (release func(), ok bool) {
	account := s.account(ref)

	s.mu.Lock()
	defer s.mu.Unlock()
	if s.busy[account] >= s.limit {
		return nil, false
	}

	s.busy[account]++
	return func() { s.release(account) }, true
}

func (s *accountSlots) release(account string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.busy[account]--; s.busy[account] == 0 {
		delete(s.busy, account)
	}
}
