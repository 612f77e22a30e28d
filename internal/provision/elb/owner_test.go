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
		{"shop/a-api:80", nil, ""},
	} {
		if got := OwnerOf(tc.resource, tc.owners); got != tc.want {
			t.Errorf("%s of %q: got %q, want %q", tc.resource, tc.owners, got, tc.want)
		}
	}
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
