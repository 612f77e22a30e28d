// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package elb

import "testing"

// TestOwnerOf: of names of which one begins the other, a target group is the longer one's.
func TestOwnerOf(t *testing.T) {
	for _, tc := range []struct {
		resource string
		owners   []string
		want     string
	}{
		{"shop/a-b-api:80", []string{"shop/a", "shop/a-b"}, "shop/a-b"},
		{"shop/a-b-api:80", []string{"shop/a-b", "shop/a"}, "shop/a-b"},
		{"shop/a-b-api:80", []string{"shop/a"}, "shop/a"},
		{"shop/a-api:80", []string{"shop/a-b", "shop/a"}, "shop/a"},
		{"shop/ab-api:80", []string{"shop/a"}, ""},
		{"shop/a", []string{"shop/a"}, ""},
		{"shop/a:80", []string{"shop/a-b", "shop/a"}, "shop/a"},
		{"shop/a-api:80", nil, ""},
	} {
		if got := OwnerOf(tc.resource, tc.owners); got != tc.want {
			t.Errorf("%s of %q: got %q, want %q", tc.resource, tc.owners, got, tc.want)
		}
	}
}

// TestLaw13OwnerByTag: what a target group says whose it is counts, and only where it says nothing its resource tag does.
func TestLaw13OwnerByTag(t *testing.T) {
	s := shop()
	s.TargetGroups = append(s.TargetGroups, group("shop/a", "b-c"), group("shop/a-b", "d"))
	s.Listeners[0].Default = to("shop/a", "b-c")
	s.Listeners[0].Rules = append(s.Listeners[0].Rules, path("shop/a-b", "/d", "d"))
	w := settled(t, s)

	// Neither can be built any more: the one keeps its target group, and the other one has no part in that.
	w.stack.TargetGroups, w.stack.Listeners[0].Default, w.stack.Listeners[0].Rules = w.stack.TargetGroups[:2], nothing, w.stack.Listeners[0].Rules[:2]
	stack := w.stack
	w.stack.Keep = []string{"shop/a"}
	w.run()
	expect(t, "its owner keeps it", len(w.seen.TargetGroups), 3)
	w.stack = stack
	w.stack.Keep = []string{"shop/a-b"}
	w.run()
	expect(t, "and nobody else does", len(w.seen.TargetGroups), 2)

	w = settled(t, shop())
	delete(w.seen.TargetGroups[0].Tags, OwnerTag)
	expect(t, "one that has no such tag gets it", w.steps(), []string{"tag tg/3: podgate.dev/owner=shop/web"})
}

// TestKeepsNotWhatIsAnothers: an Ingress that cannot be built keeps its own target groups, and not those of one whose name its own
// begins, be that known by a rule, by a group or by what is there.
func TestKeepsNotWhatIsAnothers(t *testing.T) {
	action := Action{Forward: []Forward{{Group: "arn"}}}
	for name, tc := range map[string]struct {
		stack Stack
		seen  []ObservedRule
		want  bool
	}{
		"Own":    {Stack{}, nil, true},
		"Rule":   {Stack{Listeners: []Listener{{Rules: []Rule{{Owner: "shop/a-b"}}}}}, nil, false},
		"Group":  {Stack{TargetGroups: []TargetGroup{{Resource: "shop/a-b-other:80", Owner: "shop/a-b"}}}, nil, false},
		"Wanted": {Stack{TargetGroups: []TargetGroup{{Resource: "shop/a-b-api:80", Owner: "shop/x"}}}, nil, false},
		"There":  {Stack{}, []ObservedRule{{Rule: Rule{Owner: "shop/a-b"}}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			tc.stack.Keep = []string{"shop/a"}
			seen := Observed{
				LoadBalancers: []ObservedLoadBalancer{{Listeners: []ObservedListener{{Has: tc.seen}}}},
				TargetGroups:  []ObservedTargetGroup{{ARN: "arn", TargetGroup: TargetGroup{Resource: "shop/a-b-api:80"}}},
			}
			p := &planner{stack: tc.stack, seen: seen, seenGroups: map[string]*ObservedTargetGroup{"arn": &seen.TargetGroups[0]}}
			if got := p.keeps(action); got != tc.want {
				t.Errorf("got %t", got)
			}
		})
	}
}
