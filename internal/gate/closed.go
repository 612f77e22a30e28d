// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/podgate/podgate/api/v1alpha1"
)

// whileClosed opens a gate when each of its feeds has a reason to. One that is open comes
// here when the pod's address changed.
func whileClosed(now time.Time, pod Pod, feeds []Feed, policy Policy, current Condition) Decision {
	parts := make([]part, len(feeds))
	for i, f := range feeds {
		parts[i] = decision{now: now, pod: pod, feed: f, policy: f.policy(policy), current: current}.part().of(f)
	}
	return join(parts, feeds[0].Alternative)
}

// part is what one feed says of a gate.
type part struct {
	condition Condition
	// kept: the condition is the gate's as it stands, whichever feed it was about.
	kept     bool
	proven   netip.Addr
	recheck  time.Duration
	waiting  bool
	timedOut bool
}

// of names the feed in its condition.
func (p part) of(f Feed) part {
	if !p.kept {
		p.condition = f.says(p.condition)
	}
	return p
}

// join makes a gate's decision of what its feeds say: the first one that is not open gives
// the reason. An open gate is called healthy only if that is what opened all of them, or, where
// they are alternatives, one.
func join(parts []part, alternatives bool) Decision {
	by := 0
	for i, p := range parts {
		if alternatives && opensBefore(p.condition, parts[by].condition) || !alternatives && speaksBefore(p.condition, parts[by].condition) {
			by = i
		}
	}

	d := Decision{Condition: parts[by].condition, By: by, Proven: make([]netip.Addr, len(parts))}
	for i, p := range parts {
		d.Proven[i] = p.proven
		d.Waiting = d.Waiting || p.waiting
		d.TimedOut = d.TimedOut || p.timedOut && p.condition == d.Condition
		d.Recheck = sooner(d.Recheck, p.recheck)
	}

	// What another alternative still waits for opens nothing.
	d.Waiting = d.Waiting && d.Condition.Status != StatusTrue
	return d
}

// opensBefore reports whether a later alternative's condition is the gate's, and not an earlier one's.
func opensBefore(later, earlier Condition) bool {
	if later.Status != StatusTrue {
		return false
	}
	return earlier.Status != StatusTrue || earlier.Reason != v1alpha1.ReasonHealthy && later.Reason == v1alpha1.ReasonHealthy
}

// speaksBefore reports whether a later feed's condition is the gate's, and not an earlier one's.
func speaksBefore(later, earlier Condition) bool {
	if earlier.Status != StatusTrue {
		return false
	}
	return later.Status != StatusTrue || earlier.Reason == v1alpha1.ReasonHealthy
}

// decision decides one feed of a gate that is closed.
type decision struct {
	now     time.Time
	pod     Pod
	feed    Feed
	policy  Policy
	current Condition
}

func (d decision) part() part {
	switch d.feed.Claim {
	case Releasing:
		return part{condition: Condition{StatusTrue, v1alpha1.ReasonBindingDeleted, "The binding was deleted, so nothing is waited for."}}
	case NotIP:
		return part{condition: Condition{StatusTrue, v1alpha1.ReasonNotIPTargets, "The target group's targets are not pods, so there is nothing to wait for."}}
	case DryRun:
		return part{condition: Condition{StatusTrue, v1alpha1.ReasonDryRun, "The ReadinessGate is a dry run, so nothing is waited for."}}
	case NotTarget:
		return part{condition: Condition{StatusTrue, v1alpha1.ReasonNotTarget, "The pod does not have the port that the binding's Service serves, so it is not a target and there is nothing to wait for."}}
	}

	if !d.pod.ContainersReady {
		return d.unready()
	}

	switch d.feed.Claim {
	case Unclaimed:
		return d.unclaimed()
	case Unresolved, Unstated:
		p := d.undetermined(Condition{StatusUnknown, v1alpha1.ReasonBindingNotReady, d.troubled("The binding's target group or port is not known; see the binding's Ready condition.")})
		if d.feed.HeldBy != "" {
			return p // No time-out runs while somebody else holds the pod back.
		}
		return d.limited(p)
	}

	if d.feed.heldBack() {
		p := d.undetermined(d.feed.held())
		p.waiting = false // It does not wait for the load balancer, and no time-out runs.
		return p
	}

	return d.limited(d.claimed())
}

// unready leaves a closed gate as it is: the pod cannot be Ready anyway. One that was open
// at another address closes.
func (d decision) unready() part {
	if d.current.Status == StatusTrue {
		return part{condition: Condition{StatusFalse, v1alpha1.ReasonContainersNotReady, "The pod got a new address and its containers are not ready."}}
	}
	return part{condition: d.current, kept: true, timedOut: d.pod.TimedOut}
}

func (d decision) unclaimed() part {
	if loud := latest(d.pod.ContainersReadySince, d.feed.UnclaimedSince).Add(AbsenceGrace); d.feed.Quiet && d.current.Status == "" && d.now.Before(loud) {
		return part{recheck: loud.Sub(d.now)}
	}

	grace := d.policy.orphanGrace()
	at := latest(d.pod.ContainersReadySince.Add(grace), d.feed.UnclaimedSince.Add(AbsenceGrace))
	if !d.now.Before(at) {
		return part{condition: Condition{StatusTrue, v1alpha1.ReasonNoBinding, d.released()}}
	}

	remedy := "Create it"
	if d.feed.Trouble != "" {
		remedy = "Correct that"
	}
	return part{
		condition: Condition{StatusFalse, v1alpha1.ReasonNoBinding, fmt.Sprintf("%s %s, or the gate is released %s after the containers became ready.", d.troubled(d.feed.words().unclaimed+"."), remedy, span(grace))},
		recheck:   at.Sub(d.now),
	}
}

