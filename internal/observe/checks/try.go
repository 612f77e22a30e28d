// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/podgate/podgate/internal/gate"
)

// Try has the checks of a gate asked about these pods and no others, for a dry run: at the pace of pods in service, and without
// anything that follows from it.
func (o *Observer) Try(id Gate, pods []types.NamespacedName) {
	wanted := map[types.NamespacedName]bool{}
	for _, pod := range pods {
		wanted[pod] = true
		o.lookUp(o.meet(pod, id, func(in *interest) { in.tried = true }))
	}

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
