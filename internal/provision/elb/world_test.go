// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package elb

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/podgate/podgate/internal/route"
)

// world is AWS, the bindings and the targets, as far as plans change and see them. It refuses what AWS refuses.
type world struct {
	t     testing.TB
	stack Stack
	seen  Observed
	now   time.Time
	made  int

	// sizes are how many targets the pods of a target group make, by resource, and broken are those that fail their checks.
	sizes  map[string]int
	broken map[string]bool
	// age is for how many ticks a group has been in use and bound, unbinding a binding has been deleted, and draining for how many
	// more its targets drain, by ARN.
	age, unbinding, draining map[string]int
	// busy are the groups whose targets may have requests that are not answered yet, by ARN.
	busy map[string]bool
	// deleted is the listener of the rule that was deleted last.
	deleted string
	// started is for how many ticks a load balancer has been there, and unnamed since when the cluster does not name it.
	started map[string]int
	unnamed map[string]time.Time
	// known is what was read of the health of target groups, by ARN.
	known map[string]Health
	log   []string
}

const (
	tick        = 15 * time.Second
	startTicks  = 3
	checkTicks  = 2
	unbindTicks = 2
	drainTicks  = 2
)

func newWorld(t testing.TB) *world {
	return &world{t: t, now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), sizes: map[string]int{}, broken: map[string]bool{}, age: map[string]int{}, unbinding: map[string]int{}, draining: map[string]int{},
		started: map[string]int{}, unnamed: map[string]time.Time{}, busy: map[string]bool{}}
}

func (w *world) fatalf(format string, args ...any) {
	w.t.Helper()
	w.t.Fatalf("%s\n%s", strings.Join(w.log, "\n"), fmt.Sprintf(format, args...))
}

// arn makes one that nothing had.
func (w *world) arn(kind string) string {
	w.made++
	return fmt.Sprintf("%s/%d", kind, w.made)
}

func (w *world) lb(arn string) *ObservedLoadBalancer {
	for i := range w.seen.LoadBalancers {
		if w.seen.LoadBalancers[i].ARN == arn {
			return &w.seen.LoadBalancers[i]
		}
	}
	w.fatalf("load balancer %s is not there", arn)
	return nil
}

func (w *world) tg(arn string) *ObservedTargetGroup {
	for i := range w.seen.TargetGroups {
		if w.seen.TargetGroups[i].ARN == arn {
			return &w.seen.TargetGroups[i]
		}
	}
	w.fatalf("target group %s is not there", arn)
	return nil
}

func (w *world) sg(id string) *ObservedSecurityGroup {
	for i := range w.seen.SecurityGroups {
		if w.seen.SecurityGroups[i].ID == id {
			return &w.seen.SecurityGroups[i]
		}
	}
	w.fatalf("security group %s is not there", id)
	return nil
}

func (w *world) listener(arn string) (*ObservedLoadBalancer, *ObservedListener) {
	for i := range w.seen.LoadBalancers {
		lb := &w.seen.LoadBalancers[i]
		for j := range lb.Listeners {
			if lb.Listeners[j].ARN == arn {
				if !lb.Listeners[j].Own {
					w.fatalf("listener %s is somebody else's", arn)
				}
				return lb, &lb.Listeners[j]
			}
		}
	}
	w.fatalf("listener %s is not there", arn)
	return nil, nil
}

func (w *world) rule(arn string) (*ObservedLoadBalancer, *ObservedListener, *ObservedRule) {
	for i := range w.seen.LoadBalancers {
		lb := &w.seen.LoadBalancers[i]
		for j := range lb.Listeners {
			for k := range lb.Listeners[j].Has {
				if r := &lb.Listeners[j].Has[k]; r.ARN == arn {
					if !r.Own {
						w.fatalf("rule %s is somebody else's", arn)
					}
					return lb, &lb.Listeners[j], r
				}
			}
		}
	}
	w.fatalf("rule %s is not there", arn)
	return nil, nil, nil
}

// tagged fails unless what is made says whose it is.
func (w *world) tagged(tags map[string]string) {
	for k, v := range w.stack.Tags {
		if tags[k] != v {
			w.fatalf("made without the tag %s", k)
		}
	}
}

