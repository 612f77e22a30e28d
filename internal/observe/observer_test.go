// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package observe

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/gate"
)

func TestWaitStartsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := run(t)
		w.Track(group1, user, described)
		w.watch(group1, podA, atA, false)
		w.during(10*time.Second, group1)
		if n := len(w.during(time.Millisecond, group1, func() { w.waiting(group1, podA, true) })); n != 1 {
			t.Errorf("a group that was quiet was read %d times when a pod began to wait, want once, at once", n)
		}
	})
}

func TestSingleFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := run(t)
		w.hang[group1] = 5 * time.Second
		w.watch(group1, podA, atA, true)
		for range 100 {
			w.Refresh(group1)
			w.watch(group1, podB, atB, true)
			time.Sleep(100 * time.Millisecond)
		}
		synctest.Wait()
		if w.most[group1] != 1 {
			t.Errorf("%d reads of a group were under way at a time, want 1", w.most[group1])
		}
	})
}

func TestRefreshSpacing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := run(t)
		w.Track(group1, user, described)
		w.during(10*time.Second, group1)
		reads := w.during(10*time.Second, group1, func() {
			go func() {
				for range 1000 {
					w.Refresh(group1)
					time.Sleep(10 * time.Millisecond)
				}
			}()
		})
		if len(reads) < 9 || len(reads) > 11 {
			t.Errorf("1000 changes in 10 s made %d reads, want one a second", len(reads))
		}

		for i := 1; i < len(reads); i++ {
			if gap := reads[i].Sub(reads[i-1]); gap < FastInterval {
				t.Errorf("reads are %s apart, want at least %s", gap, FastInterval)
			}
		}

		w.during(time.Second, group1)
		w.Refresh(group("nobody's"))
	})
}

func TestSnapshotSurvivesErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := run(t)
		w.set(group1, atA, gate.Healthy)
		w.watch(group1, podA, atA, true)
		time.Sleep(time.Millisecond)
		synctest.Wait()
		before := w.View(group1)
		w.do(func() { w.err[group1] = balancer.ErrThrottled })
		time.Sleep(time.Minute)
		after := w.View(group1)
		if diff := differ(before.Snapshot, after.Snapshot); diff != "" {
			t.Errorf("an error changed the snapshot: -before, +after:\n%s", diff)
		}

		want := Sighting{Observed: true, Present: true, Health: gate.Health{State: gate.Healthy}, Early: true, Err: balancer.ErrThrottled}
		if diff := differ(want, w.watch(group1, podA, atA, true)); diff != "" {
			t.Errorf("sighting during the trouble: -want, +got:\n%s", diff)
		}

		w.do(func() { w.err[group1] = nil })
		time.Sleep(time.Minute)

		if v := w.View(group1); v.Err != nil || !v.Snapshot.Started.After(before.Snapshot.Started) {
			t.Errorf("after the trouble: want a fresh snapshot and no error, got %+v", v)
		}
	})
}

func TestWakesThoseConcerned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := run(t)
		w.watch(group1, podA, atA, true)
		w.watch(group1, podB, atB, true)
		time.Sleep(gate.Lag - time.Second)

		if a, b := w.woken(podA), w.woken(podB); a != 1 || b != 1 {
			t.Errorf("woken by the first read: want once each, got %d and %d", a, b)
		}

		time.Sleep(10 * time.Second)
		if a, b := w.woken(podA), w.woken(podB); a != 1 || b != 1 {
			t.Errorf("woken by the first read that is proof: want once each, got %d and %d", a, b)
		}

		w.wokenGroup(group1)
		w.set(group1, atA, gate.Initial)
		time.Sleep(10 * time.Second)

		if a, b, g := w.woken(podA), w.woken(podB), w.wokenGroup(group1); a != 1 || b != 0 || g != 1 {
			t.Errorf("woken by a change of A's target: want A and the group once and B never, got %d, %d and %d", a, g, b)
		}

		time.Sleep(time.Minute)
		if a, g := w.woken(podA), w.wokenGroup(group1); a != 0 || g != 0 {
			t.Errorf("woken %d and %d times though nothing changed", a, g)
		}
	})
}

func TestWakesGroupForErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := run(t)
		w.Track(group1, user, described)
		w.watch(group1, podA, atA, true)

		for _, step := range []struct {
			reason string
			err    error
			want   int
		}{
			{"the first read is news", nil, 1},
			{"so is its failure", balancer.ErrThrottled, 1},
			{"another failure needs another deed", balancer.ErrNotFound, 1},
			{"and so does its end", nil, 1},
		} {
			w.do(func() { w.err[group1] = step.err })
			time.Sleep(2 * time.Minute)
			if got := w.wokenGroup(group1); got != step.want {
				t.Errorf("%s: the group was woken %d times, want %d", step.reason, got, step.want)
			}
		}

		if got := w.woken(podA); got != 2 {
			t.Errorf("the pod was woken %d times, want twice, by the first read and by the first that is proof", got)
		}
	})
}

func TestBlindPodsHearOfErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := run(t)
		w.err[group1] = balancer.ErrDenied
		w.watch(group1, podA, atA, true)
		w.watch(group1, podB, atB, false)
		time.Sleep(time.Millisecond)
		if a, b := w.woken(podA), w.woken(podB); a != 1 || b != 0 {
			t.Errorf("want the pod that waits told why nothing is known, and no other: got %d and %d", a, b)
		}
		if s := w.watch(group1, podA, atA, true); s.Observed || !errors.Is(s.Err, balancer.ErrDenied) {
			t.Errorf("want nothing observed and the error, got %+v", s)
		}
	})
}

func TestReadBegunBeforeTheAddressDoesNotCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := run(t)
		w.set(group1, atA, gate.Healthy)
		w.hang[group1] = 10 * time.Second
		w.Track(group1, user, described)
		time.Sleep(5 * time.Second)
		w.watch(group1, podA, atA, true)
		time.Sleep(6 * time.Second)

		if v := w.View(group1); v.Snapshot.Targets == nil {
			t.Fatal("the read under way has not ended")
		}

		if s := w.watch(group1, podA, atA, true); s.Observed || s.Present {
			t.Errorf("a read that began before the pod had its address counts: %+v", s)
		}

		time.Sleep(10 * time.Second)
		want := Sighting{Observed: true, Present: true, Health: gate.Health{State: gate.Healthy}, Early: true}
		var second time.Time
		w.do(func() { second = w.reads[group1][1] })

		if at := w.watch(group1, podA, atA, true).ReadAt; !at.Equal(second) {
			t.Errorf("the read began at %s, told is %s", second, at)
		}

		if diff := differ(want, w.watch(group1, podA, atA, true)); diff != "" {
			t.Errorf("the next read: -want, +got:\n%s", diff)
		}
	})
}

func TestPlacedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := run(t)
		w.watch(group1, podA, atA, true)
		w.Changed(group1, Placement{Target: atA, Pod: "uid-a"})

		if s := w.watch(group1, podA, atA, true); s.PlacedFor != "uid-a" {
			t.Errorf("placed for %q, want uid-a", s.PlacedFor)
		}

		if s := w.watch(group1, podB, atB, true); s.PlacedFor != "" {
			t.Errorf("another target is placed for %q, want nobody", s.PlacedFor)
		}

		w.Changed(group1, Placement{Target: atA})
		if s := w.watch(group1, podA, atA, true); s.PlacedFor != "" {
			t.Errorf("taken out, yet placed for %q", s.PlacedFor)
		}

		w.Changed(group1, Placement{Target: atA, Pod: "uid-a"})
		time.Sleep(2 * placementKept)

		if s := w.watch(group1, podA, atA, true); s.PlacedFor != "" {
			t.Errorf("long ago, yet placed for %q", s.PlacedFor)
		}
	})
}

// TestEarlyReads: what a read says that began soon after a pod was first seen may be from before another process's calls.
func TestEarlyReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := run(t)
		w.set(group1, atA, gate.Healthy)
		w.watch(group1, podA, atA, true)
		time.Sleep(gate.Lag - 2*time.Second)
		if s := w.watch(group1, podA, atA, true); !s.Observed || !s.Early {
			t.Errorf("it may be of before: got %+v", s)
		}
		time.Sleep(4 * time.Second)
		if s := w.watch(group1, podA, atA, true); s.Early {
			t.Errorf("the lag has passed: got %+v", s)
		}
	})
}

// TestRemovedUntilARead: what a subject says of a target that was taken out may be older, until a read says something else than
// healthy, or began late enough.
func TestRemovedUntilARead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := run(t)
		w.watch(group1, podA, atA, true)
		w.set(group1, atA, gate.Healthy)
		time.Sleep(time.Minute)

		removed := func() bool { return w.watch(group1, podA, atA, true).Removed }
		if removed() {
			t.Error("nobody took it out")
		}

		w.Changed(group1, Placement{Target: atA})
		time.Sleep(gate.Lag - 2*time.Second)
		if !removed() {
			t.Error("it is shown as it was before")
		}
		time.Sleep(4 * time.Second)
		if removed() {
			t.Error("it is healthy, and was registered again before the lag")
		}

		w.Changed(group1, Placement{Target: atA})
		w.set(group1, atA, gate.Draining)
		time.Sleep(2 * time.Second)
		if removed() {
			t.Error("a read shows that it drains")
		}

		w.Changed(group1, Placement{Target: atA})
		w.Changed(group1, Placement{Target: atA, Pod: "uid-a"})
		if removed() {
			t.Error("it was put into a group that did not hold it")
		}
	})
}

