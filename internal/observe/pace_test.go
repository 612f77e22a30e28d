// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package observe

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/gate"
)

func TestPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := run(t)
		w.set(group1, atA, gate.Healthy)
		w.Track(group1, user, described)

		if n := len(w.during(AuditInterval*3, group1)); n < 3 || n > 4 {
			t.Errorf("a group for which nobody waits was read %d times in three intervals of audits and at first", n)
		}

		w.watch(group1, podA, atA, false)
		if n := len(w.during(AuditInterval*3, group1)); n < 3 || n > 4 {
			t.Errorf("an open pod's group was read %d times in three intervals of audits and for the pod", n)
		}

		w.watch(group1, podA, atA, true)
		if n := len(w.during(time.Minute, group1)); n < 59 || n > 61 {
			t.Errorf("a waiting pod's group was read %d times in a minute, want about once a second", n)
		}

		w.waiting(group1, podA, false)
		if n := len(w.during(AuditInterval*3, group1)); n < 2 || n > 4 {
			t.Errorf("after the wait the group was read %d times in three intervals of audits", n)
		}
	})
}

// TestFastOnlyWhenHealthIsPossible: how often a waiting pod's group is read in a minute
// that begins some time after its target got into a state.
func TestFastOnlyWhenHealthIsPossible(t *testing.T) {
	for _, tc := range []struct {
		reason    string
		described Description
		state     gate.State
		after     time.Duration
		fast      bool
	}{
		{"a new target's first check may come at any time", described, gate.Initial, time.Hour, true},
		{"a group may be attached to a listener at any time", described, gate.Unused, time.Hour, true},
		{"an unhealthy target has to pass five checks first", described, gate.Unhealthy, 10 * time.Second, false},
		{"and may have by now", described, gate.Unhealthy, 140 * time.Second, true},
		{"where the settings are not known, it may be healthy at any time", Description{Lag: gate.Lag}, gate.Unhealthy, 10 * time.Second, true},
		{"a target that leaves has to be registered again first", described, gate.Draining, time.Minute, false},
		{"health that is not proven to be the pod's may be at any time", described, gate.Healthy, time.Minute, true},
	} {
		t.Run(tc.reason, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := run(t)
				w.described[group1] = tc.described
				w.watch(group1, podA, atA, true)
				w.set(group1, atA, gate.Initial)
				w.Refresh(group1)
				time.Sleep(time.Minute)
				w.set(group1, atA, tc.state)
				time.Sleep(tc.after)
				n := len(w.during(time.Minute, group1))
				if fast := n >= 59 && n <= 61; fast != tc.fast || (!tc.fast && (n < 11 || n > 13)) {
					t.Errorf("%d reads in a minute", n)
				}

				w.do(func() {
					if u := w.urgent[group1]; slices.Contains(u[len(u)-n:], false) {
						t.Error("a read for a pod that waits is an audit")
					}
				})
			})
		})
	}
}

// TestNeverLate: whatever a target's way to health, it is seen within 1.1 s of it.
func TestNeverLate(t *testing.T) {
	type step struct {
		state gate.State
		lasts time.Duration
	}

	const check = 5 * time.Second
	quick := Description{Lag: gate.Lag, Recovery: 10 * check}
	for _, tc := range []struct {
		reason string
		way    []step
	}{
		{"at once", nil},
		{"not in the list for a while after it was registered", []step{{gate.Unknown, 8 * time.Second}}},
		{"after a first check", []step{{gate.Initial, 2 * time.Second}}},
		{"after a long first wait", []step{{gate.Initial, 10 * time.Minute}}},
		{"attached late", []step{{gate.Unused, 10 * time.Minute}}},
		{"as soon as the thresholds allow", []step{{gate.Initial, 7 * time.Second}, {gate.Unhealthy, 10 * check}}},
		{"shown as unhealthy late", []step{{gate.Initial, 7 * time.Second}, {gate.Unhealthy, 10*check - 9*time.Second}}},
		{"long after the thresholds allow", []step{{gate.Initial, 7 * time.Second}, {gate.Unhealthy, time.Hour}}},
		{"after two failures", []step{{gate.Unhealthy, 10 * check}, {gate.Healthy, 3 * time.Second}, {gate.Unhealthy, 10 * check}}},
		{"registered again after a drain", []step{{gate.Draining, 5 * time.Minute}}},
	} {
		for offset := range 10 {
			t.Run(fmt.Sprintf("%s/%d", tc.reason, offset), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := run(t)
					w.described[group1] = quick
					w.Track(group1, user, quick)
					time.Sleep(time.Hour + time.Duration(offset)*99*time.Millisecond)
					w.watch(group1, podA, atA, true)
					time.Sleep(time.Duration(offset) * 799 * time.Millisecond)
					w.Refresh(group1)

					for _, s := range tc.way {
						w.set(group1, atA, s.state)
						time.Sleep(s.lasts)
						if s.state == gate.Draining {
							w.Refresh(group1)
						}
					}

					w.set(group1, atA, gate.Healthy)
					w.during(1100*time.Millisecond, group1)

					if s := w.watch(group1, podA, atA, true); s.Health.State != gate.Healthy {
						t.Errorf("seen as %+v 1.1 s after it is healthy", s)
					}
				})
			})
		}
	}
}

func TestAChangeIsFollowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := run(t)
		w.Track(group1, user, described)
		time.Sleep(time.Second)
		w.set(group1, atA, gate.Draining)
		w.Refresh(group1)
		time.Sleep(10 * time.Second)
		if n := len(w.during(time.Minute, group1)); n < 11 || n > 13 {
			t.Errorf("a group with a target that leaves was read %d times in a minute, want once in %s", n, SlowInterval)
		}
	})
}

func TestThrottledGroupsComeBackSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := run(t)
		w.err[group1] = balancer.ErrThrottled
		w.watch(group1, podA, atA, true)
		time.Sleep(time.Minute)
		reads := w.during(10*time.Minute, group1)
		for i := 1; i < len(reads); i++ {
			if gap := reads[i].Sub(reads[i-1]); gap > 5*time.Second || gap < 4*time.Second {
				t.Errorf("a throttled group was read again after %s, want 4 to 5 s: the budget slows the account", gap)
			}
		}
	})
}

// TestAFailingGroupIsLeftAloneForAsLongAsAsked: an API that fails may say when it is to be asked again.
func TestAFailingGroupIsLeftAloneForAsLongAsAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := run(t)
		w.err[group1] = &balancer.CallError{RetryAfter: 20 * time.Second}
		w.watch(group1, podA, atA, true)
		reads := w.during(10*time.Minute, group1)
		for i := 1; i < len(reads); i++ {
			if gap := reads[i].Sub(reads[i-1]); gap < 20*time.Second || gap > 30*time.Second {
				t.Errorf("a group was read again after %s, want 20 s at least", gap)
			}
		}
	})
}

func TestAuditsAreSpread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := runRandom(t, rand.N[time.Duration])
		refs := make([]group, 1000)
		for i := range refs {
			refs[i] = group(fmt.Sprint(i))
			w.Track(refs[i], user, described)
		}

		time.Sleep(time.Second)
		start := time.Now()
		time.Sleep(30 * time.Minute)
		perMinute := map[int]int{}
		w.do(func() {
			for _, ref := range refs {
				reads := w.reads[ref]
				for i := 1; i < len(reads); i++ {
					perMinute[int(reads[i].Sub(start)/time.Minute)]++
					if gap := reads[i].Sub(reads[i-1]); gap > RestInterval || gap > AuditInterval && reads[i-1].Sub(start) < 10*time.Minute {
						t.Fatalf("a group was not looked at for %s from %s on", gap, reads[i-1].Sub(start))
					}
				}
			}
		})

		for minute, n := range perMinute {
			if n > 300 {
				t.Errorf("1000 groups that were first read together took %d calls in minute %d, want at most 300", n, minute)
			}
		}
	})
}

// TestPriority: audits wait, and what opens or drains a pod does not.
func TestPriority(t *testing.T) {
	for _, tc := range []struct {
		reason string
		then   func(w *world)
		urgent bool
	}{
		{"nothing happens", func(*world) {}, false},
		{"podgate changed the group", func(w *world) { w.Refresh(group1) }, true},
		{"a pod waits", func(w *world) { w.waiting(group1, podA, true) }, true},
		{"a pod comes, whose target must be seen before it is registered", func(w *world) { w.watch(group1, podB, atB, false) }, true},
		{"a binding comes", func(w *world) { w.Track(group1, user, described) }, false},
	} {
		t.Run(tc.reason, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := run(t)
				w.queue = 10 * time.Second
				w.set(group1, atA, gate.Healthy)
				w.watch(group1, podA, atA, false)
				time.Sleep(time.Hour)

				for range 2 { // Once while the group is quiet, and once while its audit waits in line.
					n := len(w.during(900*time.Millisecond, group1, func() { tc.then(w) }))
					if tc.urgent && n != 1 {
						t.Errorf("%d reads within a second, want one", n)
					}

					w.do(func() {
						for _, urgent := range w.urgent[group1][len(w.urgent[group1])-n:] {
							if urgent != tc.urgent {
								t.Errorf("read urgently: %t", urgent)
							}
						}
					})

					w.waiting(group1, podA, false)
					w.forget(podB)
					w.inLine(t)
				}
			})
		})
	}
}

// inLine lets time pass until an audit has waited in line for a second.
func (w *world) inLine(t *testing.T) {
	w.mu.Lock()
	w.lined = make(chan struct{})
	lined := w.lined
	w.mu.Unlock()
	select {
	case <-lined:
	case <-time.After(time.Hour):
		t.Fatal("no audit came")
	}
	time.Sleep(time.Second)
	synctest.Wait()
}

func TestFirstReadsOfOpenPodsAreAudits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := run(t)
		w.queue = 10 * time.Second
		w.Track(group1, user, described)
		w.watch(group1, podA, atA, false)

		if n := len(w.during(9*time.Second, group1)); n != 0 {
			t.Error("after a restart the groups of open pods come before others")
		}

		if n := len(w.during(20*time.Second, group1)); n != 1 {
			t.Errorf("%d first reads, want one, that counts for the pod that came while it waited", n)
		}

		if s := w.watch(group1, podA, atA, false); !s.Observed {
			t.Error("the first read does not count for a pod that came before it began")
		}
	})
}

func TestOldestRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := run(t)
		if age := w.oldest(time.Now()); age != 0 {
			t.Errorf("no group: %s", age)
		}

		w.set(group1, atA, gate.Initial)
		w.watch(group1, podA, atA, true)
		w.do(func() { w.err[group2] = balancer.ErrDenied })
		w.watch(group2, podB, atB, true)
		time.Sleep(time.Hour)
		synctest.Wait()

		if age := w.oldest(time.Now()); age != time.Hour {
			t.Errorf("a group that could not be read for an hour: %s", age)
		}

		w.forget(podB)
		if age := w.oldest(time.Now()); age > FastInterval {
			t.Errorf("a group that is read every second: %s", age)
		}
	})
}
