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

// done is a call that succeeds.
func done(context.Context) error { return nil }

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
			_, _ = l.Health(ctx, balancer.Group{})
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
		{"a call that is none of the seam's leaves room for others", func(ctx context.Context, l *Limited) {
			for range 2 {
				_ = l.Do(ctx, "", testLimits, false, done)
			}
		}, time.Second},
		{"it draws on the budget of its account", func(ctx context.Context, l *Limited) {
			for range 2 {
				_, _ = l.Health(ctx, balancer.Group{})
			}
			_ = l.Do(ctx, "", testLimits, false, done)
		}, 2 * time.Second},
		{"and if it changes something on that of changes", func(ctx context.Context, l *Limited) {
			_ = l.Register(ctx, balancer.Group{}, make([]gate.Target, 1), nil)
			_ = l.Do(ctx, "", testLimits, true, done)
		}, time.Second},
		{"an account of its own has limits of its own", func(ctx context.Context, l *Limited) {
			for range 3 {
				_ = l.Do(ctx, "other", balancer.Limits{DescribeRate: 10, DescribeBurst: 1}, false, done)
			}
		}, 200 * time.Millisecond},
		{"its throttling slows the account", func(ctx context.Context, l *Limited) {
			_ = l.Do(ctx, "", testLimits, false, func(context.Context) error { return balancer.ErrThrottled })
			_, _ = l.Health(ctx, balancer.Group{})
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

// busy is a provider that makes so many calls to its API for each that it gets, and notes when the last one was made.
type busy struct {
	balancertest.Answers
	calls int
	last  *time.Time
}

func (b busy) make(ctx context.Context) error {
	for range b.calls {
		if err := balancer.Pay(ctx); err != nil {
			return err
		}
		*b.last = time.Now()
	}
	return nil
}

func (b busy) Health(ctx context.Context, _ balancer.Group) (map[gate.Target]gate.Health, error) {
	return nil, b.make(ctx)
}

func (b busy) Resolve(ctx context.Context, _ balancer.Group) (balancer.Group, error) {
	return balancer.Group{}, b.make(ctx)
}

func (b busy) Register(ctx context.Context, _ balancer.Group, _ []gate.Target, _ balancer.Pods) error {
	return b.make(ctx)
}

func (b busy) Deregister(ctx context.Context, _ balancer.Group, _ []gate.Target) error {
	return b.make(ctx)
}

func (b busy) Tend(ctx context.Context, _ balancer.Group) error { return b.make(ctx) }

// TestEachCallOfADriverIsPaidFor: a driver may make more calls than anybody knows in advance, as for the pages of a list. What
// is known is not paid for twice. The limits are one call a second, after two reads or one change.
func TestEachCallOfADriverIsPaidFor(t *testing.T) {
	three := make([]gate.Target, 3) // two batches
	for name, call := range map[string]struct {
		of    func(context.Context, *Limited) error
		calls int
		want  time.Duration
	}{
		"a read":                     {func(ctx context.Context, l *Limited) error { _, err := l.Health(ctx, balancer.Group{}); return err }, 5, 3 * time.Second},
		"a read of one page":         {func(ctx context.Context, l *Limited) error { _, err := l.Health(ctx, balancer.Group{}); return err }, 1, 0},
		"a look-up":                  {func(ctx context.Context, l *Limited) error { _, err := l.Resolve(ctx, balancer.Group{}); return err }, 5, 3 * time.Second},
		"registrations":              {func(ctx context.Context, l *Limited) error { return l.Register(ctx, balancer.Group{}, three, nil) }, 4, 3 * time.Second},
		"registrations as foreseen":  {func(ctx context.Context, l *Limited) error { return l.Register(ctx, balancer.Group{}, three, nil) }, 2, time.Second},
		"deregistrations":            {func(ctx context.Context, l *Limited) error { return l.Deregister(ctx, balancer.Group{}, three) }, 4, 3 * time.Second},
		"what looks after its drain": {func(ctx context.Context, l *Limited) error { return l.Tend(ctx, balancer.Group{}) }, 3, 2 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start, last := time.Now(), time.Time{}
				l := New(busy{calls: call.calls, last: &last}, fixed(testLimits), byRole)
				if err := call.of(t.Context(), l); err != nil || last.Sub(start) != call.want {
					t.Errorf("%d calls took %s, want %s; %v", call.calls, last.Sub(start), call.want, err)
				}
			})
		})
	}
}

// TestWhoCannotPayMakesNoCall: the calls that are left end with their caller, and the account is not slowed for that.
func TestWhoCannotPayMakesNoCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var last time.Time
		start := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
		defer cancel()
		l := New(busy{calls: 9, last: &last}, fixed(testLimits), byRole)
		_, err := l.Resolve(ctx, balancer.Group{})
		if !errors.Is(err, balancer.ErrThrottled) || last.Sub(start) != time.Second {
			t.Errorf("the last call was made after %s: %v", last.Sub(start), err)
		}

		l.next = balancertest.Answers{}
		if _, err := l.Health(t.Context(), balancer.Group{}); err != nil || time.Since(start) != 2*time.Second {
			t.Errorf("the next call was made after %s: %v", time.Since(start), err)
		}
	})
}

// TestChangesStand: a change that waited for long is asked whether it is still to be made, and one that did not is not.
func TestChangesStand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		outdated := errors.New("outdated")
		asked := 0
		ctx := balancer.WithStands(t.Context(), func(context.Context) ([]gate.Target, error) {
			asked++
			return nil, outdated
		})

		l := New(balancertest.Answers{}, fixed(testLimits), byRole)
		if err := l.Deregister(ctx, balancer.Group{}, make([]gate.Target, 1)); err != nil || asked > 0 {
			t.Errorf("without a wait it was asked %d times: %v", asked, err)
		}
		if err := l.Deregister(ctx, balancer.Group{}, make([]gate.Target, 1)); !errors.Is(err, outdated) || asked != 1 {
			t.Errorf("a deregistration that waited was asked %d times: %v", asked, err)
		}
		if err := l.Register(ctx, balancer.Group{}, make([]gate.Target, 1), nil); !errors.Is(err, outdated) || asked != 2 {
			t.Errorf("a registration that waited was asked %d times: %v", asked-1, err)
		}
		if err := l.Register(t.Context(), balancer.Group{}, make([]gate.Target, 1), nil); err != nil {
			t.Errorf("what nobody doubts is not made: %v", err)
		}

		// What is left of it is made, and without anything left nobody is called.
		denied := balancer.ErrDenied
		l.next = balancertest.Answers{Err: denied}
		for left, want := range map[int]error{0: nil, 1: denied} {
			ctx := balancer.WithStands(t.Context(), func(context.Context) ([]gate.Target, error) { return make([]gate.Target, left), nil })
			if err := l.Register(ctx, balancer.Group{}, make([]gate.Target, 2), nil); !errors.Is(err, want) {
				t.Errorf("a registration of which %d is left: %v", left, err)
			}
			if err := l.Deregister(ctx, balancer.Group{}, make([]gate.Target, 2)); !errors.Is(err, want) {
				t.Errorf("a deregistration of which %d is left: %v", left, err)
			}
		}
	})
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
