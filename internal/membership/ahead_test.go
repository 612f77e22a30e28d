// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package membership

import (
	"slices"
	"testing"
	"time"

	"github.com/podgate/podgate/internal/gate"
)

// leaving is a pod that serves on a node that is to be removed.
func leaving(n int) Member {
	m := serving(n)
	m.Leaving = true
	return m
}

// ending is a pod that is being ended, and nobody knows when it will be over.
func ending(n int) Member {
	m := serving(n)
	m.Terminating = true
	return m
}

func TestMakeAhead(t *testing.T) {
	closed := leaving(3)
	closed.Serving = false
	cases := map[string]struct {
		reason   string
		members  []Member
		observed map[gate.Target]gate.Health
		coming   int
		floor    int
		removed  []int
		want     Plan
	}{
		"OthersServe": {reason: "It drains while it runs.",
			members: members(serving(1), serving(2), leaving(3)), observed: rows("hhh"), want: Plan{Deregister: list(3)}},
		"AddressShared": {reason: "A pod that stays has its address, too.",
			members: members(serving(1), serving(2), leaving(3), serving(3)), observed: rows("hhh")},
		"AddressSharedStayingFirst": {reason: "In whichever order they come.",
			members: members(serving(1), serving(2), serving(3), leaving(3)), observed: rows("hhh")},
		"Out": {reason: "It stays out.",
			members: members(serving(1), serving(2), leaving(3)), observed: rows("hhd")},
		"Gone": {reason: "Drained, too.",
			members: members(serving(1), serving(2), leaving(3)), observed: rows("hh")},
		"TakenBack": {reason: "What is not to be removed after all is registered again.",
			members: members(serving(1), serving(2), serving(3)), observed: rows("hhd"), want: Plan{Register: list(3)}},
		"Half": {reason: "Never more than others serve.",
			members: members(serving(1), leaving(2), leaving(3), leaving(4)), observed: rows("hhhh"), want: Plan{Deregister: list(2)}},
		"HalfIsOut": {reason: "Nor later, as long as it is so.",
			members: members(serving(1), leaving(2), leaving(3), leaving(4)), observed: rows("hdhh")},
		"WholeGroup": {reason: "When all nodes are to be removed the pods serve until they are deleted.",
			members: members(leaving(1), leaving(2), leaving(3)), observed: rows("hhh")},
		"OneNotHealthy": {reason: "Who leaves early is missed while another does not serve.",
			members: members(serving(1), ready(2), leaving(3)), observed: rows("hih")},
		"OneStarts": {reason: "Nor while one starts,",
			members: members(serving(1), starting(2), leaving(3)), observed: rows("h-h")},
		"OneComes": {reason: "or has no address yet.",
			members: members(serving(1), leaving(3)), observed: rows("h-h"), coming: 1},
		"OthersGone": {reason: "It is registered again when it is needed: two serve on, of three.",
			members: members(serving(1), starting(2), leaving(3), leaving(4)), observed: rows("h--d"), want: Plan{Register: list(4)}},
		"AllOthersGone": {reason: "All are, when no other serves.",
			members: members(starting(1), leaving(3), leaving(4)), observed: rows("--dd"), want: Plan{Register: list(3, 4)}},
		"Floor": {reason: "Or fewer than the floor.",
			members: members(serving(1), serving(2), leaving(3)), observed: rows("hhd"), floor: 3, want: Plan{Register: list(3)}},
		"GateClosed": {reason: "A pod that never served has its gate to pass first.",
			members: members(serving(1), serving(2), closed), observed: rows("hh"), want: Plan{Register: list(3)}},
		"NotObserved": {reason: "Nothing is done ahead in a group that cannot be read.",
			members: members(serving(1), serving(2), leaving(3)), want: Plan{Register: list(1, 2, 3)}},
		"AnAccidentBefore": {reason: "What else went within the minute counts.",
			members: members(serving(1), serving(2), leaving(3), leaving(4)), observed: rows("hhhh"), removed: []int{5, 6, 7}},
		"AnAccidentNow": {reason: "And what goes at the same time comes first.",
			members: members(serving(1), serving(2), leaving(3), starting(4)), observed: rows("hhhh"), want: Plan{Deregister: list(4)}},
		"OutDoesNotCount": {reason: "Pods that drain ahead are not waited for by what is replaced.",
			members: members(serving(1), serving(2), leaving(3), unselected(4)), observed: rows("hhdh"), want: Plan{Deregister: list(4), Deliberate: true}},
		"Ending": {reason: "A pod that is being ended goes like a deleted one.",
			members: members(serving(1), ending(2), ending(3)), observed: rows("hhh"), want: Plan{Urgent: list(2, 3)}},
		"LastOneEnding": {reason: "The last that serves stays, nobody knows until when.",
			members: members(ending(1), starting(2)), observed: rows("h"), want: Plan{Held: held(GuardLastServing, 1)}},
		"LastOnesEnding": {reason: "Of several one whose end is known.",
			members: members(ending(1), dying(2, time.Minute)), observed: rows("hh"), want: Plan{Urgent: list(1), Held: until(drain, held(GuardLastServing, 2))}},
		"LastOneDead": {reason: "What does not run is not kept.",
			members: members(stopped(ending(1)), starting(2)), observed: rows("h"), want: Plan{Urgent: list(1)}},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			in := Input{Now: noon, Members: tc.members, Observed: tc.observed, Drain: drain, Coming: tc.coming, Floor: tc.floor, RemovedAt: since(noon, tc.removed...)}
			for _, n := range tc.removed {
				in.Members = append(in.Members, stopped(dying(n, time.Minute)))
			}
			if diff := compareTo(tc.want, Make(in)); diff != "" {
				t.Errorf("%s\nMake: -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

// TestLaw3AnnouncedEndKeepsHalf: however many pods are announced to end, one node after the other
// or all at once, half of those that could serve do.
func TestLaw3AnnouncedEndKeepsHalf(t *testing.T) {
	for what, step := range map[string]int{"one by one": 1, "by nodes": 4, "all at once": 10} {
		s := newStory()
		for n := 1; n <= 10; n++ {
			s.in.Members[n-1] = serving(n)
		}

		for n := 1; n <= 10; n++ {
			s.in.Members[n-1] = leaving(n)
			if n%step > 0 && n < 10 {
				continue
			}

			for range 3 {
				s.plan()
				s.pass(time.Minute)
				if s.healthy() < 5 {
					t.Errorf("%s: %d are announced and %d of 10 serve", what, n, s.healthy())
				}
				for row, h := range s.in.Observed {
					if h.State == gate.Initial {
						s.in.Observed[row] = gate.Health{State: gate.Healthy}
					}
				}
			}
		}

		if s.healthy() != 10 {
			t.Errorf("%s: all 10 are announced, so that nobody else serves, and %d of them do", what, s.healthy())
		}
	}
}

// TestLaw5EndingIsUrgent: a pod that is being ended without being deleted goes like a deleted one.
func TestLaw5EndingIsUrgent(t *testing.T) {
	in := Input{Now: noon, Drain: drain, Members: members(serving(1), ending(2), starting(3)), Observed: rows("hh")}
	if plan := Make(in); !slices.Equal(plan.Urgent, list(2)) {
		t.Errorf("another serves: want 2 removed at once, got %+v", plan)
	}
	in.Members[0], in.Observed = starting(1), rows("-h")
	if plan := Make(in); len(plan.Urgent) > 0 {
		t.Errorf("it is the last that serves: want it kept, got %+v", plan)
	}
}
