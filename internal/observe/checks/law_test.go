// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"fmt"
	"testing"
	"time"

	"github.com/podgate/podgate/internal/check"
)

// TestLaw7AHangingGateDelaysNoOther: however many pods of some gates do not answer, those of another are asked at once.
func TestLaw7AHangingGateDelaysNoOther(t *testing.T) {
	within(t, func(w *world) {
		hangs, quick := newScript(), newScript()
		for g := range 8 {
			id := w.gate(fmt.Sprintf("hangs-%d", g), check.All, every(5*time.Second, hangs))
			for i := range 100 {
				hangs.slow(fmt.Sprintf("slow-%d-%d", g, i), 30*time.Second)
			}
			w.many(fmt.Sprintf("slow-%d", g), 100, id)
		}
		w.sleep(10 * time.Second)

		for g := range 8 {
			id, pod := w.gate(fmt.Sprintf("quick-%d", g), check.All, every(5*time.Second, quick)), fmt.Sprintf("web-%d", g)
			w.ready(pod)
			w.waits(pod, id)
			w.sleep(100 * time.Millisecond)
			if n := len(quick.times(pod)); n != 1 {
				t.Fatalf("gate %d: asked %d times within 100 ms, while %d questions hang", g, n, hangs.now)
			}
		}
		if hangs.atATime() > limits.Concurrency {
			t.Errorf("%d questions at a time", hangs.atATime())
		}
	})
}

// TestLaw7AHangingNamespaceDelaysNoOther: nor do all the gates of a namespace together.
func TestLaw7AHangingNamespaceDelaysNoOther(t *testing.T) {
	within(t, func(w *world) {
		hangs, quick := newScript(), newScript()
		for g := range 100 {
			pod := fmt.Sprintf("slow-%d-0", g)
			hangs.slow(pod, 30*time.Second)
			w.many(fmt.Sprintf("slow-%d", g), 1, w.gate(fmt.Sprintf("hangs-%d", g), check.All, every(5*time.Second, hangs)))
		}
		w.sleep(10 * time.Second)

		id := Gate{Namespace: "pay", Name: "quick"}
		w.mu.Lock()
		w.gates[id] = &Definition{Checks: []Check{every(5*time.Second, quick)}}
		w.mu.Unlock()
		w.ready("web-0")
		w.waits("web-0", id)
		w.sleep(100 * time.Millisecond)
		if n := len(quick.times("web-0")); n != 1 {
			t.Errorf("asked %d times within 100 ms, while %d questions hang", n, hangs.now)
		}
	})
}

// TestLaw7AManyPodGateDelaysNoOther: a gate with more pods than can be asked about in their period takes no turns of others.
func TestLaw7AManyPodGateDelaysNoOther(t *testing.T) {
	within(t, func(w *world) {
		many, few := newScript(), newScript()
		w.many("big", 5000, w.gate("big", check.All, every(5*time.Second, many)))
		w.sleep(10 * time.Second)
		if late := w.late(time.Now()); late < 5*time.Second {
			t.Errorf("late by %s only", late)
		}
		if asked := len(many.asked); asked < 1900 || asked > 2100 {
			t.Errorf("%d questions in 10 s, with a rate of %v/s", asked, limits.Rate)
		}

		id := w.gate("small", check.All, every(5*time.Second, few))
		w.ready("web-0")
		w.waits("web-0", id)
		w.sleep(21 * time.Second)
		at := few.times("web-0")
		if len(at) != 5 {
			t.Fatalf("asked %d times in 21 s, every 5 s", len(at))
		}
		for i, each := range at {
			if late := time.Since(each) - (21*time.Second - time.Duration(i)*5*time.Second); late > 100*time.Millisecond || late < -100*time.Millisecond {
				t.Errorf("question %d is off by %s", i, late)
			}
		}
	})
}

// TestLaw7NoTurnBeforeTheDelay: pods in service whose checks may not be asked yet take no turns of others.
func TestLaw7NoTurnBeforeTheDelay(t *testing.T) {
	within(t, func(w *world) {
		s := newScript()
		c := every(5*time.Second, s)
		c.Rules.InitialDelay = 10 * time.Minute
		id := w.gate("warm", check.All, c)
		w.ready("web-0")
		w.follows("web-0", id)

		w.Observer.mu.Lock()
		due := w.watched[named("web-0")][0].records[w.Observer.gates[id].lines[0]].item.due
		w.Observer.mu.Unlock()
		if until := time.Until(due); until < c.Rules.InitialDelay-time.Second {
			t.Errorf("a turn is taken %s after its containers became ready", until)
		}

		w.sleep(c.Rules.InitialDelay)
		if n := len(s.times("web-0")); n != 1 {
			t.Errorf("asked %d times when the delay is over", n)
		}
	})
}

// TestLaw9AnyFailsSinceTheLastOneDid: where one check that passes is enough, a pod fails only since the last one failed, however long
// others have.
func TestLaw9AnyFailsSinceTheLastOneDid(t *testing.T) {
	within(t, func(w *world) {
		first, last := newScript(), newScript()
		other := every(10*time.Second, last)
		other.Name, other.Rules.InitialDelay = "other", 5*time.Second
		id := w.gate("warm", check.Any, every(10*time.Second, first), other)
		first.says("web-0", fails)
		w.ready("web-0")
		w.follows("web-0", id)
		w.sleep(30 * time.Second)

		last.says("web-0", fails)
		w.sleep(5 * time.Second)
		if seen := w.follows("web-0", id); !seen.FailingSince.Equal(time.Now()) {
			t.Errorf("the last check fails since now, and the pod since %s", time.Since(seen.FailingSince))
		}

		w.sleep(10 * time.Second)
		if seen := w.follows("web-0", id); time.Since(seen.FailingSince) != 10*time.Second || time.Since(seen.ReadAt) != 5*time.Second {
			t.Errorf("it fails since %s, as was asked %s ago", time.Since(seen.FailingSince), time.Since(seen.ReadAt))
		}
	})
}

// TestFirstQuestionsComeFirst: what a pod was never asked comes before what it was, and what waits before what is in service.
func TestFirstQuestionsComeFirst(t *testing.T) {
	within(t, func(w *world) {
		s := newScript()
		id := w.gate("warm", check.All, every(5*time.Second, s))
		for i := range 5000 {
			name := fmt.Sprintf("web-%d", i)
			w.ready(name)
			w.Watch(named(name), followed(id))
			w.Keep(named(name), followed(id))
		}
		w.sleep(20 * time.Second)

		w.ready("new")
		w.waits("new", id)
		w.sleep(100 * time.Millisecond)
		if n := len(s.times("new")); n != 1 {
			t.Errorf("the new pod was asked %d times within 100 ms, beside 5000 in service", n)
		}
		w.sleep(5 * time.Second)
		if n := len(s.times("new")); n != 2 {
			t.Errorf("the new pod was asked %d times within its period, beside 5000 in service", n)
		}
	})
}
