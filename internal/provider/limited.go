// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package provider

import (
	"context"
	"fmt"
	"sync"

	"golang.org/x/time/rate"

	"github.com/podgate/podgate/internal/gate"
)

// Limits is a budget of calls for one account. Rates are calls a second.
type Limits struct {
	// DescribeRate and DescribeBurst bound calls that only read.
	DescribeRate  float64
	DescribeBurst int
	// ChangeRate and ChangeBurst bound calls that register and deregister.
	ChangeRate  float64
	ChangeBurst int
	// Batch is how many targets the provider sends in one call; 0 means all.
	Batch int
}

// ELBv2Limits is what AWS documents for ELBv2 per account and region; other clients
// of the account draw on the same allowance.
var ELBv2Limits = Limits{DescribeRate: 10, DescribeBurst: 40, ChangeRate: 4, ChangeBurst: 20, Batch: 200}

// Limited makes calls wait for a budget that all groups of an account share. The
// wait ends with the caller's context. It keeps calls in no order of importance: who
// may ask less often must do so by itself.
type Limited struct {
	next   Provider
	limits Limits
	key    func(Ref) string

	mu      sync.Mutex
	budgets map[string]budget
}

type budget struct{ describe, change *rate.Limiter }

var _ Provider = (*Limited)(nil)

// NewLimited gives every account that key tells its own budget of limits.
func NewLimited(next Provider, limits Limits, key func(Ref) string) *Limited {
	return &Limited{next: next, limits: limits, key: key, budgets: map[string]budget{}}
}

// Health implements Reporter; it costs one call.
func (l *Limited) Health(ctx context.Context, ref Ref) (map[gate.Target]gate.Health, error) {
	if err := l.wait(ctx, ref, l.budget(ref).describe, 1); err != nil {
		return nil, err
	}
	return l.next.Health(ctx, ref)
}

// Register implements Registrar; it costs a call per batch.
func (l *Limited) Register(ctx context.Context, ref Ref, targets []gate.Target) error {
	if err := l.wait(ctx, ref, l.budget(ref).change, l.calls(targets)); err != nil {
		return err
	}
	return l.next.Register(ctx, ref, targets)
}

// Deregister implements Registrar; it costs a call per batch.
func (l *Limited) Deregister(ctx context.Context, ref Ref, targets []gate.Target) error {
	if err := l.wait(ctx, ref, l.budget(ref).change, l.calls(targets)); err != nil {
		return err
	}
	return l.next.Deregister(ctx, ref, targets)
}

// Resolve implements Resolver; it costs two calls, the group's and its attributes'.
func (l *Limited) Resolve(ctx context.Context, ref Ref, name string) (Group, error) {
	if err := l.wait(ctx, ref, l.budget(ref).describe, 2); err != nil {
		return Group{}, err
	}
	return l.next.Resolve(ctx, ref, name)
}

func (l *Limited) calls(targets []gate.Target) int {
	if len(targets) == 0 || l.limits.Batch <= 0 {
		return min(len(targets), 1)
	}
	return (len(targets) + l.limits.Batch - 1) / l.limits.Batch
}

func (l *Limited) budget(ref Ref) budget {
	key := l.key(ref)
	l.mu.Lock()
	defer l.mu.Unlock()
	b, ok := l.budgets[key]
	if !ok {
		b = budget{
			describe: rate.NewLimiter(rate.Limit(l.limits.DescribeRate), l.limits.DescribeBurst),
			change:   rate.NewLimiter(rate.Limit(l.limits.ChangeRate), l.limits.ChangeBurst),
		}
		l.budgets[key] = b
	}
	return b
}

// wait takes calls tokens one by one, since a burst may be smaller than that. A wait
// that would outlast ctx's deadline fails at once and is ErrThrottled.
func (l *Limited) wait(ctx context.Context, ref Ref, limiter *rate.Limiter, calls int) error {
	for range calls {
		err := limiter.Wait(ctx)
		if err == nil {
			continue
		}
		if ctx.Err() != nil {
			return fmt.Errorf("wait for the budget of calls of account %q: %w", l.key(ref), ctx.Err())
		}
		return fmt.Errorf("podgate's own budget of calls of account %q is used up: %w", l.key(ref), ErrThrottled)
	}
	return nil
}
