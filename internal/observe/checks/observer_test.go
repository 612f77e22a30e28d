// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/check"
	"github.com/podgate/podgate/internal/gate"
	"github.com/podgate/podgate/internal/observe"
)

// ago renders when a pod was asked, counted back from now.
func ago(times []time.Time) []time.Duration {
	var all []time.Duration
	for _, at := range times {
		all = append(all, time.Since(at))
	}
	return all
}

// TestAskedAtOnceAndInEachPeriodWhileItWaits: and not any more once the gate is open.
func TestAskedAtOnceAndInEachPeriodWhileItWaits(t *testing.T) {
	within(t, func(w *world) {
		s := newScript()
		s.says("web-0", fails)
		id := w.gate("warm", check.All, every(5*time.Second, s))
		w.ready("web-0")
		if seen := w.waits("web-0", id); seen.Observed {
			t.Errorf("nothing was answered, and seen is %+v", seen)
		}

		want := observe.Sighting{
			Observed: true, Present: true, PlacedFor: "uid-of-web-0", ReadAt: time.Now(), FailingSince: time.Now(), Gap: gate.TrackGap,
			Health: gate.Health{State: gate.Unhealthy, Reason: v1alpha1.ReasonCheckFailed, Description: "warm: connection refused"},
		}
		if diff := cmp.Diff(want, w.waits("web-0", id)); diff != "" || w.wakes("web-0") != 1 {
			t.Errorf("woken %d times, seen (-want +got):\n%s", w.wakes("web-0"), diff)
		}

		w.sleep(5 * time.Second)
		s.says("web-0", passes)
		w.sleep(5 * time.Second)
		if diff := cmp.Diff([]time.Duration{10 * time.Second, 5 * time.Second, 0}, ago(s.times("web-0"))); diff != "" {
			t.Errorf("asked (-want +got):\n%s", diff)
		}
		if w.wakes("web-0") != 2 {
			t.Errorf("woken %d times, want it woken for what changed only", w.wakes("web-0"))
		}
		if seen := w.waits("web-0", id); seen.Health != (gate.Health{State: gate.Healthy, Reason: v1alpha1.ReasonChecksPassed}) || !seen.ReadAt.Equal(time.Now()) {
			t.Errorf("it passed, and seen is %+v", seen)
		}

		w.opened("web-0", id)
		w.sleep(time.Hour)
		if n := len(s.times("web-0")); n != 3 {
			t.Errorf("an open gate that latches was asked about %d times", n-3)
		}
		if gates, pods := w.held(); gates != 0 || pods != 0 {
			t.Errorf("an open gate that latches takes memory: %d gates, %d pods", gates, pods)
		}
	})
}

// TestInitialDelayAndThreshold: a check is asked first after its delay, and passes when it has passed often enough in a row.
func TestInitialDelayAndThreshold(t *testing.T) {
	within(t, func(w *world) {
		s := newScript()
		c := every(5*time.Second, s)
		c.Rules.InitialDelay, c.Rules.SuccessThreshold = 30*time.Second, 2
		id := w.gate("warm", check.All, c)
		w.ready("web-0")
		w.waits("web-0", id)

		w.sleep(29 * time.Second)
		if n := len(s.times("web-0")); n != 0 {
			t.Fatalf("asked %d times within the delay", n)
		}

		w.sleep(time.Second)
		want := gate.Health{State: gate.Unknown, Own: true, Reason: v1alpha1.ReasonCheckWaiting, Description: "warm: not passed often enough yet"}
		if seen := w.waits("web-0", id); seen.Health != want {
			t.Errorf("it passed once, and seen is %+v", seen)
		}

		w.sleep(5 * time.Second)
		if seen := w.waits("web-0", id); seen.Health.State != gate.Healthy {
			t.Errorf("it passed twice, and seen is %+v", seen)
		}
	})
}

