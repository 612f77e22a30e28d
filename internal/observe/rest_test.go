// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package observe

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/podgate/podgate/internal/gate"
)

// TestEvery: the longer nothing has changed in a subject, the more rarely it is read.
func TestEvery(t *testing.T) {
	for _, tc := range []struct {
		reason    string
		opts      Options
		described Description
		quiet     time.Duration
		want      time.Duration
	}{
		{"what changed just now is read within five minutes", Options{}, Description{}, 0, AuditInterval},
		{"and what changed a while ago", Options{}, Description{}, 18*time.Minute - 1, AuditInterval},
		{"half as often when it has been quiet for twice as long as that then is", Options{}, Description{}, 18 * time.Minute, 9 * time.Minute},
		{"still", Options{}, Description{}, 36*time.Minute - 1, 9 * time.Minute},
		{"and again", Options{}, Description{}, 36 * time.Minute, 18 * time.Minute},
		{"not yet at the longest", Options{}, Description{}, time.Hour - 1, 18 * time.Minute},
		{"after an hour at the longest", Options{}, Description{}, time.Hour, 30 * time.Minute},
		{"which is the longest", Options{}, Description{}, 1000 * time.Hour, 30 * time.Minute},
		{"a flag sets the longest", Options{Rest: 5 * time.Minute}, Description{}, time.Hour, 5 * time.Minute},
		{"not before its time", Options{Rest: 5 * time.Minute}, Description{}, time.Hour - 1, AuditInterval},
		{"a flag sets when that is", Options{QuietAfter: time.Minute}, Description{}, time.Minute, 30 * time.Minute},
		{"in as many steps", Options{QuietAfter: time.Minute}, Description{}, 18 * time.Second, 9 * time.Minute},
		{"a longest that is shorter changes nothing", Options{Rest: time.Second}, Description{}, time.Hour, AuditInterval},
		{"where the load balancer has a pace of its own, that counts", Options{}, Description{Audit: 2 * time.Second}, time.Hour, 2 * time.Second},
	} {
		t.Run(tc.reason, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := New(nil, tc.opts)
				o.Track(group1, user, tc.described)
				time.Sleep(tc.quiet)
				if got := o.subjects[group1].every(); got != tc.want {
					t.Errorf("quiet for %s: every %s, want %s", tc.quiet, got, tc.want)
				}
			})
		})
	}
}

// inAccount is a group of an account.
func inAccount(account string) Description {
	d := described
	d.Account = account
	return d
}

// TestWhatEndsTheRest: a group that has been quiet for hours is audited within five minutes again once something changes in
// it, or once another of its account has drifted.
func TestWhatEndsTheRest(t *testing.T) {
	other, third := target("10.0.0.3"), target("10.0.0.4")
	for _, tc := range []struct {
		reason string
		then   func(w *world)
		ends   bool
	}{
		{"nothing happens", func(*world) {}, false},
		{"its binding is reconciled", func(w *world) { w.Track(group1, user, inAccount("one")) }, false},
		{"podgate changes it", func(w *world) { w.Changed(group1) }, true},
		{"a pod comes", func(w *world) { w.watch(group1, podB, atB, false) }, true},
		{"a target is lost", func(w *world) { w.set(group1, atA, gate.Unknown) }, true},
		{"a target fails", func(w *world) { w.set(group1, atA, gate.Unhealthy) }, true},
		{"somebody adds one", func(w *world) { w.set(group1, other, gate.Healthy) }, true},
		{"it could not be read for a moment", func(w *world) {
			w.do(func() { w.err[group1] = errors.New("down") })
			time.Sleep(RestInterval)
			w.do(func() { delete(w.err, group1) })
		}, true},
		{"another group loses a pod's target", func(w *world) { w.set(group2, atB, gate.Unknown) }, true},
		{"another group's target of a pod begins to drain", func(w *world) { w.set(group2, atB, gate.Draining) }, true},
		{"podgate puts another group's target back, which is lost again", func(w *world) {
			w.Changed(group2, Placement{Target: atB, Pod: "b"})
			w.set(group2, atB, gate.Unknown)
		}, true},
		{"podgate takes out another group's target", func(w *world) {
			w.Changed(group2, Placement{Target: atB})
			w.set(group2, atB, gate.Draining)
			time.Sleep(5 * time.Minute)
			w.set(group2, atB, gate.Unknown)
		}, false},
		{"another group's target fails", func(w *world) { w.set(group2, atB, gate.Unhealthy) }, false},
		{"a target of nobody here leaves another group", func(w *world) { w.set(group2, third, gate.Unknown) }, false},
		{"a group of another account loses a target", func(w *world) { w.set("elsewhere", atB, gate.Unknown) }, false},
		{"a group that somebody else fills loses a target", func(w *world) { w.set("filled", atB, gate.Unknown) }, false},
	} {
		t.Run(tc.reason, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := run(t)
				accounts := map[group]string{group1: "one", group2: "one", "elsewhere": "two", "filled": ""}
				for id, account := range accounts {
					w.described[id] = inAccount(account)
					w.Track(id, user, w.described[id])
				}

				w.set(group1, atA, gate.Healthy)
				w.watch(group1, podA, atA, false)
				for _, id := range []group{group2, "elsewhere", "filled"} {
					w.set(id, atB, gate.Healthy)
					w.set(id, third, gate.Healthy)
					w.watch(id, podB, atB, false)
				}

				time.Sleep(3 * time.Hour)
				tc.then(w)

				// What changed is seen within the first part.
				const window = RestInterval + 4*AuditInterval
				reads := len(w.during(window, group1))
				if ends := reads > 3; ends != tc.ends || !tc.ends && reads > 2 {
					t.Errorf("%d reads in %s", reads, window)
				}
			})
		})
	}
}

