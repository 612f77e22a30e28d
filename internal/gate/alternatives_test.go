// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"net/netip"
	"testing"
	"time"

	"github.com/podgate/podgate/api/v1alpha1"
)

// either makes feeds, at the pod's address, alternatives.
func either(proven netip.Addr, feeds ...Feed) []Feed {
	for i := range feeds {
		feeds[i].Alternative = true
	}
	return at(proven, feeds...)
}

// TestLaw1AlternativesNeedOneThatOpens: a gate of alternatives opens when one of them would open it alone, and not otherwise;
// the first gives the reason then. It is healthy when one of them is.
func TestLaw1AlternativesNeedOneThatOpens(t *testing.T) {
	pod := ready(time.Hour, netip.Addr{}).pod()
	closed := Condition{Status: StatusFalse, Reason: v1alpha1.ReasonContainersNotReady}
	every := append(everyFeed(), seenOtherwise(sight(Healthy, "")))
	for _, policy := range everyPolicy() {
		for i, one := range every {
			other := every[(i*7+3)%len(every)]
			first, second := Decide(noon, pod, either(ours, one), policy, closed), Decide(noon, pod, either(ours, other), policy, closed)
			both := Decide(noon, pod, either(ours, one, other), policy, closed)

			opens := first.Condition.Status == StatusTrue || second.Condition.Status == StatusTrue
			if got := both.Condition.Status == StatusTrue; got != opens {
				t.Fatalf("feeds %+v and %+v: open %t, want %t", one, other, got, opens)
			}
			if opens && both.Waiting {
				t.Fatalf("feeds %+v and %+v: it is open and waits", one, other)
			}
			if !opens && both.Condition != first.Condition {
				t.Fatalf("feeds %+v and %+v: want what the first says, %+v, got %+v", one, other, first.Condition, both.Condition)
			}

			healthy := func(d Decision) bool {
				return d.Condition.Status == StatusTrue && d.Condition.Reason == v1alpha1.ReasonHealthy
			}
			if got := healthy(both); got != (healthy(first) || healthy(second)) {
				t.Fatalf("feeds %+v and %+v: the gate is called healthy %t", one, other, got)
			}
		}
	}
}

// TestAlternativeThatOpensSpeaks: the condition is the open one's, wherever it stands.
func TestAlternativeThatOpensSpeaks(t *testing.T) {
	initial, good := seenOtherwise(sight(Initial, "Elb.InitialHealthChecking")), seenOtherwise(sight(Healthy, ""))
	admitted := seenOtherwise(sight(Unused, "Target.NotInUse"))
	admitted.Policy = &Policy{OnUnused: Open}
	for name, tc := range map[string]struct {
		feeds  []Feed
		by     int
		reason string
	}{
		"the first":              {[]Feed{good, initial}, 0, v1alpha1.ReasonHealthy},
		"the last":               {[]Feed{initial, good}, 1, v1alpha1.ReasonHealthy},
		"both":                   {[]Feed{good, good}, 0, v1alpha1.ReasonHealthy},
		"none":                   {[]Feed{initial, seenOtherwise(sight(Unhealthy, "Target.Timeout"))}, 0, "Elb.InitialHealthChecking"},
		"healthy, not by policy": {[]Feed{admitted, good}, 1, v1alpha1.ReasonHealthy},
		"healthy first":          {[]Feed{good, admitted}, 0, v1alpha1.ReasonHealthy},
		"by policy":              {[]Feed{initial, admitted}, 1, v1alpha1.ReasonTargetUnused},
		"by two policies":        {[]Feed{admitted, admitted}, 0, v1alpha1.ReasonTargetUnused},
	} {
		if d := Decide(noon, ready(time.Hour, ours).pod(), either(ours, tc.feeds...), Policy{}, Condition{}); d.By != tc.by || d.Condition.Reason != tc.reason {
			t.Errorf("%s: want %s by %d, got %+v", name, tc.reason, tc.by, d)
		}
	}
}

// TestLaw1ProofIsEachAlternativesOwn: a healthy target that may be an earlier pod's opens nothing, though the other is proven.
func TestLaw1ProofIsEachAlternativesOwn(t *testing.T) {
	feeds := either(netip.Addr{}, seenOtherwise(sight(Unhealthy, "Target.Timeout")), sight(Healthy, ""))
	if d := Decide(noon, ready(time.Second, netip.Addr{}).pod(), feeds, Policy{}, Condition{}); d.Condition.Status == StatusTrue || !d.Waiting || d.Proven[0] != ours || d.Proven[1].IsValid() {
		t.Errorf("want it closed, with the first proven, got %+v", d)
	}
}