// TestLaw1AnswersAboutAnotherPodDoNotCount: nor those about an address that is not the pod's any more, or about containers
// that were restarted since.
func TestLaw1AnswersAboutAnotherPodDoNotCount(t *testing.T) {
	cases := map[string]func(w *world){
		"another pod of its name": func(w *world) { w.set("web-0", func(p *Pod) { p.UID = "uid-of-another" }) },
		"another address": func(w *world) {
			w.set("web-0", func(p *Pod) { p.Addrs = []netip.Addr{netip.MustParseAddr("10.9.9.9")} })
		},
		"containers restarted": func(w *world) { w.ready("web-0") },
		"containers unready":   func(w *world) { w.set("web-0", func(p *Pod) { p.ReadySince = time.Time{} }) },
		"gone":                 func(w *world) { w.set("web-0", func(p *Pod) { *p = Pod{} }) },
	}

	for name, happens := range cases {
		t.Run(name, func(t *testing.T) {
			within(t, func(w *world) {
				s := newScript()
				s.slow("web-0", 2*time.Second)
				id := w.gate("warm", check.All, every(5*time.Second, s))
				w.ready("web-0")
				w.waits("web-0", id)

				w.sleep(time.Second)
				if len(s.times("web-0")) != 1 {
					t.Fatal("not asked")
				}
				s.says("another", fails)
				happens(w)
				w.sleep(1500 * time.Millisecond)
				if seen := w.waits("web-0", id); seen.Health.State == gate.Healthy {
					t.Errorf("what was said before: %+v", seen)
				}
			})
		})
	}
}

// TestLaw1ClocksThatAreOff: answers about containers that were restarted since do not count where the kubelet's clock is behind,
// and a clock that was set back puts nothing off.
func TestLaw1ClocksThatAreOff(t *testing.T) {
	within(t, func(w *world) {
		s := newScript()
		id := w.gate("warm", check.All, every(time.Hour, s))
		w.ready("web-0")
		w.waits("web-0", id)
		w.sleep(time.Minute)
		s.slow("web-0", time.Minute)
		behind := func(p *Pod) { p.ReadySince = time.Now().Add(-90 * time.Second) }
		w.set("web-0", behind)
		if seen := w.waits("web-0", id); seen.Observed {
			t.Errorf("it was restarted, and seen is %+v", seen)
		}

		// Also where it was seen while its containers were not ready, and while it is asked.
		w.sleep(30 * time.Second)
		w.set("web-0", func(p *Pod) { p.ReadySince = time.Time{} })
		w.waits("web-0", id)
		w.set("web-0", behind)
		w.waits("web-0", id)
		w.sleep(31 * time.Second)
		if seen := w.waits("web-0", id); seen.Observed {
			t.Errorf("it was restarted while it was asked, and seen is %+v", seen)
		}

		w.Observer.mu.Lock()
		defer w.Observer.mu.Unlock()
		in, back := w.watched[named("web-0")][0], time.Now().Add(-time.Hour)
		if in.meet(w.pods[named("web-0")], back); in.begin.After(back) {
			t.Errorf("asked in %s at the soonest", in.begin.Sub(back))
		}
	})
}

// TestLaw1OldAnswersDoNotOpen: an answer counts for three periods, and for half a minute at least.
func TestLaw1OldAnswersDoNotOpen(t *testing.T) {
	within(t, func(w *world) {
		s := newScript()
		id := w.gate("warm", check.All, every(20*time.Second, s))
		w.ready("web-0")
		w.waits("web-0", id)
		s.slow("web-0", time.Hour)
		w.sleep(60 * time.Second)
		if seen := w.waits("web-0", id); seen.Health.State != gate.Healthy {
			t.Errorf("after three periods: %+v", seen)
		}
		w.sleep(time.Second)
		if seen := w.waits("web-0", id); seen.Health.Reason != v1alpha1.ReasonCheckNoAnswer || seen.Health.Description != "warm: no recent answer" {
			t.Errorf("after that: %+v", seen)
		}
	})
}

