// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/podgate/podgate/api/v1alpha1"
)

// The times and addresses that the tests of this package share.
var (
	noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	ours = netip.MustParseAddr("10.0.0.7")
	past = netip.MustParseAddr("10.0.0.6")
)

// compare looks at all of a decision but the condition's message.
func compare(want, got result) string {
	return cmp.Diff(want, got, cmpopts.EquateComparable(netip.Addr{}), cmpopts.IgnoreFields(Condition{}, "Message"))
}

// ready is a pod whose containers have been ready for a while.
func ready(since time.Duration, proven netip.Addr) subject {
	return subject{ContainersReady: true, ContainersReadySince: noon.Add(-since), Addr: ours, Proven: proven}
}

// sight is a feed whose target was seen by a read that is surely about the pod's address.
func sight(state State, reason string) Feed {
	return Feed{Claim: Claimed, Observed: true, ReadAt: noon, Present: true, Health: said(state, reason), Detection: 20 * time.Second}
}

// said is a health as the tests' load balancer explains it.
func said(state State, reason string) Health {
	notInUse := state == Unused && (reason == "" || reason == "Target.NotInUse")
	return Health{State: state, Reason: reason, Own: strings.HasPrefix(reason, "Elb."), NotInUse: notInUse}
}

func readBefore(d time.Duration, f Feed) Feed {
	f.ReadAt = noon.Add(-d)
	return f
}

func seenOtherwise(f Feed) Feed {
	f.SeenOtherwise = true
	return f
}

