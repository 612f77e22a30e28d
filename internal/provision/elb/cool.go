// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package elb

import "slices"

// What becomes of target groups that rules leave while they still answer requests. The targets of one that nothing names are gone
// at once, and with them those requests. So it stays named, where it gets no new ones, until its binding is gone and its targets
// have drained.

// cools reports whether a target group is not wanted any more and may still have targets. None of a network load balancer does:
// its listeners leave their groups at once.
func (r *rules) cools(arn string) bool {
	g := r.p.seenGroups[arn]
	return r.p.balancer.Kind == Application && g != nil && r.p.groups[g.Resource] != g && (g.Bound || g.Unbinding || r.p.drains(g))
}

// drains reports whether a target group may have targets that answer requests although they are deregistered.
func (p *planner) drains(g *ObservedTargetGroup) bool {
	h := p.health(g)
	return h == nil || h.Draining > 0
}

// leaves are the target groups that an action names and the next one does not, that have to cool down, and that nothing else names.
func (r *rules) leaves(now, next Action) []string {
	return slices.DeleteFunc(without(groupsOf(now), groupsOf(next)), func(arn string) bool { return !r.cools(arn) || r.p.uses[arn] > 1 })
}

// leave returns the next action of a rule or of the default action, with those target groups as guests that cool down. Where there
// is no place for them it does not change yet, and a rule that matches nothing is made for them.
func (r *rules) leave(now, next Action) Action {
	left := r.leaves(now, next)
	if takes(next, left) || r.p.room() <= 0 {
		return r.beside(next, left)
	}
	r.append(r.idle(left))
	return now
}

// takes reports whether an action may have these target groups as guests.
func takes(a Action, left []string) bool {
	return len(left) == 0 || len(a.Forward) > 0 && len(a.Forward)+len(left) <= groupsPerForward
}

// beside is an action with as many guests as may be. Clients that stick to a guest would get no answer, so none do meanwhile.
func (r *rules) beside(a Action, left []string) Action {
	n := min(len(left), groupsPerForward-len(a.Forward))
	if n <= 0 || len(a.Forward) == 0 {
		return a
	}
	a = guests(a, left[:n])
	a.Sticky = 0
	return a
}

// guests is an action with target groups besides that have weight 0, and get no requests.
func guests(a Action, groups []string) Action {
	a.Forward = slices.Clone(a.Forward)
	if len(a.Forward) == 1 {
		a.Forward = weighted(a)
	}
	for _, arn := range groups {
		a.Forward = append(a.Forward, Forward{Group: arn})
	}
	return a
}

// plain is what an action does that is there, without the guests that it has, where another one is wanted.
func (r *rules) plain(a, want Action) Action {
	own, all := groupsOf(want), a.Forward
	if len(all) > 1 {
		a.Forward = slices.DeleteFunc(slices.Clone(all), func(f Forward) bool {
			return f.Weight == 0 && r.needed[f.Group] && !slices.Contains(own, f.Group)
		})
	}
	if len(a.Forward) < len(all) && a.Sticky == 0 {
		a.Sticky = want.Sticky
	}
	return a
}

// remove has a rule that is not wanted any more match nothing while its target groups cool down, and else deletes it.
func (r *rules) remove(o *ObservedRule) {
	if left := r.leaves(o.Action, Action{}); len(left) > 0 {
		r.replace(o, r.idle(left))
		return
	}
	r.p.deleteRule(o)
}

// replace has a rule become another one.
func (r *rules) replace(o *ObservedRule, made Rule) {
	r.p.do(ReplaceRule{ARN: o.ARN, Rule: made})
	r.p.use(made.Action)
	r.p.unuse(o.Action)
	r.changed[o.ARN] = made.Action
}
