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

// TestLaw1NeverOpenEarly: whatever a feed says short of a proven healthy, the gate is closed.
func TestLaw1NeverOpenEarly(t *testing.T) {
	feeds := map[string]Feed{
		"nothing was read":                      {Claim: Claimed},
		"it was healthy before a restart":       readBefore(time.Hour, seenOtherwise(sight(Healthy, ""))),
		"an older read said healthy":            {Claim: Claimed, ReadAt: noon, Present: true, Health: Health{State: Healthy}, SeenOtherwise: true},
		"the target is not registered":          {Claim: Claimed, Observed: true, Health: Health{State: Healthy}, SeenOtherwise: true},
		"the group is not known":                {Claim: Unresolved, Observed: true, ReadAt: noon, Present: true, Health: Health{State: Healthy}, SeenOtherwise: true},
		"healthy perhaps of another pod":        {Claim: Claimed, Observed: true, ReadAt: noon, Present: true, Health: Health{State: Healthy}, Detection: time.Hour},
		"healthy, read before it was noticed":   {Claim: Claimed, Observed: true, ReadAt: noon.Add(-4 * time.Minute), Present: true, Health: Health{State: Healthy}, Detection: time.Minute},
		"no binding for less than five minutes": {Claim: Unclaimed, UnclaimedSince: noon.Add(-time.Hour)},
	}

	for _, s := range []State{Unknown, Initial, Unhealthy, UnhealthyDraining, Unused, Draining, Unavailable, State(99)} {
		feeds["the target is "+s.String()] = seenOtherwise(sight(s, "Elb.Any"))
	}

	for name, feed := range feeds {
		for _, current := range []Condition{{}, {Status: StatusUnknown}, {Status: StatusFalse, Reason: "Elb.Any"}} {
			d := decide(noon, ready(4*time.Minute, netip.Addr{}), feed, Policy{}, current)
			if d.Condition.Status == StatusTrue {
				t.Errorf("%s, condition %q: the gate opened with reason %q", name, current.Status, d.Condition.Reason)
			}
		}
	}
}

// TestLaw1OwnRegistrationIsProof: a target that is healthy at once opens the gate at once
// when podgate registered it for this very pod where nothing was.
func TestLaw1OwnRegistrationIsProof(t *testing.T) {
	feed := Feed{Claim: Claimed, Observed: true, ReadAt: noon, Present: true, Health: Health{State: Healthy}, Detection: time.Hour, Placed: true}
	d := decide(noon, ready(time.Second, netip.Addr{}), feed, Policy{}, Condition{})
	if d.Condition.Status != StatusTrue || d.Proven != ours {
		t.Errorf("want the gate open and proven at %s, got %+v", ours, d)
	}
}

// TestLaw1RecordsOnlyProof: what may be said of the pod that had the address before is
// shown, and not recorded as proof for the time when it says healthy.
func TestLaw1RecordsOnlyProof(t *testing.T) {
	for name, feed := range map[string]Feed{"absent": {Claim: Claimed, Observed: true, ReadAt: noon}, "initial": sight(Initial, "Elb.Any")} {
		if d := decide(noon, ready(4*time.Minute, netip.Addr{}), feed, Policy{}, Condition{}); d.Condition.Status != StatusFalse || d.Proven.IsValid() {
			t.Errorf("%s, perhaps of another pod: want the gate closed and nothing proven, got %+v", name, d)
		}
		feed.Placed = true
		if d := decide(noon, ready(4*time.Minute, netip.Addr{}), feed, Policy{}, Condition{}); d.Proven != ours {
			t.Errorf("%s, and registered for this pod: want it proven at %s, got %+v", name, ours, d)
		}
	}
}

// TestLaw1EveryReasonIsItsOwn: a gate that opens without the load balancer's word says so.
func TestLaw1EveryReasonIsItsOwn(t *testing.T) {
	for _, feed := range []Feed{{Claim: Releasing}, {Claim: NotIP}, {Claim: NotTarget}, {Claim: Unclaimed}} {
		d := decide(noon, ready(time.Hour, netip.Addr{}), feed, Policy{}, Condition{})
		if d.Condition.Status != StatusTrue || d.Condition.Reason == v1alpha1.ReasonHealthy || d.Condition.Reason == "" {
			t.Errorf("claim %d: want True with a reason of its own, got %+v", feed.Claim, d.Condition)
		}
	}
}

