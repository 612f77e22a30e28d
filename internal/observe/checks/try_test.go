// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"fmt"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/podgate/podgate/internal/check"
)

// TestTriedPodsAreAskedAndCounted: at the pace of pods in service, without waking their gates, and no longer than they are tried.
func TestTriedPodsAreAskedAndCounted(t *testing.T) {
	within(t, func(w *world) {
		s := newScript()
		s.says("web-0", passes)
		s.says("web-1", fails)
		id := w.gate("warm", check.All, every(5*time.Second, s))
		for _, pod := range []string{"web-0", "web-1", "web-2"} {
			w.ready(pod)
		}

		w.Try(id, []types.NamespacedName{named("web-0"), named("web-1")})
		w.sleep(time.Second)
		if n := w.Passing(id); n != 1 {
			t.Errorf("%d pods pass, want 1", n)
		}
		if said := w.Said(id); len(said) != 1 || said[0] != (Said{Check: "warm", Passing: 1, Failing: 1, Problem: "connection refused"}) {
			t.Errorf("said %+v", said)
		}

		w.sleep(time.Minute)
		if n := len(s.times("web-0")); n < 6 || n > 7 {
			t.Errorf("asked %d times in a minute, want each 10 s", n)
		}
		if w.wakes("web-0") != 0 || w.wakes("web-1") != 0 || len(s.times("web-2")) != 0 {
			t.Error("gates were woken, or a pod was asked that is not tried")
		}

		// One that is not tried any more is not asked any more, and one whose gate is evaluated still is.
		w.Try(id, []types.NamespacedName{named("web-1")})
		w.Keep(named("web-1"))
		before := len(s.times("web-1"))
		asked := len(s.times("web-0"))
		w.sleep(time.Minute)
		if len(s.times("web-0")) != asked || len(s.times("web-1")) <= before {
			t.Errorf("asked %d times after its end, and %d times while it is tried", len(s.times("web-0"))-asked, len(s.times("web-1"))-before)
		}

		w.Try(id, nil)
		if gates, pods := w.held(); w.Passing(id) != 0 || w.Said(id) != nil || gates != 0 || pods != 0 {
			t.Error("something is left of a dry run that ended")
		}
	})
}

// TestTriedOfAGateThatIsAnother: a gate that was made again under its name asks nothing, and nobody passes.
func TestTriedOfAGateThatIsAnother(t *testing.T) {
	within(t, func(w *world) {
		id := Gate{Namespace: "shop", Name: "another"}
		w.ready("web-0")
		w.Try(id, []types.NamespacedName{named("web-0")})
		if n := w.Passing(id); n != 0 {
			t.Errorf("%d pods pass", n)
		}
	})
}

// TestTriedAndWaiting: the end of a dry run is not the end of what a closed gate waits for.
func TestTriedAndWaiting(t *testing.T) {
	within(t, func(w *world) {
		s := newScript()
		s.says("web-0", fails)
		id := w.gate("warm", check.All, every(5*time.Second, s))
		w.ready("web-0")
		w.Try(id, []types.NamespacedName{named("web-0")})
		w.waits("web-0", id)
		w.Try(id, nil)

		w.sleep(time.Second)
		before := len(s.times("web-0"))
		w.sleep(5 * time.Second)
		if len(s.times("web-0")) != before+1 || w.wakes("web-0") == 0 {
			t.Errorf("asked %d times in a period, woken %d times", len(s.times("web-0"))-before, w.wakes("web-0"))
		}
	})
}

// TestLaw7CostlyDryRunsLeaveTime: who tries gates also writes the status of the others, however many namespaces try costly expressions
// about however many pods. Each pod's turn comes.
func TestLaw7CostlyDryRunsLeaveTime(t *testing.T) {
	within(t, func(w *world) {
		const namespaces, pods, cost = 10, 20, 50 * time.Millisecond
		s := newScript()
		tried := map[Gate][]types.NamespacedName{}
		for i := range namespaces {
			id := Gate{Namespace: fmt.Sprint("shop-", i), Name: "costly"}
			w.mu.Lock()
			w.gates[id] = &Definition{Checks: []Check{expression(s)}}
			w.mu.Unlock()

			for j := range pods {
				name := fmt.Sprintf("web-%d-%d", i, j)
				s.slow(name, cost)
				w.ready(name)
				key := types.NamespacedName{Namespace: id.Namespace, Name: name}
				w.mu.Lock()
				w.pods[key] = w.pods[named(name)]
				w.mu.Unlock()
				tried[id] = append(tried[id], key)
			}
		}

		for look := range 2 * pods {
			began := time.Now()
			for id, all := range tried {
				w.Try(id, all)
			}
			if took := time.Since(began); look > 0 && took > time.Second { // Of the first ones nobody knows how many follow.
				t.Fatalf("all were tried in %s", took)
			}
			w.sleep(5 * time.Second)
		}
		for id, all := range tried {
			if n := w.Passing(id); n != pods {
				t.Errorf("%s: %d pods pass", id, n)
			}
			for _, pod := range all {
				if n := len(s.times(pod.Name)); n == 0 || n > 4 {
					t.Errorf("%s was evaluated %d times", pod, n)
				}
			}
			w.Try(id, nil)
		}
		if len(w.tries) != 0 {
			t.Errorf("%d gates are remembered that are not tried any more", len(w.tries))
		}
	})
}
