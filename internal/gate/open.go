// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"net/netip"
	"slices"
	"time"

	"github.com/podgate/podgate/api/v1alpha1"
)

// whileOpen keeps a gate open while the containers are ready and no other controller holds the
// pod back, unless its policy is Track.
func whileOpen(now time.Time, pod Pod, feeds []Feed, policy Policy, current Condition) Decision {
	if !pod.ContainersReady {
		return Decision{Condition: Condition{StatusFalse, v1alpha1.ReasonContainersNotReady, "The pod's containers became unready; " + feeds[0].words().asked + " is asked again once they are ready."}}
	}

	proven := make([]netip.Addr, len(feeds))
	for i, f := range feeds {
		proven[i] = f.Proven
	}

	// The pod is not Ready in any case. Without this it would be at once when the other gate
	// opens, while its target is still to be registered again.
	if i := slices.IndexFunc(feeds, Feed.heldBack); i >= 0 && (!feeds[i].Alternative || !slices.ContainsFunc(feeds, Feed.free)) {
		return Decision{Condition: feeds[i].says(feeds[i].held()), By: i, Proven: proven}
	}

	switch {
	case pod.Leftover:
		// It was true before the gate opened; another controller may have left it there.
		current = Condition{Status: StatusTrue, Reason: v1alpha1.ReasonHealthy}
	case surpassed(current.Reason) && enough(feeds, func(f Feed) bool { return healthy(now, pod, f) }):
		parts := make([]part, len(feeds))
		for i, f := range feeds {
			if healthy(now, pod, f) {
				parts[i], proven[i] = part{condition: f.says(f.Health.opens())}, f.Addr
			}
		}
		current = join(parts, feeds[0].Alternative).Condition
	}

	d := Decision{Condition: current, Proven: proven}
	if !followed(current.Reason) {
		return d
	}

	return track(now, pod, feeds, policy, d)
}

// surpassed reports whether a reason for which podgate opened a gate is out of date once
// the load balancer says healthy, or the checks pass.
func surpassed(reason string) bool {
	switch reason {
	case v1alpha1.ReasonTrackFloor, v1alpha1.ReasonTargetUnused, v1alpha1.ReasonTargetUnavailable, v1alpha1.ReasonTargetUnhealthyDraining,
		v1alpha1.ReasonHealthCheckUnavailable, v1alpha1.ReasonTimedOut, v1alpha1.ReasonNoBinding, v1alpha1.ReasonBindingDeleted, v1alpha1.ReasonNotTarget, v1alpha1.ReasonNotIPTargets, v1alpha1.ReasonDryRun:
		return true
	}
	return false
}