// usable fails unless an action can be on a load balancer.
func (w *world) usable(lb *ObservedLoadBalancer, a Action) {
	if len(a.Forward) > 5 {
		w.fatalf("%d target groups in an action", len(a.Forward))
	}
	if len(a.Forward) == 0 && a.Redirect == nil && a.Answer == nil {
		w.fatalf("an action without anything")
	}
	for _, f := range a.Forward {
		if strings.HasPrefix(f.Group, "theirs") {
			continue
		}
		if g := w.tg(f.Group); g.LoadBalancer != "" && g.LoadBalancer != lb.ARN {
			w.fatalf("TargetGroupAssociationLimit: %s is used by %s", f.Group, g.LoadBalancer)
		}
	}
}

// apply performs a step.
func (w *world) apply(s Step) {
	w.log = append(w.log, s.String())
	switch s := s.(type) {
	case CreateSecurityGroup:
		w.tagged(s.SecurityGroup.Tags)
		w.seen.SecurityGroups = append(w.seen.SecurityGroups, ObservedSecurityGroup{SecurityGroup: s.SecurityGroup, ID: w.arn("sg")})
	case AuthorizeIngress:
		g := w.sg(s.ID)
		g.Ingress = slices.Concat(g.Ingress, s.Permissions)
	case RevokeIngress:
		g := w.sg(s.ID)
		g.Ingress = without(g.Ingress, s.Permissions)
	case DeleteSecurityGroup:
		w.sg(s.ID)
		for _, lb := range w.seen.LoadBalancers {
			if slices.Contains(lb.SecurityGroups, s.ID) {
				w.fatalf("DependencyViolation: %s has %s", lb.ARN, s.ID)
			}
		}
		w.seen.SecurityGroups = slices.DeleteFunc(w.seen.SecurityGroups, func(g ObservedSecurityGroup) bool { return g.ID == s.ID })

	case CreateLoadBalancer:
		w.tagged(s.LoadBalancer.Tags)
		w.free(s.LoadBalancer.Name, slices.ContainsFunc(w.seen.LoadBalancers, func(lb ObservedLoadBalancer) bool { return lb.Name == s.LoadBalancer.Name }))
		for _, id := range s.LoadBalancer.SecurityGroups {
			if id != "sg/theirs" {
				w.sg(id)
			}
		}
		s.LoadBalancer.Attributes = nil
		arn := w.arn("lb")
		w.seen.LoadBalancers = append(w.seen.LoadBalancers, ObservedLoadBalancer{LoadBalancer: s.LoadBalancer, ARN: arn, DNSName: arn + ".example.com", State: "provisioning"})
	case SetSubnets:
		w.lb(s.LoadBalancer).Subnets = s.Subnets
	case SetSecurityGroups:
		w.lb(s.LoadBalancer).SecurityGroups = s.SecurityGroups
	case SetAddressType:
		w.lb(s.LoadBalancer).AddressType = s.AddressType
	case SetLoadBalancerAttributes:
		lb := w.lb(s.LoadBalancer)
		if s.Attributes[protection] == "false" && lb.Protected {
			w.fatalf("protection of %s is switched off", s.LoadBalancer)
		}
		lb.Attributes = merged(lb.Attributes, s.Attributes)
		lb.Protected = lb.Attributes[protection] == "true"
	case Retire:
		w.lb(s.LoadBalancer).Retired = s.Since
	case Unretire:
		w.lb(s.LoadBalancer).Retired = time.Time{}
	case DeleteLoadBalancer:
		lb := w.lb(s.LoadBalancer)
		if lb.Protected {
			w.fatalf("OperationNotPermitted: %s is protected", lb.ARN)
		}
		for _, l := range lb.Listeners {
			if !l.Own || strangers(&l) {
				w.fatalf("%s takes along what is somebody else's", lb.ARN)
			}
		}
		w.seen.LoadBalancers = slices.DeleteFunc(w.seen.LoadBalancers, func(lb ObservedLoadBalancer) bool { return lb.ARN == s.LoadBalancer })

	case CreateTargetGroup:
		w.tagged(s.TargetGroup.Tags)
		w.free(s.TargetGroup.Name, slices.ContainsFunc(w.seen.TargetGroups, func(g ObservedTargetGroup) bool { return g.Name == s.TargetGroup.Name }))
		s.TargetGroup.Attributes, s.TargetGroup.Owner, s.TargetGroup.Binding = nil, s.TargetGroup.Tags[OwnerTag], Binding{}
		w.seen.TargetGroups = append(w.seen.TargetGroups, ObservedTargetGroup{TargetGroup: s.TargetGroup, ARN: w.arn("tg")})
	case ModifyTargetGroup:
		w.tg(s.TargetGroup).HealthCheck = s.HealthCheck
	case SetTargetGroupAttributes:
		g := w.tg(s.TargetGroup)
		g.Attributes = merged(g.Attributes, s.Attributes)
	case DeleteTargetGroup:
		if g := w.tg(s.TargetGroup); g.LoadBalancer != "" || g.Bound {
			w.fatalf("ResourceInUse: %s", s.TargetGroup)
		}
		w.seen.TargetGroups = slices.DeleteFunc(w.seen.TargetGroups, func(g ObservedTargetGroup) bool { return g.ARN == s.TargetGroup })
	case CreateBinding:
		g := w.tg(s.ARN)
		if g.Bound || s.TargetGroup.Name != g.Name {
			w.fatalf("AlreadyExists, or named wrongly: the binding of %s", s.ARN)
		}
		g.Bound, g.Binding = true, s.TargetGroup.Binding
		delete(w.draining, g.ARN)
	case UpdateBinding:
		w.tg(s.ARN).Binding = s.TargetGroup.Binding
	case DeleteBinding:
		g := w.tg(s.ARN)
		if w.active()[g.ARN] || s.Name != g.Name || s.Namespace != g.Binding.Namespace {
			w.fatalf("targets of %s are taken away while requests may come, or the binding is another one", s.ARN)
		}
		g.Unbinding = true

	case CreateListener:
		lb := w.lb(s.LoadBalancer)
		w.tagged(s.Listener.Tags)
		w.usable(lb, s.Listener.Default)
		if slices.ContainsFunc(lb.Listeners, func(l ObservedListener) bool { return l.Port == s.Listener.Port }) {
			w.fatalf("DuplicateListener: %d", s.Listener.Port)
		}
		s.Listener.Attributes = nil
		s.Listener.Certificates = s.Listener.Certificates[:min(1, len(s.Listener.Certificates))]
		lb.Listeners = append(lb.Listeners, ObservedListener{Listener: s.Listener, ARN: w.arn("listener"), Own: true})
	case ModifyListener:
		lb, l := w.listener(s.ARN)
		w.usable(lb, s.Listener.Default)
		l.Protocol, l.SSLPolicy, l.ALPN, l.Default = s.Listener.Protocol, s.Listener.SSLPolicy, s.Listener.ALPN, s.Listener.Default
		first, _ := split(s.Listener.Certificates)
		_, others := split(l.Certificates)
		l.Certificates = slices.Concat([]string{first}, others)
		if first == "" {
			l.Certificates = nil
		}
	case SetListenerAttributes:
		_, l := w.listener(s.Listener)
		l.Attributes = merged(l.Attributes, s.Attributes)
	case AddCertificates:
		_, l := w.listener(s.Listener)
		l.Certificates = slices.Concat(l.Certificates, s.Certificates)
	case RemoveCertificates:
		_, l := w.listener(s.Listener)
		first, others := split(l.Certificates)
		if slices.Contains(s.Certificates, first) {
			w.fatalf("OperationNotPermitted: %s is the default", first)
		}
		l.Certificates = slices.Concat([]string{first}, without(others, s.Certificates))
	case DeleteListener:
		lb, l := w.listener(s.ARN)
		if strangers(l) {
			w.fatalf("%s takes along what is somebody else's", s.ARN)
		}
		lb.Listeners = slices.DeleteFunc(lb.Listeners, func(l ObservedListener) bool { return l.ARN == s.ARN })

	case CreateRule:
		lb, l := w.listener(s.Listener)
		w.tagged(s.Rule.Tags)
		w.usable(lb, s.Rule.Action)
		if s.Priority < 1 || s.Priority > 50000 || slices.ContainsFunc(l.Has, func(r ObservedRule) bool { return r.Priority == s.Priority }) {
			w.fatalf("PriorityInUse: %d", s.Priority)
		}
		has := 0
		for _, l := range lb.Listeners {
			has += len(l.Has)
		}
		if w.stack.MostRules > 0 && has >= w.stack.MostRules {
			w.fatalf("TooManyRules: %d", has)
		}
		s.Rule.Owner = s.Rule.Tags[w.stack.ResourceTag]
		l.Has = append(l.Has, ObservedRule{Rule: s.Rule, ARN: w.arn("rule"), Priority: s.Priority, Own: true})
	case ModifyRule:
		lb, _, r := w.rule(s.ARN)
		w.usable(lb, s.Action)
		r.Action = s.Action
	case ReplaceRule:
		lb, _, r := w.rule(s.ARN)
		w.usable(lb, s.Rule.Action)
		r.Match, r.Action = s.Rule.Match, s.Rule.Action
	case SetPriorities:
		_, l := w.listener(s.Listener)
		for arn, priority := range s.Priorities {
			_, in, r := w.rule(arn)
			if in != l {
				w.fatalf("rule %s is on another listener", arn)
			}
			r.Priority = priority
		}
		for i, r := range l.Has {
			if r.Priority < 1 || r.Priority > 50000 || slices.ContainsFunc(l.Has[:i], func(o ObservedRule) bool { return o.Priority == r.Priority }) {
				w.fatalf("PriorityInUse: %d", r.Priority)
			}
		}
	case DeleteRule:
		_, l, _ := w.rule(s.ARN)
		w.deleted = l.ARN
		l.Has = slices.DeleteFunc(l.Has, func(r ObservedRule) bool { return r.ARN == s.ARN })

	case Tag:
		w.addTags(s)
	default:
		w.fatalf("step %T is not known", s)
	}
	w.use()
}