func TestSeenOtherwise(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := run(t)
		w.watch(group1, podA, atA, true)
		time.Sleep(gate.Lag + 2*time.Second)
		w.set(group1, atA, gate.Healthy)
		w.Refresh(group1)
		time.Sleep(2 * time.Second)
		want := Sighting{Observed: true, Present: true, Health: gate.Health{State: gate.Healthy}, SeenOtherwise: true}
		if diff := differ(want, w.watch(group1, podA, atA, true)); diff != "" {
			t.Errorf("absent first, healthy later: -want, +got:\n%s", diff)
		}

		w.set(group1, atB, gate.Healthy)
		w.watch(group1, podA, atB, true)
		time.Sleep(2 * time.Second)
		want.SeenOtherwise, want.Early = false, true
		if diff := differ(want, w.watch(group1, podA, atB, true)); diff != "" {
			t.Errorf("at another address, healthy at first sight: -want, +got:\n%s", diff)
		}

		w.forget(podA)
		if s := w.watch(group1, podA, atB, true); s.Observed {
			t.Errorf("forgotten, yet remembered: %+v", s)
		}
	})
}

func TestEmptyGroupIsKnown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := run(t)
		w.Track(group1, user, described)
		time.Sleep(time.Second)
		if v := w.View(group1); v.Snapshot.Targets == nil || len(v.Snapshot.Targets) != 0 {
			t.Errorf("want an empty group, known as such, got %+v", v)
		}
	})
}

func TestUnneededGroupIsReadNoMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := run(t)
		w.set(group1, atA, gate.Initial)
		w.Track(group1, user, described)
		w.watch(group1, podA, atA, true)
		w.watch(group2, podA, atA, true)
		w.forget(podA, group1)

		if n := len(w.during(time.Hour, group2)); n > 1 {
			t.Errorf("a group that nobody needs was read %d times", n)
		}

		w.Untrack(group1, user)
		if n := len(w.during(time.Minute, group1)); n < 59 {
			t.Errorf("a group that a pod still needs was read %d times in a minute", n)
		}

		w.forget(podA)
		if n := len(w.during(time.Hour, group1)); n > 1 {
			t.Errorf("a group that nobody needs was read %d times", n)
		}

		if n := len(w.during(time.Second, group1, func() { w.Track(group1, user, described) })); n != 1 {
			t.Errorf("a group that is needed again was read %d times", n)
		}
	})
}

func TestTrackBeforeRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := run(t)
		w.stop()
		reads := len(w.during(time.Minute, group1))
		w.Track(group1, user, described)

		if n := len(w.during(time.Minute, group1)); reads+n != 0 {
			t.Errorf("%d reads after Run ended", reads+n)
		}

		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		if n := len(w.during(time.Second, group1, func() { go func() { done <- w.Run(ctx) }() })); n != 1 {
			t.Errorf("a group that was tracked before Run was read %d times, want once", n)
		}

		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
}

func TestRunEndsReadsUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := run(t)
		w.hang[group1] = time.Hour
		w.watch(group1, podA, atA, true)
		time.Sleep(time.Second)
		begun := time.Now()
		w.stop()
		if took := time.Since(begun); took != 0 {
			t.Errorf("Run ended %s after it was told to", took)
		}
		if w.woken(podA) != 0 || w.View(group1).Err != nil {
			t.Error("the end of Run counts as a failed read")
		}
	})
}

// TestUnsure: until a read that began gate.Lag after the pod got its address has found its
// target otherwise than healthy nobody can be sure that healthy is said of the pod.
func TestUnsure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := run(t)
		if at, unsure := w.Unsure(group1, podA, atA); !unsure || !at.IsZero() {
			t.Errorf("of a pod that nobody watches: unsure %t until %s, want unsure without an end", unsure, at)
		}

		begun := time.Now()
		w.watch(group1, podA, atA, true)
		time.Sleep(gate.Lag - time.Second)

		if at, unsure := w.Unsure(group1, podA, atA); !unsure || !at.Equal(begun.Add(gate.Lag)) {
			t.Errorf("absent just after the pod got its address: unsure %t until %s, want until %s", unsure, at, begun.Add(gate.Lag))
		}

		time.Sleep(SlowInterval + 2*time.Second)
		if _, unsure := w.Unsure(group1, podA, atA); unsure {
			t.Error("absent long after the pod got its address: still unsure")
		}

		w.set(group1, atA, gate.Healthy)
		time.Sleep(2 * SlowInterval)

		if _, unsure := w.Unsure(group1, podA, atA); unsure {
			t.Error("healthy after it was absent: unsure again")
		}
	})
}
