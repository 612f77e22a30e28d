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
		want := Interest{Subject: group1, Target: atA, Waiting: true}
		w.set(group1, atA, gate.Initial)
		w.want(podA, want)
		time.Sleep(gate.Lag - time.Second)

		if s := w.want(podA, want); !s.Observed || s.SeenOtherwise {
			t.Errorf("just after the pod got its address: %+v, want it observed and no proof", s)
		}

		w.Track(group1, user, Description{})
		time.Sleep(2 * FastInterval)

		if s := w.want(podA, want); !s.SeenOtherwise {
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
		w.forget(podB)

		if took := time.Since(begun); took != 0 {
			t.Errorf("asking about a group that hangs took %s, want no waiting", took)
		}
	})
}

// ports are one pod's targets on two ports.
var ports = [2]gate.Target{{Addr: atA.Addr, Port: 80}, {Addr: atA.Addr, Port: 81}}

// evaluate has gates of one pod watch both ports in one group, as an evaluation of the pod does, and returns what was seen.
func (w *world) evaluate(waiting bool) (seen [2]Sighting) {
	var all []Interest
	for i, at := range ports {
		all = append(all, Interest{Subject: group1, Target: at, Waiting: waiting})
		seen[i] = w.Watch(podA, all[i])
	}
	w.Keep(podA, all...)
	return seen
}

// TestLaw1TargetsOfOnePodAreTold: where several ports of a pod are targets in one group, what is said of one says
// nothing of the other.
func TestLaw1TargetsOfOnePodAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := run(t)
		w.evaluate(true)
		time.Sleep(2 * gate.Lag)
		w.set(group1, ports[0], gate.Healthy)
		time.Sleep(2 * SlowInterval)

		if seen := w.evaluate(true); seen[0].Health.State != gate.Healthy || !seen[1].Observed || seen[1].Present {
			t.Errorf("the first port is healthy and the second is not in the group: %+v", seen)
		}
	})
}

// TestLaw2TargetsOfOnePodAreObserved: targets of one pod in one group take nothing from each other, however often
// the pod is looked at, and once nothing waits they cost no reads.
func TestLaw2TargetsOfOnePodAreObserved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := run(t)
		w.Track(group1, user, described)
		for range 20 {
			w.evaluate(true)
			time.Sleep(FastInterval)
		}

		for i, s := range w.evaluate(true) {
			if !s.Observed || !s.SeenOtherwise || s.Early {
				t.Errorf("port %d after 20 s: %+v", ports[i].Port, s)
			}
			if _, unsure := w.Unsure(group1, podA, ports[i]); unsure {
				t.Errorf("port %d after 20 s: nobody is sure of it", ports[i].Port)
			}
		}
		if wanted := w.wanted(w.subjects[group1]); len(wanted) != 2 {
			t.Errorf("a reader is asked about %v, want both ports", wanted)
		}

		w.set(group1, ports[0], gate.Healthy)
		w.set(group1, ports[1], gate.Healthy)
		w.evaluate(false)
		w.during(10*time.Second, group1)
		reads := w.during(time.Minute, group1, func() {
			for range 30 {
				w.evaluate(false)
				time.Sleep(FastInterval)
			}
		})
		if len(reads) > 1 {
			t.Errorf("%d reads while nothing waits", len(reads))
		}

		w.Keep(podA)
		w.Untrack(group1, user)
		if len(w.subjects) != 0 || len(w.watched) != 0 {
			t.Errorf("nobody needs anything, and %d subjects and %d pods are left", len(w.subjects), len(w.watched))
		}
	})
}

// TestLaw6AGateThatDoesNotWaitHoldsNoneUp: where two gates of a pod watch one target, it is read as often as either needs.
func TestLaw6AGateThatDoesNotWaitHoldsNoneUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		quiet := Interest{Subject: group1, Target: atA}
		waits, follows := quiet, quiet
		waits.Waiting, follows.Follow = true, true
		for _, tc := range []struct {
			reason      string
			gates       []Interest
			least, most int
		}{
			{"the first waits", []Interest{waits, quiet}, 59, 61},
			{"the last waits", []Interest{quiet, waits}, 59, 61},
			{"the first follows", []Interest{follows, quiet}, 5, 7},
			{"the last follows", []Interest{quiet, follows}, 5, 7},
			{"neither needs anything", []Interest{quiet, quiet}, 0, 1},
		} {
			w := run(t)
			w.set(group1, atA, gate.Healthy)
			w.Track(group1, user, described)
			for _, in := range tc.gates {
				w.Watch(podA, in)
			}
			w.Keep(podA, tc.gates...)
			w.during(10*time.Second, group1)
			if n := len(w.during(time.Minute, group1)); n < tc.least || n > tc.most {
				t.Errorf("%s: %d reads in a minute, want %d to %d", tc.reason, n, tc.least, tc.most)
			}
			w.stop()
		}
	})
}

// TestLaw6WaitingBeginsAtOnce: a gate that is about to be decided may wait, so its group is read before anybody says so.
func TestLaw6WaitingBeginsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := run(t)
		w.set(group1, atA, gate.Healthy)
		w.watch(group1, podA, atA, false)
		w.during(10*time.Second, group1)

		begins := func() { w.Watch(podA, Interest{Subject: group1, Target: atA, Waiting: true}) }
		if n := len(w.during(time.Millisecond, group1, begins)); n != 1 {
			t.Errorf("%d reads when a gate begins to wait, want one at once", n)
		}

		// What another gate says meanwhile takes nothing away.
		w.Watch(podA, Interest{Subject: group1, Target: atA})
		if n := len(w.during(time.Minute, group1)); n < 59 {
			t.Errorf("%d reads in the minute that it waits", n)
		}
	})
}
