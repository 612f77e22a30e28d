// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"net/netip"
	"slices"
	"time"

	"github.com/podgate/podgate/api/v1alpha1"
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

// Claim says how a feed's binding stands to the pod.
type Claim int

// The claims.
const (
	// Unstated: nobody has said it; the gate waits, as for one that is Unresolved.
	Unstated Claim = iota
	// Unclaimed: no binding of that name, or its Service does not select the pod.
	Unclaimed
	// Unresolved: the binding claims the pod, but its group or port is not known.
	Unresolved
	// Claimed: the pod's target in the group is known.
	Claimed
	// Releasing: the binding is being deleted.
	Releasing
	// NotIP: the group's targets are not pods.
	NotIP
	// NotTarget: the Service selects the pod, and the pod is none that it serves.
	NotTarget
	// DryRun: the ReadinessGate only says what it would do.
	DryRun
)

// Feed is one thing that a gate waits for: one target in one group, or the checks of a ReadinessGate. The fields speak of a
// group; checks are read, too, and what they say together of the pod is the Health.
type Feed struct {
	// Name tells the feed from the gate's others, for people; empty for the only one.
	Name  string
	Claim Claim
	// Checks: the feed is of checks.
	Checks bool
	// Alternative: the gate is open when one of its feeds is. It is so for all of a gate's feeds, or for none.
	Alternative bool
	// Quiet: nothing is said at first of a claim that is missing, since somebody else may set the gate.
	Quiet bool
	// UnclaimedSince is when the claim was first found missing; only for Unclaimed.
	UnclaimedSince time.Time
	// Trouble says, for people, why the group cannot be resolved or read, or why nothing claims the pod; may be empty.
	Trouble string
	// Addr is the pod's address in the group; invalid while the pod has none.
	Addr netip.Addr
	// Proven is the address at which the feed was proven to be about this pod (by UID);
	// invalid when it never was.
	Proven netip.Addr
	// Observed: the group was read completely, and that read began after the pod had its address.
	Observed bool
	// ReadAt is when the latest read began.
	ReadAt time.Time
	// Present: the latest read holds the target.
	Present bool
	// Health is what the load balancer says of the target; when it is not Present, what it
	// says of a target that the group does not hold.
	Health Health
	// SeenOtherwise: a read that began Lag after the pod got its address, or later, found
	// the target absent or not healthy, so a later healthy is about this pod.
	SeenOtherwise bool
	// Placed: podgate registered the target for this very pod, in a group that did not
	// hold it, so a healthy is about this pod.
	Placed bool
	// Removed: podgate took the target out of the group, or may have, and what the latest read
	// says may be from before that.
	Removed bool
	// Early: the latest read may not show what another process did before this one, such as taking
	// the target out.
	Early bool
	// Unreadable: the latest read of the group failed, and ReadAt is of one before it.
	Unreadable bool
	// Detection is how long the load balancer may take to notice that a target is gone.
	Detection time.Duration
	// FailingSince is when the first of the reads began that said in a row, without a
	// gap, that the target is failing; zero when the latest did not, or failed itself.
	FailingSince time.Time
	// Gap is how old the latest read may be for the target to count as failing still, where that is more than TrackGap.
	Gap time.Duration
	// HeldBy names the gates, such as other controllers', that keep the pod out of the group until they
	// open, for people; empty when none does.
	HeldBy string
	// FreeSince is when the last of them opened; zero when that is not known.
	FreeSince time.Time
	// Policy is the feed's own, as that of one binding among several; the gate's when nil.
	Policy *Policy
	// Room reports whether enough other gates are open for this one to close. It is asked
	// only when the gate is to close, and may count it as closed from then on. Without it
	// there is no room.
	Room func() bool
}

// moved reports whether the pod's address changed since the feed was proven.
func (f Feed) moved() bool {
	return f.Proven.IsValid() && f.Addr.IsValid() && f.Proven != f.Addr
}

// says names the feed in what it says for people.
func (f Feed) says(c Condition) Condition {
	if f.Name != "" && c.Message != "" {
		c.Message = f.Name + ": " + c.Message
	}
	return c
}

// policy returns the feed's own policy, or the gate's where it has none.
func (f Feed) policy(otherwise Policy) Policy {
	if f.Policy != nil {
		return *f.Policy
	}
	return otherwise
}

