// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"fmt"
	"testing"
	"time"

	"github.com/podgate/podgate/internal/check"
)

// TestTrackOfMorePodsThanTheRateAllows: where a round of all pods takes longer than answers usually count, they count for as long as
// rounds take, so that a pod that fails is seen to, and those that pass have not said nothing.
func TestTrackOfMorePodsThanTheRateAllows(t *testing.T) {
	const pods, rate = 1000, 20 // A round of 50 s.
	withLimits(t, Limits{Rate: rate, Concurrency: 64, PerGate: 16}, func(w *world) {
		s := newScript()
		id := w.gate("warm", check.All, every(5*time.Second, s))
		s.says("web-0", fails)
		for i := range pods {
			name := fmt.Sprintf("web-%d", i)
			w.ready(name)
			w.Watch(named(name), followed(id))
			w.Keep(named(name), followed(id))
		}

		w.sleep(220 * time.Second)
		at := s.times("web-0")
		if len(at) < 4 || len(at) > 6 {
			t.Fatalf("asked %d times, want the rounds to be slow", len(at))
		}
		seen := w.follows("web-0", id)
		if failing := seen.ReadAt.Sub(seen.FailingSince); !seen.Health.Failing() || failing < 50*time.Second || time.Since(seen.ReadAt) > seen.Gap {
			t.Errorf("it failed all the time, and is seen to fail for %s: %+v", failing, seen)
		}
		if said := w.Said(id); len(said) != 1 || said[0].Passing < pods-10 {
			t.Errorf("all but one passed, and they say %+v", said)
		}
	})
}

// TestLaw9OneLateAnswerMakesNoRound: a pod that was not asked about for a while, as when podgate stood still, did not fail meanwhile.
func TestLaw9OneLateAnswerMakesNoRound(t *testing.T) {
	within(t, func(w *world) {
		s := newScript()
		id := w.gate("warm", check.All, every(5*time.Second, s))
		w.ready("web-0")
		s.says("web-0", fails)
		w.follows("web-0", id)
		w.sleep(35 * time.Second)
		if since := time.Since(w.follows("web-0", id).FailingSince); since < 30*time.Second {
			t.Fatalf("it fails since %s", since)
		}

		w.set("web-0", func(p *Pod) { p.Contested = true }) // It cannot be asked about.
		w.sleep(5 * time.Minute)
		w.set("web-0", func(p *Pod) { p.Contested = false })
		w.sleep(10 * time.Second)
		if since := time.Since(w.follows("web-0", id).FailingSince); since > time.Minute {
			t.Errorf("it fails since %s, and was not asked about for five minutes of that", since)
		}
	})
}

// TestRounds: the shorter one of the two latest times between questions is a round.
func TestRounds(t *testing.T) {
	in := &interest{gate: &subject{}, records: map[*line]*record{}}
	asked, other, local := &line{}, &line{}, &line{cost: Local}
	begin := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	for _, seconds := range []int{0, 50, 90, 150} {
		for _, l := range []*line{asked, local} {
			in.heard(l, check.Answer{Verdict: check.Pass}, begin.Add(time.Duration(seconds)*time.Second))
		}
	}
	in.heard(other, check.Answer{}, begin)
	in.heard(other, check.Answer{}, begin.Add(time.Minute))
	for l, want := range map[*line]time.Duration{asked: 40 * time.Second, other: 0, local: 0} {
		if got := in.record(l).round(); got != want {
			t.Errorf("got a round of %s, want %s", got, want)
		}
	}
}
