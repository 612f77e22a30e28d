// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package observe

import (
	"errors"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/gate"
)

// TestLaw1AnOldAnswerProvesNothing: an answer may be some seconds old, and so be about the
// pod that had the address before; neither it nor what follows it is proof.
func TestLaw1AnOldAnswerProvesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := run(t)
		w.set(group1, atA, gate.Initial)
		w.watch(group1, podA, atA, true)
		time.Sleep(gate.Lag - time.Second)
		w.set(group1, atA, gate.Healthy)
		time.Sleep(5 * time.Second)

		if s := w.watch(group1, podA, atA, true); s.SeenOtherwise {
			t.Errorf("initial just after the pod got its address, healthy since: taken for proof: %+v", s)
		}

		w.set(group1, atA, gate.Initial)
		time.Sleep(5 * time.Second)

		if s := w.watch(group1, podA, atA, true); !s.SeenOtherwise {
			t.Errorf("initial long after the pod got its address: not taken for proof: %+v", s)
		}
	})
}

// TestLaw1UndescribedAnswersMayBeOld: while nobody has said how far a subject's answers lag, they are taken to be as
// old as any may be.
func TestLaw1UndescribedAnswersMayBeOld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := run(t)
		want := Interest{Subject: group1, Pod: podA, Target: atA, Waiting: true}
		w.set(group1, atA, gate.Initial)
		w.Watch(want)
		time.Sleep(gate.Lag - time.Second)

		if s := w.Watch(want); !s.Observed || s.SeenOtherwise {
			t.Errorf("just after the pod got its address: %+v, want it observed and no proof", s)
		}

		w.Track(group1, user, Description{})
		time.Sleep(2 * FastInterval)

		if s := w.Watch(want); !s.SeenOtherwise {
			t.Errorf("once answers are known not to lag: %+v, want proof", s)
		}
	})
}

// TestLaw2DrainsAreLookedAfter: some load balancers remove what has drained only as somebody has them do it. That is done
// after every read that succeeded, and again after the next one should it fail.
func TestLaw2DrainsAreLookedAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := run(t)
		w.tend = errors.New("busy")
		w.set(group1, atA, gate.Draining)
		w.Track(group1, user, described)
		w.during(time.Minute, group1)
		if reads := len(w.reads[group1]); reads < 10 || w.tended[group1] != reads {
			t.Errorf("looked after %d times in %d reads", w.tended[group1], reads)
		}

		if view := w.View(group1); view.Err != nil {
			t.Errorf("a read is failed by what came after it: %v", view.Err)
		}

		w.do(func() { w.err[group1], w.tended[group1] = errors.New("down"), 0 })
		w.during(time.Minute, group1)
		if w.tended[group1] > 0 {
			t.Error("a group that could not be read is looked after")
		}
	})
}

// TestLaw7ReadsDoNotWaitForDrains: what looks after a group's drains gives way to all other calls of the account, while a pod
// may wait for the next read.
func TestLaw7ReadsDoNotWaitForDrains(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := run(t)
		w.tendHangs = time.Minute
		w.set(group1, atA, gate.Initial)
		w.watch(group1, podA, atA, true)
		w.during(10*time.Second, group1)

		if reads := len(w.reads[group1]); reads < 5 {
			t.Errorf("%d reads in 10 s while a pod waits", reads)
		}
		if got := w.tended[group1]; got != 1 {
			t.Errorf("looked after %d times at once", got)
		}
	})
}

// TestLaw6WaitingIsNotFailing: a pod that waits for long is looked at as often as at first.
func TestLaw6WaitingIsNotFailing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := run(t)
		w.set(group1, atA, gate.Initial)
		w.watch(group1, podA, atA, true)
		reads := w.during(30*time.Minute, group1)
		for i := 1; i < len(reads); i++ {
			if gap := reads[i].Sub(reads[i-1]); gap > FastInterval {
				t.Fatalf("after %s of waiting the next read is %s later, want %s", reads[i-1].Sub(reads[0]), gap, FastInterval)
			}
		}
		if len(reads) < 1790 {
			t.Errorf("%d reads in 30 minutes, want one a second", len(reads))
		}
	})
}

// TestLaw6ErrorsBackOff: failing reads come less and less often, by at most 30 s, and not in step.
func TestLaw6ErrorsBackOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := runRandom(t, rand.N[time.Duration])
		w.set(group1, atA, gate.Initial)
		w.err[group1] = balancer.ErrDenied
		w.watch(group1, podA, atA, true)
		reads := w.during(30*time.Minute, group1)
		seen := map[time.Duration]bool{}
		for i := 1; i < len(reads); i++ {
			gap := reads[i].Sub(reads[i-1])
			seen[gap] = true
			if gap > 30*time.Second {
				t.Errorf("read %d came %s after the one before, want at most 30s", i, gap)
			}
			if i > 6 && gap < 20*time.Second {
				t.Errorf("read %d came %s after the one before, want it backed off", i, gap)
			}
		}

		if len(reads) < 60 || len(seen) < len(reads)/2 {
			t.Errorf("%d reads with %d different gaps, want jitter", len(reads), len(seen))
		}

		w.do(func() { w.err[group1] = nil })
		w.during(30*time.Second, group1)

		if n := len(w.during(time.Minute, group1)); n < 59 {
			t.Errorf("once the error is gone: %d reads in a minute, want one a second", n)
		}
	})
}

// TestLaw7Isolation: a group that hangs, and one that fails, delay no other.
func TestLaw7Isolation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := run(t)
		hanging, failing := group("hanging"), group("failing")
		w.hang[hanging], w.err[failing] = time.Hour, balancer.ErrDenied
		w.watch(hanging, podA, atA, true)
		w.watch(failing, podA, atA, true)
		time.Sleep(time.Minute)
		w.set(group1, atA, gate.Initial)
		w.set(group2, atB, gate.Initial)
		w.watch(group1, podA, atA, true)
		w.watch(group2, podB, atB, true)

		for _, ref := range []group{group1, group2} {
			if n := len(w.during(time.Minute, ref)); n < 59 {
				t.Errorf("group %s was read %d times in a minute beside a group that hangs, want one a second", ref, n)
			}
		}

		begun := time.Now()
		w.View(hanging)
		w.watch(hanging, podB, atB, true)
		w.Forget(podB)

		if took := time.Since(begun); took != 0 {
			t.Errorf("asking about a group that hangs took %s, want no waiting", took)
		}
	})
}
