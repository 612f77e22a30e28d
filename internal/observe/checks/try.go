// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/podgate/podgate/internal/gate"
)

// tryTime bounds how long the expressions of all gates in a dry run take while each of them is tried once: one goroutine tries them, which
// also writes the status of all other gates.
const tryTime = 500 * time.Millisecond

// Try has the checks of a gate asked about these pods and no others, for a dry run: at the pace of pods in service, and without
// anything that follows from it. Costly expressions are evaluated about some of the pods, and about the others the next times.
func (o *Observer) Try(id Gate, pods []types.NamespacedName) {
	wanted := map[types.NamespacedName]bool{}
	all := make([]*interest, 0, len(pods))
	for _, pod := range pods {
		wanted[pod] = true
		all = append(all, o.meet(pod, id, func(in *interest) { in.tried = true }))
	}
	o.lookUpSome(all, o.timeToTry(id, len(pods) > 0))

	o.mu.Lock()
	defer o.mu.Unlock()
	g := o.gates[id]
	if g == nil {
		return
	}
	for pod, in := range g.interests {
		if !in.tried || wanted[pod] {
			continue
		}
		if in.tried = false; in.asked() {
			o.plan(in)
			continue
		}
		o.watched[pod] = slices.DeleteFunc(o.watched[pod], func(other *interest) bool { return other == in })
		if len(o.watched[pod]) == 0 {
			delete(o.watched, pod)
		}
		o.leave(in)
	}
}

// timeToTry is a gate's part of the time in which gates are tried, of which it is one from now on, or is none.
func (o *Observer) timeToTry(id Gate, tried bool) time.Duration {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !tried {
		delete(o.tries, id)
		return 0
	}
	o.tries[id] = true
	return tryTime / time.Duration(len(o.tries))
}

// lookUpSome looks up pods until the time is over, at least one, and begins with those that were not looked up for longest.
func (o *Observer) lookUpSome(all []*interest, within time.Duration) {
	o.mu.Lock()
	slices.SortStableFunc(all, func(a, b *interest) int { return a.evaluated.Compare(b.evaluated) })
	o.mu.Unlock()

	until := time.Now().Add(within)
	for i, in := range all {
		if i == 0 || time.Now().Before(until) {
			o.lookUp(in)
			continue
		}
		o.mu.Lock()
		o.plan(in)
		o.mu.Unlock()
	}
}

// Passing counts the pods that are tried of which the checks of a gate together say that they pass now.
func (o *Observer) Passing(id Gate) int {
	now := time.Now()
	o.mu.Lock()
	defer o.mu.Unlock()
	g := o.gates[id]
	if g == nil {
		return 0
	}

	passing := 0
	for _, in := range g.interests {
		if !in.tried {
			continue
		}
		if v := in.verdict(now); v.observed && v.health.State == gate.Healthy {
			passing++
		}
	}
	return passing
}