// released says why a gate that nothing claims is open.
func (d decision) released() string {
	if d.feed.Trouble != "" {
		return d.feed.Trouble + " The gate was released."
	}
	return d.feed.words().released + ", so it was released."
}

func (d decision) claimed() part {
	// What was reported before a restart stays until the first read is complete.
	if !d.feed.Observed && d.feed.Trouble == "" && d.current.Status != StatusTrue && heard(d.current.Reason) {
		return part{condition: d.current, kept: true, proven: d.feed.Proven, waiting: true}
	}
	if !d.feed.Observed {
		unobserved := d.feed.words().unobserved
		unobserved.Message = d.troubled(unobserved.Message)
		return d.undetermined(unobserved)
	}

	if !d.feed.Present {
		p := d.undetermined(Condition{StatusFalse, d.feed.Health.reason(), d.troubled(d.feed.Health.Description)})
		if p.condition.Status != "" {
			p.proven = proof(d.feed)
		}
		return p
	}

	admitted := d.policy.admits(d.feed.Health)
	if d.feed.Health.State != Healthy && admitted == "" {
		return part{condition: d.feed.told(), proven: proof(d.feed), waiting: true}
	}
	if stale(d.now, d.pod, d.feed) {
		return d.unread()
	}
	if admitted != "" {
		return part{condition: Condition{StatusTrue, admitted, admission(d.feed.Health)}, proven: d.feed.Addr}
	}
	if healthy(d.now, d.pod, d.feed) {
		return part{condition: d.feed.Health.opens(), proven: d.feed.Addr}
	}

	return part{
		condition: Condition{StatusFalse, v1alpha1.ReasonNotProvenYet, "The load balancer calls this address healthy, perhaps because of the pod that had it before; waiting until it must have noticed."},
		recheck:   max(settled(d.pod, d.feed).Sub(d.now), reread),
		waiting:   true,
	}
}

// unread waits for a read that began after the containers became ready.
func (d decision) unread() part {
	p := part{condition: d.current, kept: true, proven: d.feed.Proven, recheck: reread, waiting: true}
	if d.current.Status == StatusTrue || d.current.Reason == v1alpha1.ReasonOtherGateClosed {
		p.kept, p.condition = false, d.feed.words().unread
	}
	return p
}

// undetermined holds a pod's first condition back for a moment when it would only
// say that nothing is known yet.
func (d decision) undetermined(next Condition) part {
	loud := d.pod.ContainersReadySince.Add(quiet)
	if d.current.Status == "" && d.now.Before(loud) {
		return part{recheck: loud.Sub(d.now), waiting: true}
	}
	return part{condition: next, proven: d.feed.Proven, waiting: true}
}

// troubled returns the feed's trouble, which says more than what follows from it.
func (d decision) troubled(otherwise string) string {
	if d.feed.Trouble != "" {
		return d.feed.Trouble
	}
	return otherwise
}

// heard reports whether a reason for which a gate is closed is what a load balancer, or a check, said:
// it stays while the first read after a restart is under way.
func heard(reason string) bool {
	return fromBalancer(reason) || v1alpha1.IsCheckReason(reason) || reason == v1alpha1.ReasonNotProvenYet
}

// told is what is said of a pod that is not healthy. A check that has no answer says nothing of the pod.
func (f Feed) told() Condition {
	status := StatusFalse
	if f.Checks && f.Health.State == Unknown {
		status = StatusUnknown
	}
	return Condition{status, f.Health.reason(), f.Health.Description}
}

func admission(h Health) string {
	return fmt.Sprintf("Opened by the binding's policy, although the load balancer calls the target %s (%s).", h.State, h.reason())
}

// healthy reports whether the load balancer says healthy and means this very pod.
func healthy(now time.Time, pod Pod, feed Feed) bool {
	if feed.Claim != Claimed || !feed.Observed || !feed.Present || feed.Health.State != Healthy || stale(now, pod, feed) {
		return false
	}
	return proof(feed) == feed.Addr || !feed.ReadAt.Before(settled(pod, feed))
}

// proof is the address at which what is said is about this pod, whoever had it before;
// invalid while that is not known.
func proof(feed Feed) netip.Addr {
	if feed.SeenOtherwise || feed.Placed {
		return feed.Addr
	}
	return feed.Proven
}

// settled is when the load balancer must have noticed that an earlier pod is gone: what a
// read from then on says is said of this one.
func settled(pod Pod, feed Feed) time.Time {
	return pod.ContainersReadySince.Add(feed.Detection + Lag)
}

// stale reports whether the latest read is of a time when the containers were not
// ready, as after one of them was restarted, or another controller held the pod back, or when
// the gate was open still: not every controller says when it opened its own. A time that lies
// in the future is another clock's and says nothing.
func stale(now time.Time, pod Pod, feed Feed) bool {
	before := func(since time.Time) bool { return feed.ReadAt.Before(since) && !now.Before(since) }
	if feed.Removed || feed.Early && !pod.ClosedAt.IsZero() {
		return true
	}

	// While nothing can be read, what nobody took out counts as it was: another gate that closes for a moment in an outage
	// must not keep the pod from being Ready until its end (law 8).
	if feed.Unreadable {
		return before(pod.ContainersReadySince)
	}

	return before(pod.ContainersReadySince) || before(feed.FreeSince) || before(pod.ClosedAt)
}