func (w *world) addTags(s Tag) {
	for k := range s.Tags {
		if _, ok := w.stack.Tags[k]; ok {
			w.fatalf("%s is claimed by the tag %s", s.ARN, k)
		}
	}

	kind, _, _ := strings.Cut(s.ARN, "/")
	switch kind {
	case "sg":
		g := w.sg(s.ARN)
		g.Tags = merged(g.Tags, s.Tags)
	case "lb":
		lb := w.lb(s.ARN)
		lb.Tags = merged(lb.Tags, s.Tags)
	case "tg":
		g := w.tg(s.ARN)
		g.Tags = merged(g.Tags, s.Tags)
	case "listener":
		_, l := w.listener(s.ARN)
		l.Tags = merged(l.Tags, s.Tags)
	case "rule":
		_, _, r := w.rule(s.ARN)
		r.Tags = merged(r.Tags, s.Tags)
		r.Owner = r.Tags[w.stack.ResourceTag]
	}
}

// free fails unless a name is free.
func (w *world) free(name string, taken bool) {
	if _, foreign := w.seen.Foreign[name]; foreign || taken || len(name) > 32 || strings.HasSuffix(name, "-") {
		w.fatalf("the name %s is taken, or none", name)
	}
}

func merged(a, b map[string]string) map[string]string {
	m := maps.Clone(a)
	if m == nil {
		m = map[string]string{}
	}
	maps.Copy(m, b)
	return m
}

