// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package elb

import (
	"math"
	"slices"

	"github.com/podgate/podgate/internal/plural"
	"github.com/podgate/podgate/internal/route"
)

// What becomes of rules on a load balancer that has as many as it may have: those that come take the places of those that go.

// room is how many more rules the load balancer may have.
func (p *planner) room() int {
	if p.stack.MostRules == 0 {
		return math.MaxInt
	}
	left := p.stack.MostRules - p.news
	for _, l := range p.balancer.Listeners {
		left -= len(l.Has)
	}
	return left
}

// reuse has a rule that goes become one for which there is no room. That is one change, so nobody loses a request.
func (r *rules) reuse(full []*place, leaving []*ObservedRule) {
	for _, w := range full {
		for _, o := range leaving {
			if sameMatch(o.Match, parking) && len(r.behind(o.Priority, route.Match{})) > 0 {
				r.moveLast(o)
				return
			}
			if r.mayBecome(o, w) {
				made, left := r.made(w), r.leaves(o.Action, w.Action)
				if sameMatch(o.Match, parking) && !takes(w.Action, left) {
					continue // until they have drained
				}
				made.Action = r.beside(w.Action, left)
				r.replace(o, made)
				return
			}
		}
		r.warm = append(r.warm, groupsOf(w.Action)...)
		r.p.wait(w.Owner, "The rule for %s is made when it can take the place of one that goes, because load balancer %s has %s and may have no more. Where that lasts, remove a rule, or have AWS raise the quota.",
			describe(w.Match), r.p.balancer.Name, plural.Count(r.p.stack.MostRules, "rule"))
	}
}

// moveLast has a rule that matches nothing come behind all others, where it may become any rule.
func (r *rules) moveLast(o *ObservedRule) {
	if r.nextPriority() {
		r.p.do(SetPriorities{Listener: r.listener.ARN, Priorities: map[string]int{o.ARN: r.last}})
	}
}

// mayBecome reports whether nobody loses a request when a rule that goes becomes one that is missing, where it is.
func (r *rules) mayBecome(o *ObservedRule, w *place) bool {
	leaves := r.p.answers(o.Action) && !sameMatch(o.Match, parking) && !w.Match.Covers(o.Match)
	return r.mayStand(w, o) && (!leaves || r.mayLeave(o, w))
}

// mayStand reports whether a rule that is missing may get the requests of the one that goes and of all that is behind it.
func (r *rules) mayStand(w *place, o *ObservedRule) bool {
	if r.hidden(w.Match, o.Priority) {
		return true
	}

	first := r.places[:slices.Index(r.places, w)]
	for _, behind := range r.behind(o.Priority, w.Match) {
		if slices.ContainsFunc(first, func(f *place) bool { return f.has == behind }) {
			return false
		}
		if slices.ContainsFunc(r.actions(behind), func(a Action) bool { return !r.p.mayTake(a, w.Action) }) {
			return false
		}
	}
	return r.p.answers(w.Action) || !slices.ContainsFunc(first, func(f *place) bool { return f.has == nil && overlap(f.Match, w.Match) })
}

// mayLeave reports whether whatever gets those requests of a rule that goes which the one that takes its place does not get
// answers them, or is to refuse them. What is for another one that is missing has an answer until the next step, which makes that.
func (r *rules) mayLeave(o *ObservedRule, w *place) bool {
	answered := r.p.answers(r.listener.Default) && r.p.answers(r.next) && r.p.mayTake(o.Action, r.listener.Default) && r.p.mayTake(o.Action, r.next)
	covered := answered
	for _, behind := range r.behind(o.Priority+1, o.Match) {
		at := slices.IndexFunc(r.places, func(p *place) bool { return p.has == behind })
		refuses := at < 0 && !r.p.answers(behind.Action) || at >= 0 && r.stillRefuses(r.places[at])
		if refuses || !r.mayAllTake(o, behind) {
			return false
		}
		covered = covered || r.p.answers(behind.Action) && behind.Match.Covers(o.Match)
	}
	for _, other := range r.missing() {
		if other != w && overlap(o.Match, other.Match) && (!covered || !other.resolved || !r.p.mayTake(o.Action, other.Action)) {
			return false
		}
	}
	return answered || !r.defaultTakesOver(o)
}

// behind are the stack's rules from a priority on that get requests of a match.
func (r *rules) behind(priority int, m route.Match) []*ObservedRule {
	return slices.DeleteFunc(r.ordered(), func(o *ObservedRule) bool {
		return !o.Own || o.Priority < priority || sameMatch(o.Match, parking) || !overlap(o.Match, m)
	})
}

// lodge has target groups checked as guests of rules that forward to others: they have weight 0, and get no requests.
func (r *rules) lodge(warm []string) {
	for _, host := range r.hosts() {
		n := min(len(warm), groupsPerForward-len(host.Action.Forward))
		if n <= 0 {
			continue
		}
		next := guests(host.Action, warm[:n])
		r.p.do(ModifyRule{ARN: host.ARN, Action: next})
		r.p.use(next)
		r.p.unuse(host.Action)
		r.changed[host.ARN] = next
		warm = warm[n:]
	}
	if len(warm) > 0 {
		r.p.wait("", "The health of target group %s is checked when there is a rule to name it, because load balancer %s has %s and may have no more.",
			r.p.seenGroups[warm[0]].Name, r.p.balancer.Name, plural.Count(r.p.stack.MostRules, "rule"))
	}
}

// hosts are the rules that may have guests: those that do what they should and those that go, where they forward.
func (r *rules) hosts() []*ObservedRule {
	return slices.DeleteFunc(r.ordered(), func(o *ObservedRule) bool {
		at := slices.IndexFunc(r.places, func(w *place) bool { return w.has == o })
		settled := at < 0 || sameAction(r.places[at].Action, r.plain(o.Action, r.places[at].Action))
		_, changed := r.changed[o.ARN]
		return !o.Own || len(o.Action.Forward) == 0 || !settled || changed || slices.Contains(r.p.stack.Keep, o.Owner)
	})
}
