// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package lattice

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var identity = Identity{Tags: map[string]string{"cluster": "c"}, ResourceTag: "resource"}

// wants is a stack of one service with these rules at port 80, and the groups that they name.
func wants(rules ...Rule) Stack {
	s := Service{Resource: "a.x", Name: "k8s-a", Domain: "a.x", Listeners: []Listener{{Name: "http-80", Port: 80, Protocol: "HTTP", Rules: rules}}}
	for _, r := range rules {
		for _, f := range r.Action.Forward {
			if !slices.ContainsFunc(s.TargetGroups, func(g TargetGroup) bool { return g.Resource == f.Group }) {
				s.TargetGroups = append(s.TargetGroups, groupOf(f.Group))
			}
		}
	}
	return Stack{Identity: identity, Network: "sn-1", Services: []Service{s}, Quotas: DefaultQuotas}
}

func groupOf(resource string) TargetGroup {
	return TargetGroup{Resource: resource, Name: "k8s-" + resource, VPC: "vpc", Protocol: "HTTP", Version: "HTTP1", Port: 80, AddressType: "IPV4", Binding: Binding{Namespace: "ns", Service: resource, Port: 80}}
}

func to(groups ...string) Action {
	var a Action
	for _, g := range groups {
		a.Forward = append(a.Forward, Forward{Group: g, Weight: 1})
	}
	return a
}

func prefix(path string, a Action) Rule {
	return Rule{Owner: "r", Match: Match{Path: path, Prefix: true}, Action: a}
}

// there is a service that is as a stack wants it, with rules of these priorities, whose groups are called as their resources are and have
// two healthy targets each.
func there(rules map[int]Rule) Observed {
	svc := ObservedService{Service: Service{Resource: "a.x", Name: "k8s-a", Domain: "a.x", Tags: identity.All("a.x", nil)}, ARN: "svc/1", State: Active,
		Associations: []Association{{ARN: "snsa/1", Network: "sn-1", State: Active, Own: true}}}
	l := ObservedListener{ARN: "listener/1", Own: true, Default: Action{Answer: 404}, Listener: Listener{Name: "http-80", Port: 80, Protocol: "HTTP", Tags: identity.All("http-80", nil)}}
	seen := Observed{}
	for priority, r := range rules {
		r.Tags = identity.All("rule", map[string]string{OwnerTag: r.Owner})
		l.Has = append(l.Has, ObservedRule{Rule: r, ARN: "rule" + r.Match.String(), Name: "podgate" + r.Match.String(), Priority: priority, Own: true})
		for _, f := range r.Action.Forward {
			if !slices.ContainsFunc(seen.TargetGroups, func(g ObservedTargetGroup) bool { return g.ARN == f.Group }) {
				seen.TargetGroups = append(seen.TargetGroups, has(f.Group))
			}
		}
	}
	svc.Has = []ObservedListener{l}
	seen.Services = []ObservedService{svc}
	return seen
}

// has is a target group that is there.
func has(resource string) ObservedTargetGroup {
	g := groupOf(resource)
	g.Tags = identity.All(resource, nil)
	return ObservedTargetGroup{TargetGroup: g, ARN: resource, State: Active, Services: []string{"svc/1"}, Bound: true, Registered: 2, Healthy: 2, Targets: 2}
}

func steps(p Plan) []string {
	var list []string
	for _, s := range p.Steps {
		list = append(list, s.String())
	}
	return list
}