// use finds out which load balancers use which groups. One that is not used any more is not checked any more.
func (w *world) use() {
	for i := range w.seen.TargetGroups {
		g := &w.seen.TargetGroups[i]
		g.LoadBalancer = ""
		for _, lb := range w.seen.LoadBalancers {
			for _, l := range lb.Listeners {
				actions := []Action{l.Default}
				for _, r := range l.Has {
					actions = append(actions, r.Action)
				}
				for _, a := range actions {
					if slices.ContainsFunc(a.Forward, func(f Forward) bool { return f.Group == g.ARN }) {
						g.LoadBalancer = lb.ARN
					}
				}
			}
		}
		if g.LoadBalancer == "" {
			w.age[g.ARN] = 0
			delete(w.known, g.ARN)
		}
	}
}

// active are the groups that get requests.
func (w *world) active() map[string]bool {
	groups := map[string]bool{}
	add := func(a Action) {
		for _, f := range weighted(a) {
			groups[f.Group] = true
		}
	}
	for _, lb := range w.seen.LoadBalancers {
		for _, l := range lb.Listeners {
			add(l.Default)
			for _, r := range l.Has {
				if !sameMatch(r.Match, parking) {
					add(r.Action)
				}
			}
		}
	}
	return groups
}

// tick lets time pass.
func (w *world) tick() {
	w.log = append(w.log, "tick")
	w.now = w.now.Add(tick)
	for i := range w.seen.LoadBalancers {
		lb := &w.seen.LoadBalancers[i]
		if w.started[lb.ARN]++; w.started[lb.ARN] >= startTicks && lb.State != failed {
			lb.State = "active"
		}
	}

	for i := range w.seen.TargetGroups {
		g := &w.seen.TargetGroups[i]
		switch {
		case g.Unbinding:
			if w.unbinding[g.ARN]++; w.unbinding[g.ARN] >= unbindTicks {
				w.unbinding[g.ARN] = 0
				g.Bound, g.Unbinding, g.Binding, w.age[g.ARN] = false, false, Binding{}, 0
				if g.LoadBalancer != "" {
					w.draining[g.ARN] = drainTicks
				}
			}
		case w.draining[g.ARN] > 0 && !g.Bound:
			if w.draining[g.ARN]--; w.draining[g.ARN] == 0 {
				delete(w.busy, g.ARN)
			}
		case g.Bound && g.LoadBalancer != "":
			w.age[g.ARN]++
		}
	}
}

