// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package budget

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/balancer/balancertest"
	"github.com/podgate/podgate/internal/gate"
)

// desk is a provider that notes when it was asked for which group's health.
type desk struct {
	balancertest.Answers
	mu    sync.Mutex
	asked map[string][]time.Time
	all   []time.Time
	err   map[string]error // by role
}

func (d *desk) Health(_ context.Context, g balancer.Group) (map[gate.Target]gate.Health, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := time.Now()
	if d.asked == nil {
		d.asked = map[string][]time.Time{}
	}
	d.asked[g.Ref.Group] = append(d.asked[g.Ref.Group], now)
	d.all = append(d.all, now)
	return nil, d.err[g.Ref.RoleARN]
}

// count gives how many calls were made in the time from a to b.
func (d *desk) count(a, b time.Time) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := 0
	for _, at := range d.all {
		if !at.Before(a) && at.Before(b) {
			n++
		}
	}
	return n
}

// times gives when a group was asked for.
func (d *desk) times(group string) []time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.asked[group])
}

// within tells how many calls the busiest span of a length saw.
func (d *desk) within(span time.Duration) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	most, first := 0, 0
	for i, at := range d.all {
		for at.Sub(d.all[first]) > span {
			first++
		}
		most = max(most, i-first+1)
	}
	return most
}

var fifty = balancer.Limits{DescribeRate: 50, DescribeBurst: 200, ChangeRate: 4, ChangeBurst: 20}

// poll reads a group again and again until ctx ends, a second after a read began at the earliest.
func poll(ctx context.Context, l *Limited, ref balancer.Ref, p Priority, every time.Duration) {
	for ctx.Err() == nil {
		_, began, _ := l.Read(ctx, balancer.Group{Ref: ref}, p, nil)
		wait := time.Until(began.Add(every))
		if wait <= 0 { // Go's race detector has crashed where two goroutines of a bubble select on timers that are over.
			continue
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
		}
	}
}

// TestManyGroupsShareABudget: 200 groups for which pods wait, at 50 calls a second, each get their turn,
// and those of a thousand others are audited.
func TestManyGroupsShareABudget(t *testing.T) {
	for _, audits := range []int{0, 1000} {
		t.Run(fmt.Sprint(audits), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := &desk{}
				l := New(d, fixed(fifty), byRole)
				ctx, cancel := context.WithCancel(t.Context())
				const groups = 200
				for i := range groups {
					go poll(ctx, l, balancer.Ref{Group: fmt.Sprint("waiting", i)}, Urgent, time.Second)
				}

				for i := range audits {
					go poll(ctx, l, balancer.Ref{Group: fmt.Sprint("quiet", i)}, Audit, 270*time.Second)
				}

				time.Sleep(20 * time.Minute)
				cancel()
				synctest.Wait()

				if n := d.within(time.Second); n > 250 {
					t.Errorf("%d calls in a second, want at most the burst and 50", n)
				}

				if n := d.within(10 * time.Minute); n > 50*600+200 {
					t.Errorf("%d calls in ten minutes, want at most 50 a second", n)
				}

				var gaps []time.Duration
				for i := range groups {
					gaps = append(gaps, between(d.times(fmt.Sprint("waiting", i)))...)
				}

				slices.Sort(gaps)
				if p99, limit := gaps[len(gaps)*99/100], 1300*groups/50*time.Millisecond+500*time.Millisecond; p99 > limit {
					t.Errorf("a group for which a pod waits is read every %s (99th percentile), want %s", p99, limit)
				}

				for i := range audits {
					at := d.times(fmt.Sprint("quiet", i))
					if len(at) == 0 || slices.Max(append(between(at), 0)) > 5*time.Minute {
						t.Fatalf("a quiet group was read at %v, want once in five minutes", at)
					}
				}
			})
		})
	}
}

func between(at []time.Time) []time.Duration {
	var gaps []time.Duration
	for i := 1; i < len(at); i++ {
		gaps = append(gaps, at[i].Sub(at[i-1]))
	}
	return gaps
}

func TestUrgentCallsGoFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &desk{}
		l := New(d, fixed(balancer.Limits{DescribeRate: 10, DescribeBurst: 40, ChangeRate: 1, ChangeBurst: 1}), byRole)
		for i := range 1000 { // as when a leader begins
			go func() {
				_, _, _ = l.Read(t.Context(), balancer.Group{Ref: balancer.Ref{Group: fmt.Sprint(i)}}, Audit, nil)
			}()
		}

		synctest.Wait()
		if n := d.count(time.Time{}, time.Now().Add(1)); n != 20 {
			t.Errorf("audits made %d calls at once, want them to leave half of the bucket", n)
		}

		for _, after := range []time.Duration{0, 5 * time.Second, 30 * time.Second, time.Minute} {
			time.Sleep(after)
			began := time.Now()
			_, _ = l.Health(t.Context(), balancer.Group{Ref: balancer.Ref{Group: "waits"}})
			if took := time.Since(began); took > 200*time.Millisecond {
				t.Errorf("an urgent call waited %s behind audits", took)
			}
		}

		time.Sleep(2 * time.Minute)
		synctest.Wait()

		if n := d.count(time.Time{}, time.Now().Add(1)); n != 1004 {
			t.Errorf("%d calls were made, want all", n)
		}
	})
}

