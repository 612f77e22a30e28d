// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package budget keeps podgate within the number of calls that a load balancer's API
// allows an account: what opens or drains a pod first, everything else after that.
package budget

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/gate"
)

// Limited makes calls wait for a budget that all groups of an account share: what
// opens or drains a pod first, audits when nothing else waits, but not for ever. The
// wait ends with the caller's context. An answer that is balancer.ErrThrottled slows the whole
// account for some seconds, and no other. What a driver asks for with balancer.Pay in addition to what a call is known to
// cost waits, too.
type Limited struct {
	next   balancer.Provider
	limits func(balancer.Ref) balancer.Limits
	key    func(balancer.Ref) string
	waits  *prometheus.HistogramVec

	mu      sync.Mutex
	budgets map[string]queues
}

type queues struct{ describe, change *line }

var (
	_ balancer.Provider = (*Limited)(nil)
	_ balancer.Tender   = (*Limited)(nil)
)

// New gives every account that key tells a budget of its own, of the limits that its groups have.
func New(next balancer.Provider, limits func(balancer.Ref) balancer.Limits, key func(balancer.Ref) string) *Limited {
	return &Limited{
		next: next, limits: limits, key: key, budgets: map[string]queues{},
		waits: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "podgate_provider_budget_wait_seconds",
			Help:    "How long calls waited for podgate's own budget, by priority (urgent, audit); urgent is what opens or drains a pod. Urgent above some tenths of a second: raise --aws-describe-rate or --aws-register-rate.",
			Buckets: []float64{0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300},
		}, []string{"priority"}),
	}
}

// Metrics gives podgate_provider_budget_wait_seconds{priority}, for a registry.
func (l *Limited) Metrics() prometheus.Collector { return l.waits }

// Health implements Reporter; it costs a call at least and is urgent.
func (l *Limited) Health(ctx context.Context, g balancer.Group) (map[gate.Target]gate.Health, error) {
	targets, _, err := l.Read(ctx, g, Urgent, nil)
	return targets, err
}

// Read is Health with a priority, and tells when the call began, after the wait. A
// receive from raise, which may be nil, makes a waiting audit urgent.
func (l *Limited) Read(ctx context.Context, g balancer.Group, p Priority, raise <-chan struct{}) (map[gate.Target]gate.Health, time.Time, error) {
	line := l.budget(g.Ref).describe
	if err := l.wait(ctx, g.Ref, line, p, raise, 1); err != nil {
		return nil, time.Now(), err
	}
	began := time.Now()
	targets, err := l.next.Health(l.paying(ctx, g.Ref, line, 1), g)
	return targets, began, line.heed(err)
}

// Register implements Registrar; it costs a call per batch.
func (l *Limited) Register(ctx context.Context, g balancer.Group, targets []gate.Target, pods balancer.Pods) error {
	line := l.budget(g.Ref).change
	calls := l.calls(g.Ref, targets)
	targets, err := l.waitToChange(ctx, g.Ref, line, calls, targets)
	if err != nil || len(targets) == 0 {
		return err
	}
	return line.heed(l.next.Register(l.paying(ctx, g.Ref, line, calls), g, targets, pods))
}

// Deregister implements Registrar; it costs a call per batch.
func (l *Limited) Deregister(ctx context.Context, g balancer.Group, targets []gate.Target) error {
	line := l.budget(g.Ref).change
	calls := l.calls(g.Ref, targets)
	targets, err := l.waitToChange(ctx, g.Ref, line, calls, targets)
	if err != nil || len(targets) == 0 {
		return err
	}
	return line.heed(l.next.Deregister(l.paying(ctx, g.Ref, line, calls), g, targets))
}

// Resolve implements Resolver; it costs a call at least. It is urgent: the controller that
// asks has a group's pods waiting behind it.
func (l *Limited) Resolve(ctx context.Context, wanted balancer.Group) (balancer.Group, error) {
	line := l.budget(wanted.Ref).describe
	if err := l.wait(ctx, wanted.Ref, line, Urgent, nil, 1); err != nil {
		return balancer.Group{}, err
	}
	g, err := l.next.Resolve(l.paying(ctx, wanted.Ref, line, 1), wanted)
	return g, line.heed(err)
}

// Due implements Tender, and costs nothing.
func (l *Limited) Due(g balancer.Group) bool { return balancer.Due(l.next, g) }