// released reports whether the feed lets the gate open whatever the containers do.
func (f Feed) released() bool {
	return f.Claim == Releasing || f.Claim == NotIP || f.Claim == NotTarget || f.Claim == DryRun
}

// heldBack reports whether the pod is not to be a target for now, though its containers are ready.
func (f Feed) heldBack() bool { return f.Claim == Claimed && f.HeldBy != "" }

// free reports whether nothing keeps the pod from being a target.
func (f Feed) free() bool { return f.Claim == Claimed && f.HeldBy == "" }

// held is the condition of the gate meanwhile.
func (f Feed) held() Condition {
	return Condition{StatusFalse, v1alpha1.ReasonOtherGateClosed, "The pod is kept out of the group until its other readiness gates open: " + f.HeldBy + "."}
}

// Pod is what a decision needs to know of a pod.
type Pod struct {
	ContainersReady bool
	// ContainersReadySince is the transition time of ContainersReady.
	ContainersReadySince time.Time
	// ClosedAt is when the gate was closed while the containers were ready; zero when it was not.
	ClosedAt time.Time
	// TimedOut: it was reported that the time-out has passed and the gate stays closed.
	TimedOut bool
	// Leftover: the condition has a reason of a load balancer, which is out of date when the
	// gate is open.
	Leftover bool
	// Override is what a person ordered about the gate.
	Override Override
}

// Decision is what follows for a gate.
type Decision struct {
	// Condition is what the condition should be; its zero value means that none should be written yet.
	Condition Condition
	// By is the feed, by its index, that the condition is about: the first that keeps the
	// gate closed, or the first of all where nothing does.
	By int
	// Proven is to be recorded beside the condition, feed by feed; invalid to record nothing.
	Proven []netip.Addr
	// Recheck is when to decide again if nothing happens, 0 when only an event can change the decision.
	Recheck time.Duration
	// Waiting: the pod could open as soon as the load balancer says healthy.
	Waiting bool
	// ClosedAt is to be recorded beside the condition; zero to record nothing.
	ClosedAt time.Time
	// TimedOut is to be recorded beside the condition: the time-out has passed and the gate
	// stays closed.
	TimedOut bool
}

// Decide returns what a gate's condition should be, given the condition as it stands.
//
// A gate is open when all its feeds are; the first one that is not gives the reason. Of feeds
// that are alternatives one is enough. An open gate stays open unless the pod's address changed, its containers became unready, or
// another controller's gate closed (law 9), or its policy is Track. A closed feed opens when
// the load balancer says healthy and that is provably about this pod (laws 1 and 11), when
// the policy says so, or when nothing will ever open it (law 2). What a person ordered comes
// before all that, until its time is over.
//
// A gate that nothing feeds has one feed, which is Unclaimed: without any, Decide cannot
// know since when, and waits.
func Decide(now time.Time, pod Pod, feeds []Feed, policy Policy, current Condition) Decision {
	if len(feeds) == 0 {
		feeds = []Feed{{Claim: Unclaimed, UnclaimedSince: now}}
	}

	feeds = slices.Clone(feeds)

	// A gate that is released whatever the containers do is not closed for them: it would
	// be released again at once, and so on without end.
	pod.ContainersReady = pod.ContainersReady || all(feeds, Feed.released)

	moved := false
	for i := range feeds {
		if feeds[i].moved() {
			moved, feeds[i].Proven = true, netip.Addr{}
		}
	}

	before := withoutOverride(current, feeds[0].words())
	var d Decision
	if before.Status == StatusTrue && !moved {
		d = whileOpen(now, pod, feeds, policy, before)
	} else {
		d = whileClosed(now, pod, feeds, policy, before)
	}

	d = overridden(now, pod, feeds, d)
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

func all(feeds []Feed, is func(Feed) bool) bool {
	return !slices.ContainsFunc(feeds, func(f Feed) bool { return !is(f) })
}

// enough reports whether so many feeds are open by a measure as a gate needs: all, or one of those that are alternatives.
func enough(feeds []Feed, is func(Feed) bool) bool {
	if feeds[0].Alternative {
		return slices.ContainsFunc(feeds, is)
	}
	return all(feeds, is)
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
