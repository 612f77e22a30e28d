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

func TestFloor(t *testing.T) {
	cases := map[string]struct {
		reason    string
		floor     Floor
		open, all int
		want      bool
	}{
		"OnlyOne":           {reason: "The last open gate never closes.", open: 1, all: 1, want: false},
		"OneOfTwo":          {reason: "Half stays by default.", open: 2, all: 2, want: true},
		"TwoOfThree":        {reason: "Half of three is two.", open: 3, all: 3, want: true},
		"NoneOfTwoOfThree":  {reason: "Two are left and must stay.", open: 2, all: 3, want: false},
		"WaitingPodsCount":  {reason: "Pods that wait make the whole larger, so that a rollout closes less.", open: 3, all: 6, want: false},
		"SixthOfTen":        {reason: "Five of ten must stay.", open: 6, all: 10, want: true},
		"FifthOfTen":        {reason: "Five of ten must stay.", open: 5, all: 10, want: false},
		"OnePercent":        {reason: "However low the share, one stays.", floor: Floor{Percent: 1}, open: 1, all: 10, want: false},
		"OnePercentOfTwo":   {reason: "A low share is allowed.", floor: Floor{Percent: 1}, open: 2, all: 10, want: true},
		"All":               {reason: "A floor of everything closes nothing.", floor: Floor{Percent: 100}, open: 10, all: 10, want: false},
		"Number":            {reason: "A number is one.", floor: Floor{Gates: 3}, open: 4, all: 100, want: true},
		"NumberReached":     {reason: "A number is one.", floor: Floor{Gates: 3}, open: 3, all: 3, want: false},
		"NumberOutOfReach":  {reason: "More than there are is all.", floor: Floor{Gates: 30}, open: 3, all: 3, want: false},
		"NobodyIsOpenAtAll": {reason: "There is nothing to close.", open: 0, all: 5, want: false},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := tc.floor.Allows(tc.open, tc.all); got != tc.want {
				t.Errorf("%s\n%+v.Allows(%d, %d): want %t, got %t", tc.reason, tc.floor, tc.open, tc.all, tc.want, got)
			}
		})
	}
}

// failing is a feed whose target was read as failing for a while, up to now, with room
// to close its gate.
func failing(since time.Duration) Feed {
	f := seenOtherwise(sight(Unhealthy, "Target.Timeout"))
	f.FailingSince, f.Room = noon.Add(-since), room(true)
	return f
}

// inRounds is a feed whose answers may be so old.
func inRounds(gap time.Duration, f Feed) Feed {
	f.Gap = gap
	return f
}

