// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/podgate/podgate/api/v1alpha1"
)

// ordered is a pod about whose gate a person ordered something a minute ago, for ten minutes.
func ordered(s Status, proven netip.Addr) subject {
	p := ready(time.Hour, proven)
	p.Override = Override{Status: s, Reason: "the canary is checked by hand.", By: "alice", Set: noon.Add(-time.Minute), Until: noon.Add(9 * time.Minute)}
	return p
}

// everySight is a sample of what may be known of a target.
func everySight() map[string]Feed {
	return map[string]Feed{
		"healthy": seenOtherwise(sight(Healthy, "")), "unhealthy": seenOtherwise(sight(Unhealthy, "Target.Timeout")), "initial": sight(Initial, "Elb.InitialHealthChecking"),
		"absent": {Claim: Claimed, Observed: true}, "never read": {Claim: Claimed}, "not resolved": {Claim: Unresolved}, "not claimed": {Claim: Unclaimed, UnclaimedSince: noon},
	}
}

// TestLaw1OverrideHasAReasonOfItsOwn: a gate that is open only because a person said so
// says that, until when and why, and never that its target is healthy.
func TestLaw1OverrideHasAReasonOfItsOwn(t *testing.T) {
	for name, feed := range everySight() {
		c := decide(noon, ordered(StatusTrue, netip.Addr{}), feed, Policy{}, Condition{}).Condition
		want := v1alpha1.ReasonOverridden
		if name == "healthy" {
			want = v1alpha1.ReasonHealthy
		}
		if c.Status != StatusTrue || c.Reason != want {
			t.Errorf("%s: want True with %s, got %+v", name, want, c)
		}
		if want == v1alpha1.ReasonOverridden && c.Message != "Set to True by hand until 2026-03-01T12:09:00Z by alice: the canary is checked by hand." {
			t.Errorf("%s: it says %q", name, c.Message)
		}
	}
}

// TestLaw1NoOrderOpensNothing: what is no order, not yet one, or none any more.
func TestLaw1NoOrderOpensNothing(t *testing.T) {
	for name, change := range map[string]func(*Override){
		"another status": func(o *Override) { o.Status = StatusUnknown },
		"ended":          func(o *Override) { o.Until = noon },
		"not yet":        func(o *Override) { o.Set = noon.Add(ahead + time.Second) },
	} {
		pod := ordered(StatusTrue, netip.Addr{})
		change(&pod.Override)
		if c := decide(noon, pod, seenOtherwise(sight(Unhealthy, "Target.Timeout")), Policy{}, Condition{}).Condition; c.Status == StatusTrue {
			t.Errorf("an order that is %s opened the gate: %+v", name, c)
		}
	}
}

// TestOverrideBeginsByItself: whose clock is ahead gave the order in the future; nobody touches the pod again.
func TestOverrideBeginsByItself(t *testing.T) {
	pod := ordered(StatusTrue, ours)
	pod.Override.Set, pod.Override.Until = noon.Add(5*time.Minute), noon.Add(20*time.Minute)
	open := Condition{Status: StatusFalse, Reason: v1alpha1.ReasonNotIPTargets}
	now := noon
	for range 10 {
		d := decide(now, pod, Feed{Claim: Unclaimed, UnclaimedSince: noon}, Policy{OrphanGrace: 2 * time.Hour}, open)
		if d.Condition.Status == StatusTrue {
			return
		}
		if d.Recheck <= 0 || d.Recheck > 10*time.Minute {
			t.Fatalf("nobody looks again when the order begins: %+v", d)
		}
		now = now.Add(d.Recheck)
	}

	t.Error("it never began")
}

// TestNoOrderIsNotWaitedFor: an open gate is looked at again for an order that will count, and
// for no other.
func TestNoOrderIsNotWaitedFor(t *testing.T) {
	open := Condition{Status: StatusTrue, Reason: v1alpha1.ReasonHealthy}
	for what, change := range map[string]func(*Override){
		"ended":                   func(o *Override) { o.Until = noon },
		"no order":                func(o *Override) { *o = Override{} },
		"none when it begins":     func(o *Override) { o.Set, o.Status = noon.Add(5*time.Minute), StatusUnknown },
		"over before it is begun": func(o *Override) { o.Set, o.Until = noon.Add(5*time.Minute), noon.Add(3*time.Minute) },
	} {
		pod := ordered(StatusTrue, ours)
		change(&pod.Override)
		if d := decide(noon, pod, sight(Healthy, ""), Policy{}, open); d.Recheck != 0 {
			t.Errorf("an order that is %s is looked at again after %s", what, d.Recheck)
		}
	}
}

