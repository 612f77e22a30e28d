// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"fmt"
	"net/netip"
	"strings"
	"time"
)

const (
	// ReleaseAfter is Policy.OrphanGrace where it is not set.
	ReleaseAfter = 5 * time.Minute
	// AbsenceGrace is how long a binding's claim must be missing before that counts.
	AbsenceGrace = 30 * time.Second
	// Lag is how long a load balancer's API may go on showing an older state
	// (eventual consistency), clock differences between nodes included.
	Lag = 10 * time.Second
	// quiet is how long the first condition of a pod is held back when all it could
	// say is that nothing is known yet: registration takes less, and a condition
	// that is replaced at once is a write for nothing.
	quiet = 2 * time.Second
	// reread is how often to look for a newer read of a group for which a pod waits:
	// one that says the same wakes nobody.
	reread = 250 * time.Millisecond
	// trackReread is how soon to look whether a target that is followed was read again.
	trackReread = time.Second
	// floorRecheck is when to look again whether a gate may close that the floor keeps open.
	floorRecheck = 10 * time.Second
)

// Claim says how a gate's binding stands to the pod.
type Claim int

// The claims.
const (
	// Unclaimed: no binding of that name, or its Service does not select the pod.
	Unclaimed Claim = iota
	// Unresolved: the binding claims the pod, but its group or port is not known.
	Unresolved
	// Claimed: the pod's target in the group is known.
	Claimed
	// Releasing: the binding is being deleted.
	Releasing
	// NotIP: the group's targets are not pods.
	NotIP
)

// Feed is what a gate is decided from: one target in one group.
type Feed struct {
	Claim Claim
	// UnclaimedSince is when the claim was first found missing; only for Unclaimed.
	UnclaimedSince time.Time
	// Trouble says, for people, why the group cannot be resolved or read; may be empty.
	Trouble string
	// Observed: the group was read completely, and that read began after the pod had its address.
	Observed bool
	// ReadAt is when the latest read began.
	ReadAt time.Time
	// Present: the latest read holds the target.
	Present bool
	// Health is the latest read's word on the target, when Present.
	Health Health
	// SeenOtherwise: a read that began Lag after the pod got its address, or later, found
	// the target absent or not healthy, so a later healthy is about this pod.
	SeenOtherwise bool
	// Placed: podgate registered the target for this very pod, in a group that did not
	// hold it, so a healthy is about this pod.
	Placed bool
	// Detection is how long the load balancer may take to notice that a target is gone.
	Detection time.Duration
	// FailingSince is when the first of the reads began that said in a row, without a
	// gap, that the target is failing; zero when the latest did not, or failed itself.
	FailingSince time.Time
	// Room: enough other gates of the binding are open for this one to close.
	Room bool
}

// Pod is what a decision needs to know of a pod.
type Pod struct {
	ContainersReady bool
	// ContainersReadySince is the transition time of ContainersReady.
	ContainersReadySince time.Time
	// Addr is the pod's address; invalid while it has none.
	Addr netip.Addr
	// Proven is the address at which the gate was proven to be about this pod (by
	// UID); invalid when it never was.
	Proven netip.Addr
	// ClosedAt is when the gate was closed while the containers were ready; zero when it was not.
	ClosedAt time.Time
	// Override is what a person ordered about the gate.
	Override Override
}

// moved tells whether the pod's address changed since its gate was proven.
func (p Pod) moved() bool {
	return p.Proven.IsValid() && p.Addr.IsValid() && p.Proven != p.Addr
}

// Decision is what follows for a gate.
type Decision struct {
	// Condition is what the condition should be; its zero value means that none should be written yet.
	Condition Condition
	// Proven is to be recorded beside the condition; invalid to record nothing.
	Proven netip.Addr
	// Recheck is when to decide again if nothing happens, 0 when only an event can change the decision.
	Recheck time.Duration
	// Waiting: the pod could open as soon as the load balancer says healthy.
	Waiting bool
	// ClosedAt is to be recorded beside the condition; zero to record nothing.
	ClosedAt time.Time
	// Closing: the gate would close if there was Room.
	Closing bool
	// TimedOut: the time-out has passed and the gate stays closed.
	TimedOut bool
}

