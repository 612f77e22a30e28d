// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"fmt"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/podgate/podgate/internal/check"
	"github.com/podgate/podgate/internal/observe"
)

// expression is a check of what is in memory.
func expression(s *script) Check {
	c := every(0, s)
	c.Cost = Local
	return c
}

// worker evaluates the gates of pods, one after the other, until the test ends. Whoever is woken comes last.
func (w *world) worker(gates map[string]Gate) chan<- types.NamespacedName {
	queue := make(chan types.NamespacedName, 10_000)
	w.mu.Lock()
	w.woke = func(pod types.NamespacedName) { queue <- pod }
	w.mu.Unlock()

	done := make(chan struct{})
	w.t.Cleanup(func() { close(done) })
	go func() {
		for {
			select {
			case pod := <-queue:
				want := observe.Interest{Subject: gates[pod.Namespace], Waiting: true}
				w.Watch(pod, want)
				w.Keep(pod, want)
			case <-done:
				return
			}
		}
	}()
	return queue
}

// TestLaw7CostlyExpressionsDelayNoOtherNamespace: those who evaluate gates spend a share of their time on the expressions of one
// namespace, however many pods of it wait. Those come one after the other.
func TestLaw7CostlyExpressionsDelayNoOtherNamespace(t *testing.T) {
	within(t, func(w *world) {
		costly, cheap := newScript(), newScript()
		gates := map[string]Gate{"shop": w.gate("costly", check.All, expression(costly)), "pay": {Namespace: "pay", Name: "cheap"}}
		w.mu.Lock()
		w.gates[gates["pay"]] = &Definition{Checks: []Check{expression(cheap)}}
		w.mu.Unlock()
		queue := w.worker(gates)

		const pods = 200
		for i := range pods {
			name := fmt.Sprintf("web-%d", i)
			costly.slow(name, 50*time.Millisecond)
			w.ready(name)
			queue <- named(name)
		}
		w.ready("other")
		other := types.NamespacedName{Namespace: "pay", Name: "other"}
		w.mu.Lock()
		w.pods[other] = w.pods[named("other")]
		w.mu.Unlock()
		queue <- other

		w.sleep(500 * time.Millisecond)
		if n := len(cheap.times("other")); n != 1 {
			t.Errorf("a pod of another namespace was evaluated %d times within 500 ms, after %d costly expressions", n, costly.called())
		}

		// Each pod's turn comes, at a tenth of the time.
		w.sleep(10 * time.Second)
		if n := costly.called(); n < 20 || n > 30 {
			t.Errorf("%d costly expressions in 10 s, each of 50 ms", n)
		}
		w.sleep(pods * slowdown * 50 * time.Millisecond)
		for i := range pods {
			if n := len(costly.times(fmt.Sprintf("web-%d", i))); n != 1 {
				t.Fatalf("pod %d was evaluated %d times", i, n)
			}
		}

		w.sleep(time.Minute)
		w.Observer.mu.Lock()
		defer w.Observer.mu.Unlock()
		if len(w.shares) != 0 {
			t.Errorf("%d namespaces are remembered that owe nothing", len(w.shares))
		}
	})
}

// TestPodsThatAreGoneTakeNoTurns: nor do those whose gate asks nothing any more keep others from theirs.
func TestPodsThatAreGoneTakeNoTurns(t *testing.T) {
	within(t, func(w *world) {
		s := newScript()
		id := w.gate("costly", check.All, expression(s))
		for i := range 100 {
			name := fmt.Sprintf("old-%d", i)
			s.slow(name, 50*time.Millisecond)
			w.ready(name)
			w.waits(name, id)
		}
		for i := range 100 {
			w.Keep(named(fmt.Sprintf("old-%d", i)))
		}

		w.ready("new")
		w.waits("new", id)
		w.sleep(2 * time.Second)
		w.waits("new", id)
		if n := len(s.times("new")); n != 1 {
			t.Errorf("evaluated %d times", n)
		}
	})
}

// TestLaw9WhatNobodyLookedAtDidNotFail: a pod that waited for its turn may have passed meanwhile.
func TestLaw9WhatNobodyLookedAtDidNotFail(t *testing.T) {
	within(t, func(w *world) {
		s := newScript()
		id := w.gate("costly", check.All, expression(s))
		w.ready("web-0")
		s.says("web-0", fails)
		w.follows("web-0", id)

		w.woke = func(pod types.NamespacedName) {
			if pod != named("web-0") {
				go w.Watch(pod, observe.Interest{Subject: id, Waiting: true})
			}
		}
		for i := range 6 {
			name := fmt.Sprintf("costly-%d", i)
			s.slow(name, time.Second)
			w.ready(name)
			w.waits(name, id)
		}

		began := time.Now()
		w.follows("web-0", id)
		w.sleep(25 * time.Second)
		if since := time.Since(w.follows("web-0", id).FailingSince); len(s.times("web-0")) != 1 || since < 25*time.Second {
			t.Fatalf("asked %d times, and it fails since %s", len(s.times("web-0")), since)
		}
		for len(s.times("web-0")) == 1 && time.Since(began) < 10*time.Minute {
			w.sleep(time.Second)
			w.follows("web-0", id)
		}
		if since := time.Since(w.follows("web-0", id).FailingSince); since > 2*time.Second {
			t.Errorf("it fails since %s, for %s of which nobody looked", since, time.Since(began))
		}
	})
}
