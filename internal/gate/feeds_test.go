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

// at gives feeds the pod's address and the address at which they were proven.
func at(proven netip.Addr, feeds ...Feed) []Feed {
	for i := range feeds {
		feeds[i].Addr, feeds[i].Proven = ours, proven
	}
	return feeds
}

// TestLaw1OneHealthyOfTwoOpensNothing: a gate opens when each of its feeds would open it
// alone, whatever their order, and the first that would not gives the reason.
func TestLaw1OneHealthyOfTwoOpensNothing(t *testing.T) {
	pod := ready(time.Hour, netip.Addr{}).pod()
	closed := Condition{Status: StatusFalse, Reason: v1alpha1.ReasonContainersNotReady}
	every := append(everyFeed(), seenOtherwise(sight(Healthy, "")))
	for _, policy := range everyPolicy() {
		for i, one := range every {
			other := every[(i*7+3)%len(every)]
			first, second := Decide(noon, pod, at(ours, one), policy, closed), Decide(noon, pod, at(ours, other), policy, closed)
			both := Decide(noon, pod, at(ours, one, other), policy, closed)

			opens := first.Condition.Status == StatusTrue && second.Condition.Status == StatusTrue
			if got := both.Condition.Status == StatusTrue; got != opens {
				t.Fatalf("feeds %+v and %+v: open %t, want %t", one, other, got, opens)
			}

			if first.Condition.Status != StatusTrue && both.Condition != first.Condition {
				t.Fatalf("feeds %+v and %+v: want what the first says, %+v, got %+v", one, other, first.Condition, both.Condition)
			}

			if opens && both.Condition.Reason == v1alpha1.ReasonHealthy && (first.Condition.Reason != v1alpha1.ReasonHealthy || second.Condition.Reason != v1alpha1.ReasonHealthy) {
				t.Fatalf("feeds %+v and %+v: the gate is called healthy, and not all of it is", one, other)
			}
		}
	}
}

// TestLaw1ProofIsEachFeedsOwn: that a gate was proven in one group proves nothing in another.
func TestLaw1ProofIsEachFeedsOwn(t *testing.T) {
	pod, feeds := ready(time.Second, netip.Addr{}).pod(), at(netip.Addr{}, sight(Healthy, ""), sight(Healthy, ""))
	feeds[0].Proven = ours
	d := Decide(noon, pod, feeds, Policy{}, Condition{})
	if d.Condition.Reason != v1alpha1.ReasonNotProvenYet || d.Recheck <= 0 || d.Proven[0] != ours || d.Proven[1].IsValid() {
		t.Errorf("want it closed until the second is proven, and looked at again, got %+v", d)
	}
	feeds[1].SeenOtherwise = true
	if d := Decide(noon, pod, feeds, Policy{}, Condition{}); d.Condition.Reason != v1alpha1.ReasonHealthy || d.Proven[1] != ours {
		t.Errorf("want it open and both proven, got %+v", d)
	}
}

// TestLaw2ReleasedFeedReleasesOnlyItself: a deleted binding lets go of a gate that another
// one feeds; the gate then opens for the other.
func TestLaw2ReleasedFeedReleasesOnlyItself(t *testing.T) {
	for _, claim := range []Claim{Releasing, NotIP, NotTarget} {
		released := Feed{Claim: claim}
		waits := seenOtherwise(sight(Initial, "Elb.InitialHealthChecking"))
		if d := Decide(noon, ready(time.Hour, ours).pod(), at(ours, released, waits), Policy{}, Condition{}); d.Condition.Reason != "Elb.InitialHealthChecking" || !d.Waiting {
			t.Errorf("claim %d: want the gate to wait for the other feed, got %+v", claim, d)
		}

		if d := Decide(noon, Pod{}, at(ours, released, waits), Policy{}, Condition{}); d.Condition.Status == StatusTrue {
			t.Errorf("claim %d: opened while the containers are not ready: %+v", claim, d)
		}

		if d := Decide(noon, ready(time.Hour, ours).pod(), at(ours, released, seenOtherwise(sight(Healthy, ""))), Policy{}, Condition{}); d.Condition.Status != StatusTrue {
			t.Errorf("claim %d: want it open, got %+v", claim, d)
		}

		if d := Decide(noon, Pod{}, at(ours, released, released), Policy{}, Condition{}); d.Condition.Status != StatusTrue {
			t.Errorf("claim %d: nothing feeds the gate any longer, got %+v", claim, d)
		}
	}
}

// TestLaw2NoFeedsWait: without any feed, nobody said since when, so the gate waits and is
// looked at again.
func TestLaw2NoFeedsWait(t *testing.T) {
	if d := Decide(noon, ready(time.Hour, ours).pod(), nil, Policy{}, Condition{}); d.Condition.Reason != v1alpha1.ReasonNoBinding || d.Condition.Status != StatusFalse || d.Recheck != AbsenceGrace {
		t.Errorf("want it closed and looked at again, got %+v", d)
	}
}

