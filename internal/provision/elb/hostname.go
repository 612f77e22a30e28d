// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package elb

import (
	"slices"
	"time"

	"github.com/podgate/podgate/internal/route"
)

// Hostname returns the DNS name that the cluster may name: the load balancer's once it is active and every listener and rule
// that can be made is in place, and if it replaces another one, once it serves what that one serves. Until then it is the other
// one's. Empty: there is none yet.
func Hostname(stack Stack, seen Observed) string {
	return newPlanner(stack, seen, time.Time{}).hostname()
}

func (p *planner) hostname() string {
	if p.gone() {
		return ""
	}

	// What was published stays, whatever becomes of it.
	if p.balancer != nil && p.balancer.Published {
		return p.balancer.DNSName
	}
	i := slices.IndexFunc(p.seen.LoadBalancers, func(lb ObservedLoadBalancer) bool { return lb.Published })
	if p.balancer != nil && p.inPlace() && (i < 0 || p.succeeds(&p.seen.LoadBalancers[i])) {
		return p.balancer.DNSName
	}
	if i < 0 {
		return ""
	}
	return p.seen.LoadBalancers[i].DNSName
}

// inPlace reports whether the load balancer is active and has every listener and rule that can be made.
func (p *planner) inPlace() bool {
	if p.balancer.State != "active" && p.balancer.State != "active_impaired" {
		return false
	}

	for _, want := range p.wantedListeners() {
		has := p.listener(want.Port)
		if has == nil {
			return false
		}
		if !has.Own {
			continue
		}

		r := p.newRules(want, has)
		if !p.made(want.Default) || slices.ContainsFunc(want.Rules, func(rule Rule) bool { return !p.made(rule.Action) }) {
			return false
		}
		if r.resolved && !sameAction(r.fallback, r.plain(has.Default, r.fallback)) || slices.ContainsFunc(r.missing(), func(w *place) bool { return w.resolved }) {
			return false
		}
	}
	return true
}

// made reports whether all target groups of an action are there that may be.
func (p *planner) made(a Action) bool {
	for _, f := range a.Forward {
		for _, want := range p.stack.TargetGroups {
			_, foreign := p.seen.Foreign[want.Name]
			if want.Resource == f.Group && p.groups[f.Group] == nil && !foreign {
				return false
			}
		}
	}
	return true
}

// succeeds reports whether the load balancer serves every request that another one serves and the stack still wants.
func (p *planner) succeeds(old *ObservedLoadBalancer) bool {
	all := true
	for _, before := range old.Listeners {
		for _, want := range p.wantedListeners() {
			if want.Port == before.Port {
				all = p.listenerSucceeds(want, before) && all
			}
		}
	}
	return all
}

func (p *planner) listenerSucceeds(want Listener, before ObservedListener) bool {
	has := p.listener(want.Port)
	if !has.Own {
		return false
	}

	r := p.newRules(want, has)
	all, last := r.resolved && !p.takesFrom(route.Match{}, has.Default, before), 0
	for _, w := range r.places {
		if w.has == nil || r.stillRefuses(w) {
			all = !p.answered(w.Match, before) && all
			continue
		}
		all = !p.takesFrom(w.Match, w.has.Action, before) && all && w.has.Priority > last
		last = w.has.Priority
	}
	return all
}

// takesFrom reports whether a rule that does not serve yet gets requests that a listener answers.
func (p *planner) takesFrom(m route.Match, a Action, before ObservedListener) bool {
	lost := !p.mayTake(before.Default, a)
	for _, r := range before.Has {
		lost = overlap(m, r.Match) && !p.mayTake(r.Action, a) || lost
	}
	return lost
}

// answered reports whether a listener answers any request that matches.
func (p *planner) answered(m route.Match, before ObservedListener) bool {
	return p.answers(before.Default) || slices.ContainsFunc(before.Has, func(r ObservedRule) bool { return overlap(m, r.Match) && p.answers(r.Action) })
}
