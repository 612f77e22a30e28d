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

// everyPolicy is a sample of what a binding can ask for.
func everyPolicy() []Policy {
	return []Policy{
		{}, {Mode: Track}, {Timeout: time.Minute}, {Timeout: time.Minute, OnTimeout: Open}, {OnUnused: Open, OnUnavailable: Open, OnUnhealthyDraining: Open},
		{Mode: Track, Timeout: time.Minute, OnTimeout: Open, OnUnused: Open, OnUnavailable: Open, OnUnhealthyDraining: Open},
	}
}

// TestLaw1PolicyHasAReasonOfItsOwn: a gate that opens without a healthy target says which
// policy opened it, and never that the target is healthy.
func TestLaw1PolicyHasAReasonOfItsOwn(t *testing.T) {
	reasons := map[string]string{}
	for name, d := range map[string]result{
		"timeout":            decide(noon, ready(time.Hour, ours), sight(Unhealthy, "Target.Timeout"), Policy{Timeout: time.Minute, OnTimeout: Open}, Condition{}),
		"unused":             decide(noon, ready(time.Hour, ours), sight(Unused, "Target.NotInUse"), Policy{OnUnused: Open}, Condition{}),
		"unavailable":        decide(noon, ready(time.Hour, ours), sight(Unavailable, "Elb.InternalError"), Policy{OnUnavailable: Open}, Condition{}),
		"unhealthy.draining": decide(noon, ready(time.Hour, ours), sight(UnhealthyDraining, "Target.Timeout"), Policy{OnUnhealthyDraining: Open}, Condition{}),
		"orphan":             decide(noon, ready(time.Hour, ours), Feed{Claim: Unclaimed}, Policy{OrphanGrace: time.Minute}, Condition{}),
	} {
		c := d.Condition
		if c.Status != StatusTrue || c.Reason == v1alpha1.ReasonHealthy || strings.Contains(c.Reason, ".") || c.Message == "" {
			t.Errorf("%s: want True with a reason and a sentence of its own, got %+v", name, c)
		}
		if other, taken := reasons[c.Reason]; taken {
			t.Errorf("%s and %s share the reason %s", name, other, c.Reason)
		}
		reasons[c.Reason] = name
	}
}

// TestLaw1PolicyOpensWhatItNames: a policy opens gates for the one state that it is
// about, and a time-out not before its time.
func TestLaw1PolicyOpensWhatItNames(t *testing.T) {
	policies := map[State]Policy{
		Unused: {OnUnused: Open}, Unavailable: {OnUnavailable: Open}, UnhealthyDraining: {OnUnhealthyDraining: Open},
		Unknown: {Mode: Track}, Draining: {Timeout: time.Minute, OnTimeout: Hold}, Initial: {Timeout: 2 * time.Hour, OnTimeout: Open},
	}

	for about, policy := range policies {
		opens := policy.OnUnused == Open || policy.OnUnavailable == Open || policy.OnUnhealthyDraining == Open
		for _, s := range []State{Unknown, Initial, Unhealthy, UnhealthyDraining, Unused, Draining, Unavailable} {
			d := decide(noon, ready(time.Hour, netip.Addr{}), seenOtherwise(sight(s, "")), policy, Condition{})
			if got := d.Condition.Status == StatusTrue; got != (opens && s == about) {
				t.Errorf("policy %+v, target %s: the gate is %s with %s", policy, s, d.Condition.Status, d.Condition.Reason)
			}
		}
		for _, feed := range []Feed{{Claim: Unresolved}, {Claim: Claimed}, {Claim: Claimed, Observed: true}} {
			if d := decide(noon, ready(time.Hour, netip.Addr{}), feed, policy, Condition{}); d.Condition.Status == StatusTrue {
				t.Errorf("policy %+v, feed %+v: the gate opened with %s", policy, feed, d.Condition.Reason)
			}
		}
	}
}