// TestLaw9TrackAsksEveryFloor: a gate of several feeds closes for one that fails, if all
// of them have room.
func TestLaw9TrackAsksEveryFloor(t *testing.T) {
	open, policy := Condition{Status: StatusTrue, Reason: v1alpha1.ReasonHealthy}, Policy{Mode: Track}
	for name, tc := range map[string]struct {
		healthyHasRoom bool
		want           Condition
	}{
		"room at both": {true, Condition{Status: StatusFalse, Reason: "Target.Timeout"}},
		"room at one":  {false, Condition{Status: StatusTrue, Reason: v1alpha1.ReasonTrackFloor}},
	} {
		good := seenOtherwise(sight(Healthy, ""))
		good.Room = room(tc.healthyHasRoom)
		d := Decide(noon, ready(time.Hour, ours).pod(), at(ours, good, failing(time.Hour)), policy, open)
		if d.Condition.Status != tc.want.Status || d.Condition.Reason != tc.want.Reason || d.Proven[0] != ours {
			t.Errorf("%s: want %+v, got %+v", name, tc.want, d)
		}
	}

	if d := Decide(noon, ready(time.Hour, ours).pod(), at(ours, failing(time.Hour), seenOtherwise(sight(Healthy, ""))), Policy{}, open); d.Condition != open {
		t.Errorf("Latch closed the gate: %+v", d)
	}
}

// TestTrackNamesTheFirst: of several feeds that fail the first gives the reason.
func TestTrackNamesTheFirst(t *testing.T) {
	open := Condition{Status: StatusTrue, Reason: v1alpha1.ReasonHealthy}
	feeds := at(ours, failing(time.Hour), reported(failing(time.Hour), Unhealthy, "Target.FailedHealthChecks"))
	if d := Decide(noon, ready(time.Hour, ours).pod(), feeds, Policy{Mode: Track}, open); d.By != 0 || d.Condition.Reason != "Target.Timeout" {
		t.Errorf("want it closed by the first feed, got %+v", d)
	}
}

// TestSoonestRecheckCounts: a gate is looked at again when the first of its feeds asks for it, and
// a feed that asks for nothing changes nothing of that.
func TestSoonestRecheckCounts(t *testing.T) {
	later, sooner, never := sight(Healthy, ""), sight(Healthy, ""), seenOtherwise(sight(Initial, "Elb.InitialHealthChecking"))
	later.Detection, sooner.Detection = 2*time.Hour, time.Hour+time.Minute
	for what, feeds := range map[string][]Feed{
		"sooner first": {sooner, later}, "sooner last": {later, sooner}, "never first": {never, sooner}, "never last": {sooner, never},
	} {
		if d := Decide(noon, ready(time.Hour, netip.Addr{}).pod(), at(netip.Addr{}, feeds...), Policy{}, Condition{}); d.Recheck != time.Minute+Lag {
			t.Errorf("%s: looked at again after %s, want %s", what, d.Recheck, time.Minute+Lag)
		}
	}
}

// TestLaw10SeveralFeedsSettle: a gate of several feeds is soon as it stays, too.
func TestLaw10SeveralFeedsSettle(t *testing.T) {
	every := everyFeed()
	for _, policy := range everyPolicy() {
		for i := range every {
			severalSettle(t, policy, at(ours, every[i], every[(i*11+5)%len(every)]))
		}
	}
}

// severalSettle fails when a gate of several feeds is written again and again while nothing changes.
func severalSettle(t *testing.T, policy Policy, feeds []Feed) {
	t.Helper()
	pod, current := ready(time.Hour, ours).pod(), Condition{}
	var before Condition
	for range 4 {
		before = current
		if d := Decide(noon, pod, feeds, policy, current); d.Condition.Status != "" {
			current, pod.ClosedAt, pod.TimedOut = d.Condition, d.ClosedAt, d.TimedOut
		}
	}
	if before != current {
		t.Fatalf("feeds %+v: written without end, %+v and then %+v", feeds, before, current)
	}
}

