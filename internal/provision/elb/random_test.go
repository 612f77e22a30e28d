// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package elb

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/podgate/podgate/internal/route"
)

// The generated stacks are small, so that what they want collides as often as possible.
var (
	someHosts  = [][]string{nil, {"a.x"}, {"b.x"}, {"*.x"}, {"a.x", "b.x"}}
	somePaths  = [][]string{{"/*"}, {"/a"}, {"/a*"}, {"/b"}, nil}
	somePorts  = []int32{80, 8080}
	someOwners = []string{"ns/a", "ns/b", "ns/c"}
)

// requests are all that differ for those stacks.
func requests() []request {
	var list []request
	for _, port := range somePorts {
		for _, host := range []string{"a.x", "b.x", "c.x", "y"} {
			for _, path := range []string{"/a", "/ab", "/b", "/c"} {
				list = append(list, request{port: port, host: host, path: path})
			}
		}
	}
	return list
}

// generator makes stacks. Types, scheme and names are drawn anew only now and then, so that most changes are small.
type generator struct {
	*rand.Rand
	scheme, name string
	types        map[string]string
}

func pick[T any](g *generator, values []T) T { return values[g.IntN(len(values))] }

func (g *generator) rarely() bool { return g.IntN(8) == 0 }

// stack makes a stack. keep are owners that cannot be built.
func (g *generator) stack() Stack {
	if g.scheme == "" || g.rarely() {
		g.scheme = pick(g, []string{"internal", "internet-facing"})
	}
	if g.name == "" || g.rarely() {
		g.name = pick(g, []string{"web", "k8s-shop-web-0123456789-01234567"})
	}
	if g.types == nil {
		g.types = map[string]string{}
	}

	s := Stack{Identity: Identity{Tags: map[string]string{"cluster": "c", "stack": "s"}, ResourceTag: "resource"}}
	if g.IntN(12) == 0 {
		return s
	}
	s.LoadBalancer = LoadBalancer{Resource: "LoadBalancer", Kind: Application, Name: g.name, Scheme: g.scheme, AddressType: pick(g, []string{"ipv4", "dualstack"}), Subnets: []string{"subnet-1", pick(g, []string{"subnet-2", "subnet-3"})},
		SubnetsNamed: g.rarely(), Attributes: map[string]string{"idle_timeout.timeout_seconds": pick(g, []string{"60", "90"})}, Tags: map[string]string{"team": pick(g, []string{"a", "b"})}}
	if g.rarely() {
		s.LoadBalancer.SecurityGroups = []string{"sg/theirs"}
	} else {
		s.SecurityGroup = &SecurityGroup{Resource: "ManagedLBSecurityGroup", Name: "web", VPC: "vpc", Ingress: []Permission{{Protocol: "tcp", From: 80, To: 80, CIDR: pick(g, []string{"0.0.0.0/0", "10.0.0.0/8"})}}}
	}

	for _, owner := range someOwners {
		if g.rarely() {
			s.Keep = append(s.Keep, owner)
		}
	}
	for _, port := range somePorts {
		if g.IntN(4) > 0 || port == 80 && len(s.Keep) < len(someOwners) {
			s.Listeners = append(s.Listeners, g.listener(&s, port))
		}
	}
	return s
}

func (g *generator) listener(s *Stack, port int32) Listener {
	l := Listener{Resource: fmt.Sprint(port), Port: port, Protocol: "HTTP", Default: Action{Answer: &route.Answer{Status: 404, ContentType: "text/plain"}}}
	if g.rarely() {
		l.Protocol, l.Certificates = "HTTPS", slices.Clone([][]string{{"cert/1"}, {"cert/2", "cert/1"}, {"cert/1", "cert/3"}}[g.IntN(3)])
	}
	if g.IntN(3) == 0 {
		l.Default = g.action(s, pick(g, someOwners))
	}
	for range g.IntN(6) {
		owner := pick(g, someOwners)
		if slices.Contains(s.Keep, owner) {
			continue
		}
		l.Rules = append(l.Rules, Rule{Owner: owner, Match: route.Match{Hosts: pick(g, someHosts), Paths: pick(g, somePaths)}, Action: g.action(s, owner)})
	}
	for _, owner := range s.Keep {
		if g.IntN(3) > 0 {
			l.Rules = slices.Insert(l.Rules, g.IntN(len(l.Rules)+1), Rule{Owner: owner, Kept: true})
		}
	}
	return l
}

