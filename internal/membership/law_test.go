// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package membership

import (
	"slices"
	"testing"
	"time"

	"github.com/podgate/podgate/internal/gate"
)

// TestLaw3NeverEmptyByAccident: what serves and runs stays, whatever looks wrong for a moment.
func TestLaw3NeverEmptyByAccident(t *testing.T) {
	accidents := map[string]Input{
		"all probes failed at once":             {Members: members(starting(1), starting(2))},
		"another controller closes all gates":   {Members: members(heldBack(1), heldBack(2))},
		"the Service vanished for a moment":     {Members: members(unselected(1), unselected(2)), AbsentUntil: noon.Add(absence)},
		"the selector flipped to pods to come":  {Members: members(unselected(1), unselected(2), starting(3))},
		"the replacements are not healthy yet":  {Members: members(unselected(1), unselected(2), ready(3), ready(4))},
		"every pod is relabelled and starts up": {Members: members(starting(1), starting(2), starting(3))},
		"the new pods have no node yet":         {Members: members(unselected(1), unselected(2)), Coming: 2},
		"one replacement of two is healthy":     {Members: members(unselected(1), unselected(2), ready(4), ready(5)), Observed: rows("hh-hi")},
		"half went a moment ago":                {Members: members(starting(1), starting(2), ready(4)), Observed: rows("hhuh"), RemovedAt: since(noon, 5, 6, 7, 8)},
		"another process may have removed half": {Members: members(starting(1), starting(2), ready(4)), Observed: rows("hhuh"), UnknownAt: noon.Add(time.Second - window)},
		"the floor is as high as the group":     {Members: members(starting(1), starting(2), ready(4)), Observed: rows("hhuh"), Floor: 4},
	}

	for what, in := range accidents {
		in.Now, in.Drain = noon, drain
		if in.Observed == nil {
			in.Observed = rows("hhu")
		}
		in.Members = append(in.Members, starting(3))
		plan := Make(in)
		if n := len(plan.Urgent) + len(plan.Deregister); n > 0 {
			t.Errorf("%s: %d targets are removed, want none: %+v", what, n, plan)
		}
	}
}

// TestLaw3SuccessorAtADyingPodsAddress: a group is not emptied on purpose while a
// replacement is to come, even one that got a dying pod's address.
func TestLaw3SuccessorAtADyingPodsAddress(t *testing.T) {
	in := Input{Now: noon, Drain: drain, Members: members(unselected(1), unselected(2), dying(3, time.Minute), starting(3)), Observed: rows("hh")}
	if plan := Make(in); len(plan.Urgent)+len(plan.Deregister) > 0 {
		t.Errorf("want nothing removed before the replacement serves, got %+v", plan)
	}
}

// TestLaw3DeliberateRemovalCompletes: the floor is no reason to keep what should go.
func TestLaw3DeliberateRemovalCompletes(t *testing.T) {
	cases := map[string]Input{
		"no pod is selected, for good":            {Members: members(unselected(1), unselected(2))},
		"the replacement is healthy":              {Members: members(unselected(1), unselected(2), ready(3)), Observed: rows("hhh")},
		"it is, and others went a moment ago":     {Members: members(unselected(1), unselected(2), ready(3)), Observed: rows("hhh"), RemovedAt: since(noon, 4, 5, 6, 7)},
		"the pods are gone":                       {AbsentUntil: noon.Add(absence)},
		"scaled to zero, grace periods nearly up": {Members: members(dying(1, drain), dying(2, drain)), AbsentUntil: noon.Add(absence)},
	}

	for what, in := range cases {
		in.Now, in.Drain, in.Floor = noon, drain, 2
		if in.Observed == nil {
			in.Observed = rows("hh")
		}
		plan := Make(in)
		if got := slices.Concat(plan.Urgent, plan.Deregister); !slices.Equal(got, list(1, 2)) {
			t.Errorf("%s: removed %v, want both: %+v", what, got, plan)
		}
	}
}

// TestLaw3ProbesFailOneAfterTheOther: that all fail is known only in the end, and by then at
// most half is gone.
func TestLaw3ProbesFailOneAfterTheOther(t *testing.T) {
	s := newStory()
	for n := 1; n <= 10; n++ {
		s.in.Members[n-1] = starting(n)
		s.plan()
		s.pass(3 * time.Second)
	}

	if len(s.in.Observed) != 5 {
		t.Errorf("want 5 of 10 registered, got %v", s.in.Observed)
	}

	for range 5 {
		s.pass(time.Minute)
		s.plan()
	}

	if len(s.in.Observed) != 5 {
		t.Errorf("as no other serves, want these 5 to stay, got %v", s.in.Observed)
	}
}