// TestLaw1AllHaveToPass: or one, where any is enough, as their answers combine.
func TestLaw1AllHaveToPass(t *testing.T) {
	within(t, func(w *world) {
		s, other := newScript(), newScript()
		second := every(5*time.Second, other)
		second.Name, second.Spec = "second", "second"
		all, either := w.gate("all", check.All, every(5*time.Second, s), second), w.gate("any", check.Any, every(5*time.Second, s), second)
		other.says("web-0", fails)
		w.ready("web-0")

		want := []observe.Interest{{Subject: all, Waiting: true}, {Subject: either, Waiting: true}}
		w.Keep(named("web-0"), want...)
		w.sleep(time.Second)
		if seen := w.Watch(named("web-0"), want[0]); seen.Health.Description != "second: connection refused" {
			t.Errorf("all: %+v", seen)
		}
		if seen := w.Watch(named("web-0"), want[1]); seen.Health.State != gate.Healthy {
			t.Errorf("any: %+v", seen)
		}
	})
}

// TestReadAt: a verdict is as old as the oldest answer that it needs, or the latest of those of which one is enough.
func TestReadAt(t *testing.T) {
	within(t, func(w *world) {
		s, other := newScript(), newScript()
		second := every(9*time.Second, other)
		second.Name, second.Spec = "second", "second"
		all, either := w.gate("all", check.All, every(5*time.Second, s), second), w.gate("any", check.Any, every(5*time.Second, s), second)
		w.ready("web-0")
		want := []observe.Interest{{Subject: all, Waiting: true}, {Subject: either, Waiting: true}}
		w.Keep(named("web-0"), want...)
		at := func(i int) time.Duration { return time.Since(w.Watch(named("web-0"), want[i]).ReadAt) }

		w.sleep(6 * time.Second) // Asked 1 s and 6 s ago.
		if at(0) != 6*time.Second || at(1) != time.Second {
			t.Errorf("they pass: %s and %s ago", at(0), at(1))
		}

		s.says("web-0", fails)
		other.says("web-0", fails)
		w.sleep(6 * time.Second) // Asked 2 s and 3 s ago.
		if at(0) != 2*time.Second || at(1) != 3*time.Second {
			t.Errorf("they fail: %s and %s ago", at(0), at(1))
		}
	})
}

// TestNeverOverlapsItself: however long an answer takes, a pod is asked once at a time.
func TestNeverOverlapsItself(t *testing.T) {
	within(t, func(w *world) {
		s := newScript()
		s.slow("web-0", 12*time.Second)
		id := w.gate("warm", check.All, every(time.Second, s))
		w.ready("web-0")
		for range 60 {
			w.waits("web-0", id)
			w.sleep(time.Second)
		}
		if n := len(s.times("web-0")); s.overlaps > 0 || n != 6 {
			t.Errorf("asked %d times, %d times while it was asked", n, s.overlaps)
		}
	})
}

// TestLaw8SilenceNeedsAWitness: that a pod does not answer is its failure where another pod of the check answered in the same
// round.
func TestLaw8SilenceNeedsAWitness(t *testing.T) {
	within(t, func(w *world) {
		s := newScript()
		id := w.gate("warm", check.All, every(10*time.Second, s))
		s.says("web-0", silence)
		s.says("web-1", silence)
		for _, pod := range []string{"web-0", "web-1"} {
			w.ready(pod)
			w.follows(pod, id)
		}
		w.sleep(10 * time.Second)
		if seen := w.follows("web-0", id); seen.Health.Reason != v1alpha1.ReasonCheckNoAnswer || !seen.FailingSince.IsZero() {
			t.Errorf("nobody answers, and seen is %+v", seen)
		}

		s.says("web-1", fails)
		w.sleep(20 * time.Second)
		if seen := w.follows("web-0", id); seen.Health.Reason != v1alpha1.ReasonCheckFailed || seen.Health.Description != "warm: timed out" || seen.FailingSince.IsZero() {
			t.Errorf("the other pod answers, and seen is %+v", seen)
		}

		s.says("web-1", silence)
		w.sleep(30 * time.Second)
		if seen := w.follows("web-0", id); seen.Health.Reason != v1alpha1.ReasonCheckNoAnswer || !seen.FailingSince.IsZero() {
			t.Errorf("nobody answers any more, and seen is %+v", seen)
		}
	})
}