func (g *generator) action(s *Stack, owner string) Action {
	switch g.IntN(8) {
	case 0:
		return Action{Redirect: &route.Redirect{Status: 301, Protocol: "HTTPS", Port: pick(g, []string{"443", "8443"})}}
	case 1:
		return Action{Answer: &route.Answer{Status: pick(g, []int{200, 403}), ContentType: "text/plain"}}
	}

	var a Action
	for range 1 + g.IntN(10)/7 + g.IntN(20)/19*3 {
		resource := owner + "-" + pick(g, []string{"one", "two", "three", "four"}) + ":80"
		if slices.ContainsFunc(a.Forward, func(f Forward) bool { return f.Group == resource }) {
			continue
		}
		a.Forward = append(a.Forward, Forward{Group: resource, Weight: pick(g, []int32{1, 1, 50, 0})})
		if !slices.ContainsFunc(s.TargetGroups, func(t TargetGroup) bool { return t.Resource == resource }) {
			s.TargetGroups = append(s.TargetGroups, g.targetGroup(owner, resource))
		}
	}
	return a
}

func (g *generator) targetGroup(owner, resource string) TargetGroup {
	if g.types[resource] == "" || g.rarely() {
		g.types[resource] = pick(g, []string{"ip", "instance"})
	}
	// Some names say the type, as those of AWS Load Balancer Controller do, and some are cut short.
	name := "k8s-" + resource[3:4] + "-" + resource[5:len(resource)-3] + "-0123456789"
	if owner != "ns/a" {
		name += "-" + g.types[resource]
	}
	return TargetGroup{Resource: resource, Owner: owner, Name: name, VPC: "vpc", Protocol: "HTTP", Version: "HTTP1", Port: 80, TargetType: g.types[resource], AddressType: "ipv4",
		HealthCheck: HealthCheck{Path: pick(g, []string{"/", "/health"})}, Attributes: map[string]string{"deregistration_delay.timeout_seconds": pick(g, []string{"30", "60"})},
		Binding: Binding{Namespace: "ns", Service: resource, Port: "80", Nodes: map[string]string{"pool": pick(g, []string{"a", "b"})}}}
}

// theirs makes what somebody else has: a rule on a listener of the stack, a listener on its load balancer, a target group with
// a name that it wants, a load balancer that is protected.
func (w *world) theirs(g *generator) {
	switch i := g.IntN(4); {
	case i == 0 && len(w.stack.TargetGroups) > 0:
		w.seen.Foreign = merged(w.seen.Foreign, map[string]string{pick(g, w.stack.TargetGroups).Name: "cluster other"})
		for _, tg := range w.seen.TargetGroups {
			delete(w.seen.Foreign, tg.Name)
		}
	case len(w.seen.LoadBalancers) == 0:
	case i == 1:
		lb := &w.seen.LoadBalancers[g.IntN(len(w.seen.LoadBalancers))]
		if len(lb.Listeners) == 0 {
			return
		}
		l := &lb.Listeners[g.IntN(len(lb.Listeners))]
		priority := pick(g, []int{1, 2, 3, 7, 50000})
		if slices.ContainsFunc(l.Has, func(r ObservedRule) bool { return r.Priority == priority }) {
			return
		}
		l.Has = append(l.Has, ObservedRule{ARN: w.arn("rule"), Priority: priority, Rule: Rule{Match: route.Match{Paths: []string{"/b"}}, Action: Action{Forward: []Forward{{Group: "theirs", Weight: 1}}}}})
	case i == 2:
		lb := &w.seen.LoadBalancers[g.IntN(len(w.seen.LoadBalancers))]
		if !slices.ContainsFunc(lb.Listeners, func(l ObservedListener) bool { return l.Port == 8080 }) {
			lb.Listeners = append(lb.Listeners, ObservedListener{ARN: w.arn("listener"), Listener: Listener{Port: 8080, Protocol: "HTTP", Default: Action{Forward: []Forward{{Group: "theirs", Weight: 1}}}}})
		}
	case i == 3 && g.rarely():
		lb := &w.seen.LoadBalancers[g.IntN(len(w.seen.LoadBalancers))]
		lb.Protected, lb.Attributes = true, merged(lb.Attributes, map[string]string{protection: "true"})
	}
}