// TestLaw3HalfAMinute: targets that fail for good go by themselves, at most half of them within a
// minute, down to those that serve or to the floor.
func TestLaw3HalfAMinute(t *testing.T) {
	for floor, want := range map[int]int{0: 1, 3: 3} {
		s := newStory()
		s.in.Floor = floor
		for n := 2; n <= 10; n++ {
			s.in.Members[n-1] = starting(n)
		}

		for range 6 {
			before, begun := len(s.in.Observed), s.in.Now
			for s.in.Now.Before(begun.Add(time.Minute)) {
				s.pass(s.next(5 * time.Second))
			}
			if after := len(s.in.Observed); 2*after < before {
				t.Errorf("floor %d: from %d to %d within a minute", floor, before, after)
			}
		}

		if len(s.in.Observed) != want {
			t.Errorf("floor %d: want %d left in the end, got %v", floor, want, s.in.Observed)
		}
	}
}

// TestLaw3HeldBackOneAfterTheOther: a controller that takes all pods out of traffic leaves half of them
// within a minute, and the last one for as long as no other serves.
func TestLaw3HeldBackOneAfterTheOther(t *testing.T) {
	s := newStory()
	for n := 1; n <= 10; n++ {
		s.in.Members[n-1] = heldBack(n)
		before := len(s.in.Observed)
		if s.plan(); n <= 5 && len(s.in.Observed) != before-1 {
			t.Errorf("pod %d of ten is held back while others serve: want it removed, got %v", n, s.in.Observed)
		}
		s.pass(3 * time.Second)
	}

	for range 10 {
		s.pass(time.Minute)
		s.plan()
	}

	if len(s.in.Observed) != 5 {
		t.Errorf("as none serves that may, want these 5 to stay, got %v", s.in.Observed)
	}

	s.in.Members[0] = ready(1)
	s.plan()
	if s.in.Observed[at(1)].State != gate.Initial {
		t.Errorf("one is let in again: want it registered, got %v", s.in.Observed)
	}
}

// TestLaw3FlipOfASelector: of what a flip replaced all stay until all replacements are healthy, or
// half of them goes a minute, by themselves, when one never will be.
func TestLaw3FlipOfASelector(t *testing.T) {
	for what, broken := range map[string]bool{"all get healthy": false, "one never does": true} {
		s := newStory()
		for n := 1; n <= 10; n++ {
			s.in.Members[n-1] = unselected(n)
			s.in.Members = append(s.in.Members, ready(n+10))
		}

		for n := 11; n < 20; n++ {
			s.plan()
			s.in.Observed[at(n)] = gate.Health{State: gate.Healthy}
			s.pass(time.Second)
		}

		if s.plan(); len(s.in.Observed) != 20 {
			t.Errorf("%s: 9 of 10 are, and %d old targets are left, want 10", what, len(s.in.Observed)-10)
		}

		if !broken {
			s.in.Observed[at(20)] = gate.Health{State: gate.Healthy}
			if s.plan(); len(s.in.Observed) != 10 {
				t.Errorf("%s: all are, and %d old targets are left, want none", what, len(s.in.Observed)-10)
			}
			continue
		}

		for s.in.Now.Before(noon.Add(4 * time.Minute)) {
			before := len(s.in.Observed)
			s.pass(s.next(time.Minute))
			if 2*len(s.in.Observed) < before {
				t.Errorf("%s: from %d to %d at once", what, before, len(s.in.Observed))
			}
		}

		if len(s.in.Observed) != 10 {
			t.Errorf("%s: after 4 minutes %d old targets are left, want none", what, len(s.in.Observed)-10)
		}
	}
}

// TestLaw4FullGroupIsReplaced: a group that is full changes its targets a few at a time, and that ends.
func TestLaw4FullGroupIsReplaced(t *testing.T) {
	s := newStory()
	for n := 1; n <= 10; n++ {
		s.in.Members[n-1] = unselected(n)
		s.in.Members = append(s.in.Members, ready(n+10))
	}

	s.room = 10
	for s.in.Now.Before(noon.Add(5 * time.Minute)) {
		before := s.healthy()
		s.pass(s.next(5 * time.Second))
		if after := s.healthy(); 2*after < before {
			t.Errorf("from %d that serve to %d at once", before, after)
		}
		for row, h := range s.in.Observed {
			if h.State == gate.Initial {
				s.in.Observed[row] = gate.Health{State: gate.Healthy}
			}
		}
	}

	for n := 1; n <= 10; n++ {
		if _, old := s.in.Observed[at(n)]; old {
			t.Errorf("%s is left after 5 minutes", at(n))
		}
	}
}