func TestAuditBecomesUrgent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &desk{}
		l := New(d, fixed(balancer.Limits{DescribeRate: 1, DescribeBurst: 1, ChangeRate: 1, ChangeBurst: 1}), byRole)
		for range 5 {
			go func() { _, _, _ = l.Read(t.Context(), balancer.Group{Ref: balancer.Ref{Group: "quiet"}}, Audit, nil) }()
		}

		synctest.Wait()
		raise := make(chan struct{}, 1)
		go func() {
			_, _, _ = l.Read(t.Context(), balancer.Group{Ref: balancer.Ref{Group: "raised"}}, Audit, raise)
		}()
		synctest.Wait()
		raise <- struct{}{}
		time.Sleep(1100 * time.Millisecond)
		synctest.Wait()

		if len(d.times("raised")) != 1 {
			t.Errorf("calls made: %v and then audits, want the one that became urgent first", d.times("quiet"))
		}

		time.Sleep(10 * time.Second)
		synctest.Wait()
	})
}

func TestUnstatedPriorityIsRefused(t *testing.T) {
	d := &desk{}
	var unstated Priority
	_, _, err := New(d, fixed(testLimits), byRole).Read(t.Context(), balancer.Group{}, unstated, nil)
	if !errors.Is(err, balancer.ErrInvalid) || len(d.times("")) > 0 {
		t.Errorf("a call that does not say what it is for got %v, and was made %d times", err, len(d.times("")))
	}
}

func TestWhoGivesUpLeavesTheLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &desk{}
		l := New(d, fixed(balancer.Limits{DescribeRate: 1, DescribeBurst: 1, ChangeRate: 1, ChangeBurst: 1}), byRole)
		_, _ = l.Health(t.Context(), balancer.Group{})
		ctx, cancel := context.WithCancel(t.Context())
		for _, p := range []Priority{Urgent, Audit} {
			go func() { _, _, _ = l.Read(ctx, balancer.Group{Ref: balancer.Ref{Group: "gone"}}, p, nil) }()
		}

		synctest.Wait()
		cancel()
		began := time.Now()
		_, _ = l.Health(t.Context(), balancer.Group{})

		if took := time.Since(began); took > 1100*time.Millisecond || len(d.times("gone")) != 0 {
			t.Errorf("a call waited %s behind calls that were given up, of which %d were made", took, len(d.times("gone")))
		}
	})
}

// TestLaw7AThrottledAccountSlowsNoOther: it is asked less, not at all by none, and recovers.
func TestLaw7AThrottledAccountSlowsNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &desk{err: map[string]error{"throttled": balancer.ErrThrottled}}
		other := &desk{}
		l := New(byAccount{balancertest.Answers{}, d, other}, fixed(balancer.Limits{DescribeRate: 10, DescribeBurst: 40, ChangeRate: 1, ChangeBurst: 1}), byRole)
		ctx, cancel := context.WithCancel(t.Context())
		for i := range 20 {
			for _, role := range []string{"throttled", "other"} {
				go poll(ctx, l, balancer.Ref{Group: fmt.Sprint(i), RoleARN: role}, Urgent, time.Second)
			}
		}

		start := time.Now()
		time.Sleep(time.Minute)

		if n := d.count(start.Add(10*time.Second), start.Add(time.Minute)); n < 50 || n > 100 {
			t.Errorf("an account that throttles got %d calls in 50 s, want it asked an eighth as often: 62", n)
		}

		if n := other.count(start.Add(10*time.Second), start.Add(time.Minute)); n < 495 {
			t.Errorf("another account got %d calls in 50 s, want 500: it does not throttle", n)
		}

		d.mu.Lock()
		d.err = nil
		d.mu.Unlock()
		time.Sleep(30 * time.Second)
		begun := time.Now()
		time.Sleep(10 * time.Second)

		if n := d.count(begun, time.Now()); n < 95 {
			t.Errorf("half a minute after it throttled last an account got %d calls in 10 s, want 100", n)
		}

		cancel()
		synctest.Wait()
	})
}

// TestThrottledForAsLongAsAsked: a provider that says when to come again is left alone until then, but not for ever.
func TestThrottledForAsLongAsAsked(t *testing.T) {
	for asked, want := range map[time.Duration]time.Duration{7 * time.Second: 7 * time.Second, time.Hour: 30 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			d := &desk{err: map[string]error{"throttled": &balancer.CallError{Kind: balancer.ErrThrottled, RetryAfter: asked}}}
			l := New(d, fixed(testLimits), byRole)
			_, _ = l.Health(t.Context(), balancer.Group{Ref: balancer.Ref{RoleARN: "throttled"}})
			began := time.Now()
			_, _ = l.Health(t.Context(), balancer.Group{Ref: balancer.Ref{RoleARN: "other"}})
			if took := time.Since(began); took != 0 {
				t.Errorf("another account waited %s", took)
			}
			_, _ = l.Health(t.Context(), balancer.Group{Ref: balancer.Ref{RoleARN: "throttled"}})
			if took := time.Since(began); took < want || took > want+2*time.Second {
				t.Errorf("asked for %s, and called again after %s, want %s", asked, took, want)
			}
		})
	}
}

// byAccount tells two accounts' calls apart.
type byAccount struct {
	balancertest.Answers
	throttled, other *desk
}

func (b byAccount) Health(ctx context.Context, g balancer.Group) (map[gate.Target]gate.Health, error) {
	if g.Ref.RoleARN == "throttled" {
		return b.throttled.Health(ctx, g)
	}
	return b.other.Health(ctx, g)
}

func TestBudgetWaitIsMeasured(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(&desk{}, fixed(testLimits), byRole)
		for _, p := range []Priority{Urgent, Audit} {
			_, _, _ = l.Read(t.Context(), balancer.Group{}, p, nil)
		}
		if n := testutil.CollectAndCount(l.Metrics(), "podgate_provider_budget_wait_seconds"); n != 2 {
			t.Errorf("%d series, want one for each priority", n)
		}
	})
}
