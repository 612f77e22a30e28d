// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"context"
	"slices"
	"sync"

	"golang.org/x/time/rate"
)

// Limits bound how much is asked, of all gates together. A question is a connection; one that all pods of a gate share counts
// once.
type Limits struct {
	// Rate is how many questions are begun per second.
	Rate float64
	// Concurrency is how many are under way at a time, and PerGate how many of them for one gate.
	Concurrency, PerGate int
}

// burst is how many questions may be begun at once, as a share of those of a second.
const burst = 0.1

// budget hands out the right to ask, fairly: each check of a gate waits for one question at a time, and the one that has
// waited for longest comes first, so that a gate with many pods has no more turns than others. What gates whose questions
// hang hold on to is bounded, and parts are kept for gates and namespaces that ask nothing yet.
type budget struct {
	limits Limits
	pace   *rate.Limiter

	mu   sync.Mutex
	used int
	// of and in are how many are under way of a gate, and in a namespace.
	of      map[Gate]int
	in      map[string]int
	waiting []*turn
}

// turn is a question that waits for the right to be asked.
type turn struct {
	gate    Gate
	granted chan struct{}
}

func newBudget(l Limits) *budget {
	return &budget{limits: l, pace: rate.NewLimiter(rate.Limit(l.Rate), max(1, int(l.Rate*burst))), of: map[Gate]int{}, in: map[string]int{}}
}

// take waits for the right to ask a question of a gate. Who got it gives it back.
func (b *budget) take(ctx context.Context, g Gate) error {
	t := &turn{gate: g, granted: make(chan struct{})}
	b.mu.Lock()
	b.waiting = append(b.waiting, t)
	b.grant()
	b.mu.Unlock()

	select {
	case <-t.granted:
	case <-ctx.Done():
		b.leave(t)
		return ctx.Err()
	}

	if err := b.pace.Wait(ctx); err != nil {
		b.give(g)
		return err
	}
	return nil
}

// give returns the right to ask when a question was answered.
func (b *budget) give(g Gate) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.used--
	if b.of[g]--; b.of[g] == 0 {
		delete(b.of, g)
	}
	if b.in[g.Namespace]--; b.in[g.Namespace] == 0 {
		delete(b.in, g.Namespace)
	}
	b.grant()
}

// leave takes back a turn, granted or not.
func (b *budget) leave(t *turn) {
	b.mu.Lock()
	i := slices.Index(b.waiting, t)
	if i >= 0 {
		b.waiting = slices.Delete(b.waiting, i, i+1)
	}
	b.mu.Unlock()

	if i < 0 {
		b.give(t.gate)
	}
}

// grant gives turns to those who may have one; mu is held.
func (b *budget) grant() {
	b.waiting = slices.DeleteFunc(b.waiting, func(t *turn) bool {
		if !b.room(t.gate) {
			return false
		}
		b.used++
		b.of[t.gate]++
		b.in[t.gate.Namespace]++
		close(t.granted)
		return true
	})
}

// room reports whether a gate may ask another question. A quarter is kept for the first one of each namespace, and another
// quarter for the first one of each gate.
func (b *budget) room(g Gate) bool {
	all := b.limits.Concurrency
	switch {
	case b.in[g.Namespace] == 0:
		return b.used < all
	case b.of[g] == 0:
		return b.used < all-all/4
	}
	return b.of[g] < b.limits.PerGate && b.used < all-all/2
}