// TestLaw2NeverStuck: a gate that no binding claims opens by itself, at the time it said it would.
func TestLaw2NeverStuck(t *testing.T) {
	pod, feed, current, now := ready(0, netip.Addr{}), Feed{Claim: Unclaimed, UnclaimedSince: noon}, Condition{}, noon
	for steps := 0; current.Status != StatusTrue; steps++ {
		d := decide(now, pod, feed, Policy{}, current)
		if d.Condition.Status != StatusTrue && d.Recheck <= 0 || steps > 10 {
			t.Fatalf("after %s the gate is %q and nothing will look at it again", now.Sub(noon), d.Condition.Status)
		}
		current, now = d.Condition, now.Add(d.Recheck)
	}

	if waited := now.Sub(noon); waited != 5*time.Minute || current.Reason != v1alpha1.ReasonNoBinding {
		t.Errorf("released after %s with reason %s, want 5 minutes and %s", waited, current.Reason, v1alpha1.ReasonNoBinding)
	}

	late := decide(now, pod, seenOtherwise(sight(Unhealthy, "Target.Timeout")), Policy{}, current)
	if late.Condition != current {
		t.Errorf("a binding that appears later closed the gate: %+v", late.Condition)
	}
}

// TestLaw2DeletedBindingReleases: nothing waits for a binding that is being deleted.
func TestLaw2DeletedBindingReleases(t *testing.T) {
	for _, pod := range []subject{{}, {Addr: ours}, ready(0, netip.Addr{}), ready(time.Hour, ours)} {
		for _, current := range []Condition{{}, {Status: StatusUnknown}, {Status: StatusFalse, Reason: "Elb.Any"}} {
			if d := decide(noon, pod, Feed{Claim: Releasing}, Policy{}, current); d.Condition.Status != StatusTrue {
				t.Errorf("pod %+v, condition %q: the gate stayed %q", pod, current.Status, d.Condition.Status)
			}
		}
	}
}

// everyFeed is a sample of all that a feed can say, good and bad.
func everyFeed() []Feed {
	var feeds []Feed
	for _, claim := range []Claim{Unclaimed, Unresolved, Claimed, Releasing, NotIP, NotTarget} {
		for _, h := range []Health{{}, {State: Healthy}, {State: Initial, Reason: "Elb.A"}, {State: Unhealthy, Reason: "Target.B"}, {State: UnhealthyDraining}, {State: Draining}, {State: Unused}, {State: Unavailable}} {
			for bits := range 8 {
				feeds = append(feeds, Feed{
					Claim: claim, Health: h, Trouble: "The API is down.",
					Observed: bits&1 != 0, Present: bits&2 != 0, SeenOtherwise: bits&4 != 0,
					ReadAt: noon, FailingSince: noon.Add(-time.Hour), Room: room(bits&4 != 0),
				})
			}
		}
	}

	return feeds
}

// TestLaw8OutageChangesNothing: no lack of data closes an open gate, proven or not.
func TestLaw8OutageChangesNothing(t *testing.T) {
	open := Condition{Status: StatusTrue, Reason: v1alpha1.ReasonHealthy}
	for _, proven := range []netip.Addr{{}, ours} {
		for _, feed := range []Feed{{Claim: Unresolved, Trouble: "The API is down."}, {Claim: Claimed, Trouble: "The API is down."}, {Claim: Unclaimed}, {}} {
			d := decide(noon, ready(time.Hour, proven), feed, Policy{}, open)
			if d.Condition != open || d.Proven != proven {
				t.Errorf("proven at %s, feed %+v: want nothing changed, got %+v", proven, feed, d)
			}
		}
	}
}

// TestLaw8RestartForgetsNothing: what a load balancer said of a closed gate stays while
// the first read is under way; what was a matter of the cluster does not, nor does what
// an error makes out of date.
func TestLaw8RestartForgetsNothing(t *testing.T) {
	unread := Feed{Claim: Claimed}
	for _, reason := range []string{"Elb.InitialHealthChecking", "Target.NotRegistered", "INITIAL", v1alpha1.ReasonNotProvenYet} {
		current := Condition{StatusFalse, reason, "As was said."}
		for _, proven := range []netip.Addr{{}, ours} {
			if d := decide(noon, ready(time.Hour, proven), unread, Policy{}, current); d.Condition != current || d.Proven != proven || !d.Waiting {
				t.Errorf("%s, proven at %s: want nothing changed, got %+v", reason, proven, d)
			}
		}
	}

	unread.Trouble = "The API is down."
	for _, reason := range []string{v1alpha1.ReasonContainersNotReady, v1alpha1.ReasonNoBinding, "Elb.InitialHealthChecking"} {
		if d := decide(noon, ready(time.Hour, ours), unread, Policy{}, Condition{StatusFalse, reason, ""}); d.Condition.Reason != v1alpha1.ReasonNotObserved {
			t.Errorf("%s, and an error: want %s, got %+v", reason, v1alpha1.ReasonNotObserved, d.Condition)
		}
	}
}