func TestMake(t *testing.T) {
	old, next := prefix("/", to("old")), prefix("/", to("next"))
	for name, test := range map[string]struct {
		reason string
		stack  Stack
		seen   Observed
		change func(*Stack, *Observed)
		steps  []string
		waits  string
	}{
		"new": {
			reason: "A service and its target groups are made at once.",
			stack:  wants(next),
			steps:  []string{"create target group k8s-next", "create service k8s-a"},
		},
		"settled": {
			reason: "What is as it should be gets no step.",
			stack:  wants(old), seen: there(map[int]Rule{10: old}),
		},
		"keep": {
			reason: "Nothing changes of a stack that cannot be made now.",
			stack:  wants(next), seen: there(map[int]Rule{10: old}),
			change: func(s *Stack, _ *Observed) { s.Keep = true },
		},
		"first rule": {
			reason: "Where nobody gets requests a rule need not wait, and its group is bound when it is in use.",
			stack:  wants(next), seen: there(nil),
			change: func(_ *Stack, o *Observed) {
				g := has("next")
				g.Bound, g.Healthy, g.Services = false, 0, nil
				o.TargetGroups = append(o.TargetGroups, g)
			},
			steps: []string{"create rule 10 of listener/1 for /* of r: forward to next (1)", "create binding ns/k8s-next"},
		},
		"checked first": {
			reason: "A group that is to take over is checked with weight 0 first.",
			stack:  wants(next), seen: there(map[int]Rule{10: old}),
			change: func(_ *Stack, o *Observed) {
				g := has("next")
				g.Bound, g.Healthy, g.Services = false, 0, nil
				o.TargetGroups = append(o.TargetGroups, g)
			},
			steps: []string{"modify rule/*: forward to old (1), next (0)", "create binding ns/k8s-next"},
			waits: "gets requests when its target groups have enough healthy targets",
		},
		"takes over": {
			reason: "Then it takes over, and the old one drains.",
			stack:  wants(next), seen: there(map[int]Rule{10: prefix("/", Action{Forward: []Forward{{"old", 1}, {"next", 0}}})}),
			steps: []string{"modify rule/*: forward to next (1)", "delete binding ns/k8s-old"},
		},
		"too few": {
			reason: "A group with few of its targets healthy does not take over from more.",
			stack:  wants(next), seen: there(map[int]Rule{10: prefix("/", Action{Forward: []Forward{{"old", 1}, {"next", 0}}})}),
			change: func(_ *Stack, o *Observed) { o.TargetGroups[1].Registered, o.TargetGroups[1].Healthy = 4, 1 },
			waits:  "gets requests when its target groups have enough healthy targets",
		},
		"weights": {
			reason: "A canary's weights change at once where both serve.",
			stack:  wants(prefix("/", Action{Forward: []Forward{{"old", 0}, {"next", 100}}})),
			seen:   there(map[int]Rule{10: prefix("/", Action{Forward: []Forward{{"old", 100}, {"next", 0}}})}),
			steps:  []string{"modify rule/*: forward to old (0), next (100)"},
		},
		"special rule": {
			reason: "A rule that takes requests from another one waits for its targets, which are checked there.",
			stack:  wants(prefix("/a", to("next")), old), seen: there(map[int]Rule{10: old}),
			change: func(_ *Stack, o *Observed) {
				g := has("next")
				g.Healthy, g.Services = 0, nil
				o.TargetGroups = append(o.TargetGroups, g)
			},
			steps: []string{"modify rule/*: forward to old (1), next (0)"},
			waits: "The rule for /a*",
		},
		"special rule serves": {
			reason: "It comes ahead of the other one, which forgets its group.",
			stack:  wants(prefix("/a", to("next")), old), seen: there(map[int]Rule{10: prefix("/", Action{Forward: []Forward{{"old", 1}, {"next", 0}}})}),
			steps: []string{"create rule 5 of listener/1 for /a* of r: forward to next (1)", "modify rule/*: forward to old (1)"},
		},
		"order": {
			reason: "Rules change places one by one.",
			stack:  wants(prefix("/a", to("next")), old), seen: there(map[int]Rule{10: old, 11: prefix("/a", to("next"))}),
			steps: []string{"set priority of rule/a*: 5"},
		},
		"no room": {
			reason: "Where no priority is free one is made free.",
			stack:  wants(prefix("/a", to("next")), old), seen: there(map[int]Rule{1: old, 2: prefix("/a", to("next"))}),
			steps: []string{"set priority of rule/a*: 51", "set priority of rule/*: 26", "set priority of rule/a*: 13"},
		},
		"rule goes": {
			reason: "What is not wanted any more goes with its group.",
			stack:  wants(old), seen: there(map[int]Rule{5: prefix("/a", to("next")), 10: old}),
			steps: []string{"delete rule/a*", "delete binding ns/k8s-next"},
		},
		"rule stays": {
			reason: "It stays while the rule that is to get its requests does not serve.",
			stack:  wants(old), seen: there(map[int]Rule{5: prefix("/a", to("next")), 10: old}),
			change: func(_ *Stack, o *Observed) {
				for i := range o.TargetGroups {
					if o.TargetGroups[i].ARN == "old" {
						o.TargetGroups[i].Healthy = 0
					}
				}
			},
			waits: "The rule for /a* goes when those that replace it serve.",
		},
		"full": {
			reason: "Where there is no room for another rule, one that goes becomes it.",
			stack:  wants(next), seen: there(map[int]Rule{10: prefix("/a", to("next"))}),
			change: func(s *Stack, _ *Observed) { s.Quotas.Rules = 1 },
			steps:  []string{"replace rule/a* by rule 20 for /* of r: forward to next (1)"},
		},
		"another owner": {
			reason: "A rule says whose it is.",
			stack:  wants(Rule{Owner: "q", Match: old.Match, Action: old.Action}), seen: there(map[int]Rule{10: old}),
			steps: []string{"tag rule/*: map[podgate.dev/owner:q]"},
		},
		"another protocol": {
			reason: "A port has one protocol.",
			stack:  wants(), seen: there(nil),
			change: func(s *Stack, _ *Observed) { s.Services[0].Listeners[0].Protocol = "HTTPS" },
			steps:  []string{"delete listener/1", "create listener HTTPS:80 of svc/1"},
		},
		"certificate": {
			reason: "A certificate is replaced; that of AWS stays where none is wanted.",
			stack:  wants(), seen: there(nil),
			change: func(s *Stack, _ *Observed) { s.Services[0].Certificate = "cert" },
			steps:  []string{"set certificate of svc/1: cert"},
		},
		"another network": {
			reason: "A service is in its new network before it leaves the old one.",
			stack:  wants(), seen: there(nil),
			change: func(s *Stack, _ *Observed) { s.Network = "sn-2" },
			steps:  []string{"associate svc/1 with network sn-2"},
		},
		"old network": {
			reason: "It leaves the old one then.",
			stack:  wants(), seen: there(nil),
			change: func(s *Stack, o *Observed) {
				s.Network = "sn-2"
				o.Services[0].Associations = append(o.Services[0].Associations, Association{ARN: "snsa/2", Network: "sn-2", State: Active, Own: true})
			},
			steps: []string{"delete snsa/1"},
		},
		"no network": {
			reason: "A network that is not known changes nothing.",
			stack:  wants(), seen: there(nil),
			change: func(s *Stack, _ *Observed) { s.Network = "" },
			waits:  "The service network is not known.",
		},
		"failed service": {
			reason: "A service that AWS could not make goes first.",
			stack:  wants(), seen: there(nil),
			change: func(_ *Stack, o *Observed) { o.Services[0].State, o.Services[0].Associations = CreationFailed, nil },
			steps:  []string{"delete svc/1"},
			waits:  "is made again when the one that is being deleted is gone",
		},
		"gone": {
			reason: "The association goes first, and nothing of its groups is touched while the service is there.",
			stack:  Stack{Identity: identity}, seen: there(map[int]Rule{10: old}),
			steps: []string{"delete snsa/1"},
			waits: "Service k8s-a is deleted when it is in no network.",
		},
		"gone from the network": {
			reason: "Then the service goes.",
			stack:  Stack{Identity: identity}, seen: there(map[int]Rule{10: old}),
			change: func(_ *Stack, o *Observed) { o.Services[0].Associations = nil },
			steps:  []string{"delete svc/1"},
		},
		"service gone": {
			reason: "Then the binding goes, whose targets drain.",
			stack:  Stack{Identity: identity}, seen: Observed{TargetGroups: []ObservedTargetGroup{has("old")}},
			change: func(_ *Stack, o *Observed) { o.TargetGroups[0].Services = nil },
			steps:  []string{"delete binding ns/k8s-old"},
		},
		"binding gone": {
			reason: "Targets that nobody deregistered do not hold up the deletion.",
			stack:  Stack{Identity: identity}, seen: Observed{TargetGroups: []ObservedTargetGroup{has("old")}},
			change: func(_ *Stack, o *Observed) { o.TargetGroups[0].Services, o.TargetGroups[0].Bound = nil, false },
			steps:  []string{"deregister all targets of old"},
		},
		"draining": {
			reason: "A group with draining targets cannot be deleted.",
			stack:  Stack{Identity: identity}, seen: Observed{TargetGroups: []ObservedTargetGroup{has("old")}},
			change: func(_ *Stack, o *Observed) {
				g := &o.TargetGroups[0]
				g.Services, g.Bound, g.Registered, g.Healthy = nil, false, 0, 0
			},
			waits: "is deleted when its targets have drained",
		},
		"empty": {
			reason: "At last the group goes.",
			stack:  Stack{Identity: identity}, seen: Observed{TargetGroups: []ObservedTargetGroup{has("old")}},
			change: func(_ *Stack, o *Observed) {
				g := &o.TargetGroups[0]
				g.Services, g.Bound, g.Registered, g.Healthy, g.Targets = nil, false, 0, 0, 0
			},
			steps: []string{"delete old"},
		},
		"health check": {
			reason: "What is not asked for stays as it is.",
			stack:  wants(old), seen: there(map[int]Rule{10: old}),
			change: func(s *Stack, o *Observed) {
				s.Services[0].TargetGroups[0].HealthCheck.Path = "/health"
				o.TargetGroups[0].HealthCheck = HealthCheck{Path: "/", Interval: 30}
			},
			steps: []string{"set health check of old"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if test.change != nil {
				test.change(&test.stack, &test.seen)
			}
			plan := Make(test.stack, test.seen)
			if diff := cmp.Diff(test.steps, steps(plan)); diff != "" {
				t.Errorf("%s\n%s", test.reason, diff)
			}
			said := false
			for _, w := range plan.Waits {
				said = said || test.waits != "" && strings.Contains(w.Message, test.waits)
			}
			if said != (test.waits != "") || len(plan.Refusals) > 0 || test.waits == "" && strings.Contains(name, "settled") && len(plan.Waits) > 0 {
				t.Errorf("%s Waits are %v, want one with %q. Refusals are %v, want none", test.reason, plan.Waits, test.waits, plan.Refusals)
			}
		})
	}
}

