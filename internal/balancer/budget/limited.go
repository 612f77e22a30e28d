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
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/gate"
)

// Limited makes calls wait for a budget that all groups of an account share: what
// opens or drains a pod first, audits when nothing else waits, but not for ever. The
// wait ends with the caller's context. An answer that is balancer.ErrThrottled slows the whole
// account for some seconds, and no other.
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
			Help:    "How long calls to a load balancer's API waited for podgate's own budget, by priority.",
			Buckets: []float64{0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300},
		}, []string{"priority"}),
	}
}

// Metrics gives podgate_provider_budget_wait_seconds{priority}, for a registry.
func (l *Limited) Metrics() prometheus.Collector { return l.waits }

// Health implements Reporter; it costs one call and is urgent.
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
	targets, err := l.next.Health(ctx, g)
	return targets, began, line.heed(err)
}

// Register implements Registrar; it costs a call per batch.
func (l *Limited) Register(ctx context.Context, g balancer.Group, targets []gate.Target, pods balancer.Pods) error {
	line := l.budget(g.Ref).change
	if err := l.wait(ctx, g.Ref, line, Urgent, nil, l.calls(g.Ref, targets)); err != nil {
		return err
	}
	return line.heed(l.next.Register(ctx, g, targets, pods))
}

// Deregister implements Registrar; it costs a call per batch.
func (l *Limited) Deregister(ctx context.Context, g balancer.Group, targets []gate.Target) error {
	line := l.budget(g.Ref).change
	if err := l.wait(ctx, g.Ref, line, Urgent, nil, l.calls(g.Ref, targets)); err != nil {
		return err
	}
	return line.heed(l.next.Deregister(ctx, g, targets))
}

// Resolve implements Resolver; it costs two calls, the group's and its attributes'. It
// is urgent: the controller that asks has a group's pods waiting behind it.
func (l *Limited) Resolve(ctx context.Context, wanted balancer.Group) (balancer.Group, error) {
	line := l.budget(wanted.Ref).describe
	if err := l.wait(ctx, wanted.Ref, line, Urgent, nil, 2); err != nil {
		return balancer.Group{}, err
	}
	g, err := l.next.Resolve(ctx, wanted)
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
	return line.heed(balancer.Tend(ctx, l.next, g))
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
	l.mu.Lock()
	defer l.mu.Unlock()
	b, ok := l.budgets[key]
	if !ok {
		limits := l.limits(ref)
		b = queues{
			describe: newLine(limits.DescribeRate, limits.DescribeBurst),
			change:   newLine(limits.ChangeRate, limits.ChangeBurst),
		}
		l.budgets[key] = b
	}

	return b
}

// heed takes an answer into account and gives it back: the rate follows what the
// provider bears.
func (l *line) heed(err error) error {
	switch {
	case errors.Is(err, balancer.ErrThrottled):
		l.throttled(balancer.RetryAfter(err))
	case err == nil:
		l.answered()
	}
	return err
}

// wait takes calls one by one, since a burst may be smaller than that. A wait that
// outlasts ctx's deadline is balancer.ErrThrottled.
func (l *Limited) wait(ctx context.Context, ref balancer.Ref, line *line, p Priority, raise <-chan struct{}, calls int) error {
	start := time.Now()
	defer func() { l.waits.WithLabelValues(p.String()).Observe(time.Since(start).Seconds()) }()
	for range calls {
		err := line.wait(ctx, p, raise)
		if errors.Is(err, context.DeadlineExceeded) {
			return fmt.Errorf("podgate's own budget of calls of account %q is used up: %w", l.key(ref), balancer.ErrThrottled)
		}
		if err != nil {
			return fmt.Errorf("wait for the budget of calls of account %q: %w", l.key(ref), err)
		}
	}
	return nil
}