// TestLaw9OpenStaysOpen: only the pod's own containers or a new address close a gate.
func TestLaw9OpenStaysOpen(t *testing.T) {
	open := Condition{Status: StatusTrue, Reason: v1alpha1.ReasonHealthy}
	for _, feed := range everyFeed() {
		if d := decide(noon, ready(time.Hour, ours), feed, Policy{}, open); d.Condition != open {
			t.Errorf("feed %+v closed or changed the gate: %+v", feed, d.Condition)
		}
		released := feed.Claim == Releasing || feed.Claim == NotIP || feed.Claim == NotTarget
		if d := decide(noon, subject{Addr: ours, Proven: ours}, feed, Policy{}, open); !released && d.Condition.Status != StatusFalse {
			t.Errorf("feed %+v kept the gate of an unready pod open: %+v", feed, d.Condition)
		}
	}
}

// held is what another controller's gate makes of a feed.
func held(f Feed) Feed {
	f.HeldBy = "example.com/in-service"
	return f
}

// TestLaw1HeldBackIsNotOpen: while another controller keeps the pod out of the group, no answer about the
// target opens the gate, nor does a time-out, and a gate that was open closes: the pod is not Ready anyway,
// and must not be at once when the other gate opens.
func TestLaw1HeldBackIsNotOpen(t *testing.T) {
	for _, feed := range everyFeed() {
		for _, policy := range everyPolicy() {
			for _, current := range []Condition{{}, {Status: StatusFalse, Reason: "Elb.Any"}, {Status: StatusTrue, Reason: v1alpha1.ReasonHealthy}, {Status: StatusTrue, Reason: v1alpha1.ReasonTimedOut}} {
				d := decide(noon, ready(time.Hour, ours), held(feed), policy, current)
				if feed.Claim == Unresolved && current.Status != StatusTrue {
					if d.Condition.Status == StatusTrue || d.Condition.Reason == v1alpha1.ReasonTimedOut {
						t.Errorf("policy %+v, condition %+v: the time-out runs while the pod is held back: %+v", policy, current, d)
					}
					continue
				}
				if feed.Claim != Claimed {
					if want := decide(noon, ready(time.Hour, ours), feed, policy, current); d != want {
						t.Errorf("feed %+v, of which the pod is no target: want %+v, got %+v", feed, want, d)
					}
					continue
				}
				if d.Condition.Status != StatusFalse || d.Condition.Reason != v1alpha1.ReasonOtherGateClosed || !strings.Contains(d.Condition.Message, "example.com/in-service") || d.Waiting || d.Proven != ours {
					t.Errorf("feed %+v, policy %+v, condition %+v: got %+v", feed, policy, current, d)
				}
			}
		}
	}
}

// TestLaw1LetInAgainIsAskedAbout: what was read before the other gate opened does not open this one.
func TestLaw1LetInAgainIsAskedAbout(t *testing.T) {
	closed := Condition{StatusFalse, v1alpha1.ReasonOtherGateClosed, "Held back."}
	feed := seenOtherwise(sight(Healthy, ""))
	feed.ReadAt, feed.FreeSince = noon.Add(-2*time.Second), noon.Add(-time.Second)
	if d := decide(noon, ready(time.Hour, ours), feed, Policy{}, closed); d.Condition.Status != StatusUnknown || d.Condition.Reason != v1alpha1.ReasonNotObserved || !d.Waiting {
		t.Errorf("the read is older: want the gate closed and waiting, got %+v", d)
	}

	feed.ReadAt = noon
	if d := decide(noon, ready(time.Hour, ours), feed, Policy{}, closed); d.Condition.Status != StatusTrue || d.Condition.Reason != v1alpha1.ReasonHealthy {
		t.Errorf("it was read since: want the gate open, got %+v", d)
	}

	late := seenOtherwise(sight(Initial, "Elb.Any"))
	late.FreeSince = noon.Add(-30 * time.Second)
	if d := decide(noon, ready(time.Hour, ours), late, Policy{Timeout: time.Minute, OnTimeout: Open}, closed); d.Condition.Status != StatusFalse || d.Recheck != 30*time.Second {
		t.Errorf("want the time-out to count from when the pod was let in, got %+v", d)
	}
}

