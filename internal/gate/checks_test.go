// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/podgate/podgate/api/v1alpha1"
)

// checked is a feed of checks that say so of this very pod, just now.
func checked(h Health) Feed {
	return Feed{Claim: Claimed, Checks: true, Observed: true, Present: true, Placed: true, ReadAt: noon, Health: h}
}

// What checks say together.
var (
	passed   = Health{State: Healthy, Reason: v1alpha1.ReasonChecksPassed}
	failed   = Health{State: Unhealthy, Reason: v1alpha1.ReasonCheckFailed, Description: "warm: HTTP status 503"}
	noAnswer = Health{State: Unknown, Own: true, Reason: v1alpha1.ReasonCheckNoAnswer, Description: "warm: timed out"}
	awaited  = Health{State: Initial, Reason: v1alpha1.ReasonCheckNotApproved, Description: "release: not approved"}
)

// TestChecksAreSpokenOf: each condition of a gate of checks, with its words, which are not those of a load balancer.
func TestChecksAreSpokenOf(t *testing.T) {
	unasked := Feed{Claim: Claimed, Checks: true}
	gone := Feed{Claim: Unclaimed, Checks: true, UnclaimedSince: noon.Add(-time.Hour)}
	tracked := checked(failed)
	tracked.FailingSince, tracked.Room = noon.Add(-time.Minute), room(false)
	opened := Condition{Status: StatusTrue, Reason: v1alpha1.ReasonChecksPassed}
	late := func(a Answer) Policy { return Policy{Timeout: 10 * time.Minute, OnTimeout: a} }

	cases := map[string]struct {
		reason  string
		pod     subject
		feed    Feed
		policy  Policy
		current Condition
		want    Condition
	}{
		"Passed": {
			reason: "The checks passed for this very pod.",
			pod:    ready(time.Minute, ours), feed: checked(passed),
			want: Condition{StatusTrue, v1alpha1.ReasonChecksPassed, ""},
		},
		"Failed": {
			reason: "The pod was asked and did not pass.",
			pod:    ready(time.Minute, ours), feed: checked(failed),
			want: Condition{StatusFalse, v1alpha1.ReasonCheckFailed, "warm: HTTP status 503"},
		},
		"NoAnswer": {
			reason: "Nothing is known of the pod.",
			pod:    ready(time.Minute, ours), feed: checked(noAnswer),
			want: Condition{StatusUnknown, v1alpha1.ReasonCheckNoAnswer, "warm: timed out"},
		},
		"NotApproved": {
			reason: "That nobody approved is known.",
			pod:    ready(time.Minute, ours), feed: checked(awaited),
			want: Condition{StatusFalse, v1alpha1.ReasonCheckNotApproved, "release: not approved"},
		},
		"Unasked": {
			reason: "No check was answered yet.",
			pod:    ready(time.Minute, ours), feed: unasked,
			want: Condition{StatusUnknown, v1alpha1.ReasonCheckWaiting, "The checks have not been answered yet."},
		},
		"Restarted": {
			reason: "What was said before podgate was restarted stays until the first answer.",
			pod:    ready(time.Minute, ours), feed: unasked, current: Condition{StatusFalse, v1alpha1.ReasonCheckFailed, "warm: HTTP status 503"},
			want: Condition{StatusFalse, v1alpha1.ReasonCheckFailed, "warm: HTTP status 503"},
		},
		"RestartedWithoutAnswer": {
			reason: "The same goes for what nobody knew.",
			pod:    ready(time.Minute, ours), feed: unasked, current: Condition{StatusUnknown, v1alpha1.ReasonCheckNoAnswer, "warm: timed out"},
			want: Condition{StatusUnknown, v1alpha1.ReasonCheckNoAnswer, "warm: timed out"},
		},
		"RestartedContainers": {
			reason: "What was answered before the containers were restarted does not count.",
			pod:    ready(time.Minute, ours), feed: readBefore(time.Hour, checked(passed)), current: Condition{StatusFalse, v1alpha1.ReasonContainersNotReady, "Unready."},
			want: Condition{StatusFalse, v1alpha1.ReasonContainersNotReady, "Unready."},
		},
		"OldAnswerAtNewAddress": {
			reason: "An open gate whose pod moved waits for an answer at the new address.",
			pod:    ready(time.Minute, past), feed: readBefore(time.Hour, checked(passed)), current: opened,
			want: Condition{StatusUnknown, v1alpha1.ReasonCheckWaiting, "The checks have not been answered yet."},
		},
		"ContainersUnready": {
			reason: "The gate closes with its containers.",
			pod:    subject{Addr: ours, Proven: ours}, feed: checked(passed), current: opened,
			want: Condition{StatusFalse, v1alpha1.ReasonContainersNotReady, "The pod's containers became unready; the pod is asked again once they are ready."},
		},
		"Gone": {
			reason: "Without its ReadinessGate a gate is released in the end.",
			pod:    ready(time.Hour, ours), feed: gone,
			want: Condition{StatusTrue, v1alpha1.ReasonNoBinding, "There is no ReadinessGate of this gate, so it was released."},
		},
		"GoneLately": {
			reason: "It may be made again.",
			pod:    ready(time.Minute, ours), feed: gone,
			want: Condition{StatusFalse, v1alpha1.ReasonNoBinding, "There is no ReadinessGate of this gate. Create it, or the gate is released 5m after the containers became ready."},
		},
		"DryRun": {
			reason: "A dry run holds nobody back, whatever the containers do.",
			pod:    subject{Addr: ours}, feed: Feed{Claim: DryRun, Checks: true},
			want: Condition{StatusTrue, v1alpha1.ReasonDryRun, "The ReadinessGate is a dry run, so nothing is waited for."},
		},
		"DryRunContainersUnready": {
			reason: "It would be released again at once.",
			pod:    subject{Addr: ours, Proven: ours}, feed: Feed{Claim: DryRun, Checks: true}, current: Condition{Status: StatusTrue, Reason: v1alpha1.ReasonDryRun},
			want: Condition{StatusTrue, v1alpha1.ReasonDryRun, ""},
		},
		"NoDryRunAnyMore": {
			reason: "Once the checks pass, they are why the gate is open.",
			pod:    ready(time.Minute, ours), feed: checked(passed), current: Condition{Status: StatusTrue, Reason: v1alpha1.ReasonDryRun},
			want: Condition{StatusTrue, v1alpha1.ReasonChecksPassed, ""},
		},
		"TimedOutOpen": {
			reason: "The policy opens a gate whose checks never pass.",
			pod:    ready(time.Hour, ours), feed: checked(failed), policy: late(Open),
			want: Condition{StatusTrue, v1alpha1.ReasonTimedOut, "Opened by the ReadinessGate's time-out of 10m, although the checks have not passed (Check.Failed)."},
		},
		"TimedOutHold": {
			reason: "The policy keeps it closed.",
			pod:    ready(time.Hour, ours), feed: checked(noAnswer), policy: late(Hold),
			want: Condition{StatusUnknown, v1alpha1.ReasonCheckNoAnswer, "warm: timed out. The ReadinessGate's time-out of 10m has passed, and the gate stays closed, as on-timeout says."},
		},
		"TrackFloor": {
			reason: "Too few others are open.",
			pod:    ready(time.Hour, ours), feed: tracked, policy: Policy{Mode: Track}, current: opened,
			want: Condition{StatusTrue, v1alpha1.ReasonTrackFloor, "The checks fail; the gate stays open, since too few other gates of the ReadinessGate are."},
		},
		"OrderIsOver": {
			reason: "What a person ordered is no answer.",
			pod:    ready(time.Hour, ours), feed: readBefore(2*time.Hour, checked(passed)), current: Condition{Status: StatusFalse, Reason: v1alpha1.ReasonOverridden},
			want: Condition{StatusUnknown, v1alpha1.ReasonCheckWaiting, "What was set by hand no longer counts; podgate asks the pod again."},
		},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, decide(noon, tc.pod, tc.feed, tc.policy, tc.current).Condition); diff != "" {
				t.Errorf("%s\n(-want +got):\n%s", tc.reason, diff)
			}
		})
	}
}

