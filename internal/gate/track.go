// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"fmt"
	"time"

	"github.com/podgate/podgate/api/v1alpha1"
)

// followed reports whether Track may close a gate that is open for a reason. One that a
// time-out, a release or a person opened was not open for its target's sake, and would be
// opened and closed without end.
func followed(reason string) bool {
	switch reason {
	case v1alpha1.ReasonHealthy, v1alpha1.ReasonHealthCheckUnavailable, v1alpha1.ReasonChecksPassed, v1alpha1.ReasonApproved, v1alpha1.ReasonTrackFloor, v1alpha1.ReasonTargetUnused, v1alpha1.ReasonTargetUnavailable, v1alpha1.ReasonTargetUnhealthyDraining:
		return true
	}
	return false
}

// track closes an open gate when one of its targets fails its health checks, or each of them
// where they are alternatives, has failed for long enough, and there is room. What is not known closes nothing.
func track(now time.Time, pod Pod, feeds []Feed, policy Policy, d Decision) Decision {
	failed, failing := -1, 0
	for i, f := range feeds {
		own := f.policy(policy)
		if own.Mode != Track {
			continue
		}

		closes, recheck := fails(now, pod, f, own)
		if closes && failed < 0 {
			failed = i
		}
		if closes {
			failing++
		}
		d.Recheck = sooner(d.Recheck, recheck)
	}

	if failed < 0 || feeds[failed].Alternative && failing < len(feeds) {
		return d
	}

	// A pod that is not ready is missing wherever its gate counts, so all must have room.
	if !all(feeds, func(f Feed) bool { return f.released() || f.Room != nil && f.Room() }) {
		d.By = failed
		d.Condition = feeds[failed].says(Condition{StatusTrue, v1alpha1.ReasonTrackFloor, fmt.Sprintf("%s; the gate stays open, since too few other gates of the %s are.", feeds[failed].words().failing, feeds[failed].words().owner)})
		d.Recheck = sooner(d.Recheck, floorRecheck)
		return d
	}

	d.Condition, d.By, d.Waiting = feeds[failed].says(feeds[failed].told()), failed, true
	d.Proven[failed] = feeds[failed].Addr
	return d
}

// fails reports whether a target has failed for so long that Track closes its gate; if it
// may yet, when to look again.
func fails(now time.Time, pod Pod, feed Feed, policy Policy) (closes bool, recheck time.Duration) {
	if feed.Claim != Claimed || !feed.Observed || !feed.Present || !feed.Health.Failing() || policy.admits(feed.Health) != "" {
		return false, 0
	}

	after, since := policy.trackAfter(), latest(feed.FailingSince, pod.ContainersReadySince)
	switch {
	case feed.FailingSince.IsZero() || now.Sub(feed.ReadAt) > max(TrackGap, feed.Gap):
		return false, after
	case feed.ReadAt.Sub(since) < after:
		return false, max(since.Add(after).Sub(now), trackReread)
	}
	return true, 0
}