// TestLaw4RegisterBeforeDeregister: replacements are registered while what they replace stays.
func TestLaw4RegisterBeforeDeregister(t *testing.T) {
	in := Input{Now: noon, Drain: drain, Members: members(unselected(1), unselected(2), ready(3), ready(4)), Observed: rows("hh")}
	first := Make(in)
	if !slices.Equal(first.Register, list(3, 4)) || len(first.Deregister)+len(first.Urgent) > 0 {
		t.Fatalf("first: want 3 and 4 registered and nothing removed, got %+v", first)
	}

	in.Observed = rows("hhii")
	if second := Make(in); len(second.Deregister)+len(second.Urgent) > 0 {
		t.Fatalf("while they are checked: want nothing removed, got %+v", second)
	}

	in.Observed = rows("hhhh")
	if third := Make(in); !slices.Equal(third.Deregister, list(1, 2)) {
		t.Fatalf("once they are healthy: want 1 and 2 removed, got %+v", third)
	}
}

// TestLaw5DeletionIsUrgent: a deleted pod goes now, unless nothing else would serve.
func TestLaw5DeletionIsUrgent(t *testing.T) {
	in := Input{Now: noon, Drain: drain, Members: members(ready(1), dying(2, time.Minute), starting(3)), Observed: rows("hhh")}
	if plan := Make(in); !slices.Equal(plan.Urgent, list(2)) {
		t.Errorf("another serves: want 2 removed at once, got %+v", plan)
	}

	in.Observed = nil
	in.Members[0].Serving = true
	if plan := Make(in); !slices.Equal(plan.Urgent, list(2)) {
		t.Errorf("the group cannot be read and a Ready pod is there: want 2 removed at once, got %+v", plan)
	}

	in = Input{Now: noon, Drain: drain, Members: members(dying(1, time.Minute), ready(2)), Observed: rows("hi")}
	plan := Make(in)
	if len(plan.Urgent) > 0 || !plan.Next().Equal(noon.Add(drain)) {
		t.Errorf("the last that serves: want it kept until its drain time, got %+v", plan)
	}

	in.Now = plan.Next()
	if plan := Make(in); !slices.Equal(plan.Urgent, list(1)) {
		t.Errorf("only its drain time is left: want it removed, got %+v", plan)
	}

	in.Now, in.Observed = noon, rows("hh")
	if plan := Make(in); !slices.Equal(plan.Urgent, list(1)) {
		t.Errorf("another became healthy: want it removed, got %+v", plan)
	}
}

// TestLaw5LastOneIsDrainedInTime: the last that serves gets no new request any more when it is told
// to stop, and none is under way when it is killed, whichever comes first.
func TestLaw5LastOneIsDrainedInTime(t *testing.T) {
	cases := map[string]struct {
		stopped, killed, want time.Duration
	}{
		"the hook sleeps for what the drain takes":     {stopped: 55 * time.Second, killed: 85 * time.Second, want: 30 * time.Second},
		"it ends long before the grace period does":    {stopped: 35 * time.Second, killed: 5 * time.Minute, want: 10 * time.Second},
		"the hook would outlast the grace period":      {stopped: 55 * time.Second, killed: 60 * time.Second, want: 5 * time.Second},
		"nobody knows when it is told to stop":         {killed: 85 * time.Second, want: 30 * time.Second},
		"the hook is shorter than requests are routed": {stopped: 10 * time.Second, killed: 85 * time.Second, want: 0},
	}

	for what, tc := range cases {
		m := dying(1, tc.killed)
		if tc.stopped > 0 {
			m.StoppedAt = noon.Add(tc.stopped)
		}

		in := Input{Now: noon, Drain: 55 * time.Second, Routed: 25 * time.Second, Members: members(m, starting(2)), Observed: rows("h")}
		var held time.Duration
		for plan := Make(in); len(plan.Urgent) == 0 && held < time.Hour; plan = Make(in) {
			in.Now = plan.Next()
			held = in.Now.Sub(noon)
		}

		if held != tc.want {
			t.Errorf("%s: removed after %s, want %s", what, held, tc.want)
		}
	}
}

// TestLaw5UnreadGroup: while the group is not known, those are kept that may be the last that
// serves: all that are Ready, since some may have left the group already.
func TestLaw5UnreadGroup(t *testing.T) {
	was := dying(1, time.Minute)
	was.Serving = true
	in := Input{Now: noon, Drain: drain, Members: members(was, dying(2, time.Hour), starting(3))}
	if plan := Make(in); !slices.Equal(plan.Urgent, list(2)) || len(plan.Held) != 1 {
		t.Errorf("want 1 kept, which was Ready, and 2 removed, which never was, got %+v", plan)
	}

	too := dying(4, time.Hour)
	too.Serving = true
	in.Members = append(in.Members, too)
	if plan := Make(in); !slices.Equal(plan.Urgent, list(2)) || len(plan.Held) != 2 {
		t.Errorf("1 may have left the group long ago, and so may 4: want both kept until that is known, got %+v", plan)
	}

	in.Observed = map[gate.Target]gate.Health{at(1): {State: gate.Healthy}, at(4): {State: gate.Draining}}
	if plan := Make(in); len(plan.Urgent) > 0 || len(plan.Held) != 1 || plan.Held[0].Target != at(1) {
		t.Errorf("want 1 kept, which alone serves, got %+v", plan)
	}
}