// TestDriftIsFoundWhileResting: of a quiet group it is found within the longest interval, and of its account's other groups
// within the shortest from then on.
func TestDriftIsFoundWhileResting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := run(t)
		for id, pod := range map[group]struct{ at gate.Target }{group1: {atA}, group2: {atB}} {
			w.described[id] = inAccount("one")
			w.Track(id, user, w.described[id])
			w.set(id, pod.at, gate.Healthy)
		}
		w.watch(group1, podA, atA, false)
		w.watch(group2, podB, atB, false)
		time.Sleep(3*time.Hour + time.Minute)

		w.set(group1, atA, gate.Unknown)
		lost := time.Now()
		for w.watch(group1, podA, atA, false).Present {
			time.Sleep(time.Second)
		}
		if took := time.Since(lost); took > RestInterval+time.Second {
			t.Errorf("found after %s", took)
		}

		w.set(group2, atB, gate.Unknown)
		lost = time.Now()
		for w.watch(group2, podB, atB, false).Present {
			time.Sleep(time.Second)
		}
		if took := time.Since(lost); took > AuditInterval+time.Second {
			t.Errorf("another group's found after %s", took)
		}
	})
}

// TestAnAccountThatWakesIsSpread: groups that rest are read evenly, and those that end their rest together are not read together.
func TestAnAccountThatWakesIsSpread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := runRandom(t, rand.N[time.Duration])
		w.set(group1, atA, gate.Healthy)
		w.described[group1] = inAccount("one")
		w.Track(group1, user, w.described[group1])
		w.watch(group1, podA, atA, false)
		refs := make([]group, 200)
		for i := range refs {
			refs[i] = group(fmt.Sprint(i))
			w.Track(refs[i], user, inAccount("one"))
		}

		time.Sleep(2 * time.Hour)
		var reads int
		perMinute := map[int]int{}
		w.do(func() {
			for _, ref := range refs {
				for _, at := range w.reads[ref] {
					if ago := time.Since(at); ago < RestInterval {
						reads++
						perMinute[int(ago/time.Minute)]++
					}
				}
			}
		})
		for minute, n := range perMinute {
			if n > 25 {
				t.Errorf("%d groups take %d calls in a minute of rest, %d minutes ago", len(refs), n, minute)
			}
		}
		if reads != len(refs) {
			t.Errorf("%d groups take %d calls in %s of rest", len(refs), reads, RestInterval)
		}

		w.set(group1, atA, gate.Unknown)
		w.Refresh(group1)
		time.Sleep(time.Second)
		woken := time.Now()
		time.Sleep(AuditInterval)

		clear(perMinute)
		w.do(func() {
			for _, ref := range refs {
				last := w.reads[ref][len(w.reads[ref])-1].Sub(woken)
				if last < 0 {
					t.Fatalf("a group was not read since %s before its account woke", -last)
				}
				for _, at := range w.reads[ref] {
					if after := at.Sub(woken); after >= -time.Second {
						perMinute[int(after/time.Minute)]++
					}
				}
			}
		})
		for minute, n := range perMinute {
			if n > 90 {
				t.Errorf("%d groups take %d calls in a minute, %d minutes after they woke", len(refs), n, minute)
			}
		}
	})
}

// TestRestIsNoAge: that a quiet group is read rarely is no reason to worry, and that its reads fail is one as soon as of any group.
func TestRestIsNoAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := run(t)
		w.Track(group1, user, described)
		w.set(group1, atA, gate.Healthy)
		for range 5 * 60 {
			time.Sleep(time.Minute)
			synctest.Wait()
			if age := w.oldest(time.Now()); age > AuditInterval {
				t.Fatalf("a quiet group is said to be unread for %s", age)
			}
		}

		w.do(func() { w.err[group1] = errors.New("down") })
		w.Refresh(group1)
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if age := w.oldest(time.Now()); age < 10*time.Minute-FastInterval || age > 15*time.Minute {
			t.Errorf("its reads fail for ten minutes: %s", age)
		}

		time.Sleep(5 * time.Hour)
		synctest.Wait()
		if age := w.oldest(time.Now()); age < 5*time.Hour {
			t.Errorf("its reads fail for hours: %s", age)
		}

		// One that hangs is missed, however long its group rested before.
		w.do(func() { delete(w.err, group1) })
		time.Sleep(4 * time.Hour)
		w.Refresh(group1)
		time.Sleep(time.Minute)
		w.do(func() { w.hang[group1] = time.Hour })
		w.Refresh(group1)
		time.Sleep(20 * time.Minute)
		synctest.Wait()
		if age := w.oldest(time.Now()); age < 15*time.Minute {
			t.Errorf("a read hangs for 20 minutes: %s", age)
		}
	})
}