// Tend implements Tender. It costs one call that changes the group, and gives way to
// registrations and deregistrations.
func (l *Limited) Tend(ctx context.Context, g balancer.Group) error {
	// It comes after every read, and most of them leave nothing to do: that may not wait
	// for the calls of others, nor take one from them.
	if !l.Due(g) {
		return nil
	}

	line := l.budget(g.Ref).change
	if err := l.wait(ctx, g.Ref, line, Audit, nil, 1); err != nil {
		return err
	}
	return line.heed(balancer.Tend(l.paying(ctx, g.Ref, line, 1), l.next, g))
}

// Do makes a call of an account that is none of the seam's, once its turn has come: what opens or drains a pod goes first.
// Accounts are named as the key says, and limits are those of one that nobody has named before.
func (l *Limited) Do(ctx context.Context, account string, limits balancer.Limits, changes bool, call func(context.Context) error) error {
	b := l.of(account, func() balancer.Limits { return limits })
	line := b.describe
	if changes {
		line = b.change
	}
	if err := l.queue(ctx, account, line, Audit, nil, 1); err != nil {
		return err
	}
	return line.heed(call(ctx))
}

func (l *Limited) calls(ref balancer.Ref, targets []gate.Target) int {
	batch := l.limits(ref).Batch
	if len(targets) == 0 || batch <= 0 {
		return min(len(targets), 1)
	}
	return (len(targets) + batch - 1) / batch
}

func (l *Limited) budget(ref balancer.Ref) queues {
	key := l.key(ref)
	return l.of(key, func() balancer.Limits { return l.limits(ref) })
}

// of is the budget of an account, made with limits when it is needed first.
func (l *Limited) of(account string, of func() balancer.Limits) queues {
	l.mu.Lock()
	defer l.mu.Unlock()
	b, ok := l.budgets[account]
	if !ok {
		limits := of()
		b = queues{
			describe: newLine(limits.DescribeRate, limits.DescribeBurst),
			change:   newLine(limits.ChangeRate, limits.ChangeBurst),
		}
		l.budgets[account] = b
	}

	return b
}

// errSpent is balancer.ErrThrottled by podgate itself.
var errSpent = fmt.Errorf("%w", balancer.ErrThrottled)

// heed takes an answer into account and gives it back: the rate follows what the
// provider bears.
func (l *line) heed(err error) error {
	switch {
	case errors.Is(err, errSpent): // The provider was not asked.
	case errors.Is(err, balancer.ErrThrottled):
		l.throttled(balancer.RetryAfter(err))
	case err == nil:
		l.answered()
	}
	return err
}

// paying has the calls that a driver makes wait, from the one after those that are paid for. They are urgent: what has begun
// is finished first, since the token of a list's next page ends its life.
func (l *Limited) paying(ctx context.Context, ref balancer.Ref, line *line, paid int) context.Context {
	var made atomic.Int64
	return balancer.WithPayer(ctx, func(ctx context.Context) error {
		if made.Add(1) <= int64(paid) {
			return nil
		}
		return l.wait(ctx, ref, line, Urgent, nil, 1)
	})
}

// aged is how long a change may wait for its turn without being asked whether it still stands.
const aged = 500 * time.Millisecond

// waitToChange is wait for a call that changes a group, and returns of which targets it is to be made, if that took long as
// the caller says.
func (l *Limited) waitToChange(ctx context.Context, ref balancer.Ref, line *line, calls int, targets []gate.Target) ([]gate.Target, error) {
	start := time.Now()
	if err := l.wait(ctx, ref, line, Urgent, nil, calls); err != nil {
		return nil, err
	}
	if time.Since(start) < aged {
		return targets, nil
	}
	return balancer.Stands(ctx, targets)
}

// wait is queue for the account of a group.
func (l *Limited) wait(ctx context.Context, ref balancer.Ref, line *line, p Priority, raise <-chan struct{}, calls int) error {
	return l.queue(ctx, l.key(ref), line, p, raise, calls)
}

// queue takes calls one by one, since a burst may be smaller than that. A wait that
// outlasts ctx's deadline is balancer.ErrThrottled.
func (l *Limited) queue(ctx context.Context, account string, line *line, p Priority, raise <-chan struct{}, calls int) error {
	start := time.Now()
	defer func() { l.waits.WithLabelValues(p.String()).Observe(time.Since(start).Seconds()) }()
	for range calls {
		err := line.wait(ctx, p, raise)
		if errors.Is(err, context.DeadlineExceeded) {
			return fmt.Errorf("podgate's own budget of calls of account %q is used up: %w", account, errSpent)
		}
		if err != nil {
			return fmt.Errorf("wait for the budget of calls of account %q: %w", account, err)
		}
	}
	return nil
}