// TestLaw1ClosedIsAskedAboutAgain: what was read before a gate was closed does not open it, whoever had it closed and
// whether that one says since when it may open.
func TestLaw1ClosedIsAskedAboutAgain(t *testing.T) {
	pod := ready(time.Hour, ours)
	pod.ClosedAt = noon.Add(-time.Minute)
	for reason, status := range map[string]Status{v1alpha1.ReasonOtherGateClosed: StatusFalse, v1alpha1.ReasonOverridden: StatusFalse, "Target.Timeout": StatusFalse, v1alpha1.ReasonNotObserved: StatusUnknown} {
		feed := seenOtherwise(sight(Healthy, ""))
		feed.ReadAt = pod.ClosedAt.Add(-time.Second)
		d := decide(noon, pod, feed, Policy{}, Condition{status, reason, "Closed."})
		if d.Condition.Status == StatusTrue || !d.Waiting || d.Recheck != reread {
			t.Errorf("%s, and the read is older: want the gate closed and waiting, got %+v", reason, d)
		}

		feed.ReadAt = pod.ClosedAt
		if d := decide(noon, pod, feed, Policy{}, Condition{status, reason, "Closed."}); d.Condition.Status != StatusTrue {
			t.Errorf("%s, and it was read since: want the gate open, got %+v", reason, d)
		}
	}
}

// TestLaw8FlickerInAnOutage: another gate closes for a moment while the group cannot be read. What was read before counts as
// long as podgate took nothing out of the group and the containers ran on, or the pod would not be Ready until the outage ends.
func TestLaw8FlickerInAnOutage(t *testing.T) {
	for reason, tc := range map[string]struct {
		change func(*subject, *Feed)
		opens  bool
	}{
		"nothing was touched":           {func(*subject, *Feed) {}, true},
		"the group can be read":         {func(_ *subject, f *Feed) { f.Unreadable = false }, false},
		"the target was taken out":      {func(_ *subject, f *Feed) { f.Removed = true }, false},
		"a container was restarted":     {func(s *subject, f *Feed) { s.ContainersReadySince = f.ReadAt.Add(time.Second) }, false},
		"its target was failing before": {func(_ *subject, f *Feed) { f.Health.State = Unhealthy }, false},
		"it was nobody's target":        {func(_ *subject, f *Feed) { f.Present, f.Health = false, Health{State: Unused} }, false},
		"the address may be another's":  {func(s *subject, f *Feed) { f.SeenOtherwise, f.Proven, s.Proven = false, netip.Addr{}, netip.Addr{} }, false},
	} {
		pod, feed := ready(time.Hour, ours), seenOtherwise(sight(Healthy, ""))
		pod.ClosedAt, feed.FreeSince = noon.Add(-time.Minute), noon.Add(-time.Second)
		feed.ReadAt, feed.Unreadable = noon.Add(-2*time.Minute), true
		feed.Detection = time.Hour
		tc.change(&pod, &feed)
		if d := decide(noon, pod, feed, Policy{}, Condition{StatusFalse, v1alpha1.ReasonOtherGateClosed, "Closed."}); (d.Condition.Status == StatusTrue) != tc.opens {
			t.Errorf("%s: want it opened: %t, got %+v", reason, tc.opens, d)
		}
	}
}

