// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package lattice

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// The generated stacks are small, so that what they want collides as often as possible.
var (
	someHosts = []string{"a.x", "b.x"}
	somePorts = []int32{80, 443}
	someRules = []Match{
		{Path: "/", Prefix: true}, {Path: "/a"}, {Path: "/a/", Prefix: true}, {Path: "/b"}, {Path: "/b", Method: "GET"},
		{Path: "/", Prefix: true, Method: "POST"}, {Path: "/", Prefix: true, Headers: []Header{{Name: "v", Value: "1"}}},
	}
)

// requests are all that differ for those stacks.
func requests() []request {
	var list []request
	for _, host := range someHosts {
		for _, port := range somePorts {
			for _, path := range []string{"/a", "/a/b", "/b", "/c"} {
				for _, method := range []string{"GET", "POST"} {
					for _, header := range []string{"", "1"} {
						list = append(list, request{host: host, port: port, path: path, method: method, header: header})
					}
				}
			}
		}
	}
	return list
}

// generator makes stacks. Kinds of groups are drawn anew only now and then, so that most changes are small.
type generator struct {
	*rand.Rand
	kinds map[string]string
}

func pick[T any](g *generator, values []T) T { return values[g.IntN(len(values))] }

func (g *generator) rarely() bool { return g.IntN(8) == 0 }

func (g *generator) stack() Stack {
	s := Stack{Identity: Identity{Tags: map[string]string{"cluster": "c", "stack": "s"}, ResourceTag: "resource"}, Network: "sn-1", Keep: g.IntN(20) == 0}
	s.Quotas = Quotas{Rules: 4 + g.IntN(7), Listeners: 2, TargetGroups: 10}
	if g.rarely() {
		s.Network = pick(g, []string{"sn-2", ""})
	}
	if g.IntN(12) == 0 {
		return s
	}
	for _, host := range someHosts {
		if !g.rarely() {
			s.Services = append(s.Services, g.service(host, s.Quotas.Rules))
		}
	}
	return s
}

func (g *generator) service(host string, most int) Service {
	s := Service{Resource: host, Name: "k8s-" + host[:1], Domain: host, Certificate: pick(g, []string{"", "cert/1", "cert/2"})}
	for _, port := range somePorts {
		if g.rarely() {
			continue
		}
		l := Listener{Name: fmt.Sprint("port-", port), Port: port, Protocol: "HTTP"}
		if g.IntN(16) == 0 {
			l.Protocol = "HTTPS"
		}
		for _, i := range g.Perm(len(someRules))[:g.IntN(min(len(someRules), most)+1)] {
			l.Rules = append(l.Rules, Rule{Owner: pick(g, []string{"ns/a", "ns/b"}), Match: someRules[i], Action: g.action(&s)})
		}
		s.Listeners = append(s.Listeners, l)
	}
	return s
}

func (g *generator) action(s *Service) Action {
	if g.rarely() {
		return Action{Answer: 500}
	}

	var a Action
	for range 1 + g.IntN(10)/7 {
		resource := s.Resource + "|ns/" + pick(g, []string{"one", "two", "three"}) + ":80"
		if a.names(resource) {
			continue
		}
		a.Forward = append(a.Forward, Forward{Group: resource, Weight: pick(g, []int32{1, 1, 50, 0})})
		if !slices.ContainsFunc(s.TargetGroups, func(t TargetGroup) bool { return t.Resource == resource }) {
			s.TargetGroups = append(s.TargetGroups, g.targetGroup(resource))
		}
	}
	if len(a.weighted()) == 0 {
		a.Forward[0].Weight = 1
	}
	return a
}

