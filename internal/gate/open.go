// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"net/netip"
	"time"
)

// whileOpen keeps a gate open while the containers are ready, unless its policy is Track.
func whileOpen(now time.Time, pod Pod, feeds []Feed, policy Policy, current Condition) Decision {
	if !pod.ContainersReady {
		return Decision{Condition: Condition{StatusFalse, ReasonContainersNotReady, "The pod's containers became unready; the load balancer is asked again once they are ready."}}
	}

	proven := make([]netip.Addr, len(feeds))
	for i, f := range feeds {
		proven[i] = f.Proven
	}

	switch {
	case pod.Leftover:
		// It was true before the gate opened; another controller may have left it there.
		current = Condition{Status: StatusTrue, Reason: ReasonHealthy}
	case surpassed(current.Reason) && all(feeds, func(f Feed) bool { return healthy(now, pod, f) }):
		current = Condition{Status: StatusTrue, Reason: ReasonHealthy}
		for i, f := range feeds {
			proven[i] = f.Addr
		}
	}

	d := Decision{Condition: current, Proven: proven}
	if policy.Mode != Track || !followed(current.Reason) {
		return d
	}
	return track(now, pod, feeds, policy, d)
}

// surpassed reports whether a reason for which podgate opened a gate is out of date once
// the load balancer says healthy.
func surpassed(reason string) bool {
	switch reason {
	case ReasonTrackFloor, ReasonUnused, ReasonUnavailable, ReasonUnhealthyDraining, ReasonTimedOut, ReasonNoBinding, ReasonBindingDeleted:
		return true
	}
	return false
}