// foreign is all that the stack must leave alone, in order.
func (w *world) foreign() string {
	var list []any
	for _, lb := range w.seen.LoadBalancers {
		for _, l := range lb.Listeners {
			if !l.Own {
				list = append(list, lb.ARN, l)
			}
			for _, r := range l.Has {
				if !r.Own {
					list = append(list, l.ARN, r)
				}
			}
		}
	}
	text, err := json.Marshal(list)
	if err != nil {
		w.fatalf("%v", err)
	}
	return string(text)
}

// live are the load balancers that clients may still know.
func (w *world) live() []string {
	var list []string
	for _, lb := range w.seen.LoadBalancers {
		if lb.Published || !w.unnamed[lb.ARN].IsZero() && w.now.Before(w.unnamed[lb.ARN].Add(retirement)) {
			list = append(list, lb.ARN)
		}
	}
	return list
}

// promised are the requests to a load balancer that are served, and that the stack wants to be served.
func (w *world) promised(lb *ObservedLoadBalancer) map[request]bool {
	list := map[request]bool{}
	for _, r := range requests() {
		if served, by := w.served(lb, r); served && (by == nil || by.Own) && w.wants(lb, r, by) {
			list[r] = true
		}
	}
	return list
}

// wants reports whether the stack has something that serves a request. The default action counts for the owners who are still
// in the stack.
func (w *world) wants(lb *ObservedLoadBalancer, r request, by *ObservedRule) bool {
	kept := func(owner string) (Action, bool) {
		var first *ObservedRule
		for _, l := range lb.Listeners {
			for _, o := range l.Has {
				if l.Port == r.port && o.Own && o.Owner == owner && matches(o.Match, r) && (first == nil || o.Priority < first.Priority) {
					first = &o
				}
			}
		}
		if first == nil {
			return Action{}, false
		}
		return first.Action, true
	}

	for _, l := range w.stack.Listeners {
		if l.Port != r.port {
			continue
		}
		for _, rule := range l.Rules {
			if rule.Kept {
				if a, ok := kept(rule.Owner); ok {
					return destination(a)
				}
			} else if matches(rule.Match, r) {
				return destination(rule.Action)
			}
		}
		for _, owner := range w.stack.Keep {
			if a, ok := kept(owner); ok {
				return destination(a)
			}
		}
		stays := by == nil || slices.ContainsFunc(w.stack.TargetGroups, func(t TargetGroup) bool { return t.Owner == by.Owner })
		return stays && destination(l.Default)
	}
	// A listener that its owner alone wants stays while that one cannot be built.
	return by != nil && slices.Contains(w.stack.Keep, by.Owner)
}

func destination(a Action) bool {
	return a.Redirect != nil || a.Answer != nil && a.Answer.Status < 400 || len(weighted(a)) > 0
}

// step applies a step, and fails if it breaks a law.
func (w *world) step(s Step) {
	foreign := w.foreign()
	before := map[string]map[request]bool{}
	for _, arn := range w.live() {
		before[arn] = w.promised(w.lb(arn))
	}

	active := w.active()
	for _, g := range w.seen.TargetGroups {
		w.busy[g.ARN] = w.busy[g.ARN] || active[g.ARN] && w.health(g.ARN).Healthy > 0
	}

	w.apply(s)

	w.finishes(s)
	if now := w.foreign(); now != foreign {
		w.fatalf("law 13: what is somebody else's changed from\n%s\nto\n%s", foreign, now)
	}
	for arn, promised := range before {
		if slices.ContainsFunc(w.seen.LoadBalancers, func(lb ObservedLoadBalancer) bool { return lb.ARN == arn }) {
			w.keeps(promised, w.lb(arn))
		} else if len(w.stack.Listeners)+len(w.stack.Keep) > 0 {
			w.fatalf("law 14: %s is deleted while clients know it", arn)
		}
	}
}

