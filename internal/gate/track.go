// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package gate

import "time"

// followed tells whether Track may close a gate that is open for a reason. One that a
// time-out, a release or a person opened was not open for its target's sake, and would be
// opened and closed without end.
func followed(reason string) bool {
	switch reason {
	case ReasonHealthy, ReasonTrackFloor, ReasonUnused, ReasonUnavailable, ReasonUnhealthyDraining:
		return true
	}
	return false
}

// track closes the open gate of a target that fails its health checks, when it has
// failed for long enough and there is room. What is not known closes nothing.
func track(now time.Time, pod Pod, feed Feed, policy Policy, d Decision) Decision {
	if feed.Claim != Claimed || !feed.Observed || !feed.Present || !feed.Health.Failing() || policy.admits(feed.Health) != "" {
		return d
	}
	after, since := policy.trackAfter(), latest(feed.FailingSince, pod.ContainersReadySince)
	switch {
	case feed.FailingSince.IsZero() || now.Sub(feed.ReadAt) > TrackGap:
		d.Recheck = after
	case feed.ReadAt.Sub(since) < after:
		d.Recheck = max(since.Add(after).Sub(now), trackReread)
	case !feed.Room:
		d.Condition = Condition{StatusTrue, ReasonTrackFloor, "The target fails its health checks; the gate stays open, since too few other gates of the binding are."}
		d.Closing, d.Recheck = true, floorRecheck
	default:
		return Decision{Condition: told(feed.Health), Proven: pod.Addr, Waiting: true}
	}
	return d
}