// TestLaw11AddressReuse: a row that drains at a new pod's address is the dead pod's.
func TestLaw11AddressReuse(t *testing.T) {
	in := Input{Now: noon, Drain: drain, Members: members(stopped(dying(1, time.Minute)), ready(1), ready(2)), Observed: rows("dh")}
	if plan := Make(in); !slices.Equal(plan.Register, list(1)) || len(plan.Urgent) > 0 {
		t.Errorf("want the new pod registered, got %+v", plan)
	}
	in.Members = members(stopped(dying(1, time.Minute)), starting(1), ready(2))
	in.Observed = map[gate.Target]gate.Health{at(1): {State: gate.Healthy}, at(2): {State: gate.Healthy}}
	if plan := Make(in); !slices.Equal(plan.Urgent, list(1)) {
		t.Errorf("want the dead pod's row removed before the new pod is ready, got %+v", plan)
	}
}

// TestLaw3HealthyStrangerIsNotRemoved: what serves at an address that no pod of this cluster has is
// somebody else's, whether or not anything here serves, and however long that lasts.
func TestLaw3HealthyStrangerIsNotRemoved(t *testing.T) {
	long := since(noon.Add(-time.Hour), 1, 2, 3)
	elsewhere := func(gate.Target) bool { return true }
	cases := map[string]struct {
		in   Input
		want []gate.Target
	}{
		"nothing runs here":                   {in: Input{Observed: rows("hhh")}},
		"the pods here do not start":          {in: Input{Observed: rows("hhh"), Members: members(starting(4))}},
		"all pods here serve":                 {in: Input{Observed: rows("hhhh"), Members: members(serving(4))}},
		"their new pod is not healthy yet":    {in: Input{Observed: rows("ihh"), Members: members(serving(4))}},
		"one of them fails":                   {in: Input{Observed: rows("huh")}, want: list(2)},
		"their listener is to come":           {in: Input{Observed: stand(rows("hhh"), gate.Health{State: gate.Unused, NotInUse: true})}},
		"one of them cannot be checked":       {in: Input{Observed: stand(rows("hhh"), gate.Health{State: gate.Unused})}, want: list(2)},
		"the load balancer has trouble":       {in: Input{Observed: stand(rows("hhh"), gate.Health{State: gate.Unavailable, Own: true})}},
		"none of them is checked":             {in: Input{Observed: stand(rows("hhh"), gate.Health{State: gate.Unavailable})}, want: list(2)},
		"this process saw one's pod":          {in: Input{Observed: rows("hhh"), StrangeSince: since(noon.Add(-time.Hour), 1, 2)}, want: list(3)},
		"a pod of this cluster has addresses": {in: Input{Observed: rows("hhh"), Foreign: func(t gate.Target) bool { return t != at(1) }}, want: list(1)},
		"a person said that they may go":      {in: Input{Observed: rows("hhh"), Foreign: func(gate.Target) bool { return false }}, want: list(1, 2, 3)},
	}

	for what, tc := range cases {
		in := tc.in
		in.Now, in.Drain = noon, drain
		if in.StrangeSince == nil {
			in.StrangeSince = long
		}
		if in.Foreign == nil {
			in.Foreign = elsewhere
		}

		plan := Make(in)
		if got := slices.Concat(plan.Urgent, plan.Deregister, plan.Yield); !slices.Equal(got, tc.want) {
			t.Errorf("%s: removed %v, want %v: %+v", what, got, tc.want, plan)
		}
		if kept := len(plan.Held) + len(tc.want); kept != 3 {
			t.Errorf("%s: want what stays reported, got %+v", what, plan.Held)
		}
	}
}

// stand has row 2 stand otherwise.
func stand(rows map[gate.Target]gate.Health, h gate.Health) map[gate.Target]gate.Health {
	rows[at(2)] = h
	return rows
}

// TestLaw5StrangersDoNotServeForUs: nobody here knows for how long they do, so the last pod of this cluster
// stays as if they were not there.
func TestLaw5StrangersDoNotServeForUs(t *testing.T) {
	in := Input{
		Now: noon, Drain: drain, Members: members(dying(1, time.Minute), starting(3)), Observed: rows("hh"),
		StrangeSince: since(noon.Add(-time.Hour), 2), Foreign: func(gate.Target) bool { return true },
	}
	if plan := Make(in); len(plan.Urgent) > 0 {
		t.Errorf("want 1 kept as the last of this cluster, got %+v", plan)
	}
}
