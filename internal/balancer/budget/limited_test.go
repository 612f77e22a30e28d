// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package budget

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/balancer/balancertest"
	"github.com/podgate/podgate/internal/gate"
)

// fixed are limits that every account has.
func fixed(limits balancer.Limits) func(balancer.Ref) balancer.Limits {
	return func(balancer.Ref) balancer.Limits { return limits }
}

var testLimits = balancer.Limits{DescribeRate: 1, DescribeBurst: 2, ChangeRate: 1, ChangeBurst: 1, Batch: 2}

func byRole(ref balancer.Ref) string { return ref.RoleARN }

func TestLimitedWaits(t *testing.T) {
	tests := []struct {
		reason string
		calls  func(ctx context.Context, l *Limited)
		want   time.Duration
	}{
		{"the burst is free", func(ctx context.Context, l *Limited) {
			_, _ = l.Health(ctx, balancer.Group{Ref: balancer.Ref{Group: "a"}})
			_, _ = l.Health(ctx, balancer.Group{Ref: balancer.Ref{Group: "b"}})
		}, 0},
		{"groups of an account share a budget", func(ctx context.Context, l *Limited) {
			for _, group := range []string{"a", "b", "c", "d"} {
				_, _ = l.Health(ctx, balancer.Group{Ref: balancer.Ref{Group: group}})
			}
		}, 2 * time.Second},
		{"accounts do not", func(ctx context.Context, l *Limited) {
			for _, role := range []string{"a", "b", "c", "d"} {
				_, _ = l.Health(ctx, balancer.Group{Ref: balancer.Ref{RoleARN: role}})
			}
		}, 0},
		{"changes have a budget of their own", func(ctx context.Context, l *Limited) {
			_, _ = l.Resolve(ctx, balancer.Group{})
			_ = l.Register(ctx, balancer.Group{}, make([]gate.Target, 1), nil)
		}, 0},
		{"looking after a group is a change, and leaves room for others", func(ctx context.Context, l *Limited) {
			for range 3 {
				_ = l.Tend(ctx, balancer.Group{})
			}
		}, 2 * time.Second},
		{"every batch counts", func(ctx context.Context, l *Limited) {
			_ = l.Deregister(ctx, balancer.Group{}, make([]gate.Target, 5))
		}, 2 * time.Second},
		{"nothing to do is free", func(ctx context.Context, l *Limited) {
			for range 9 {
				_ = l.Register(ctx, balancer.Group{}, nil, nil)
			}
		}, 0},
	}

	for _, tc := range tests {
		synctest.Test(t, func(t *testing.T) {
			start := time.Now()
			tc.calls(t.Context(), New(balancertest.Answers{}, fixed(testLimits), byRole))
			if got := time.Since(start); got != tc.want {
				t.Errorf("%s: waited %s, want %s", tc.reason, got, tc.want)
			}
		})
	}
}

// settled is a provider that has nothing to look after.
type settled struct{ balancertest.Answers }

func (settled) Due(balancer.Group) bool { return false }

// TestNothingToLookAfterIsFree: it neither waits for the calls of others nor takes one from them.
func TestNothingToLookAfterIsFree(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(settled{}, fixed(testLimits), byRole)
		start := time.Now()
		for range 9 {
			_ = l.Tend(t.Context(), balancer.Group{})
		}
		_ = l.Register(t.Context(), balancer.Group{}, make([]gate.Target, 1), nil)
		_ = l.Tend(t.Context(), balancer.Group{})

		if waited := time.Since(start); waited != 0 {
			t.Errorf("looking after groups that need nothing cost %s", waited)
		}
	})
}

func TestLimitedGivesUp(t *testing.T) {
	exhausted := func(ctx context.Context) *Limited {
		l := New(balancertest.Answers{}, fixed(testLimits), byRole)
		_ = l.Register(ctx, balancer.Group{}, make([]gate.Target, 1), nil)
		return l
	}

	t.Run("cancelled", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			l := exhausted(t.Context())
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(time.Millisecond, cancel)
			if err := l.Register(ctx, balancer.Group{}, make([]gate.Target, 1), nil); !errors.Is(err, context.Canceled) {
				t.Errorf("got %v", err)
			}
		})
	})

	t.Run("hopeless", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			l := exhausted(t.Context())
			ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
			defer cancel()
			err := l.Register(ctx, balancer.Group{Ref: balancer.Ref{RoleARN: ""}}, make([]gate.Target, 1), nil)
			if !errors.Is(err, balancer.ErrThrottled) || errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v", err)
			}
		})
	})
}

func TestLimitedPassesErrorsOn(t *testing.T) {
	_, err := New(balancertest.Answers{Err: balancer.ErrDenied}, fixed(testLimits), byRole).Health(t.Context(), balancer.Group{})
	if !errors.Is(err, balancer.ErrDenied) {
		t.Errorf("got %v", err)
	}
}
