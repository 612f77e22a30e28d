// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package membership

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/podgate/podgate/internal/gate"
)

var (
	noon  = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	drain = 30 * time.Second
	// absence is how long something that is missing will not be acted upon.
	absence = 20 * time.Second
)

// at is the n-th address's target.
func at(n int) gate.Target {
	return gate.Target{Addr: netip.AddrFrom4([4]byte{10, 0, byte(n >> 8), byte(n)}), Port: 80}
}

func list(ns ...int) []gate.Target {
	var ts []gate.Target
	for _, n := range ns {
		ts = append(ts, at(n))
	}
	return ts
}

// Pods that the tests use, by what became of them.
func ready(n int) Member    { return Member{Target: at(n), Wanted: true, Ready: true} }
func serving(n int) Member  { return Member{Target: at(n), Wanted: true, Ready: true, Serving: true} }
func starting(n int) Member { return Member{Target: at(n), Wanted: true} }
func heldBack(n int) Member { return Member{Target: at(n), Wanted: true, Ready: true, HeldBack: true} }
func unselected(n int) Member {
	return Member{Target: at(n), Ready: true, Serving: true}
}
func dying(n int, left time.Duration) Member {
	return Member{Target: at(n), Wanted: true, Ready: true, Terminating: true, KilledAt: noon.Add(left)}
}
func stopped(m Member) Member {
	m.Ready = false
	return m
}

// rows is a group with the targets in some states, a letter each: h(ealthy),
// i(nitial), u(nhealthy), d(raining); the first is target 1's, a dash none.
func rows(states string) map[gate.Target]gate.Health {
	of := map[rune]gate.State{'h': gate.Healthy, 'i': gate.Initial, 'u': gate.Unhealthy, 'd': gate.Draining}
	g := map[gate.Target]gate.Health{}
	for i, c := range states {
		if s, ok := of[c]; ok {
			g[at(i+1)] = gate.Health{State: s}
		}
	}
	return g
}

func members(ms ...Member) []Member { return ms }

// held are targets that a guard keeps.
func held(g Guard, ns ...int) []Held {
	var hs []Held
	for _, n := range ns {
		hs = append(hs, Held{Target: at(n), Guard: g})
	}
	return hs
}

// until is when they may go, from noon.
func until(wait time.Duration, hs []Held) []Held {
	for i := range hs {
		hs[i].Until = noon.Add(wait)
	}
	return hs
}

// since is a time for each of some targets.
func since(at time.Time, ns ...int) map[gate.Target]time.Time {
	times := map[gate.Target]time.Time{}
	for _, t := range list(ns...) {
		times[t] = at
	}
	return times
}