// finishes fails if a step cuts off requests: targets are taken out of a group that nothing names, so that they do not drain. It
// forgives where a listener goes, where there may be no room for a rule that names the group, and where the group was still wanted
// when the last one left it.
func (w *world) finishes(s Step) {
	forgiven := w.stack.LoadBalancer.Kind == Network
	switch s := s.(type) {
	case DeleteListener, DeleteLoadBalancer:
		forgiven = true
	case ModifyListener:
		forgiven = w.stack.MostRules > 0 || !w.wantsListener(s.ARN)
	case ModifyRule, ReplaceRule:
		forgiven = w.stack.MostRules > 0
	case DeleteRule:
		forgiven = !w.wantsListener(w.deleted)
	}
	for _, g := range w.seen.TargetGroups {
		if g.LoadBalancer != "" {
			continue
		}
		wanted := newPlanner(w.stack, w.seen, w.now).groups[g.Resource]
		if forgiven || wanted != nil && wanted.ARN == g.ARN {
			delete(w.busy, g.ARN)
		}
		if w.busy[g.ARN] && (g.Unbinding || w.draining[g.ARN] > 0) {
			w.fatalf("law 14: requests to %s are cut off", g.ARN)
		}
		delete(w.draining, g.ARN)
	}
}

// wantsListener reports whether the stack wants a listener at the port that one has.
func (w *world) wantsListener(arn string) bool {
	_, l := w.listener(arn)
	return slices.ContainsFunc(w.stack.Listeners, func(want Listener) bool { return want.Port == l.Port })
}

// keeps fails unless a load balancer serves these requests.
func (w *world) keeps(promised map[request]bool, lb *ObservedLoadBalancer) {
	for r := range promised {
		if served, by := w.served(lb, r); !served {
			health := ""
			for _, g := range w.seen.TargetGroups {
				health += fmt.Sprintf("\n%s %s of %s: %+v", g.ARN, g.Resource, g.LoadBalancer, w.health(g.ARN))
			}
			w.fatalf("law 14: %s at %s is not served any more, but gets to %s%s", r, lb.ARN, show(by), health)
		}
	}
}

// name has the cluster name what it may, and fails if that serves less than what it named before. It reports whether that is
// another load balancer.
func (w *world) name() bool {
	var before map[request]bool
	for i := range w.seen.LoadBalancers {
		if lb := &w.seen.LoadBalancers[i]; lb.Published {
			before = w.promised(lb)
		}
	}
	if !w.publish() {
		return false
	}
	for i := range w.seen.LoadBalancers {
		if lb := &w.seen.LoadBalancers[i]; lb.Published {
			w.keeps(before, lb)
			if lb.State != "active" {
				w.fatalf("law 14: %s is named and %s", lb.ARN, lb.State)
			}
		}
	}
	return true
}

// brief is what matters most of a stack.
func brief(s Stack) string {
	text := fmt.Sprintf("stack %s %s, keeps %v", s.LoadBalancer.Name, s.LoadBalancer.Scheme, s.Keep)
	for _, l := range s.Listeners {
		text += fmt.Sprintf("\n  %s:%d else %s", l.Protocol, l.Port, actionKey(l.Default))
		for _, r := range l.Rules {
			text += fmt.Sprintf("\n    %s kept:%v %s: %s", r.Owner, r.Kept, describe(r.Match), actionKey(r.Action))
		}
	}
	for _, t := range s.TargetGroups {
		text += fmt.Sprintf("\n  %s: %s %s", t.Resource, t.Name, t.TargetType)
	}
	return text
}