// health is that of a target group. One target of it is healthy earlier than the others.
func (w *world) health(arn string) Health {
	g := w.tg(arn)
	h := Health{}
	if g.Bound && !g.Unbinding {
		h.Registered = w.sizes[g.Resource]
	} else if w.draining[arn] > 0 {
		h.Draining = 1
	}
	if !w.broken[g.Resource] {
		h.Healthy = min(h.Registered, max(0, w.age[arn]-checkTicks))
	}
	return h
}

// read reads the health of those groups that it is needed of.
func (w *world) read() {
	w.known = map[string]Health{}
	for needed := NeedsHealth(w.stack, w.look()); len(needed) > 0; needed = NeedsHealth(w.stack, w.look()) {
		for _, arn := range needed {
			w.known[arn] = w.health(arn)
		}
	}
}

// look is what plans see.
func (w *world) look() Observed {
	seen := w.seen
	seen.TargetGroups = slices.Clone(w.seen.TargetGroups)
	for i := range seen.TargetGroups {
		if h, ok := w.known[seen.TargetGroups[i].ARN]; ok {
			seen.TargetGroups[i].Health = &h
		}
	}
	return seen
}

// publish has the cluster name the load balancer that it may name. It reports whether that is another one.
func (w *world) publish() bool {
	host, changed := Hostname(w.stack, w.look()), false
	if host == "" {
		return false
	}
	for i := range w.seen.LoadBalancers {
		lb := &w.seen.LoadBalancers[i]
		if named := lb.DNSName == host; named != lb.Published {
			w.log = append(w.log, fmt.Sprintf("%s is named: %v", lb.ARN, named))
			lb.Published, changed = named, true
			w.unnamed[lb.ARN] = w.now
		}
	}
	return changed
}

// request is what a client asks for.
type request struct {
	port       int32
	host, path string
}

func (r request) String() string { return fmt.Sprintf("%s:%d%s", r.host, r.port, r.path) }

func matches(m route.Match, r request) bool {
	like := func(patterns []string, value string) bool {
		return len(patterns) == 0 || slices.ContainsFunc(patterns, func(p string) bool { return meet(p, value) })
	}
	return like(m.Hosts, r.host) && like(m.Paths, r.path) && len(m.Sources) == 0
}

// served reports whether a request to a load balancer is answered by something that serves, and which rule it is; nil: the
// default action.
func (w *world) served(lb *ObservedLoadBalancer, r request) (bool, *ObservedRule) {
	for i := range lb.Listeners {
		l := &lb.Listeners[i]
		if l.Port != r.port {
			continue
		}
		var first *ObservedRule
		for j := range l.Has {
			if o := &l.Has[j]; matches(o.Match, r) && (first == nil || o.Priority < first.Priority) {
				first = o
			}
		}
		if first != nil {
			return w.does(first.Action), first
		}
		return w.does(l.Default), nil
	}
	return false, nil
}

// does reports whether an action serves every request.
func (w *world) does(a Action) bool {
	switch {
	case a.Redirect != nil:
		return true
	case a.Answer != nil:
		return a.Answer.Status < 400
	}
	all := len(weighted(a)) > 0
	for _, f := range weighted(a) {
		all = all && (strings.HasPrefix(f.Group, "theirs") || w.health(f.Group).Healthy > 0)
	}
	return all
}