func (g *generator) targetGroup(resource string) TargetGroup {
	if g.kinds == nil {
		g.kinds = map[string]string{}
	}
	if g.kinds[resource] == "" || g.rarely() {
		g.kinds[resource] = pick(g, []string{"HTTP1", "HTTP2"})
	}
	version := g.kinds[resource]
	return TargetGroup{Resource: resource, Name: "k8s-" + resource + version, VPC: "vpc", Protocol: "HTTP", Version: version, Port: 80, AddressType: "IPV4",
		HealthCheck: HealthCheck{Path: pick(g, []string{"/", "/health"})}, Binding: Binding{Namespace: "ns", Service: resource, Port: 80}}
}

// theirs makes what somebody else has: a rule on a listener of the stack, an association, names that it wants.
func (w *world) theirs(g *generator) {
	if len(w.seen.Services) == 0 {
		if g.rarely() {
			w.seen.Foreign = map[string]string{"k8s-b": "cluster other"}
		}
		return
	}
	s := &w.seen.Services[g.IntN(len(w.seen.Services))]
	switch g.IntN(3) {
	case 0:
		if len(s.Has) > 0 && s.State == Active {
			l := &s.Has[g.IntN(len(s.Has))]
			priority := pick(g, []int{1, 5, 10, 11, 100})
			if !slices.ContainsFunc(l.Has, func(r ObservedRule) bool { return r.Priority == priority }) && len(l.Has) < 3 {
				l.Has = append(l.Has, ObservedRule{ARN: w.arn("theirs"), Name: w.arn("theirs"), Priority: priority, Rule: Rule{Match: Match{Path: "/theirs"}, Action: Action{Answer: 404}}})
			}
		}
	case 1:
		if s.State == Active && !slices.ContainsFunc(s.Associations, func(a Association) bool { return a.Network == "sn-9" }) {
			s.Associations = append(s.Associations, Association{ARN: w.arn("theirs"), Network: "sn-9", State: Active})
		}
	}
}

// foreign is all that is somebody else's.
func (w *world) foreign() string {
	var list []any
	for _, s := range w.seen.Services {
		for _, a := range s.Associations {
			if !a.Own {
				list = append(list, a)
			}
		}
		for _, l := range s.Has {
			for _, r := range l.Has {
				if !r.Own {
					list = append(list, r)
				}
			}
		}
	}
	return show(list)
}