// TestFollowed: about a pod in service is asked every ten seconds at most, and since when it fails is counted without gaps.
func TestFollowed(t *testing.T) {
	within(t, func(w *world) {
		s := newScript()
		id := w.gate("warm", check.All, every(2*time.Second, s))
		w.ready("web-0")
		w.follows("web-0", id)
		w.sleep(30 * time.Second)
		if diff := cmp.Diff([]time.Duration{30 * time.Second, 20 * time.Second, 10 * time.Second, 0}, ago(s.times("web-0"))); diff != "" {
			t.Errorf("asked (-want +got):\n%s", diff)
		}

		s.says("web-0", fails)
		w.sleep(10 * time.Second)
		since, woken := time.Now(), w.wakes("web-0")
		w.sleep(20 * time.Second)
		if seen := w.follows("web-0", id); !seen.FailingSince.Equal(since) || !seen.ReadAt.Equal(time.Now()) || w.wakes("web-0") != woken+2 {
			t.Errorf("failing since %s ago, woken %d times: %+v", time.Since(since), w.wakes("web-0")-woken, seen)
		}

		s.says("web-0", check.Answer{Word: check.Malformed})
		w.sleep(10 * time.Second)
		s.says("web-0", fails)
		w.sleep(10 * time.Second)
		if seen := w.follows("web-0", id); !seen.FailingSince.Equal(time.Now()) {
			t.Errorf("there was no answer in between, and it fails since %s ago", time.Since(seen.FailingSince))
		}

		s.slow("web-0", time.Minute)
		w.sleep(10 * time.Second)
		s.slow("web-0", 0)
		w.sleep(time.Minute)
		if seen := w.follows("web-0", id); time.Since(seen.FailingSince) > 10*time.Second {
			t.Errorf("nothing was heard for a minute, and it fails since %s ago", time.Since(seen.FailingSince))
		}
	})
}

// TestContestedPodWaits: a pod is not asked about while one that ends may answer in its place.
func TestContestedPodWaits(t *testing.T) {
	within(t, func(w *world) {
		s := newScript()
		id := w.gate("warm", check.All, every(5*time.Second, s))
		w.ready("web-0")
		w.set("web-0", func(p *Pod) { p.Contested = true })
		w.waits("web-0", id)
		w.sleep(time.Minute)
		if n := len(s.times("web-0")); n != 0 {
			t.Errorf("asked %d times", n)
		}
		w.set("web-0", func(p *Pod) { p.Contested = false })
		w.sleep(time.Second)
		if n := len(s.times("web-0")); n != 1 {
			t.Errorf("asked %d times when the other was gone", n)
		}
	})
}

// TestEdited: the next question is that of the new spec, counting begins again for the part that changed, and for no other.
func TestEdited(t *testing.T) {
	within(t, func(w *world) {
		s, other, changed := newScript(), newScript(), newScript()
		first, second := every(5*time.Second, s), every(time.Hour, other)
		second.Name, second.Spec = "second", "second"
		changed.says("web-0", fails)
		s.says("web-0", fails)
		id := w.gate("warm", check.All, first, second)
		w.ready("web-0")
		w.waits("web-0", id)

		again := first
		again.Checker, again.Spec = changed, "changed"
		w.gate("warm", check.All, again, second)
		w.sleep(5 * time.Second)
		if len(changed.times("web-0")) != 1 || len(s.times("web-0")) != 1 || len(other.times("web-0")) != 1 {
			t.Errorf("asked %d, %d and %d times", len(changed.times("web-0")), len(s.times("web-0")), len(other.times("web-0")))
		}

		// A shorter period counts at once when the pod is evaluated.
		second.Rules.Period = time.Second
		w.gate("warm", check.All, again, second)
		w.waits("web-0", id)
		w.sleep(time.Second)
		if n := len(other.times("web-0")); n != 3 {
			t.Errorf("asked %d times", n)
		}

		w.gate("warm", check.All, second)
		w.waits("web-0", id)
		n := len(changed.times("web-0"))
		w.sleep(time.Minute)
		if got := len(changed.times("web-0")); got != n {
			t.Errorf("a check that is gone was asked %d times", got-n)
		}
	})
}