// TestLaw9ChecksAreFollowedUnderTrackOnly: checks that fail close the gate that they opened where its policy is Track.
func TestLaw9ChecksAreFollowedUnderTrackOnly(t *testing.T) {
	for _, reason := range []string{v1alpha1.ReasonChecksPassed, v1alpha1.ReasonApproved} {
		followedUnderTrackOnly(t, Condition{Status: StatusTrue, Reason: reason})
	}
}

func followedUnderTrackOnly(t *testing.T, opened Condition) {
	t.Helper()
	feed := checked(failed)
	feed.FailingSince, feed.Room = noon.Add(-time.Minute), room(true)

	if got := decide(noon, ready(time.Hour, ours), feed, Policy{}, opened); got.Condition != opened {
		t.Errorf("Latch: got %+v", got)
	}

	got := decide(noon, ready(time.Hour, ours), feed, Policy{Mode: Track}, opened)
	if want := (Condition{StatusFalse, v1alpha1.ReasonCheckFailed, "warm: HTTP status 503"}); got.Condition != want || !got.Waiting || got.ClosedAt != noon {
		t.Errorf("Track: want it closed at noon and waiting, got %+v", got)
	}
}

// TestLaw8NoAnswerClosesNothing: that nobody answers says nothing of the pod, however long it lasts.
func TestLaw8NoAnswerClosesNothing(t *testing.T) {
	opened := Condition{Status: StatusTrue, Reason: v1alpha1.ReasonChecksPassed}
	feed := checked(noAnswer)
	feed.FailingSince, feed.Room = noon.Add(-time.Hour), room(true)

	for _, f := range []Feed{feed, {Claim: Claimed, Checks: true, Room: room(true)}} {
		if got := decide(noon, ready(time.Hour, ours), f, Policy{Mode: Track}, opened); got.Condition != opened {
			t.Errorf("%+v: got %+v", f, got)
		}
	}
}