func show(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// settle looks, plans, applies and waits until there is nothing to do.
func (w *world) settle(g *generator, rounds int) bool {
	quiet := 0
	for range rounds {
		if w.pass(g) {
			quiet = 0
		} else if quiet++; quiet > 8 {
			return true
		}
		for _, wait := range Make(w.stack, w.look(), w.now).Waits {
			if (quiet > 2 || g.IntN(2) == 0) && wait.Until.After(w.now) {
				w.now = wait.Until
			}
		}
		w.tick()
	}
	return false
}

// pass reads the health of targets once, and applies steps until there are none. It may end anywhere, and steps may fail. It
// reports whether anything changed.
func (w *world) pass(g *generator) bool {
	w.read()
	changed := false
	for n := 0; g.IntN(30) > 0; n++ {
		steps := Make(w.stack, w.look(), w.now).Steps
		if len(steps) == 0 {
			break
		}
		if n > 300 {
			w.fatalf("steps without end: %v", steps)
		}
		if g.IntN(4) > 0 {
			w.step(steps[0])
		} else {
			w.step(pick(g, steps))
		}
		changed = true
	}
	return w.name() || changed
}

// TestLaw14RandomStacks changes stacks at random moments, gives plans up anywhere, lets targets fail, and has strangers
// around. At every moment laws 13 and 14 hold, and in the end all is as it should be.
func TestLaw14RandomStacks(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	for seed := uint64(0); seed < cases; seed++ {
		w := newWorld(t)
		w.log = append(w.log, fmt.Sprintf("seed %d", seed))
		g := &generator{Rand: rand.New(rand.NewPCG(seed, 14))}
		for range 2 + g.IntN(4) {
			w.stack = g.stack()
			w.log = append(w.log, brief(w.stack))
			for _, t := range w.stack.TargetGroups {
				w.sizes[t.Resource], w.broken[t.Resource] = g.IntN(5), g.IntN(4) == 0
			}
			if g.IntN(3) == 0 {
				w.theirs(g)
			}
			for i := range w.seen.LoadBalancers {
				if lb := &w.seen.LoadBalancers[i]; lb.State == "provisioning" && g.rarely() {
					lb.State = failed
				}
			}
			w.settle(g, g.IntN(30))
		}

		for resource := range w.sizes {
			w.sizes[resource], w.broken[resource] = 3, false
		}
		if !w.settle(g, 1000) {
			w.fatalf("no end: %v", Make(w.stack, w.look(), w.now))
		}
		w.arrived()
	}
}

// full reports whether the load balancer has as many rules as it may have.
func (w *world) full() bool {
	rules := 0
	for _, lb := range w.seen.LoadBalancers {
		for _, l := range lb.Listeners {
			rules += len(l.Has)
		}
	}
	return len(w.seen.LoadBalancers) == 1 && rules == w.stack.MostRules
}

// quota has a load balancer have no more rules, and takes as many from a stack as that allows.
func (s *Stack) quota(most int) {
	s.MostRules = most
	for i := range s.Listeners {
		l := &s.Listeners[i]
		l.Rules = l.Rules[:min(len(l.Rules), most)]
		most -= len(l.Rules)
	}
	used := map[string]bool{}
	for _, l := range s.Listeners {
		for _, r := range append(l.Rules, Rule{Action: l.Default}) {
			for _, f := range r.Action.Forward {
				used[f.Group] = true
			}
		}
	}
	s.TargetGroups = slices.DeleteFunc(s.TargetGroups, func(g TargetGroup) bool { return !used[g.Resource] })
}

// TestLaw14RandomStacksAtTheQuota: the same where a load balancer may have so few rules that there is no room for one that comes
// beside those that go. No request is lost, and nearly all arrives. Where it cannot without a loss, that is said.
func TestLaw14RandomStacksAtTheQuota(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	const cases = cases / 3
	full, stuck := 0, 0
	for seed := uint64(0); seed < cases; seed++ {
		w := newWorld(t)
		w.log = append(w.log, fmt.Sprintf("seed %d", seed))
		g := &generator{Rand: rand.New(rand.NewPCG(seed, 15))}
		most := 2 + g.IntN(4)
		for range 3 + g.IntN(4) {
			w.stack = g.stack()
			for len(w.stack.Keep) > 0 {
				w.stack = g.stack()
			}
			w.stack.quota(most)
			w.log = append(w.log, brief(w.stack))
			for _, t := range w.stack.TargetGroups {
				w.sizes[t.Resource], w.broken[t.Resource] = g.IntN(5), g.IntN(4) == 0
			}
			w.settle(g, g.IntN(60))
		}

		for resource := range w.sizes {
			w.sizes[resource], w.broken[resource] = 3, false
		}
		if !w.settle(g, 1000) {
			w.fatalf("no end: %v", Make(w.stack, w.look(), w.now))
		}
		if w.full() {
			full++
		}
		w.read()
		plan := Make(w.stack, w.look(), w.now)
		waits := slices.ContainsFunc(plan.Waits, func(wait Wait) bool { return strings.Contains(wait.Message, "may have no more") })
		if waits {
			stuck++
			continue
		}
		w.arrived()
	}
	if t.Logf("%d of %d are full, and %d wait for room", full, cases, stuck); full < cases/3 || stuck > cases/30 {
		t.Errorf("want a third at the quota, and at most a thirtieth that waits, for a listener where nothing forwards")
	}
}

// arrived fails unless everything is as the stack wants it, but for what is refused.
func (w *world) arrived() {
	w.read()
	plan := Make(w.stack, w.look(), w.now)
	if len(plan.Refusals) > 0 {
		return
	}
	if len(plan.Waits) > 0 && len(w.stack.Keep) == 0 {
		w.fatalf("still waits: %v", plan.Waits)
	}

	if len(w.stack.Keep) > 0 {
		return
	}
	if needed := NeedsHealth(w.stack, w.seen); len(needed) > 0 {
		w.fatalf("asks for the health of %v although there is nothing to do", needed)
	}
	if len(w.stack.Listeners) == 0 {
		if len(w.seen.LoadBalancers)+len(w.seen.TargetGroups)+len(w.seen.SecurityGroups) > 0 {
			w.fatalf("left over: %s", show(w.seen))
		}
		return
	}

	if len(w.seen.LoadBalancers) != 1 || len(w.seen.TargetGroups) != len(w.stack.TargetGroups) {
		w.fatalf("want one load balancer and %d target groups: %s", len(w.stack.TargetGroups), show(w.seen))
	}
	lb := &w.seen.LoadBalancers[0]
	own := slices.DeleteFunc(slices.Clone(lb.Listeners), func(l ObservedListener) bool { return !l.Own })
	if !lb.Published || lb.Scheme != w.stack.LoadBalancer.Scheme || !lb.Retired.IsZero() || len(own) != len(w.stack.Listeners) {
		w.fatalf("want another load balancer: %s", show(lb))
	}
	for _, want := range w.stack.Listeners {
		w.listenerArrived(lb, want)
	}
}

func (w *world) listenerArrived(lb *ObservedLoadBalancer, want Listener) {
	i := slices.IndexFunc(lb.Listeners, func(l ObservedListener) bool { return l.Port == want.Port })
	if i < 0 {
		w.fatalf("no listener on port %d", want.Port)
	}

	named := func(a Action) Action {
		a.Forward = slices.Clone(a.Forward)
		for i := range a.Forward {
			a.Forward[i].Group = w.tg(a.Forward[i].Group).Resource
		}
		return a
	}
	l := lb.Listeners[i]
	if !sameAction(named(l.Default), want.Default) || l.Protocol != want.Protocol {
		w.fatalf("want %s\ngot %s", show(want), show(l))
	}

	slices.SortFunc(l.Has, func(a, b ObservedRule) int { return a.Priority - b.Priority })
	own := slices.DeleteFunc(slices.Clone(l.Has), func(r ObservedRule) bool { return !r.Own })
	if len(own) != len(want.Rules) {
		w.fatalf("want rules %s\ngot %s", show(want.Rules), show(own))
	}
	for i, r := range own {
		if want := want.Rules[i]; !sameMatch(r.Match, want.Match) || !sameAction(named(r.Action), want.Action) || r.Owner != want.Owner {
			w.fatalf("want rule %s\ngot %s", show(want), show(r))
		}
	}
}

const cases = 300
