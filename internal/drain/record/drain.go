// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package record remembers how far the targets of pods that leave have come: when their
// deregistration was accepted, when a read showed it, when they were gone. It is this
// process's memory of what passes: a new leader's begins empty, so what is missing here
// means "not known", never "drained", and nothing that must be right may rest on it.
//
// Reports are what it is for: metrics of how long drains take, events about pods that
// ended before their load balancer had let go of them, and recommended drain times.
package record

import (
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/drain"
	"github.com/podgate/podgate/internal/gate"
)

// Drain is how far the drain of one target has come, whose pod leaves. A time is zero while what
// it stands for was not seen.
type Drain struct {
	Pod    types.UID
	Ref    balancer.Ref
	Target gate.Target
	// GoneIsDone: a target that is gone gets no request (balancer.Traits).
	GoneIsDone bool
	// Served: the load balancer sent it requests when it began to leave, as far as is known.
	Served bool
	// Held: its deregistration was put off, because it was the last that serves.
	Held bool
	// Deleted is when the pod's deletion began, in whole seconds.
	Deleted time.Time
	// Accepted is when the load balancer accepted the deregistration, from this process.
	Accepted time.Time
	// Draining is when the first read began that showed the target draining.
	Draining time.Time
	// Gone is when the first of the reads in a row began that lacked the target; it is set
	// when one of them cannot be behind the deregistration (balancer.Traits.Lag).
	Gone time.Time
	// Connections are those that it had by the latest read; also 0 where the load balancer
	// does not report them.
	Connections int
}

// Done is when the load balancer has let go of the target, by what its data path needs after the
// deregistration; it may be in the future. Whether a target that is gone still gets requests
// depends on the load balancer. False while the deregistration was not seen.
func (d Drain) Done(need drain.Need) (time.Time, bool) {
	routed, ok := d.routed(need)
	if !ok {
		return time.Time{}, false
	}
	done := routed.Add(need.InFlight)
	if !d.Gone.IsZero() && d.Gone.Before(done) {
		done = later(routed, d.Gone)
	}
	return done, true
}

// routed is from when on the load balancer begins no request there.
func (d Drain) routed(need drain.Need) (time.Time, bool) {
	began := d.Accepted
	for _, seen := range []time.Time{d.Draining, d.Gone} {
		if began.IsZero() {
			began = seen // Another process deregistered it, no later than that.
		}
	}

	if began.IsZero() {
		return time.Time{}, false
	}

	routed := began.Add(need.Routing)
	if d.GoneIsDone && !d.Gone.IsZero() && d.Gone.Before(routed) {
		routed = d.Gone
	}

	return routed, true
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