func show(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// step applies a step, and fails if it breaks a law.
func (w *world) step(s Step) {
	foreign, promised := w.foreign(), w.promised()
	w.apply(s)
	if now := w.foreign(); now != foreign {
		w.fatalf("law 13: what is somebody else's changed from\n%s\nto\n%s", foreign, now)
	}
	for r := range promised {
		if !w.served(r) {
			w.fatalf("law 14: %+v is not served any more, but gets to %s\n%s", r, show(w.gets(r)), show(w.seen.TargetGroups))
		}
	}
}

// pass plans, and applies steps until one fails, if any does. It reports whether anything changed.
func (w *world) pass(g *generator) bool {
	steps := Make(w.stack, w.look()).Steps
	for i, s := range steps {
		if g.IntN(20) == 0 {
			return i > 0
		}
		w.step(s)
	}
	return len(steps) > 0
}

// settle plans, applies and waits until there is nothing to do.
func (w *world) settle(g *generator, rounds int) bool {
	quiet := 0
	for range rounds {
		if w.pass(g) {
			quiet = 0
		} else if quiet++; quiet > 8 {
			return true
		}
		w.tick()
	}
	return false
}

// TestLaw14RandomLatticeStacks changes stacks at random moments, gives plans up anywhere, lets targets fail, and has strangers
// around. At every moment laws 13 and 14 hold, and in the end all is as it should be. Where a listener is full and one rule after the
// other cannot be replaced without a loss, that is said.
func TestLaw14RandomLatticeStacks(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	stuck := 0
	for seed := uint64(0); seed < cases; seed++ {
		w := newWorld(t)
		w.log = append(w.log, fmt.Sprintf("seed %d", seed))
		g := &generator{Rand: rand.New(rand.NewPCG(seed, 14))}
		for range 2 + g.IntN(4) {
			w.stack = g.stack()
			w.log = append(w.log, brief(w.stack))
			for _, s := range w.stack.Services {
				for _, t := range s.TargetGroups {
					w.sizes[t.Resource], w.broken[t.Resource] = g.IntN(5), g.IntN(4) == 0
				}
			}
			if g.IntN(3) == 0 {
				w.theirs(g)
			}
			w.settle(g, g.IntN(30))
		}

		for resource := range w.sizes {
			w.sizes[resource], w.broken[resource] = 3, false
		}
		w.log = append(w.log, "all healthy")
		if !w.settle(g, 1000) {
			w.fatalf("no end: %v", Make(w.stack, w.look()))
		}
		if slices.ContainsFunc(Make(w.stack, w.look()).Waits, func(wait Wait) bool { return strings.Contains(wait.Message, "may have no more") }) {
			stuck++
			continue
		}
		w.arrived()
	}
	if t.Logf("%d of %d wait for room", stuck, cases); stuck > cases/30 {
		t.Errorf("want at most a thirtieth that waits for room")
	}
}

// arrived fails unless everything is as the stack wants it, but for what is refused.
func (w *world) arrived() {
	plan := Make(w.stack, w.look())
	if len(plan.Refusals) > 0 || w.stack.Keep {
		return
	}
	if len(plan.Waits) > 0 && w.stack.Network != "" {
		w.fatalf("still waits: %v", plan.Waits)
	}
	groups := 0
	for _, want := range w.stack.Services {
		groups += len(want.TargetGroups)
		w.serviceArrived(want)
	}
	if len(w.seen.Services) != len(w.stack.Services) || len(w.seen.TargetGroups) != groups {
		w.fatalf("left over: %s", show(w.seen))
	}
}

func (w *world) serviceArrived(want Service) {
	i := slices.IndexFunc(w.seen.Services, func(s ObservedService) bool { return s.Resource == want.Resource })
	if i < 0 {
		w.fatalf("no service %s", want.Resource)
	}
	has := w.seen.Services[i]
	if len(has.Has) != len(want.Listeners) || want.Certificate != "" && has.Certificate != want.Certificate {
		w.fatalf("want %s\ngot %s", show(want), show(has))
	}
	for _, l := range want.Listeners {
		j := slices.IndexFunc(has.Has, func(o ObservedListener) bool { return o.Port == l.Port && o.Protocol == l.Protocol })
		if j < 0 {
			w.fatalf("no listener at %d", l.Port)
		}
		rules := slices.DeleteFunc(slices.Clone(has.Has[j].Has), func(r ObservedRule) bool { return !r.Own })
		slices.SortFunc(rules, func(a, b ObservedRule) int { return a.Priority - b.Priority })
		if len(rules) != len(l.Rules) {
			w.fatalf("want rules %s\ngot %s", show(l.Rules), show(rules))
		}
		for k, r := range rules {
			a := Action{Answer: r.Action.Answer}
			for _, f := range r.Action.Forward {
				a.Forward = append(a.Forward, Forward{Group: w.group(f.Group).Resource, Weight: f.Weight})
			}
			if !r.Match.Same(l.Rules[k].Match) || !a.same(l.Rules[k].Action) || r.Owner != l.Rules[k].Owner {
				w.fatalf("want rule %s\ngot %s", show(l.Rules[k]), show(r))
			}
		}
	}
}

// brief is what matters most of a stack.
func brief(s Stack) string {
	text := fmt.Sprintf("stack in %s, keep %v, %d rules", s.Network, s.Keep, s.Quotas.Rules)
	for _, v := range s.Services {
		text += "\n  " + v.Resource
		for _, l := range v.Listeners {
			text += fmt.Sprintf("\n    %s:%d", l.Protocol, l.Port)
			for _, r := range l.Rules {
				text += fmt.Sprintf("\n      %s %s: %s", r.Owner, r.Match, r.Action)
			}
		}
	}
	return text
}

const cases = 150