// Decide says what a gate's condition should be, given the condition as it stands.
//
// An open gate stays open unless the pod's address changed or its containers
// became unready (law 9), or its binding asks to Track. A closed one opens when the
// load balancer says healthy and that is provably about this pod (laws 1 and 11), when
// its binding's policy says so, or when nothing will ever open it (law 2). What a person
// ordered comes before all that, until its time is over.
func Decide(now time.Time, pod Pod, feed Feed, policy Policy, current Condition) Decision {
	// A gate that is released whatever the containers do is not closed for them: it would
	// be released again at once, and so on without end.
	pod.ContainersReady = pod.ContainersReady || feed.Claim == Releasing || feed.Claim == NotIP
	moved := pod.moved()
	if moved {
		pod.Proven = netip.Addr{}
	}
	before := withoutOverride(current)
	var d Decision
	if before.Status == StatusTrue && !moved {
		d = whileOpen(now, pod, feed, policy, before)
	} else {
		d = whileClosed(now, pod, feed, policy, before, moved)
	}
	d = overridden(now, pod, feed, d)
	d.ClosedAt = closedAt(now, pod, current, d.Condition)
	return d
}

// closedAt is when the gate was closed while the containers were ready. A time-out
// counts from there, or it would open again at once what was closed.
func closedAt(now time.Time, pod Pod, current, next Condition) time.Time {
	switch {
	case !pod.ContainersReady || next.Status == StatusTrue:
		return time.Time{}
	case current.Status == StatusTrue:
		return now
	}
	return pod.ClosedAt
}

// whileOpen keeps a gate open while the containers are ready, unless its binding asks to
// Track.
func whileOpen(now time.Time, pod Pod, feed Feed, policy Policy, current Condition) Decision {
	if !pod.ContainersReady {
		return Decision{Condition: Condition{StatusFalse, ReasonContainersNotReady, "The pod's containers became unready; the load balancer is asked again once they are ready."}}
	}
	switch {
	case strings.Contains(current.Reason, "."):
		// It was true before the gate opened (LBC leaves it there).
		current = Condition{Status: StatusTrue, Reason: ReasonHealthy}
	case surpassed(current.Reason) && healthy(now, pod, feed):
		current, pod.Proven = Condition{Status: StatusTrue, Reason: ReasonHealthy}, pod.Addr
	}
	d := Decision{Condition: current, Proven: pod.Proven}
	if policy.Mode != Track || !followed(current.Reason) {
		return d
	}
	return track(now, pod, feed, policy, d)
}

// surpassed tells whether a reason for which podgate opened a gate is out of date once
// the load balancer says healthy.
func surpassed(reason string) bool {
	switch reason {
	case ReasonTrackFloor, ReasonUnused, ReasonUnavailable, ReasonUnhealthyDraining, ReasonTimedOut, ReasonNoBinding, ReasonBindingDeleted:
		return true
	}
	return false
}

// whileClosed opens a gate when there is a reason to.
func whileClosed(now time.Time, pod Pod, feed Feed, policy Policy, current Condition, moved bool) Decision {
	switch feed.Claim {
	case Releasing:
		return Decision{Condition: Condition{StatusTrue, ReasonBindingDeleted, "The binding was deleted, so nothing is waited for."}}
	case NotIP:
		return Decision{Condition: Condition{StatusTrue, ReasonNotIPTargets, "The target group's targets are not pods, so there is nothing to wait for."}}
	}
	if !pod.ContainersReady {
		return unready(moved, current)
	}
	switch feed.Claim {
	case Unclaimed:
		return unclaimed(now, pod, feed, policy)
	case Unresolved:
		d := undetermined(now, pod, current, Condition{StatusUnknown, ReasonNotResolved, troubled(feed.Trouble, "The binding's target group or port is not known; see the binding's Ready condition.")})
		return limited(now, pod, policy, d)
	}
	return limited(now, pod, policy, claimed(now, pod, feed, policy, current))
}

// unready leaves a closed gate as it is: the pod cannot be Ready anyway.
func unready(moved bool, current Condition) Decision {
	if moved && current.Status == StatusTrue {
		current = Condition{StatusFalse, ReasonContainersNotReady, "The pod got a new address and its containers are not ready."}
	}
	return Decision{Condition: current}
}

func unclaimed(now time.Time, pod Pod, feed Feed, policy Policy) Decision {
	grace := policy.orphanGrace()
	at := latest(pod.ContainersReadySince.Add(grace), feed.UnclaimedSince.Add(AbsenceGrace))
	if !now.Before(at) {
		return Decision{Condition: Condition{StatusTrue, ReasonNoBinding, "No binding claims this gate, so it was released."}}
	}
	return Decision{
		Condition: Condition{StatusFalse, ReasonNoBinding, fmt.Sprintf("No binding of this name has a Service that selects this pod. Create it, or the gate is released %s after the containers became ready.", span(grace))},
		Recheck:   at.Sub(now),
	}
}