// TestLaw2TimeoutFiresByItself: whatever keeps a gate closed, a time-out comes about at
// its time without any event.
func TestLaw2TimeoutFiresByItself(t *testing.T) {
	policy := Policy{Timeout: 7 * time.Minute, OnTimeout: Open}
	notProven := sight(Healthy, "")
	notProven.Detection = time.Hour
	for name, feed := range map[string]Feed{
		"unhealthy": seenOtherwise(sight(Unhealthy, "Target.Timeout")), "absent": {Claim: Claimed, Observed: true},
		"never read": {Claim: Claimed}, "not resolved": {Claim: Unresolved}, "not proven": notProven,
	} {
		now, pod, current := noon, ready(0, netip.Addr{}), Condition{}
		for steps := 0; current.Status != StatusTrue; steps++ {
			feed.ReadAt = now
			d := decide(now, pod, feed, policy, current)
			if d.Condition.Status != StatusTrue && d.Recheck <= 0 || steps > 10 {
				t.Fatalf("%s: after %s the gate is %q and nothing will look at it again", name, now.Sub(noon), d.Condition.Status)
			}
			current, pod.Proven, now = d.Condition, d.Proven, now.Add(d.Recheck)
		}
		if now.Sub(noon) != 7*time.Minute || current.Reason != v1alpha1.ReasonTimedOut {
			t.Errorf("%s: opened after %s with %s, want 7m and %s", name, now.Sub(noon), current.Reason, v1alpha1.ReasonTimedOut)
		}
	}
}

// TestLaw8OutageUnderTrack: only answers that a target fails its checks close a gate that
// follows them: no lack of answers does, no old one, and nothing that is the load
// balancer's trouble or podgate's.
func TestLaw8OutageUnderTrack(t *testing.T) {
	silent := failing(time.Hour)
	silent.FailingSince = time.Time{}
	feeds := map[string]Feed{
		"the API is down":               silent,
		"no answer since":               readBefore(time.Minute, failing(time.Hour)),
		"nothing read since a restart":  {Claim: Claimed, Room: room(true), FailingSince: noon.Add(-time.Hour)},
		"the group is not known":        {Claim: Unresolved, Room: room(true), Trouble: "The API is down."},
		"no binding claims it":          {Claim: Unclaimed, Room: room(true)},
		"the target was taken out":      {Claim: Claimed, Observed: true, Room: room(true), ReadAt: noon, FailingSince: noon.Add(-time.Hour)},
		"the load balancer's own fault": reported(failing(time.Hour), Unhealthy, "Elb.InternalError"),
	}

	for _, s := range []State{Unknown, Initial, Unused, Draining, Unavailable, State(99)} {
		feeds["the target is "+s.String()] = reported(failing(time.Hour), s, "")
	}

	open := Condition{Status: StatusTrue, Reason: v1alpha1.ReasonHealthy}
	for name, feed := range feeds {
		for _, proven := range []netip.Addr{{}, ours} {
			if d := decide(noon, ready(time.Hour, proven), feed, Policy{Mode: Track}, open); d.Condition != open || d.Proven != proven {
				t.Errorf("%s: want nothing changed, got %+v", name, d)
			}
		}
	}
}

func reported(f Feed, s State, reason string) Feed {
	f.Health = said(s, reason)
	return f
}

// TestLaw9TrackIsDamped: a gate that follows its target's health closes after its time,
// not for a moment's failure, and looks again by itself.
func TestLaw9TrackIsDamped(t *testing.T) {
	policy := Policy{Mode: Track, TrackAfter: 20 * time.Second}
	now, pod, current := noon, ready(time.Hour, ours), Condition{Status: StatusTrue, Reason: v1alpha1.ReasonHealthy}
	feed := failing(0)
	for steps := 0; current.Status == StatusTrue; steps++ {
		feed.ReadAt = now
		d := decide(now, pod, feed, policy, current)
		if d.Condition.Status == StatusTrue && d.Recheck <= 0 || steps > 10 {
			t.Fatalf("after %s the gate is open and nothing will look at it again", now.Sub(noon))
		}
		current, now = d.Condition, now.Add(d.Recheck)
	}

	if now.Sub(noon) != 20*time.Second || current.Reason != "Target.Timeout" {
		t.Errorf("closed after %s with %s, want 20s and the load balancer's reason", now.Sub(noon), current.Reason)
	}

	if d := decide(noon, ready(time.Hour, ours), noRoom(failing(time.Hour)), policy, Condition{Status: StatusTrue, Reason: v1alpha1.ReasonHealthy}); d.Condition.Status != StatusTrue || d.Recheck <= 0 {
		t.Errorf("at the floor: want the gate open and looked at again, got %+v", d)
	}
}