// TestLaw9EachFeedsOwnPolicy: with policies of their own, only the feed whose policy is
// Track may close the gate, and it is the one that the gate is closed by.
func TestLaw9EachFeedsOwnPolicy(t *testing.T) {
	open := Condition{Status: StatusTrue, Reason: v1alpha1.ReasonHealthy}
	for name, tc := range map[string]struct {
		first, second Mode
		want          Status
	}{
		"the failing one is followed": {Latch, Track, StatusFalse},
		"only the other is":           {Track, Latch, StatusTrue},
	} {
		good, bad := seenOtherwise(sight(Healthy, "")), failing(time.Hour)
		good.Room, bad.Room = room(true), room(true)
		good.Policy, bad.Policy = &Policy{Mode: tc.first}, &Policy{Mode: tc.second}

		d := Decide(noon, ready(time.Hour, ours).pod(), at(ours, good, bad), Policy{}, open)
		if d.Condition.Status != tc.want || (tc.want == StatusFalse) != (d.By == 1) {
			t.Errorf("%s: want %s by the feed that says so, got %+v", name, tc.want, d)
		}
	}
}

// TestLaw1PolicyOfOneFeedAdmitsNoOther: what one feed's policy lets pass, another's does not.
func TestLaw1PolicyOfOneFeedAdmitsNoOther(t *testing.T) {
	feeds := at(ours, seenOtherwise(sight(Unused, "Target.NotInUse")), seenOtherwise(sight(Unused, "Target.NotInUse")))
	feeds[0].Policy = &Policy{OnUnused: Open}
	if d := Decide(noon, ready(time.Hour, ours).pod(), feeds, Policy{}, Condition{}); d.Condition.Status != StatusFalse || d.By != 1 {
		t.Errorf("want it closed by the second feed, got %+v", d)
	}
	feeds[1].Policy = feeds[0].Policy
	if d := Decide(noon, ready(time.Hour, ours).pod(), feeds, Policy{}, Condition{}); d.Condition.Reason != v1alpha1.ReasonTargetUnused {
		t.Errorf("want it open since both policies say so, got %+v", d)
	}
}

// TestLaw1UnstatedClaimWaits: a claim that nobody stated releases no gate, however long ago the containers became ready.
func TestLaw1UnstatedClaimWaits(t *testing.T) {
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	pod := Pod{ContainersReady: true, ContainersReadySince: now.Add(-24 * time.Hour)}
	d := Decide(now, pod, []Feed{{}}, Policy{}, Condition{})
	if d.Condition.Status != StatusUnknown || d.Condition.Reason != v1alpha1.ReasonBindingNotReady {
		t.Errorf("got %+v", d.Condition)
	}
}

// unchecked is a feed whose target gets requests without being checked.
func unchecked() Feed {
	f := seenOtherwise(sight(Healthy, v1alpha1.ReasonHealthCheckUnavailable))
	f.Health.Description = "The group's health checks are off"
	return f
}

// TestHealthyWithAReason: a gate that a healthy target opens says with which reason it is healthy, as long
// as that is so; of several feeds the one that says most. A reason that no open gate has is not passed on.
func TestHealthyWithAReason(t *testing.T) {
	healthy := Condition{Status: StatusTrue, Reason: v1alpha1.ReasonHealthy}
	off := Condition{StatusTrue, v1alpha1.ReasonHealthCheckUnavailable, "The group's health checks are off"}
	checked, strange := seenOtherwise(sight(Healthy, "")), seenOtherwise(sight(Healthy, "Elb.Fine"))
	for name, tc := range map[string]struct {
		feeds         []Feed
		current, want Condition
	}{
		"opens":                     {[]Feed{unchecked()}, Condition{}, off},
		"opens with another":        {[]Feed{checked, unchecked()}, Condition{}, off},
		"stays":                     {[]Feed{unchecked()}, off, off},
		"stays with another":        {[]Feed{checked, unchecked()}, off, off},
		"checked from now on":       {[]Feed{checked}, off, healthy},
		"checked no more":           {[]Feed{unchecked()}, healthy, healthy},
		"opened by a time-out once": {[]Feed{unchecked()}, Condition{Status: StatusTrue, Reason: v1alpha1.ReasonTimedOut}, off},
		"a reason of no open gate":  {[]Feed{strange}, Condition{}, healthy},
	} {
		if d := Decide(noon, ready(time.Hour, ours).pod(), at(ours, tc.feeds...), Policy{}, tc.current); d.Condition != tc.want {
			t.Errorf("%s: want %+v, got %+v", name, tc.want, d.Condition)
		}
	}
}

// TestTrackFollowsWhatWasNotChecked: a gate that opened while health checks were off closes by Track like any other.
func TestTrackFollowsWhatWasNotChecked(t *testing.T) {
	off := Condition{Status: StatusTrue, Reason: v1alpha1.ReasonHealthCheckUnavailable}
	if d := Decide(noon, ready(time.Hour, ours).pod(), at(ours, failing(time.Hour)), Policy{Mode: Track}, off); d.Condition.Status != StatusFalse {
		t.Errorf("its target fails, and the gate is %+v", d.Condition)
	}
}

