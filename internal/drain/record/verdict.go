// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package record

import (
	"time"

	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/drain"
)

// Cause is why a pod ended before the load balancer had let go of it.
type Cause string

// The causes.
const (
	// CauseGrace: it was deleted with a shorter grace period than its manifest gives it, as by an
	// eviction or kubectl delete --grace-period.
	CauseGrace Cause = "grace_period"
	// CauseHeld: its deregistration was put off, because it was the last that serves.
	CauseHeld Cause = "last_serving"
	// CauseDeregistration: its deregistration was late, or never accepted.
	CauseDeregistration Cause = "deregistration"
	// CauseHook: its own preStop hook, or grace period, is too short.
	CauseHook Cause = "hook"
	// CauseNoHook: the container that serves has no preStop hook. Nobody asked for a drain, as podgate
	// gives each container one where somebody does.
	CauseNoHook Cause = "no_hook"
	// CauseNoDeletion: it ended without being deleted, as by the pressure on a node.
	CauseNoDeletion Cause = "no_deletion"
)

// End is a pod's.
type End struct {
	// At is when its containers had ended, or a moment later.
	At time.Time
	// Deleted is when its deletion began, in whole seconds; zero when it was not deleted.
	Deleted time.Time
	// Grace is what the deletion gave it, and Own what its manifest does.
	Grace, Own time.Duration
	// Maker is what makes such pods.
	Maker binding.Maker
	// Hooked: podgate would give a pod of the same manifest a hook, where it is asked for that.
	Hooked bool
	// Graceless: its manifest gives it no time at all.
	Graceless bool
	// Hookless: the container that serves has no preStop hook.
	Hookless bool
}

// Verdict is how a pod's end and its target's went together.
type Verdict struct {
	// Cause is empty when the target had drained, got no requests in the first place, or
	// nobody knows.
	Cause Cause
	// Early is how much too early the pod ended, at least; with Cause.
	Early time.Duration
	// Cut is how many connections the target had at the latest read before.
	Cut int
	// LivedOn is how long the pod lived when its target had drained; zero when Judged is false.
	LivedOn time.Duration
	// Judged: enough is known to say whether the target had drained.
	Judged bool
}

// tolerance is for times of one-second resolution.
const tolerance = time.Second

// Judge reports whether a target had drained when its pod ended. It is lenient where it cannot know: what ends by
// itself while requests that are in flight may take their time had finished them.
func (d Drain) Judge(need drain.Need, end End) Verdict {
	if !d.Served {
		return Verdict{}
	}

	v := Verdict{Judged: true}
	if d.Gone.IsZero() {
		v.Cut = d.Connections
	}

	done, known := d.Done(need)
	if !known {
		v.Cause, v.Early = d.cause(end), max(end.Deleted.Add(need.Time()).Sub(end.At), 0)
		if end.Deleted.IsZero() {
			v.Early = need.Time()
		}
		return v
	}

	if d.Accepted.IsZero() {
		return Verdict{Cut: v.Cut} // Nobody saw when it began.
	}

	killed := !end.Deleted.IsZero() && !end.At.Before(end.Deleted.Add(end.Grace))
	routed, _ := d.routed(need)
	switch {
	case end.At.Before(routed.Add(-tolerance)):
		v.Cause, v.Early = d.cause(end), routed.Sub(end.At)
	case killed && end.At.Before(done.Add(-tolerance)):
		v.Cause, v.Early = d.cause(end), done.Sub(end.At)
	default:
		v.LivedOn = max(end.At.Sub(done), 0)
	}

	return v
}

func (d Drain) cause(end End) Cause {
	switch {
	case end.Deleted.IsZero():
		return CauseNoDeletion
	case end.Grace < end.Own:
		return CauseGrace
	case end.Graceless:
		return CauseHook // Nothing can be done within no time.
	case d.Held:
		return CauseHeld
	case d.Accepted.IsZero() || d.Accepted.Sub(end.Deleted) > drain.Deregister+tolerance:
		return CauseDeregistration
	case end.Hookless:
		return CauseNoHook
	}

	return CauseHook
}