// TestSharedIsAskedOnce: one call answers for all pods, as soon as one of them needs it, and once a second at most.
func TestSharedIsAskedOnce(t *testing.T) {
	within(t, func(w *world) {
		s := newScript()
		c := every(15*time.Second, s)
		c.Cost = Shared
		id := w.gate("errors", check.All, c)
		w.many("web", 50, id)
		w.sleep(1500 * time.Millisecond)
		if s.called() < 1 || s.called() > 2 || len(s.times("web-49")) == 0 {
			t.Fatalf("%d calls for 50 pods", s.called())
		}
		if seen := w.waits("web-49", id); seen.Health.State != gate.Healthy {
			t.Errorf("seen %+v", seen)
		}

		calls := s.called()
		w.sleep(13 * time.Second)
		if s.called() != calls {
			t.Errorf("%d calls within the period", s.called()-calls)
		}
		w.sleep(2 * time.Second)
		if s.called() != calls+1 {
			t.Errorf("%d calls after the period", s.called()-calls)
		}

		calls = s.called()
		w.ready("late")
		w.waits("late", id)
		w.sleep(time.Second)
		if s.called() != calls+1 || len(s.times("late")) != 1 {
			t.Errorf("%d calls for a pod that came later", s.called()-calls)
		}
	})
}

// TestLocalIsLookedUp: what is in memory is known with each evaluation.
func TestLocalIsLookedUp(t *testing.T) {
	within(t, func(w *world) {
		s := newScript()
		c := every(0, s)
		c.Cost = Local
		id := w.gate("device", check.All, c)
		w.ready("web-0")
		if seen := w.waits("web-0", id); seen.Health.State != gate.Healthy {
			t.Errorf("at once: %+v", seen)
		}
		s.says("web-0", fails)
		w.sleep(time.Minute)
		if seen := w.waits("web-0", id); seen.Health.Reason != v1alpha1.ReasonCheckFailed || w.wakes("web-0") != 0 || len(s.times("web-0")) != 2 {
			t.Errorf("later: %+v, woken %d times", seen, w.wakes("web-0"))
		}

		c.Rules.InitialDelay = time.Hour
		w.gate("device", check.All, c)
		w.waits("web-0", id)
		w.sleep(time.Hour)
		if w.wakes("web-0") != 1 {
			t.Errorf("woken %d times after its delay", w.wakes("web-0"))
		}
	})
}

// TestLocalFailsWithoutAGap: what is in memory has each change evaluated, so that it fails from one evaluation to the next, however
// far apart these are.
func TestLocalFailsWithoutAGap(t *testing.T) {
	within(t, func(w *world) {
		s := newScript()
		c := every(0, s)
		c.Cost = Local
		id := w.gate("device", check.All, c)
		w.ready("web-0")
		w.follows("web-0", id)
		w.sleep(time.Minute)

		s.says("web-0", fails)
		w.follows("web-0", id)
		w.sleep(time.Minute)
		if since := time.Since(w.follows("web-0", id).FailingSince); since != time.Minute {
			t.Errorf("it fails since %s ago", since)
		}

		s.says("web-0", passes)
		w.follows("web-0", id)
		s.says("web-0", fails)
		if since := time.Since(w.follows("web-0", id).FailingSince); since != 0 {
			t.Errorf("it passed in between, and fails since %s ago", since)
		}
	})
}

// TestLocalDoesNotGrowOld: what is in memory is said of a pod as long as nothing changes, unless it cannot be looked up.
func TestLocalDoesNotGrowOld(t *testing.T) {
	within(t, func(w *world) {
		s := newScript()
		c := every(0, s)
		c.Cost = Local
		id := w.gate("device", check.All, c)
		w.ready("web-0")
		w.follows("web-0", id)
		w.sleep(time.Hour)
		if said := w.Said(id); len(said) != 1 || said[0].Passing != 1 {
			t.Errorf("an hour later: %+v", said)
		}

		s.fail(errors.New("no cache"))
		if seen := w.follows("web-0", id); seen.Health.State != gate.Unknown {
			t.Errorf("it cannot be looked up: %+v", seen)
		}
	})
}