// TestLaw1UncheckedIsProvenToo: that a target gets requests unchecked is said of an address, and perhaps of an earlier pod.
func TestLaw1UncheckedIsProvenToo(t *testing.T) {
	feed := unchecked()
	feed.SeenOtherwise = false
	if d := Decide(noon, ready(time.Second, netip.Addr{}).pod(), at(netip.Addr{}, feed), Policy{}, Condition{}); d.Condition.Reason != v1alpha1.ReasonNotProvenYet {
		t.Errorf("want it closed until that is proven, got %+v", d.Condition)
	}
}

// TestFeedsAreNamed: of several feeds the one that a gate waits for is named once, whatever it says and
// however often it is asked; a healthy gate needs no words.
func TestFeedsAreNamed(t *testing.T) {
	initial := seenOtherwise(sight(Initial, "Elb.InitialHealthChecking"))
	initial.Health.Description = "Checks run"
	late := Policy{Timeout: time.Minute}
	for name, tc := range map[string]struct {
		waits  Feed
		policy Policy
		want   string
	}{
		"the load balancer's word": {initial, Policy{}, "B: Checks run"},
		"podgate's own":            {Feed{Claim: Unresolved}, Policy{}, "B: The binding's target group or port is not known; see the binding's Ready condition."},
		"after a time-out":         {initial, late, "B: Checks run. The binding's time-out of 1m has passed, and the gate stays closed, as on-timeout says."},
		"held back":                {held(initial), Policy{}, "B: The pod is kept out of the group until its other readiness gates open: example.com/in-service."},
	} {
		feeds, current, pod := at(ours, seenOtherwise(sight(Healthy, "")), tc.waits), Condition{}, ready(time.Hour, ours).pod()
		feeds[0].Name, feeds[1].Name = "A", "B"
		for range 3 {
			d := Decide(noon, pod, feeds, tc.policy, current)
			current, pod.TimedOut = d.Condition, d.TimedOut
		}
		if current.Message != tc.want {
			t.Errorf("%s: want %q, got %q", name, tc.want, current.Message)
		}

		pod.ContainersReady = false
		if d := Decide(noon, pod, feeds, tc.policy, current); d.Condition != current {
			t.Errorf("%s: the containers are not ready, and what was said became %+v", name, d.Condition)
		}
	}

	both := at(ours, seenOtherwise(sight(Healthy, "")), seenOtherwise(sight(Healthy, "")))
	both[0].Name, both[1].Name = "A", "B"
	if d := Decide(noon, ready(time.Hour, ours).pod(), both, Policy{}, Condition{}); d.Condition != (Condition{Status: StatusTrue, Reason: v1alpha1.ReasonHealthy}) {
		t.Errorf("want it healthy without words, got %+v", d.Condition)
	}

	followed := at(ours, seenOtherwise(sight(Healthy, "")), failing(time.Hour))
	followed[0].Name, followed[1].Name = "A", "B"
	followed[1].Health.Description = "No answer"
	open := Condition{Status: StatusTrue, Reason: v1alpha1.ReasonHealthy}
	followed[0].Room = room(true)
	if d := Decide(noon, ready(time.Hour, ours).pod(), followed, Policy{Mode: Track}, open); d.Condition.Message != "B: No answer" {
		t.Errorf("closed by Track, it says %q", d.Condition.Message)
	}
	followed[0].Room = room(false)
	if d := Decide(noon, ready(time.Hour, ours).pod(), followed, Policy{Mode: Track}, open); !strings.HasPrefix(d.Condition.Message, "B: The target fails") {
		t.Errorf("kept open by the floor, it says %q", d.Condition.Message)
	}
}

// TestLaw2QuietGateIsReleased: of a gate that somebody else may set, podgate says nothing for a moment; if
// nobody does, it is released like any other.
func TestLaw2QuietGateIsReleased(t *testing.T) {
	pod, now, current := ready(0, netip.Addr{}).pod(), noon, Condition{}
	quiet := []Feed{{Claim: Unclaimed, UnclaimedSince: noon, Quiet: true}}
	d := Decide(now, pod, quiet, Policy{}, current)
	if d.Condition.Status != "" || d.Recheck != AbsenceGrace {
		t.Fatalf("want nothing said for %s, got %+v", AbsenceGrace, d)
	}

	for steps := 0; current.Status != StatusTrue; steps++ {
		d := Decide(now, pod, quiet, Policy{}, current)
		if steps > 5 || d.Condition.Status != StatusTrue && d.Recheck <= 0 {
			t.Fatalf("never released: %+v", d)
		}
		current, now = d.Condition, now.Add(d.Recheck)
	}
	if now.Sub(noon) != ReleaseAfter {
		t.Errorf("released after %s, want %s", now.Sub(noon), ReleaseAfter)
	}
}