func TestDecide(t *testing.T) {
	unready := subject{Addr: ours}
	opened := Condition{Status: StatusTrue, Reason: v1alpha1.ReasonHealthy}
	closed := Condition{Status: StatusFalse, Reason: "Elb.InitialHealthChecking"}
	cases := map[string]struct {
		reason  string
		pod     subject
		feed    Feed
		policy  Policy
		current Condition
		want    result
	}{
		"UnreadyPodGetsNoCondition": {
			reason: "A pod that cannot be Ready anyway needs no word of ours.",
			pod:    unready, feed: sight(Initial, "Elb.RegistrationInProgress"),
			want: result{},
		},
		"UnreadyPodKeepsItsCondition": {
			reason: "What is said of a pod that waits stays until there is something new to say.",
			pod:    unready, feed: sight(Unhealthy, "Target.FailedHealthChecks"), current: closed,
			want: result{Condition: closed},
		},
		"QuietAtFirst": {
			reason: "Registration is under way: a condition now would be replaced at once.",
			pod:    ready(500*time.Millisecond, netip.Addr{}), feed: Feed{Claim: Claimed},
			want: result{Recheck: 1500 * time.Millisecond, Waiting: true},
		},
		"NotObserved": {
			reason: "No data is Unknown, as the contract says, and the pod waits.",
			pod:    ready(3*time.Second, netip.Addr{}), feed: Feed{Claim: Claimed},
			want: result{Condition: Condition{Status: StatusUnknown, Reason: v1alpha1.ReasonNotObserved}, Waiting: true},
		},
		"NotObservedButSaidBefore": {
			reason: "A condition that is wrong by now is not held back.",
			pod:    ready(500*time.Millisecond, ours), feed: Feed{Claim: Claimed}, current: Condition{Status: StatusFalse, Reason: v1alpha1.ReasonContainersNotReady},
			want: result{Condition: Condition{Status: StatusUnknown, Reason: v1alpha1.ReasonNotObserved}, Proven: ours, Waiting: true},
		},
		"NotObservedButHeardBefore": {
			reason: "A new leader's first read is under way; until then it knows nothing better.",
			pod:    ready(500*time.Millisecond, ours), feed: Feed{Claim: Claimed}, current: closed,
			want: result{Condition: closed, Proven: ours, Waiting: true},
		},
		"UnresolvedQuiet": {
			reason: "A binding is usually resolved within moments.",
			pod:    ready(0, netip.Addr{}), feed: Feed{Claim: Unresolved},
			want: result{Recheck: 2 * time.Second, Waiting: true},
		},
		"Unresolved": {
			reason: "A binding that does not work is told on the pod.",
			pod:    ready(time.Hour, netip.Addr{}), feed: Feed{Claim: Unresolved, Trouble: "No such group."},
			want: result{Condition: Condition{Status: StatusUnknown, Reason: v1alpha1.ReasonBindingNotReady}, Waiting: true},
		},
		"NotRegistered": {
			reason: "An absent target is not healthy, and its later row will be this pod's.",
			pod:    ready(3*time.Second, netip.Addr{}), feed: Feed{Claim: Claimed, Observed: true, SeenOtherwise: true, Health: absent},
			want: result{Condition: Condition{Status: StatusFalse, Reason: "Target.NotRegistered"}, Proven: ours, Waiting: true},
		},
		"NotRegisteredQuiet": {
			reason: "The first moment's absence is not worth a write.",
			pod:    ready(time.Second, netip.Addr{}), feed: Feed{Claim: Claimed, Observed: true, SeenOtherwise: true, Health: absent},
			want: result{Recheck: time.Second, Waiting: true},
		},
		"Initial": {
			reason: "The load balancer's own reason is shown.",
			pod:    ready(time.Second, netip.Addr{}), feed: seenOtherwise(sight(Initial, "Elb.InitialHealthChecking")),
			want: result{Condition: closed, Proven: ours, Waiting: true},
		},
		"Unhealthy": {
			reason: "A pod that fails its health checks waits on, however long.",
			pod:    ready(24*time.Hour, ours), feed: seenOtherwise(sight(Unhealthy, "Target.Timeout")), current: closed,
			want: result{Condition: Condition{Status: StatusFalse, Reason: "Target.Timeout"}, Proven: ours, Waiting: true},
		},
		"Draining": {
			reason: "A row that only drains is not healthy.",
			pod:    ready(24*time.Hour, netip.Addr{}), feed: seenOtherwise(sight(Draining, "Target.DeregistrationInProgress")),
			want: result{Condition: Condition{Status: StatusFalse, Reason: "Target.DeregistrationInProgress"}, Proven: ours, Waiting: true},
		},
		"NoReasonGiven": {
			reason: "A state that the load balancer does not explain has a reason nevertheless.",
			pod:    ready(24*time.Hour, netip.Addr{}), feed: seenOtherwise(sight(Unused, "")),
			want: result{Condition: Condition{Status: StatusFalse, Reason: "Unused"}, Proven: ours, Waiting: true},
		},
		"UnknownState": {
			reason: "A state of a later API version is not healthy.",
			pod:    ready(24*time.Hour, netip.Addr{}), feed: seenOtherwise(sight(State(99), "")),
			want: result{Condition: Condition{Status: StatusFalse, Reason: "Unknown"}, Proven: ours, Waiting: true},
		},
		"HealthyAndSeenOtherwise": {
			reason: "Not healthy first and healthy later is about this pod.",
			pod:    ready(time.Second, netip.Addr{}), feed: seenOtherwise(sight(Healthy, "")), current: closed,
			want: result{Condition: opened, Proven: ours},
		},
		"HealthyAndProven": {
			reason: "After a restart of podgate the record on the pod is proof enough.",
			pod:    ready(time.Second, ours), feed: sight(Healthy, ""), current: closed,
			want: result{Condition: opened, Proven: ours},
		},
		"HealthyAndSettled": {
			reason: "By now the load balancer would have noticed that an earlier pod is gone.",
			pod:    ready(20*time.Second+Lag, netip.Addr{}), feed: sight(Healthy, ""),
			want: result{Condition: opened, Proven: ours},
		},
		"HealthyNotProven": {
			reason: "This may be the health of the pod that had the address before.",
			pod:    ready(20*time.Second, netip.Addr{}), feed: sight(Healthy, ""),
			want: result{Condition: Condition{Status: StatusFalse, Reason: v1alpha1.ReasonNotProvenYet}, Recheck: Lag, Waiting: true},
		},
		"HealthyBeforeARestart": {
			reason: "A read of the time before the containers were restarted says nothing of them.",
			pod:    ready(10*time.Second, netip.Addr{}), feed: readBefore(11*time.Second, seenOtherwise(sight(Healthy, ""))),
			current: Condition{Status: StatusFalse, Reason: v1alpha1.ReasonContainersNotReady},
			want:    result{Condition: Condition{Status: StatusFalse, Reason: v1alpha1.ReasonContainersNotReady}, Recheck: 250 * time.Millisecond, Waiting: true},
		},
		"ReadyInTheFuture": {
			reason: "The node's clock is ahead, which must not keep the gate closed.",
			pod:    ready(-time.Minute, ours), feed: sight(Healthy, ""), current: closed,
			want: result{Condition: opened, Proven: ours},
		},
		"Unclaimed": {
			reason: "A gate without a binding says so at once and is released five minutes after the containers were ready.",
			pod:    ready(time.Minute, netip.Addr{}), feed: Feed{Claim: Unclaimed, UnclaimedSince: noon.Add(-time.Minute)},
			want: result{Condition: Condition{Status: StatusFalse, Reason: v1alpha1.ReasonNoBinding}, Recheck: 4 * time.Minute},
		},
		"UnclaimedForAMoment": {
			reason: "A binding that vanished just now is not gone yet, however old the pod.",
			pod:    ready(time.Hour, netip.Addr{}), feed: Feed{Claim: Unclaimed, UnclaimedSince: noon}, current: closed,
			want: result{Condition: Condition{Status: StatusFalse, Reason: v1alpha1.ReasonNoBinding}, Recheck: AbsenceGrace},
		},
		"UnclaimedLongEnough": {
			reason: "Nothing will ever open the gate.",
			pod:    ready(ReleaseAfter, netip.Addr{}), feed: Feed{Claim: Unclaimed, UnclaimedSince: noon.Add(-AbsenceGrace)}, current: closed,
			want: result{Condition: Condition{Status: StatusTrue, Reason: v1alpha1.ReasonNoBinding}},
		},
		"BindingDeleted": {
			reason: "A deleted binding waits for its gates, those of unready pods too.",
			pod:    unready, feed: Feed{Claim: Releasing}, current: closed,
			want: result{Condition: Condition{Status: StatusTrue, Reason: v1alpha1.ReasonBindingDeleted}},
		},
		"InstanceTargets": {
			reason: "The pod is no target: there is nothing to wait for.",
			pod:    unready, feed: Feed{Claim: NotIP},
			want: result{Condition: Condition{Status: StatusTrue, Reason: v1alpha1.ReasonNotIPTargets}},
		},
		"OpenAndHealthy": {
			reason: "Nothing changes.",
			pod:    ready(time.Hour, ours), feed: sight(Healthy, ""), current: opened,
			want: result{Condition: opened, Proven: ours},
		},
		"OpenAndContainersUnready": {
			reason: "The pod's own containers close its gate.",
			pod:    subject{Addr: ours, Proven: ours}, feed: sight(Healthy, ""), current: opened,
			want: result{Condition: Condition{Status: StatusFalse, Reason: v1alpha1.ReasonContainersNotReady}},
		},
		"OpenWithAnotherAddress": {
			reason: "A new address is a new target.",
			pod:    ready(time.Hour, past), feed: seenOtherwise(sight(Initial, "Elb.RegistrationInProgress")), current: opened,
			want: result{Condition: Condition{Status: StatusFalse, Reason: "Elb.RegistrationInProgress"}, Proven: ours, Waiting: true, ClosedAt: noon},
		},
		"OpenWithAnotherAddressReadTooEarly": {
			reason: "What was read before the containers became ready does not leave the gate open at a new address.",
			pod:    ready(0, past), feed: readBefore(time.Second, seenOtherwise(sight(Healthy, ""))), current: opened,
			want: result{Condition: Condition{Status: StatusUnknown, Reason: v1alpha1.ReasonNotObserved}, Recheck: reread, Waiting: true, ClosedAt: noon},
		},
		"OpenWithAnotherAddressAndUnready": {
			reason: "A pod whose sandbox was made anew is not served at its old address.",
			pod:    subject{Addr: ours, Proven: past}, feed: Feed{Claim: Claimed}, current: opened,
			want: result{Condition: Condition{Status: StatusFalse, Reason: v1alpha1.ReasonContainersNotReady}},
		},
		"OpenWithoutAddress": {
			reason: "An address that is not known is not another one.",
			pod:    subject{ContainersReady: true, Proven: ours}, feed: Feed{Claim: Unresolved}, current: opened,
			want: result{Condition: opened, Proven: ours},
		},
		"StaleReasonOfAnotherController": {
			reason: "An open gate never shows why it was closed once.",
			pod:    ready(time.Hour, netip.Addr{}), feed: sight(Healthy, ""),
			current: Condition{Status: StatusTrue, Reason: "Elb.InitialHealthChecking", Message: "Initial health checks in progress"},
			want:    result{Condition: opened},
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

func TestDecideMessages(t *testing.T) {
	cases := map[string]struct {
		reason string
		feed   Feed
		want   string
	}{
		"LoadBalancers": {reason: "The load balancer's sentence is shown as it is.", want: "Request timed out",
			feed: Feed{Claim: Claimed, Observed: true, Present: true, Health: Health{State: Unhealthy, Reason: "Target.Timeout", Description: "Request timed out"}}},
		"Healthy": {reason: "An open gate says nothing of an earlier state.", want: "",
			feed: Feed{Claim: Claimed, Observed: true, ReadAt: noon, Present: true, SeenOtherwise: true, Health: Health{State: Healthy}}},
		"Trouble": {reason: "Why a group cannot be read is more use than that it cannot.", want: "Access denied.",
			feed: Feed{Claim: Claimed, Trouble: "Access denied."}},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := decide(noon, ready(time.Hour, netip.Addr{}), tc.feed, Policy{}, Condition{Status: StatusFalse, Reason: "Elb.X", Message: "old"})
			if got.Condition.Message != tc.want {
				t.Errorf("%s\nmessage: want %q, got %q", tc.reason, tc.want, got.Condition.Message)
			}
		})
	}
}