// TestLaw13LatticeStrangers: what does not carry the stack's tags is neither changed nor deleted, nor what it is a part of.
func TestLaw13LatticeStrangers(t *testing.T) {
	theirs := ObservedRule{ARN: "rule/theirs", Priority: 1, Rule: Rule{Match: Match{Path: "/"}, Action: Action{Answer: 404}}}
	for name, test := range map[string]struct {
		stack  Stack
		seen   Observed
		change func(*Observed)
		says   string
	}{
		"name of a service":       {stack: wants(), change: func(o *Observed) { o.Foreign = map[string]string{"k8s-a": "cluster d"} }, says: "A service named k8s-a exists and is not this stack's (cluster d). Delete it."},
		"rule of a service":       {stack: Stack{Identity: identity}, seen: there(nil), change: func(o *Observed) { o.Services[0].Has[0].Has = append(o.Services[0].Has[0].Has, theirs) }, says: "has listeners or rules that podgate did not make"},
		"listener of a service":   {stack: Stack{Identity: identity}, seen: there(nil), change: func(o *Observed) { o.Services[0].Has[0].Own = false }, says: "has listeners or rules that podgate did not make"},
		"association":             {stack: Stack{Identity: identity}, seen: there(nil), change: func(o *Observed) { o.Services[0].Associations[0].Own = false }, says: "by an association that podgate did not make"},
		"listener at a port":      {stack: wants(prefix("/", Action{Answer: 500})), seen: there(nil), change: func(o *Observed) { o.Services[0].Has[0].Own = false }, says: "has a listener at port 80 that podgate did not make"},
		"service of a group":      {stack: Stack{Identity: identity}, seen: Observed{TargetGroups: []ObservedTargetGroup{has("old")}}, says: "Target group k8s-old is used by a listener or a rule that podgate did not make"},
		"rule with another group": {stack: wants(), seen: there(nil), change: func(o *Observed) { o.Services[0].Has[0].Has = append(o.Services[0].Has[0].Has, theirs) }},
	} {
		t.Run(name, func(t *testing.T) {
			if test.change != nil {
				test.change(&test.seen)
			}
			plan := Make(test.stack, test.seen)
			for _, s := range steps(plan) {
				if !strings.HasPrefix(s, "create target group") {
					t.Errorf("step %s, want none", s)
				}
			}
			said := slices.ContainsFunc(plan.Refusals, func(r Refusal) bool { return strings.Contains(r.Message, test.says) })
			if said != (test.says != "") {
				t.Errorf("refusals are %v, want one with %q", plan.Refusals, test.says)
			}
		})
	}
}

