// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"time"

	"github.com/podgate/podgate/api/v1alpha1"
)

// Mode says what an open gate does while its target is not healthy.
type Mode string

// The modes.
const (
	// Latch keeps an open gate open. It is what an empty Mode means.
	Latch Mode = "Latch"
	// Track closes an open gate whose target fails its health checks for long enough,
	// as long as enough other gates stay open.
	Track Mode = "Track"
)

// Answer says whether a gate opens where the load balancer does not say healthy.
type Answer string

// The answers.
const (
	// Hold keeps the gate closed. It is what an empty Answer means.
	Hold Answer = "Hold"
	// Open opens it, with a reason that says why.
	Open Answer = "Open"
)

// Bounds and defaults of a Policy.
const (
	// DefaultTrackAfter is Policy.TrackAfter where it is not set.
	DefaultTrackAfter = 30 * time.Second
	// MinTrackAfter is the shortest TrackAfter: the pace at which a failing target is read.
	MinTrackAfter = 5 * time.Second
	// MinTimeout is the shortest Timeout.
	MinTimeout = time.Second
	// DefaultFloorPercent is the share of gates that Track leaves open where TrackFloor is
	// not set. When more than half of the targets fail, their common cause is more likely
	// than as many broken pods.
	DefaultFloorPercent = 50
	// TrackGap is how far apart two answers about a target may be for it to count as
	// failing in between, and how old the last may be.
	TrackGap = 30 * time.Second
)

// Policy is what the owner of a binding wants of its gates. The zero value is the
// default: an open gate stays open, a closed one opens only for a healthy target.
type Policy struct {
	// Mode says what an open gate does while its target is not healthy.
	Mode Mode
	// TrackAfter is how long a target must fail, by answers without a gap, before Track
	// closes its gate.
	TrackAfter time.Duration
	// TrackFloor is how many gates of the binding Track leaves open.
	TrackFloor Floor
	// Timeout is how long after its containers became ready a pod waits before OnTimeout
	// counts; 0 means without end.
	Timeout time.Duration
	// OnTimeout says what a gate does after Timeout.
	OnTimeout Answer
	// OnUnused is for a target in a group, or in a zone, that no load balancer uses.
	OnUnused Answer
	// OnUnavailable is for a target whose health the load balancer cannot tell.
	OnUnavailable Answer
	// OnUnhealthyDraining is for an unhealthy target whose connections are being closed (NLB).
	OnUnhealthyDraining Answer
	// OrphanGrace is how long after its containers became ready a pod waits at a gate that
	// no binding claims; ReleaseAfter when 0.
	OrphanGrace time.Duration
}

func (p Policy) trackAfter() time.Duration {
	if p.TrackAfter <= 0 {
		return DefaultTrackAfter
	}
	return p.TrackAfter
}

func (p Policy) orphanGrace() time.Duration {
	if p.OrphanGrace <= 0 {
		return ReleaseAfter
	}
	return p.OrphanGrace
}

// admits returns the reason for which a gate opens for a target that is not healthy;
// empty when it does not.
func (p Policy) admits(h Health) string {
	switch {
	case h.State == Unused && h.NotInUse && p.OnUnused == Open:
		return v1alpha1.ReasonTargetUnused
	case h.State == Unavailable && p.OnUnavailable == Open:
		return v1alpha1.ReasonTargetUnavailable
	case h.State == UnhealthyDraining && p.OnUnhealthyDraining == Open:
		return v1alpha1.ReasonTargetUnhealthyDraining
	}
	return ""
}

// Floor is how many of a binding's gates stay open, as a share or as a number. Its
// zero value is DefaultFloorPercent.
type Floor struct {
	// Percent of the gates, 1-100, rounded up; counts when Gates is 0.
	Percent int
	// Gates is a number of gates, 1 or more.
	Gates int
}

// Allows reports whether one of open gates may close, of all whose pods' containers are
// ready. The last open gate never may.
func (f Floor) Allows(open, all int) bool {
	keep := f.Gates
	if keep == 0 {
		percent := f.Percent
		if percent == 0 {
			percent = DefaultFloorPercent
		}
		keep = (all*percent + 99) / 100
	}
	return open-1 >= max(keep, 1)
}