func claimed(now time.Time, pod Pod, feed Feed, policy Policy, current Condition) Decision {
	if !feed.Observed && feed.Trouble == "" && current.Status == StatusFalse && heard(current.Reason) {
		return Decision{Condition: current, Proven: pod.Proven, Waiting: true}
	}
	if !feed.Observed {
		return undetermined(now, pod, current, Condition{StatusUnknown, ReasonNotObserved, troubled(feed.Trouble, "The target group has not been read since the pod got its address.")})
	}
	if !feed.Present {
		d := undetermined(now, pod, current, Condition{StatusFalse, ReasonNotRegistered, troubled(feed.Trouble, "Target is not registered to the target group")})
		if d.Condition.Status != "" {
			d.Proven = proof(pod, feed)
		}
		return d
	}
	admitted := policy.admits(feed.Health)
	if feed.Health.State != Healthy && admitted == "" {
		return Decision{Condition: told(feed.Health), Proven: proof(pod, feed), Waiting: true}
	}
	if stale(now, pod, feed) {
		if current.Status == StatusTrue {
			current = Condition{StatusUnknown, ReasonNotObserved, "The target group has not been read since the pod's containers became ready."}
		}
		return Decision{Condition: current, Proven: pod.Proven, Recheck: reread, Waiting: true}
	}
	if admitted != "" {
		return Decision{Condition: Condition{StatusTrue, admitted, admission(feed.Health)}, Proven: pod.Addr}
	}
	if healthy(now, pod, feed) {
		return Decision{Condition: Condition{Status: StatusTrue, Reason: ReasonHealthy}, Proven: pod.Addr}
	}
	return Decision{
		Condition: Condition{StatusFalse, ReasonNotProven, "The load balancer calls this address healthy, perhaps because of the pod that had it before; waiting until it must have noticed."},
		Recheck:   max(settled(pod, feed).Sub(now), reread),
		Waiting:   true,
	}
}

// heard tells whether a reason for which a gate is closed is what a load balancer said:
// it stays while the first read after a restart is under way.
func heard(reason string) bool {
	return strings.Contains(reason, ".") || reason == ReasonNotProven
}

// told is what the load balancer says of a target that is not healthy.
func told(h Health) Condition {
	reason := h.Reason
	if reason == "" {
		reason = "Target." + strings.ToUpper(h.State.String()[:1]) + h.State.String()[1:]
	}
	return Condition{StatusFalse, reason, h.Description}
}

func admission(h Health) string {
	return fmt.Sprintf("Opened by the binding's policy, although the load balancer calls the target %s (%s).", h.State, told(h).Reason)
}

// healthy tells whether the load balancer says healthy and means this very pod.
func healthy(now time.Time, pod Pod, feed Feed) bool {
	if feed.Claim != Claimed || !feed.Observed || !feed.Present || feed.Health.State != Healthy || stale(now, pod, feed) {
		return false
	}
	return proof(pod, feed) == pod.Addr || !feed.ReadAt.Before(settled(pod, feed))
}

// proof is the address at which what is said is about this pod, whoever had it before;
// invalid while that is not known.
func proof(pod Pod, feed Feed) netip.Addr {
	if feed.SeenOtherwise || feed.Placed {
		return pod.Addr
	}
	return pod.Proven
}

// settled is when the load balancer must have noticed that an earlier pod is gone: what a
// read from then on says is said of this one.
func settled(pod Pod, feed Feed) time.Time {
	return pod.ContainersReadySince.Add(feed.Detection + Lag)
}

// stale tells whether the latest read is of a time when the containers were not
// ready, as after one of them was restarted. A transition that lies in the future is
// another clock's and says nothing.
func stale(now time.Time, pod Pod, feed Feed) bool {
	return feed.ReadAt.Before(pod.ContainersReadySince) && !now.Before(pod.ContainersReadySince)
}

// undetermined holds a pod's first condition back for a moment when it would only
// say that nothing is known yet.
func undetermined(now time.Time, pod Pod, current, next Condition) Decision {
	loud := pod.ContainersReadySince.Add(quiet)
	if current.Status == "" && now.Before(loud) {
		return Decision{Recheck: loud.Sub(now), Waiting: true}
	}
	return Decision{Condition: next, Proven: pod.Proven, Waiting: true}
}

func troubled(trouble, otherwise string) string {
	if trouble != "" {
		return trouble
	}
	return otherwise
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