func TestDecideByPolicy(t *testing.T) {
	opened := Condition{Status: StatusTrue, Reason: v1alpha1.ReasonHealthy}
	closed := Condition{Status: StatusFalse, Reason: "Target.Timeout"}
	openedBy := func(reason string) Condition { return Condition{Status: StatusTrue, Reason: reason} }
	track := Policy{Mode: Track}
	late := func(a Answer) Policy { return Policy{Timeout: 10 * time.Minute, OnTimeout: a} }
	shut := func(at time.Duration, p subject) subject {
		p.ClosedAt = noon.Add(-at)
		return p
	}

	cases := map[string]struct {
		reason  string
		pod     subject
		feed    Feed
		policy  Policy
		current Condition
		want    result
	}{
		"TrackCloses": {
			reason: "The target failed for as long as it has to.",
			pod:    ready(time.Hour, ours), feed: failing(30 * time.Second), policy: track, current: opened,
			want: result{Condition: closed, Proven: ours, Waiting: true, ClosedAt: noon},
		},
		"TrackWaits": {
			reason: "Not yet.",
			pod:    ready(time.Hour, ours), feed: failing(20 * time.Second), policy: track, current: opened,
			want: result{Condition: opened, Proven: ours, Recheck: 10 * time.Second},
		},
		"TrackWaitsForTheRead": {
			reason: "The time has passed, but nobody has asked the load balancer since.",
			pod:    ready(time.Hour, ours), feed: readBefore(5*time.Second, failing(30*time.Second)), policy: track, current: opened,
			want: result{Condition: opened, Proven: ours, Recheck: time.Second},
		},
		"TrackInSlowRounds": {
			reason: "Nobody asks more often, so that it counts as failing between two answers.",
			pod:    ready(time.Hour, ours), feed: inRounds(time.Minute, readBefore(time.Minute, failing(time.Hour))), policy: track, current: opened,
			want: result{Condition: closed, Proven: ours, Waiting: true, ClosedAt: noon},
		},
		"TrackWithoutARound": {
			reason: "The latest answer is older than answers are apart.",
			pod:    ready(time.Hour, ours), feed: inRounds(time.Minute, readBefore(61*time.Second, failing(time.Hour))), policy: track, current: opened,
			want: result{Condition: opened, Proven: ours, Recheck: 30 * time.Second},
		},
		"TrackInFastRounds": {
			reason: "However often it is asked, answers count for a while.",
			pod:    ready(time.Hour, ours), feed: inRounds(time.Second, readBefore(30*time.Second, failing(time.Hour))), policy: track, current: opened,
			want: result{Condition: closed, Proven: ours, Waiting: true, ClosedAt: noon},
		},
		"TrackAfterARestart": {
			reason: "What was before the containers were restarted does not count.",
			pod:    ready(20*time.Second, ours), feed: failing(time.Hour), policy: track, current: opened,
			want: result{Condition: opened, Proven: ours, Recheck: 10 * time.Second},
		},
		"TrackAfter": {
			reason: "How long it has to fail is the binding's to say.",
			pod:    ready(time.Hour, ours), feed: failing(30 * time.Second), policy: Policy{Mode: Track, TrackAfter: time.Minute}, current: opened,
			want: result{Condition: opened, Proven: ours, Recheck: 30 * time.Second},
		},
		"TrackAtTheFloor": {
			reason: "Closing would leave too few: the gate says so and is looked at again.",
			pod:    ready(time.Hour, ours), feed: noRoom(failing(time.Hour)), policy: track, current: opened,
			want: result{Condition: openedBy(v1alpha1.ReasonTrackFloor), Proven: ours, Recheck: 10 * time.Second},
		},
		"TrackAboveTheFloorAgain": {
			reason: "There is room by now.",
			pod:    ready(time.Hour, ours), feed: failing(time.Hour), policy: track, current: openedBy(v1alpha1.ReasonTrackFloor),
			want: result{Condition: closed, Proven: ours, Waiting: true, ClosedAt: noon},
		},
		"TrackHealedAtTheFloor": {
			reason: "An open gate says nothing of an earlier state.",
			pod:    ready(time.Hour, ours), feed: sight(Healthy, ""), policy: track, current: openedBy(v1alpha1.ReasonTrackFloor),
			want: result{Condition: opened, Proven: ours},
		},
		"TrackReopens": {
			reason: "Healthy again opens at once: the load balancer's threshold is damping enough.",
			pod:    shut(time.Minute, ready(time.Hour, ours)), feed: sight(Healthy, ""), policy: track, current: closed,
			want: result{Condition: opened, Proven: ours},
		},
		"TrackStaysClosed": {
			reason: "What was closed waits, and when it was closed is kept.",
			pod:    shut(time.Minute, ready(time.Hour, ours)), feed: failing(time.Hour), policy: track, current: closed,
			want: result{Condition: closed, Proven: ours, Waiting: true, ClosedAt: noon.Add(-time.Minute)},
		},
		"TrackAndAdapted": {
			reason: "A gate that another controller opened is proven by what was seen since.",
			pod:    ready(time.Hour, netip.Addr{}), feed: failing(time.Hour), policy: track, current: openedBy("Elb.InitialHealthChecking"),
			want: result{Condition: closed, Proven: ours, Waiting: true, ClosedAt: noon},
		},
		"TimeoutRuns": {
			reason: "The time-out fires by itself.",
			pod:    ready(time.Minute, ours), feed: failing(0), policy: late(Open), current: closed,
			want: result{Condition: closed, Proven: ours, Waiting: true, Recheck: 9 * time.Minute},
		},
		"TimeoutOpens": {
			reason: "With a reason of its own.",
			pod:    ready(10*time.Minute, ours), feed: failing(0), policy: late(Open), current: closed,
			want: result{Condition: openedBy(v1alpha1.ReasonTimedOut), Proven: ours},
		},
		"TimeoutOpensUnresolved": {
			reason: "A group that cannot be found, or an API that does not answer, is waited for no longer.",
			pod:    ready(10*time.Minute, netip.Addr{}), feed: Feed{Claim: Unresolved}, policy: late(Open),
			current: Condition{Status: StatusUnknown, Reason: v1alpha1.ReasonBindingNotReady},
			want:    result{Condition: openedBy(v1alpha1.ReasonTimedOut)},
		},
		"TimeoutHolds": {
			reason: "The reason stays the load balancer's.",
			pod:    ready(10*time.Minute, ours), feed: failing(0), policy: late(Hold), current: closed,
			want: result{Condition: closed, Proven: ours, Waiting: true, TimedOut: true},
		},
		"TimeoutOfWhatTrackClosed": {
			reason: "The time-out counts from the closing, or it would undo it.",
			pod:    shut(time.Minute, ready(time.Hour, ours)), feed: failing(time.Hour), policy: Policy{Mode: Track, Timeout: 10 * time.Minute, OnTimeout: Open}, current: closed,
			want: result{Condition: closed, Proven: ours, Waiting: true, ClosedAt: noon.Add(-time.Minute), Recheck: 9 * time.Minute},
		},
		"TimeoutNotOfUnready": {
			reason: "A pod whose containers are not ready waits for nobody.",
			pod:    subject{Addr: ours, Proven: ours}, feed: failing(time.Hour), policy: late(Open), current: closed,
			want: result{Condition: closed},
		},
		"TrackAtTheGap": {
			reason: "An answer that is just not too old counts.",
			pod:    ready(time.Hour, ours), feed: readBefore(TrackGap, failing(time.Hour)), policy: track, current: opened,
			want: result{Condition: closed, Proven: ours, Waiting: true, ClosedAt: noon},
		},
		"ByHandAndHealthy": {
			reason: "A reason that is not podgate's is not podgate's to replace.",
			pod:    ready(time.Hour, ours), feed: seenOtherwise(sight(Healthy, "")), current: openedBy("ByHand"),
			want: result{Condition: openedBy("ByHand"), Proven: ours},
		},
		"TimeoutAndHealthy": {
			reason: "A gate that timed out is a gate like any other once its target is healthy.",
			pod:    ready(time.Hour, ours), feed: sight(Healthy, ""), policy: late(Open), current: openedBy(v1alpha1.ReasonTimedOut),
			want: result{Condition: opened, Proven: ours},
		},
		"TimeoutIsNotTracked": {
			reason: "What never was healthy is not closed for not being so: it would open again.",
			pod:    ready(time.Hour, ours), feed: failing(time.Hour), policy: Policy{Mode: Track, Timeout: time.Minute, OnTimeout: Open}, current: openedBy(v1alpha1.ReasonTimedOut),
			want: result{Condition: openedBy(v1alpha1.ReasonTimedOut), Proven: ours},
		},
		"ByHandIsNotTracked": {
			reason: "A person's word stands.",
			pod:    ready(time.Hour, ours), feed: failing(time.Hour), policy: track, current: openedBy("ByHand"),
			want: result{Condition: openedBy("ByHand"), Proven: ours},
		},
		"Unused": {
			reason: "The binding's owner does not wait for a load balancer.",
			pod:    ready(time.Minute, netip.Addr{}), feed: seenOtherwise(sight(Unused, "Target.NotInUse")), policy: Policy{OnUnused: Open}, current: closed,
			want: result{Condition: openedBy(v1alpha1.ReasonTargetUnused), Proven: ours},
		},
		"UnusedByMistake": {
			reason: "An address that cannot be used is not a group that is not used.",
			pod:    ready(time.Minute, netip.Addr{}), feed: seenOtherwise(sight(Unused, "Target.IpUnusable")), policy: Policy{OnUnused: Open}, current: closed,
			want: result{Condition: Condition{Status: StatusFalse, Reason: "Target.IpUnusable"}, Proven: ours, Waiting: true},
		},
		"UnusedBeforeARestart": {
			reason: "As for a healthy target, the answer must be of the containers as they are.",
			pod:    ready(time.Minute, netip.Addr{}), feed: readBefore(2*time.Minute, seenOtherwise(sight(Unused, "Target.NotInUse"))), policy: Policy{OnUnused: Open}, current: closed,
			want: result{Condition: closed, Waiting: true, Recheck: reread},
		},
		"Unavailable": {
			reason: "The load balancer does not check.",
			pod:    ready(time.Minute, netip.Addr{}), feed: seenOtherwise(sight(Unavailable, "Target.HealthCheckDisabled")), policy: Policy{OnUnavailable: Open}, current: closed,
			want: result{Condition: openedBy(v1alpha1.ReasonTargetUnavailable), Proven: ours},
		},
		"UnhealthyDraining": {
			reason: "As the binding says.",
			pod:    ready(time.Minute, netip.Addr{}), feed: seenOtherwise(sight(UnhealthyDraining, "Target.FailedHealthChecks")), policy: Policy{OnUnhealthyDraining: Open}, current: closed,
			want: result{Condition: openedBy(v1alpha1.ReasonTargetUnhealthyDraining), Proven: ours},
		},
		"UnhealthyDrainingIsTracked": {
			reason: "By default it is a failing target as any other.",
			pod:    ready(time.Hour, ours), feed: drained(failing(time.Hour)), policy: track, current: opened,
			want: result{Condition: closed, Proven: ours, Waiting: true, ClosedAt: noon},
		},
		"UnhealthyDrainingMayStay": {
			reason: "What opens a gate does not close it.",
			pod:    ready(time.Hour, ours), feed: drained(failing(time.Hour)), policy: Policy{Mode: Track, OnUnhealthyDraining: Open}, current: opened,
			want: result{Condition: opened, Proven: ours},
		},
		"OrphanGrace": {
			reason: "How long an orphan waits is the operator's to say.",
			pod:    ready(time.Minute, netip.Addr{}), feed: Feed{Claim: Unclaimed, UnclaimedSince: noon.Add(-time.Minute)}, policy: Policy{OrphanGrace: time.Minute},
			current: Condition{Status: StatusFalse, Reason: v1alpha1.ReasonNoBinding},
			want:    result{Condition: openedBy(v1alpha1.ReasonNoBinding)},
		},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := decide(noon, tc.pod, tc.feed, tc.policy, tc.current)
			if diff := compare(tc.want, got); diff != "" {
				t.Errorf("%s\nDecide: -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

// TestPolicysReasonStaysWithoutProof: a gate that a policy opened is called healthy once the load
// balancer says so of this very pod, as it is now.
func TestPolicysReasonStaysWithoutProof(t *testing.T) {
	timedOut := Condition{Status: StatusTrue, Reason: v1alpha1.ReasonTimedOut}
	if d := decide(noon, ready(time.Hour, netip.Addr{}), seenOtherwise(sight(Healthy, "")), Policy{}, timedOut); d.Condition.Reason != v1alpha1.ReasonHealthy || d.Proven != ours {
		t.Errorf("it is healthy: got %+v", d)
	}

	// Nor does it say any longer that the pod is no target, or the group's are no pods.
	for _, reason := range []string{v1alpha1.ReasonNotTarget, v1alpha1.ReasonNotIPTargets} {
		before := Condition{Status: StatusTrue, Reason: reason}
		if d := decide(noon, ready(time.Hour, netip.Addr{}), seenOtherwise(sight(Healthy, "")), Policy{}, before); d.Condition.Reason != v1alpha1.ReasonHealthy || d.Proven != ours {
			t.Errorf("%s, and now it is a healthy target: got %+v", reason, d)
		}
	}

	for what, change := range map[string]func(*Feed){
		"the group is not known":          func(f *Feed) { f.Claim = Unresolved },
		"nothing was read of the address": func(f *Feed) { f.Observed = false },
		"the group does not hold it":      func(f *Feed) { f.Present = false },
		"it is unhealthy":                 func(f *Feed) { f.Health.State = Unhealthy },
		"it was read before a restart":    func(f *Feed) { f.ReadAt = noon.Add(-2 * time.Hour) },
		"another pod may be meant":        func(f *Feed) { f.SeenOtherwise, f.Detection = false, 2*time.Hour },
	} {
		feed := seenOtherwise(sight(Healthy, ""))
		change(&feed)
		if d := decide(noon, ready(time.Hour, netip.Addr{}), feed, Policy{}, timedOut); d.Condition != timedOut || d.Proven.IsValid() {
			t.Errorf("%s: want nothing changed, got %+v", what, d)
		}
	}
}

// TestTrackFollowsOnlyWhatIsKnown: what an earlier read said of a target that is out of sight
// closes nothing, and there is nothing to look at again.
func TestTrackFollowsOnlyWhatIsKnown(t *testing.T) {
	open := Condition{Status: StatusTrue, Reason: v1alpha1.ReasonHealthy}
	for what, change := range map[string]func(*Feed){
		"the group is not known":          func(f *Feed) { f.Claim = Unresolved },
		"nothing was read of the address": func(f *Feed) { f.Observed = false },
		"the group does not hold it":      func(f *Feed) { f.Present = false },
		"it is healthy":                   func(f *Feed) { f.Health = Health{State: Healthy} },
	} {
		feed := failing(time.Hour)
		change(&feed)
		if d := decide(noon, ready(time.Hour, ours), feed, Policy{Mode: Track}, open); d.Condition != open || d.Recheck != 0 {
			t.Errorf("%s: want nothing changed, got %+v", what, d)
		}
	}
}

// TestTimeoutNamesWhatIsKnown: the message of a gate that timed out names the load balancer's
// reason, and nothing where the load balancer was not asked yet.
func TestTimeoutNamesWhatIsKnown(t *testing.T) {
	policy := Policy{Timeout: time.Second, OnTimeout: Open}
	for want, feed := range map[string]Feed{
		"healthy.":                  {Claim: Claimed},
		"healthy (Target.Timeout).": failing(0),
	} {
		if c := decide(noon, ready(time.Second, ours), feed, policy, Condition{}).Condition; c.Status != StatusTrue || !strings.HasSuffix(c.Message, want) {
			t.Errorf("want it open with a message that ends in %q, got %+v", want, c)
		}
	}
}

func noRoom(f Feed) Feed {
	f.Room = room(false)
	return f
}

func drained(f Feed) Feed {
	f.Health.State = UnhealthyDraining
	return f
}

// TestHeldGateSaysSoOnce: the message of a gate that stays closed after its time-out
// keeps the load balancer's words and does not grow.
func TestHeldGateSaysSoOnce(t *testing.T) {
	feed := failing(0)
	feed.Health.Description = "Request timed out"
	policy := Policy{Timeout: 10 * time.Minute}
	want := "Request timed out. The binding's time-out of 10m has passed, and the gate stays closed, as on-timeout says."
	var current Condition
	for range 3 {
		d := decide(noon, ready(time.Hour, ours), feed, policy, current)
		if current = d.Condition; current.Message != want || !d.TimedOut {
			t.Fatalf("want %q, got %q", want, current.Message)
		}
	}

	// A read of before the containers' restart leaves the condition as it is.
	healthy := readBefore(2*time.Hour, sight(Healthy, ""))
	if d := decide(noon, ready(time.Hour, ours), healthy, policy, current); d.Condition.Message != want {
		t.Errorf("want %q, got %q", want, d.Condition.Message)
	}

	if msg := decide(noon, ready(time.Hour, ours), feed, Policy{}, current).Condition.Message; strings.Contains(msg, "time-out") {
		t.Errorf("the time-out was taken away and the gate says %q", msg)
	}
}

func TestSpan(t *testing.T) {
	for d, want := range map[time.Duration]string{5 * time.Minute: "5m", 90 * time.Second: "1m30s", 2 * time.Hour: "2h", 100 * time.Minute: "1h40m", time.Second: "1s", 10 * time.Second: "10s"} {
		if got := span(d); got != want {
			t.Errorf("span(%d): want %s, got %s", d, want, got)
		}
	}
}