// TestNothingBeginsOfAGateThatIsGone: also where its definition is looked up at the moment at which the last pod leaves.
func TestNothingBeginsOfAGateThatIsGone(t *testing.T) {
	within(t, func(w *world) {
		id := w.gate("warm", check.All, every(5*time.Second, newScript()))
		w.ready("web-0")
		w.waits("web-0", id)
		w.Observer.mu.Lock()
		gone := w.Observer.gates[id]
		w.Observer.mu.Unlock()
		asking := gone.lines[0]
		w.Keep(named("web-0"))

		w.askable(t.Context(), asking, &asking.shared)
		if n := len(gone.lines); n != 0 {
			t.Errorf("%d checks are asked without an end", n)
		}
	})
}

// TestLaw8FailingIsCountedAnewWhenEdited: that a pod failed says nothing of what is asked now, or is enough now.
func TestLaw8FailingIsCountedAnewWhenEdited(t *testing.T) {
	edits := map[string]func(*Definition){
		"another check": func(d *Definition) { d.Checks[0].Spec = "another" },
		"another match": func(d *Definition) { d.Match = check.Any },
	}

	for name, edit := range edits {
		t.Run(name, func(t *testing.T) {
			within(t, func(w *world) {
				s := newScript()
				s.says("web-0", fails)
				def := Definition{Checks: []Check{every(10*time.Second, s)}}
				id := w.gate("warm", def.Match, def.Checks...)
				w.ready("web-0")
				w.follows("web-0", id)
				w.sleep(time.Minute)
				w.gate("warm", def.Match, def.Checks...) // Made again of the same.
				w.sleep(10 * time.Second)
				if since := time.Since(w.follows("web-0", id).FailingSince); since != 70*time.Second {
					t.Fatalf("it fails since %s ago", since)
				}

				edit(&def)
				w.gate("warm", def.Match, def.Checks...)
				w.sleep(10 * time.Second)
				if since := time.Since(w.follows("web-0", id).FailingSince); since > 10*time.Second {
					t.Errorf("it fails since %s ago, by an edit of 10s ago", since)
				}
			})
		})
	}
}

// TestErrorsBackOff: a server that cannot be asked is asked again after up to half a minute, and opens and closes nothing.
func TestErrorsBackOff(t *testing.T) {
	within(t, func(w *world) {
		s := newScript()
		s.fail(errors.New("no server"))
		id := w.gate("warm", check.All, every(time.Second, s))
		w.ready("web-0")
		w.waits("web-0", id)
		w.sleep(10 * time.Minute)
		at := s.times("web-0")
		if len(at) < 20 || len(at) > 25 {
			t.Fatalf("asked %d times", len(at))
		}
		if last := at[len(at)-1].Sub(at[len(at)-2]); last != maxBackoff {
			t.Errorf("at last every %s", last)
		}
		if seen := w.waits("web-0", id); seen.Observed {
			t.Errorf("seen %+v", seen)
		}

		s.fail(nil)
		w.sleep(maxBackoff)
		n := len(s.times("web-0"))
		w.sleep(10 * time.Second)
		if got := len(s.times("web-0")) - n; got != 10 {
			t.Errorf("asked %d times in ten seconds when it worked again", got)
		}
	})
}

// TestSinceWhenPodsAreReady: checks are told by podgate's clock, not by that of a kubelet that is ahead.
func TestSinceWhenPodsAreReady(t *testing.T) {
	within(t, func(w *world) {
		s := newScript()
		id := w.gate("warm", check.All, every(5*time.Second, s))
		w.ready("web-0")
		w.set("web-0", func(p *Pod) { p.ReadySince = time.Now().Add(2 * time.Minute) })
		met := time.Now()
		w.waits("web-0", id)
		w.sleep(10 * time.Second)
		if got := s.since["uid-of-web-0"]; len(s.times("web-0")) != 3 || !got.Equal(met) {
			t.Errorf("asked %d times, ready since %s after it was met", len(s.times("web-0")), got.Sub(met))
		}
	})
}