func TestMake(t *testing.T) {
	notOurs := func(gate.Target) bool { return false }
	cases := map[string]struct {
		reason   string
		members  []Member
		observed map[gate.Target]gate.Health
		absent   bool
		coming   int
		floor    int
		// removed and strange are targets of which that is so since now.
		removed, strange []int
		ours             func(gate.Target) bool
		want             Plan
	}{
		"NothingToDo": {reason: "What is as it should be is left alone.",
			members: members(ready(1), ready(2)), observed: rows("hu")},
		"NewPods": {reason: "Pods whose containers are ready are registered.",
			members: members(ready(2), ready(1), starting(3)), observed: rows(""), want: Plan{Register: list(1, 2)}},
		"RegisteredAgain": {reason: "A target that was removed by hand, or only drains, is repaired.",
			members: members(ready(1), ready(2)), observed: rows("d"), want: Plan{Register: list(1, 2)}},
		"HeldBack": {reason: "Another controller's gate keeps a new pod out, and takes one out that serves.",
			members: members(ready(1), heldBack(2), heldBack(3)), observed: rows("hh"), want: Plan{Deregister: list(2)}},
		"LetInAgain": {reason: "It is registered when the gate opens, also while it still drains.",
			members: members(ready(1), ready(2)), observed: rows("hd"), want: Plan{Register: list(2)}},
		"HeldBackAndDeleted": {reason: "Its containers serve, so it may stay as the last like any other.",
			members: members(func() Member { m := dying(1, time.Minute); m.HeldBack = true; return m }()), observed: rows("h"),
			want: Plan{Held: until(drain, held(GuardLastServing, 1))}},
		"NotObserved": {reason: "Registering does no harm while the group cannot be read, and removing does.",
			members: members(ready(1), starting(2), unselected(3)), want: Plan{Register: list(1)}},
		"OneStopsServing": {reason: "A pod whose containers became unready leaves when another serves.",
			members: members(ready(1), starting(2)), observed: rows("hh"), want: Plan{Deregister: list(2)}},
		"AllProbesFail": {reason: "The load balancer's fail-open is better than nothing.",
			members: members(starting(1), starting(2)), observed: rows("hu"), want: Plan{Held: held(GuardFloor, 1, 2)}},
		"ReplacementsNotHealthy": {reason: "Replaced pods stay while their replacements are checked.",
			members: members(unselected(1), ready(2)), observed: rows("hi"), want: Plan{Held: held(GuardReplacement, 1)}},
		"ReplacementsHealthy": {reason: "Then all of them may go.",
			members: members(unselected(1), unselected(2), ready(3)), observed: rows("hhh"), want: Plan{Deregister: list(1, 2), Deliberate: true}},
		"ReplacementsNotReady": {reason: "A selector that flipped to pods which still start must not empty the group.",
			members: members(unselected(1), starting(2)), observed: rows("h"), want: Plan{Held: held(GuardReplacement, 1)}},
		"FlipRegistersFirst": {reason: "The new pods go in while the old ones stay.",
			members: members(unselected(1), ready(2), starting(3)), observed: rows("h"), want: Plan{Register: list(2), Held: held(GuardReplacement, 1)}},
		"Emptied": {reason: "A Service that selects no pod any more, and not just for a moment, means it.",
			members: members(unselected(1), unselected(2)), observed: rows("hh"), want: Plan{Deregister: list(1, 2), Deliberate: true}},
		"AbsentForAMoment": {reason: "A Service that just vanished is not acted upon.",
			members: members(unselected(1), unselected(2)), observed: rows("hh"), absent: true, want: Plan{Held: until(absence, held(GuardAbsence, 1, 2))}},
		"AbsentButDying": {reason: "What is deleted meanwhile goes, since others serve.",
			members: members(unselected(1), dying(2, time.Minute)), observed: rows("hh"), absent: true, want: Plan{Urgent: list(2), Held: until(absence, held(GuardAbsence, 1))}},
		"DeadPod": {reason: "A row without a pod is never kept, not even the last one.",
			observed: rows("h"), absent: true, want: Plan{Urgent: list(1)}},
		"StrangerOfASharedGroup": {reason: "In a group that other clusters use it may be theirs.",
			members: members(ready(1)), observed: rows("hh"), ours: notOurs},
		"DyingOfASharedGroup": {reason: "A pod of this cluster is this cluster's to remove.",
			members: members(ready(1), dying(2, time.Minute)), observed: rows("hhh"), ours: notOurs, want: Plan{Urgent: list(2)}},
		"DrainingIsLeftAlone": {reason: "What drains already is not deregistered again.",
			members: members(ready(1), dying(2, time.Minute)), observed: rows("hdd")},
		"Dying": {reason: "A deleted pod goes at once, before anything that can wait.",
			members: members(ready(1), dying(2, time.Minute), starting(3), ready(4)), observed: rows("hhh"),
			want: Plan{Urgent: list(2), Register: list(4), Deregister: list(3)}},
		"DyingNotObserved": {reason: "It goes though the group cannot be read, when a Ready pod is there.",
			members: members(serving(1), dying(2, time.Minute)), want: Plan{Urgent: list(2), Register: list(1)}},
		"LastOneDyingNotObserved": {reason: "It stays when none is.",
			members: members(ready(1), dying(2, time.Minute)), want: Plan{Register: list(1), Held: until(drain, held(GuardLastServing, 2))}},
		"LastOneServing": {reason: "The last that serves stays until only its drain time is left.",
			members: members(dying(1, time.Minute), ready(2)), observed: rows("hi"), want: Plan{Held: until(drain, held(GuardLastServing, 1))}},
		"LastOnesServing": {reason: "Of several the one that lives longest stays.",
			members: members(dying(1, time.Minute), dying(2, 2*time.Minute), dying(3, time.Minute)), observed: rows("hhh"),
			want: Plan{Urgent: list(1, 3), Held: until(90*time.Second, held(GuardLastServing, 2))}},
		"OnlyDrainTimeLeft": {reason: "Later it would be killed with requests in flight.",
			members: members(dying(1, drain)), observed: rows("h"), want: Plan{Urgent: list(1)}},
		"LastOneUnhealthy": {reason: "One that does not serve is not kept.",
			members: members(dying(1, time.Minute)), observed: rows("u"), want: Plan{Urgent: list(1)}},
		"LastOneStopped": {reason: "Nor one whose containers have ended, whatever the load balancer still believes.",
			members: members(stopped(dying(1, time.Minute))), observed: rows("h"), want: Plan{Urgent: list(1)}},
		"HeldServes": {reason: "A running target that is held for now serves, so a dying one need not.",
			members: members(starting(1), dying(2, time.Minute)), observed: rows("hh"), want: Plan{Urgent: list(2), Held: held(GuardFloor, 1)}},
		"ScaledToZero": {reason: "Deliberate removal completes, the last target a little later.",
			members: members(dying(1, time.Minute), dying(2, time.Minute)), observed: rows("hh"), absent: true,
			want: Plan{Urgent: list(2), Held: until(drain, held(GuardLastServing, 1))}},
		"AddressReused": {reason: "The address is the new pod's.",
			members: members(ready(1), dying(1, time.Minute)), observed: rows("h")},
		"AddressReusedWhileDraining": {reason: "The dead pod's row is on its way out, so the new pod is registered.",
			members: members(dying(1, time.Minute), ready(1)), observed: rows("d"), want: Plan{Register: list(1)}},
		"AddressReusedTooEarly": {reason: "A pod that starts at a dead pod's address does not keep the dead one's row.",
			members: members(starting(1), stopped(dying(1, time.Minute)), ready(2)), observed: rows("hi"), want: Plan{Urgent: list(1)}},
		"AddressShared": {reason: "Another pod on the host's network decides nothing.",
			members: members(unselected(1), dying(1, time.Minute), ready(2)), observed: rows("hh"), want: Plan{Urgent: list(1)}},
		"AddressOfTwoDying": {reason: "Of two that end, the one that lives longer decides until when the last that serves may stay.",
			members: members(dying(1, time.Minute), dying(1, 2*time.Minute)), observed: rows("h"), want: Plan{Held: until(90*time.Second, held(GuardLastServing, 1))}},
		"AddressOfTwoDyingLongerFirst": {reason: "In whichever order they come.",
			members: members(dying(1, 2*time.Minute), dying(1, time.Minute)), observed: rows("h"), want: Plan{Held: until(90*time.Second, held(GuardLastServing, 1))}},
		"FullGroup": {reason: "Nothing that should be there got in: a tenth may yield, the last that serves never.",
			members: members(unselected(1), unselected(2), ready(3)), observed: rows("hh"),
			want: Plan{Register: list(3), Held: held(GuardReplacement, 1, 2), Yield: list(2)}},
		"FullGroupIdleFirst": {reason: "What does not serve yields first.",
			members: members(unselected(1), unselected(2), ready(3)), observed: rows("hu"),
			want: Plan{Register: list(3), Held: held(GuardReplacement, 1, 2), Yield: list(2)}},
		"FullGroupOfOne": {reason: "The only one that serves does not yield.",
			members: members(unselected(1), ready(2)), observed: rows("h"),
			want: Plan{Register: list(2), Held: held(GuardReplacement, 1)}},
		"RoomIsComing": {reason: "What drains makes room; nothing more yields for it.",
			members: members(unselected(1), unselected(2), ready(3)), observed: rows("hh-d"),
			want: Plan{Register: list(3), Held: held(GuardReplacement, 1, 2)}},
		"OneGotIn": {reason: "A replacement that is being checked lets the others go once it is healthy.",
			members: members(unselected(1), unselected(2), ready(3), ready(4)), observed: rows("hhi"),
			want: Plan{Register: list(4), Held: held(GuardReplacement, 1, 2)}},
		"FullGroupGoesOn": {reason: "With one that serves, as many yield as may go within a minute.",
			members: members(unselected(1), unselected(2), unselected(3), unselected(4), unselected(5), ready(6), ready(7)), observed: rows("hhhhhh"),
			want: Plan{Register: list(7), Held: until(window, held(GuardReplacement, 1, 2, 3, 4, 5)), Yield: list(2, 3, 4)}},
		"FullGroupGoesOnIdleFirst": {reason: "Those that do not serve count among them, and go first.",
			members: members(unselected(1), unselected(2), unselected(3), unselected(4), unselected(5), ready(6), ready(7)), observed: rows("hhhuuh"),
			want: Plan{Register: list(7), Held: until(window, held(GuardReplacement, 1, 2, 3, 4, 5)), Yield: list(4, 5, 2)}},
		"FullGroupAfterYielding": {reason: "What yielded a moment ago counts.",
			members: members(unselected(1), unselected(2), unselected(3), ready(6), ready(7)), observed: rows("hhh--h"), removed: []int{4, 5},
			want: Plan{Register: list(7), Held: until(window, held(GuardReplacement, 1, 2, 3)), Yield: list(2)}},
		"ReplacementsPending": {reason: "Pods that have no address yet are replacements to wait for.",
			members: members(unselected(1), unselected(2)), coming: 1, observed: rows("hh"), want: Plan{Held: held(GuardReplacement, 1, 2)}},
		"OneReplacementHealthy": {reason: "It does not replace all.",
			members: members(unselected(1), unselected(2), ready(3), ready(4)), observed: rows("hhhi"), want: Plan{Held: until(window, held(GuardReplacement, 1, 2))}},
		"HalfOfThemFail": {reason: "At most half goes within a minute: what does not serve first.",
			members: members(ready(1), starting(2), starting(3), starting(4)), observed: rows("hhhu"),
			want: Plan{Deregister: list(2, 4), Held: until(window, held(GuardFloor, 3))}},
		"MoreFailWithinAMinute": {reason: "What went before counts.",
			members: members(ready(1), ready(2), starting(3), starting(4)), observed: rows("hhh"), removed: []int{4},
			want: Plan{Deregister: list(3)}},
		"EvenMoreFailWithinAMinute": {reason: "Half is gone.",
			members: members(ready(1), starting(2), starting(3), starting(4)), observed: rows("hh"), removed: []int{3, 4},
			want: Plan{Held: until(window, held(GuardFloor, 2))}},
		"RepairedCountsNoMore": {reason: "What serves again is not gone.",
			members: members(ready(1), starting(2), ready(3)), observed: rows("hhh"), removed: []int{3}, want: Plan{Deregister: list(2)}},
		"UnderRepairCountsStill": {reason: "What was registered again does not serve yet.",
			members: members(ready(1), starting(2), ready(3), ready(4)), observed: rows("hhii"), removed: []int{3, 4}, want: Plan{Held: until(window, held(GuardFloor, 2))}},
		"HigherFloor": {reason: "As many stay as the floor wants.",
			members: members(ready(1), starting(2), starting(3), starting(4)), observed: rows("hhhh"), floor: 3,
			want: Plan{Deregister: list(2), Held: until(window, held(GuardFloor, 3, 4))}},
		"HighFloorNoAccident": {reason: "The floor is no reason to keep what was replaced.",
			members: members(unselected(1), unselected(2), ready(3)), observed: rows("hhh"), floor: 5, want: Plan{Deregister: list(1, 2), Deliberate: true}},
		"PodNotKnownYet": {reason: "A row whose pod nobody saw go may be of one that the cache does not show yet.",
			members: members(ready(1)), observed: rows("hh"), strange: []int{2}, want: Plan{Held: until(gate.Lag, held("", 2))}},
		"UnknownDoesNotServe": {reason: "Nobody knows whether such a row serves.",
			members: members(dying(1, time.Minute)), observed: rows("hh"), strange: []int{2},
			want: Plan{Held: append(until(drain, held(GuardLastServing, 1)), until(gate.Lag, held("", 2))...)}},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			in := Input{
				Now: noon, Members: tc.members, Observed: tc.observed, Drain: drain, Ours: tc.ours, Coming: tc.coming, Floor: tc.floor,
				RemovedAt: since(noon, tc.removed...), StrangeSince: since(noon, tc.strange...),
			}
			if tc.absent {
				in.AbsentUntil = noon.Add(absence)
			}
			got := Make(in)
			if diff := compareTo(tc.want, got); diff != "" {
				t.Errorf("%s\nMake: -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

// TestRemovalsOfTheMinute: a target that was removed within the minute counts against what may go
// now, unless it is in the group again and counts there. Half of four is two; of one that is gone
// and four, one more.
func TestRemovalsOfTheMinute(t *testing.T) {
	failing := members(ready(1), starting(2), starting(3), starting(4))
	cases := map[string]struct {
		reason   string
		members  []Member
		observed map[gate.Target]gate.Health
		want     Plan
	}{
		"Gone": {reason: "It serves no more.", members: failing, observed: rows("hhhh"),
			want: Plan{Deregister: list(2), Held: until(window, held(GuardFloor, 3, 4))}},
		"Drains": {reason: "What drains is not in the group any more.", members: append(members(unselected(5)), failing...), observed: rows("hhhhd"),
			want: Plan{Deregister: list(2), Held: until(window, held(GuardFloor, 3, 4))}},
		"RunsOn": {reason: "A pod that runs outside of the group does not serve.", members: append(members(unselected(5)), failing...), observed: rows("hhhh"),
			want: Plan{Deregister: list(2), Held: until(window, held(GuardFloor, 3, 4))}},
		"NoPod": {reason: "A row without a pod serves nobody for long.", members: failing, observed: rows("hhhhh"),
			want: Plan{Urgent: list(5), Deregister: list(2), Held: until(window, held(GuardFloor, 3, 4))}},
		"Dying": {reason: "Nor does that of a pod that ends.", members: append(members(dying(5, time.Minute)), failing...), observed: rows("hhhhh"),
			want: Plan{Urgent: list(5), Deregister: list(2), Held: until(window, held(GuardFloor, 3, 4))}},
		"InTheGroupAgain": {reason: "It is one of the four.", members: members(ready(1), starting(2), starting(3), unselected(5)), observed: rows("hhh-h"),
			want: Plan{Deregister: list(2, 3), Held: until(window, held(GuardReplacement, 5))}},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			in := Input{Now: noon, Members: tc.members, Observed: tc.observed, Drain: drain, RemovedAt: since(noon, 5)}
			if diff := compareTo(tc.want, Make(in)); diff != "" {
				t.Errorf("%s\nMake: -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

// TestReplacedGoesAfterItsMinute: each of several that were replaced goes a minute after it was
// first kept, though not every replacement is healthy.
func TestReplacedGoesAfterItsMinute(t *testing.T) {
	in := Input{
		Now: noon, Drain: drain, Members: members(unselected(1), unselected(2), ready(3), ready(4)), Observed: rows("hhhi"),
		HeldSince: since(noon.Add(-40*time.Second), 1),
	}
	want := Plan{Held: append(until(20*time.Second, held(GuardReplacement, 1)), until(window, held(GuardReplacement, 2))...)}
	if diff := compareTo(want, Make(in)); diff != "" {
		t.Errorf("-want, +got:\n%s", diff)
	}
}

func compareTo(want, got Plan) string {
	return cmp.Diff(want, got, cmpopts.EquateComparable(netip.Addr{}), cmpopts.EquateEmpty())
}

func TestGuards(t *testing.T) {
	plan := Plan{Held: slices.Concat(held(GuardReplacement, 1), held("", 2), held(GuardFloor, 3, 4))}
	if got := plan.Guards(); !slices.Equal(got, []Guard{GuardFloor, GuardReplacement}) {
		t.Errorf("Guards: want the floor's and the replacement's, got %v", got)
	}
}

func TestYieldIsAFew(t *testing.T) {
	in := Input{Now: noon, Observed: map[gate.Target]gate.Health{}, Drain: drain}
	for n := 1; n <= 100; n++ {
		in.Members = append(in.Members, unselected(n), ready(n+100))
		in.Observed[at(n)] = gate.Health{State: gate.Healthy}
	}
	if got := len(Make(in).Yield); got != 10 {
		t.Errorf("of 100 that serve 10 may yield at a time, got %d", got)
	}

	for n := 1; n <= 50; n++ {
		in.Observed[at(n)] = gate.Health{State: gate.Unhealthy}
	}
	if got := len(Make(in).Yield); got != 10 {
		t.Errorf("of 100 half of which serve 10 may yield at a time, got %d", got)
	}
}

func TestNext(t *testing.T) {
	plan := Plan{Held: []Held{{}, {Until: noon.Add(time.Minute)}, {Until: noon}, {}}}
	if got := plan.Next(); !got.Equal(noon) {
		t.Errorf("Next: want the earliest, %s, got %s", noon, got)
	}
	if got := (Plan{Held: []Held{{}}}).Next(); !got.IsZero() {
		t.Errorf("Next: want zero when only an event decides, got %s", got)
	}
}

// GoString makes what a property test found readable.
func (m Member) GoString() string {
	return fmt.Sprintf("{%s wanted=%t ready=%t heldBack=%t serving=%t terminating=%t killed=%s}", m.Target, m.Wanted, m.Ready, m.HeldBack, m.Serving, m.Terminating, m.KilledAt.Sub(noon))
}