// TestLaw2OverrideEndsByItself: at its end the gate is decided anew without any event, and
// what it was set to leaves no trace: an open one closes unless its target is healthy, a
// closed one opens if it is.
func TestLaw2OverrideEndsByItself(t *testing.T) {
	for name, feed := range everySight() {
		for _, s := range []Status{StatusTrue, StatusFalse} {
			pod := ordered(s, ours)
			now, current := noon, Condition{}
			for steps := 0; now.Before(pod.Override.Until); steps++ {
				feed.ReadAt = now
				d := decide(now, pod, feed, Policy{OrphanGrace: 2 * time.Hour}, current)
				if d.Condition.Status != s {
					t.Fatalf("%s: at %s it is %+v, want %s", name, now, d.Condition, s)
				}
				if d.Recheck <= 0 || steps > 3000 {
					t.Fatalf("%s: nobody looks again at the end: %+v", name, d)
				}
				now, current = now.Add(d.Recheck), d.Condition
			}

			feed.ReadAt = now
			after := decide(now, pod, feed, Policy{OrphanGrace: 2 * time.Hour}, current).Condition
			if open := after.Status == StatusTrue; open != (name == "healthy") || after.Status == "" || after.Reason == v1alpha1.ReasonOverridden || strings.Contains(after.Message, "alice") {
				t.Errorf("%s, set to %s: after the end it is %+v", name, s, after)
			}
		}
	}
}

// TestLaw2OverrideHoldsNoDeletion: a binding that is deleted releases its gates, whoever
// wants them closed.
func TestLaw2OverrideHoldsNoDeletion(t *testing.T) {
	if c := decide(noon, ordered(StatusFalse, ours), Feed{Claim: Releasing}, Policy{}, Condition{}).Condition; c.Status != StatusTrue || c.Reason != v1alpha1.ReasonBindingDeleted {
		t.Errorf("the gate is %+v", c)
	}
}

// TestLaw9OverrideOfAnOpenGateLeavesItOpen: an order that says what is so anyway changes
// neither the gate nor its reason, and its end closes nothing.
func TestLaw9OverrideOfAnOpenGateLeavesItOpen(t *testing.T) {
	open := Condition{Status: StatusTrue, Reason: v1alpha1.ReasonHealthy}
	pod, feed := ordered(StatusTrue, ours), seenOtherwise(sight(Unhealthy, "Target.Timeout"))
	for _, now := range []time.Time{noon, pod.Override.Until, pod.Override.Until.Add(time.Hour)} {
		if c := decide(now, pod, feed, Policy{}, open).Condition; c != open {
			t.Errorf("at %s the open gate became %+v", now, c)
		}
	}
}

// TestOverrideWhileContainersAreUnready: the end of an order is written though the pod
// cannot be Ready, so that it is not Ready by it a moment later.
func TestOverrideWhileContainersAreUnready(t *testing.T) {
	pod := ordered(StatusTrue, ours)
	pod.ContainersReady = false
	c := decide(pod.Override.Until, pod, sight(Healthy, ""), Policy{}, pod.Override.condition()).Condition
	if c.Status == StatusTrue || c.Status == "" {
		t.Errorf("after the end of the order the gate is %+v", c)
	}
}

// TestOverrideTimesOutNoGate: a gate that a person keeps closed did not time out.
func TestOverrideTimesOutNoGate(t *testing.T) {
	d := decide(noon, ordered(StatusFalse, ours), seenOtherwise(sight(Unhealthy, "Target.Timeout")), Policy{Timeout: time.Minute, OnTimeout: Open}, Condition{})
	if d.Condition.Status != StatusFalse || d.Condition.Reason != v1alpha1.ReasonOverridden || d.TimedOut {
		t.Errorf("got %+v", d)
	}
}