// TestLaw1RemovedAMomentAgo: a group may be shown as it was before podgate took the target out, however late the read began.
// What the leader before did a new one does not know, but that the gate was closed.
func TestLaw1RemovedAMomentAgo(t *testing.T) {
	held := Condition{StatusFalse, v1alpha1.ReasonOtherGateClosed, "Closed."}
	for what, tc := range map[string]struct {
		change func(*subject, *Feed)
		opens  bool
	}{
		"this process took it out":     {func(_ *subject, f *Feed) { f.Removed = true }, false},
		"another one may have":         {func(s *subject, f *Feed) { f.Early, s.ClosedAt = true, noon.Add(-time.Minute) }, false},
		"the read shows what it did":   {func(s *subject, f *Feed) { s.ClosedAt = noon.Add(-time.Minute) }, true},
		"the gate was not open before": {func(_ *subject, f *Feed) { f.Early = true }, true},
	} {
		pod, feed := ready(time.Hour, ours), seenOtherwise(sight(Healthy, ""))
		tc.change(&pod, &feed)
		d := decide(noon, pod, feed, Policy{}, held)
		if opens := d.Condition.Status == StatusTrue; opens != tc.opens || !opens && (!d.Waiting || d.Recheck != reread) {
			t.Errorf("%s: want it opened: %t, else waiting; got %+v", what, tc.opens, d)
		}
	}
}

// TestLaw2HeldBackIsReleased: a binding that goes, or of which the pod is no target, releases the gate whatever
// other gates say.
func TestLaw2HeldBackIsReleased(t *testing.T) {
	for _, claim := range []Claim{Releasing, NotIP, NotTarget} {
		if d := decide(noon, ready(time.Hour, ours), held(Feed{Claim: claim}), Policy{}, Condition{StatusFalse, v1alpha1.ReasonOtherGateClosed, "x"}); d.Condition.Status != StatusTrue {
			t.Errorf("claim %d: the gate stays %+v", claim, d.Condition)
		}
	}
}

// TestLaw10Settles: decided anew from what it wrote itself, with nothing else changed, a
// gate is soon as it stays; otherwise each write would cause the next.
func TestLaw10Settles(t *testing.T) {
	pods := map[string]subject{"unready": {Addr: ours, Proven: ours}, "ready": ready(time.Hour, ours), "moved": ready(time.Hour, past), "moved and unready": {Addr: ours, Proven: past}, "new": ready(0, netip.Addr{})}
	begins := []Condition{{}, {Status: StatusFalse, Reason: "Elb.Any"}, {Status: StatusTrue, Reason: v1alpha1.ReasonHealthy}, {Status: StatusTrue, Reason: "Elb.Any"}, {Status: StatusTrue, Reason: v1alpha1.ReasonTimedOut}, {Status: StatusTrue, Reason: v1alpha1.ReasonTrackFloor}}
	for name, pod := range pods {
		for _, feed := range everyFeed() {
			for _, policy := range everyPolicy() {
				for _, begin := range begins {
					settles(t, name, pod, feed, policy, begin)
					settles(t, name, pod, held(feed), policy, begin)
				}
			}
		}
	}
}

func settles(t *testing.T, name string, pod subject, feed Feed, policy Policy, begin Condition) {
	t.Helper()
	current := begin
	var d result
	for range 3 {
		if d = decide(noon, pod, feed, policy, current); d.Condition.Status != "" {
			current, pod.Proven, pod.ClosedAt = d.Condition, d.Proven, d.ClosedAt
		}
	}
	if next := decide(noon, pod, feed, policy, current); next.Condition != d.Condition || next.ClosedAt != d.ClosedAt {
		t.Errorf("%s pod, feed %+v, policy %+v, condition %+v: written without end, %+v and then %+v", name, feed, policy, begin, d, next)
	}
}

// TestLaw11AddressReuseIsANewTarget: a gate that was proven at another address starts anew,
// and healthy alone, with no sign that it is about this pod, does not open it.
func TestLaw11AddressReuseIsANewTarget(t *testing.T) {
	inherited := sight(Healthy, "")
	for _, current := range []Condition{{}, {Status: StatusFalse}, {Status: StatusTrue, Reason: v1alpha1.ReasonHealthy}} {
		for _, proven := range []netip.Addr{{}, past} {
			if current.Status == StatusTrue && !proven.IsValid() {
				continue
			}

			d := decide(noon, ready(time.Second, proven), inherited, Policy{}, current)
			if d.Condition.Status == StatusTrue {
				t.Errorf("condition %q, proven at %s: the gate took over another pod's health", current.Status, proven)
			}

			if d.Proven.IsValid() {
				t.Errorf("condition %q, proven at %s: recorded as proven at %s", current.Status, proven, d.Proven)
			}

			if d.Recheck != 20*time.Second+Lag-time.Second {
				t.Errorf("condition %q, proven at %s: looked at again after %s, want when the load balancer must have noticed", current.Status, proven, d.Recheck)
			}
		}
	}
}
