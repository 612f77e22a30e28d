// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package injection

import (
	"slices"
	"time"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/drain"
)

// Hooks is what draining reads of a pod.
type Hooks struct {
	// PreStop reports, for each ordinary container in the pod's order, whether it has a
	// preStop hook.
	PreStop []bool
	// Grace is terminationGracePeriodSeconds; nil when the pod states none.
	Grace *int64
	// Original is what GraceAnnotation says that Grace was before; nil without it.
	Original *int64
	// OfJob says that the pod belongs to a Job.
	OfJob bool
}

// DrainPlan is what changes in a pod so that it serves on while its targets drain. Its
// zero value changes nothing.
type DrainPlan struct {
	// Sleep are the positions of the containers that get a preStop hook, ascending.
	Sleep []int
	// Seconds is how long the hooks sleep.
	Seconds int64
	// Grace is terminationGracePeriodSeconds from now on; 0 when it stays.
	Grace int64
	// Original is what GraceAnnotation keeps; nil when the pod has it already.
	Original *int64
	// Adaptive are the pod's bindings, sorted, when all of them ask for hooks that may end
	// earlier; none when one does not.
	Adaptive []string
	// LeftOut: hooks would be needed, which the pod's manifest leaves no room for.
	LeftOut bool
}

// Empty reports whether the plan adds no hook.
func (p DrainPlan) Empty() bool { return len(p.Sleep) == 0 }

// Drain plans a pod's hooks: each container without a preStop of its own sleeps for as
// long as the slowest of the pod's bindings of ip targets needs, and the grace period grows
// by that, so that what the application had stays the application's. A pod that is to be
// killed at once, a Job's, whose end nobody asks for, and one whose manifest states how it
// ends stay as they are. Planning again after the plan was applied changes nothing.
func Drain(pod Pod, c Candidates) DrainPlan {
	if pod.Labels[v1alpha1.DrainLabel] == v1alpha1.DrainDisabled || pod.Hooks.OfJob || pod.Static {
		return DrainPlan{}
	}

	seconds := ceil(DrainTime(pod, c))
	grace := drain.DefaultGrace
	if pod.Hooks.Grace != nil {
		grace = *pod.Hooks.Grace
	}

	if seconds == 0 || grace <= 0 {
		return DrainPlan{}
	}

	plan := DrainPlan{Seconds: seconds, Adaptive: adaptive(pod, c)}
	for i, has := range pod.Hooks.PreStop {
		if !has {
			plan.Sleep = append(plan.Sleep, i)
		}
	}

	switch {
	case plan.Empty():
		return DrainPlan{}
	case pod.Stated.End:
		return DrainPlan{LeftOut: true}
	case pod.Stated.Applied:
		plan.Adaptive = nil // It needs more of the pod than a hook: the less changes, the less a second apply meets.
	}

	original := grace
	// Where no container has a hook, or the grace period is shorter, it is of another pod, such as that a manifest was copied
	// from; unless the sum says that somebody has dropped the hook since.
	known := pod.Hooks.Original != nil && *pod.Hooks.Original <= grace && (slices.Contains(pod.Hooks.PreStop, true) || *pod.Hooks.Original == grace-seconds)
	if known {
		original = *pod.Hooks.Original
	}

	if grace < original+seconds {
		plan.Grace = original + seconds
	}

	if plan.Grace > 0 && !known {
		plan.Original = &original
	}

	return plan
}

// DrainTime is the longest that any of the pod's bindings of ip targets needs; 0 when it has none.
func DrainTime(pod Pod, c Candidates) time.Duration {
	var longest time.Duration
	for _, b := range c.Claiming(pod) {
		longest = max(longest, b.DrainTime())
	}
	return longest
}

// adaptive are the pod's bindings when all of them ask for it.
func adaptive(pod Pod, c Candidates) []string {
	var names []string
	for _, b := range c.Claiming(pod) {
		if !b.Drain().Adaptive {
			return nil
		}
		names = append(names, b.Key().Name)
	}
	slices.Sort(names)
	return names
}

// ceil is whole seconds, the unit of hooks and grace periods.
func ceil(d time.Duration) int64 { return int64((d + time.Second - 1) / time.Second) }