// TestLaw9AlternativesCloseTogether: Track closes a gate of alternatives when each of them is followed and fails.
func TestLaw9AlternativesCloseTogether(t *testing.T) {
	open := Condition{Status: StatusTrue, Reason: v1alpha1.ReasonHealthy}
	good, bad, latched := seenOtherwise(sight(Healthy, "")), failing(time.Hour), failing(time.Hour)
	latched.Policy = &Policy{Mode: Latch}
	for name, tc := range map[string]struct {
		feeds []Feed
		want  Status
	}{
		"one fails":           {[]Feed{bad, good}, StatusTrue},
		"the other fails":     {[]Feed{good, bad}, StatusTrue},
		"one is not followed": {[]Feed{bad, latched}, StatusTrue},
		"one is not known":    {[]Feed{bad, {Claim: Unresolved}}, StatusTrue},
		"both fail":           {[]Feed{bad, bad}, StatusFalse},
		"the only one does":   {[]Feed{bad}, StatusFalse},
	} {
		for i := range tc.feeds {
			tc.feeds[i].Room = room(true)
		}
		if d := Decide(noon, ready(time.Hour, ours).pod(), either(ours, tc.feeds...), Policy{Mode: Track}, open); d.Condition.Status != tc.want {
			t.Errorf("%s: want %s, got %+v", name, tc.want, d)
		}
	}
}

// TestLaw1AlternativesHeldBack: an open gate closes when gates of other controllers keep the pod from being any target, and
// stays open while it is one.
func TestLaw1AlternativesHeldBack(t *testing.T) {
	open, good := Condition{Status: StatusTrue, Reason: v1alpha1.ReasonHealthy}, seenOtherwise(sight(Healthy, ""))
	for name, tc := range map[string]struct {
		feeds []Feed
		want  string
	}{
		"one":                    {[]Feed{held(good), good}, v1alpha1.ReasonHealthy},
		"the other":              {[]Feed{good, held(good)}, v1alpha1.ReasonHealthy},
		"both":                   {[]Feed{held(good), held(good)}, v1alpha1.ReasonOtherGateClosed},
		"one, the other unknown": {[]Feed{held(good), {Claim: Unresolved}}, v1alpha1.ReasonOtherGateClosed},
	} {
		if d := Decide(noon, ready(time.Hour, ours).pod(), either(ours, tc.feeds...), Policy{}, open); d.Condition.Reason != tc.want {
			t.Errorf("%s held back: want %s, got %+v", name, tc.want, d)
		}
	}

	all := at(ours, held(good), good)
	if d := Decide(noon, ready(time.Hour, ours).pod(), all, Policy{}, open); d.Condition.Reason != v1alpha1.ReasonOtherGateClosed {
		t.Errorf("a gate of all feeds is held back by one, got %+v", d)
	}
}

// TestAlternativeBecomesHealthy: an open gate says that it is healthy once one of its feeds is, which alone is proven then.
func TestAlternativeBecomesHealthy(t *testing.T) {
	late := Condition{Status: StatusTrue, Reason: v1alpha1.ReasonTimedOut, Message: "Opened by the binding's time-out."}
	good, bad := seenOtherwise(sight(Healthy, "")), seenOtherwise(sight(Unhealthy, "Target.Timeout"))
	for _, feeds := range [][]Feed{{good, bad}, {bad, good}} {
		d := Decide(noon, ready(time.Hour, ours).pod(), either(netip.Addr{}, feeds...), Policy{}, late)
		if d.Condition != (Condition{Status: StatusTrue, Reason: v1alpha1.ReasonHealthy}) {
			t.Errorf("want it healthy, got %+v", d)
		}
		for i := range feeds {
			if d.Proven[i].IsValid() != (feeds[i].Health.State == Healthy) {
				t.Errorf("proven are %v", d.Proven)
			}
		}
	}

	if d := Decide(noon, ready(time.Hour, ours).pod(), either(ours, bad, bad), Policy{}, late); d.Condition != late {
		t.Errorf("none is healthy, got %+v", d)
	}
}

// TestLaw10AlternativesSettle: a gate of alternatives is soon as it stays.
func TestLaw10AlternativesSettle(t *testing.T) {
	every := everyFeed()
	for _, policy := range everyPolicy() {
		for i := range every {
			severalSettle(t, policy, either(ours, every[i], every[(i*11+5)%len(every)]))
		}
	}
}

// TestWhyNothingClaims: what is known of why a gate waits for nothing is said, while it waits and when it was released.
func TestWhyNothingClaims(t *testing.T) {
	feed := Feed{Claim: Unclaimed, Trouble: "The gate names nothing.", UnclaimedSince: noon.Add(-time.Hour)}
	for since, want := range map[time.Duration]Condition{
		time.Minute: {StatusFalse, v1alpha1.ReasonNoBinding, "The gate names nothing. Correct that, or the gate is released 5m after the containers became ready."},
		time.Hour:   {StatusTrue, v1alpha1.ReasonNoBinding, "The gate names nothing. The gate was released."},
	} {
		if d := Decide(noon, ready(since, ours).pod(), at(ours, feed), Policy{}, Condition{}); d.Condition != want {
			t.Errorf("after %s: want %+v, got %+v", since, want, d.Condition)
		}
	}
}