func TestOverlaps(t *testing.T) {
	v := func(value string) []Header { return []Header{{Name: "V", Value: value}} }
	for _, test := range []struct {
		a, b Match
		want bool
	}{
		{Match{Path: "/a"}, Match{Path: "/a"}, true},
		{Match{Path: "/a"}, Match{Path: "/b"}, false},
		{Match{Path: "/a"}, Match{Path: "/", Prefix: true}, true},
		{Match{Path: "/a", Prefix: true}, Match{Path: "/b"}, false},
		{Match{Path: "/a", Prefix: true}, Match{Path: "/a/b", Prefix: true}, true},
		{Match{Path: "/a", Prefix: true}, Match{Path: "/b", Prefix: true}, false},
		{Match{Path: "/a", Method: "GET"}, Match{Path: "/a"}, true},
		{Match{Path: "/a", Method: "GET"}, Match{Path: "/a", Method: "GET"}, true},
		{Match{Path: "/a", Method: "GET"}, Match{Path: "/a", Method: "PUT"}, false},
		{Match{Path: "/a", Headers: v("1")}, Match{Path: "/a", Headers: []Header{{Name: "v", Value: "2"}}}, false},
		{Match{Path: "/a", Headers: v("1")}, Match{Path: "/a", Headers: []Header{{Name: "w", Value: "2"}}}, true},
		{Match{Path: "/a", Headers: v("1")}, Match{Path: "/a", Headers: v("1")}, true},
	} {
		if test.a.overlaps(test.b) != test.want || test.b.overlaps(test.a) != test.want {
			t.Errorf("%v and %v: want %v", test.a, test.b, test.want)
		}
	}
	if !(Match{Headers: []Header{{"A", "1"}, {"b", "2"}}}).Same(Match{Headers: []Header{{"B", "2"}, {"a", "1"}}}) {
		t.Error("the order of headers and the case of their names mean nothing")
	}
	if (Match{Headers: v("A")}).Same(Match{Headers: v("a")}) {
		t.Error("the case of a header's value matters")
	}
}
