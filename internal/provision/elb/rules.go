// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package elb

import (
	"cmp"
	"slices"
	"strings"

	"github.com/podgate/podgate/internal/route"
)

// Limits of AWS (Elastic Load Balancing, quotas).
const (
	lastPriority     = 50000
	groupsPerForward = 5
)

// parking matches no request: its client has an address of documentation (RFC 5737). Target groups are checked only while a
// rule names them, and their targets drain only then. Those that must serve before any other rule may name them are in one with
// this match, and so are those that no other rule names any more until they have drained.
var parking = route.Match{Sources: []string{"192.0.2.1/32"}}

// rules are what there is on a listener, and what should be.
type rules struct {
	p        *planner
	listener *ObservedListener
	// fallback is the default action that is wanted, and resolved reports that its target groups are there.
	fallback Action
	resolved bool
	// wanted is the listener's protocol.
	wanted string
	// next is the default action that there is after this plan, and changed are actions of rules after it, by ARN.
	next    Action
	changed map[string]Action
	// places are the rules that are wanted, in order.
	places []*place
	// extra are rules of the stack that are not wanted any more, and parked those that match nothing.
	extra, parked []*ObservedRule
	// needed are the target groups of rules that are missing or change, and of the default action that does, and those that cool
	// down. Where nothing else has them checked, warm are to be.
	needed map[string]bool
	warm   []string
	// last is the last priority that a rule of the stack has or gets.
	last int
}

// place is where a rule should be.
type place struct {
	Rule
	// resolved reports that the rule's target groups are there.
	resolved bool
	has      *ObservedRule
}

// newRules finds out which rule that is there is which one that is wanted.
func (p *planner) newRules(want Listener, has *ObservedListener) *rules {
	r := &rules{p: p, listener: has, wanted: want.Protocol, changed: map[string]Action{}}
	r.fallback, r.resolved = p.resolve(want.Default)

	var kept, own []*ObservedRule
	for _, o := range r.ordered() {
		switch {
		case !o.Own:
		case sameMatch(o.Match, parking):
			r.parked = append(r.parked, o)
		case slices.Contains(p.stack.Keep, o.Owner):
			kept = append(kept, o)
		default:
			own = append(own, o)
		}
	}

	for _, rule := range want.Rules {
		if rule.Kept {
			kept = r.keep(kept, rule.Owner)
			continue
		}
		action, ok := p.resolve(rule.Action)
		rule.Action = action
		r.places = append(r.places, &place{Rule: rule, resolved: ok})
	}
	// Those for which the stack has no place come last, in their order: none takes requests from another one.
	for _, o := range kept {
		r.stays(o)
	}

	r.extra = r.pair(own)
	r.needed = r.needs()
	return r
}

// ordered are all rules of the listener as they apply.
func (r *rules) ordered() []*ObservedRule {
	var list []*ObservedRule
	for i := range r.listener.Has {
		list = append(list, &r.listener.Has[i])
	}
	slices.SortFunc(list, byPriority)
	return list
}

// keep gives the rules of an owner their places as they are, and returns those of others.
func (r *rules) keep(kept []*ObservedRule, owner string) []*ObservedRule {
	var others []*ObservedRule
	for _, o := range kept {
		if o.Owner == owner {
			r.stays(o)
		} else {
			others = append(others, o)
		}
	}
	return others
}

// stays gives a rule its place as it is.
func (r *rules) stays(o *ObservedRule) {
	r.places = append(r.places, &place{Rule: o.Rule, resolved: true, has: o})
}

// pair gives rules that are there to places: those that are equal first, then those that match the same requests, and of
// several their owner's. It returns those that are left.
func (r *rules) pair(own []*ObservedRule) []*ObservedRule {
	keys := []func(rule Rule) string{
		func(rule Rule) string {
			return rule.Owner + "\n" + matchKey(rule.Match) + "\n" + actionKey(rule.Action)
		},
		func(rule Rule) string { return matchKey(rule.Match) + "\n" + actionKey(rule.Action) },
		func(rule Rule) string { return rule.Owner + "\n" + matchKey(rule.Match) },
		func(rule Rule) string { return matchKey(rule.Match) },
	}

	taken := map[*ObservedRule]bool{}
	for _, key := range keys {
		alike := map[string][]*ObservedRule{}
		for _, o := range own {
			if !taken[o] {
				alike[key(o.Rule)] = append(alike[key(o.Rule)], o)
			}
		}
		for _, w := range r.places {
			if w.has != nil {
				continue
			}
			if k := key(w.Rule); len(alike[k]) > 0 {
				w.has, alike[k] = alike[k][0], alike[k][1:]
				taken[w.has] = true
			}
		}
	}
	return slices.DeleteFunc(own, func(o *ObservedRule) bool { return taken[o] })
}

// change plans the changes: what a rule does, rules that are missing, their order, and last what is left over.
func (r *rules) change() {
	for _, w := range r.places {
		if w.has != nil && !slices.Contains(r.p.stack.Keep, w.has.Owner) {
			r.p.tag(w.has.ARN, r.p.stack.All(w.Owner, w.Tags), w.has.Tags)
			r.act(w)
		}
	}

	leaving, planned := r.extra, len(r.p.plan.Steps)
	full := r.create()
	order, alone := r.order()
	moved := r.setPriorities(order)
	r.drop(alone, nil)
	if !moved {
		r.drop(r.extra, order)
	}
	r.unpark()
	// Nothing else makes room.
	if len(r.p.plan.Steps) == planned {
		r.reuse(full, slices.Concat(r.parked, leaving))
	}
	r.park()
}

// defaultAction is what the default action should be now.
func (r *rules) defaultAction() Action {
	now := r.listener.Default
	switch {
	case !r.resolved, sameAction(r.fallback, r.plain(now, r.fallback)):
		return now
	case len(r.fallback.Forward) == 0 && !r.p.answers(r.fallback) && r.p.keeps(now):
		return now
	case r.p.answers(now) && !r.p.answers(r.fallback) && len(weighted(r.fallback)) == 0 && len(r.missing()) > 0:
		// Rules that are still to come take requests over from it.
		return now
	}
	return r.leave(now, r.takeOver(now, r.fallback, "", "The default action"))
}

// act plans what a rule that is there should do.
func (r *rules) act(w *place) {
	if !w.resolved || sameAction(w.Action, r.plain(w.has.Action, w.Action)) || r.refusesOthers(w) {
		return
	}
	next := r.leave(w.has.Action, r.takeOver(w.has.Action, w.Action, w.Owner, "The rule for "+describe(w.Match)))
	if !sameAction(next, w.has.Action) {
		r.p.do(ModifyRule{ARN: w.has.ARN, Action: next})
		r.p.use(next)
		r.p.unuse(w.has.Action)
		r.changed[w.has.ARN] = next
	}
}

// refusesOthers reports whether a rule that answers would refuse requests which another rule gets that does not come before it
// yet.
func (r *rules) refusesOthers(w *place) bool {
	if r.p.answers(w.Action) || !r.p.answers(w.has.Action) {
		return false
	}
	for _, first := range r.places[:slices.Index(r.places, w)] {
		if overlap(first.Match, w.Match) && (first.has == nil || first.has.Priority > w.has.Priority) {
			r.p.wait(w.Owner, "The rule for %s changes when the one for %s serves, which comes before it.", describe(w.Match), describe(first.Match))
			return true
		}
	}
	return false
}

// takeOver returns the action that is wanted where nobody loses anything by it, and else the one that there is, besides which
// the wanted target groups are checked.
func (r *rules) takeOver(now, want Action, owner, what string) Action {
	if sameShares(now, want) || r.p.mayTake(now, want) {
		return want
	}

	r.p.wait(owner, "%s changes when what it should forward to serves: %s.", what, r.p.names(want))
	beside := Action{Forward: slices.Clone(weighted(now)), Sticky: now.Sticky}
	for _, f := range want.Forward {
		if !slices.ContainsFunc(beside.Forward, func(b Forward) bool { return b.Group == f.Group }) {
			beside.Forward = append(beside.Forward, Forward{Group: f.Group})
		}
	}
	// A network load balancer's listener can have no target groups of other protocols for a while.
	if !r.p.speaks(r.listener.Protocol, beside) && !r.p.speaks(r.wanted, beside) {
		return want
	}
	if len(weighted(now)) == 0 || len(beside.Forward) > groupsPerForward {
		r.warm = append(r.warm, groupsOf(want)...)
		return now
	}
	return beside
}

// sameShares reports whether the same target groups get the same shares.
func sameShares(a, b Action) bool {
	a.Sticky, b.Sticky = 0, 0
	a.Forward, b.Forward = weighted(a), weighted(b)
	return sameAction(a, b)
}

// missing are the rules that are wanted and not there.
func (r *rules) missing() []*place {
	var list []*place
	for _, w := range r.places {
		if w.has == nil {
			list = append(list, w)
		}
	}
	return list
}

// create plans the rules that are missing. They are made last, where they take requests from nothing but the default action,
// and get their places when they serve. It returns those for which there is no room.
func (r *rules) create() (full []*place) {
	if r.p.narrows {
		return nil
	}
	missing := r.missing()
	for i, w := range missing {
		// One that refuses requests comes after those which are to serve some of them.
		refuses := !r.p.answers(w.Action) && (r.p.answers(r.listener.Default) || r.p.answers(r.next))
		if !w.resolved || refuses && slices.ContainsFunc(missing[:i], func(first *place) bool { return overlap(first.Match, w.Match) }) {
			continue
		}

		if !r.hidden(w.Match, lastPriority+1) && (!r.p.mayTake(r.listener.Default, w.Action) || !r.p.mayTake(r.next, w.Action)) {
			r.p.wait(w.Owner, "The rule for %s is made when what it should forward to serves, because the default action of port %d answers meanwhile: %s.",
				describe(w.Match), r.listener.Port, r.p.names(w.Action))
			r.warm = append(r.warm, groupsOf(w.Action)...)
			continue
		}

		if r.p.room() <= 0 {
			full = append(full, w)
			continue
		}
		r.append(r.made(w))
	}
	return full
}

// hidden reports whether a rule with a priority gets no requests that match, because one of the stack's before it gets them all.
func (r *rules) hidden(m route.Match, priority int) bool {
	return slices.ContainsFunc(r.listener.Has, func(o ObservedRule) bool { return o.Own && o.Priority < priority && o.Match.Covers(m) })
}

// made is a rule with all of its tags.
func (r *rules) made(w *place) Rule {
	made := w.Rule
	made.Tags = r.p.stack.All(made.Owner, made.Tags)
	return made
}

// append plans a rule behind all rules of the stack.
func (r *rules) append(made Rule) {
	if r.nextPriority() {
		r.p.do(CreateRule{Listener: r.listener.ARN, Priority: r.last, Rule: made})
		r.p.use(made.Action)
		r.p.news++
	}
}

// nextPriority finds a priority behind all rules of the stack. Where none is left, those move up first.
func (r *rules) nextPriority() bool {
	taken := map[int]bool{}
	for _, o := range r.listener.Has {
		taken[o.Priority] = true
		if o.Own {
			r.last = max(r.last, o.Priority)
		}
	}

	for r.last++; taken[r.last]; r.last++ {
	}
	if r.last > lastPriority {
		r.moveUp()
	}
	return r.last <= lastPriority
}

// moveUp gives the stack's rules the first priorities that nobody else has.
func (r *rules) moveUp() {
	theirs, moves, next := map[int]bool{}, map[string]int{}, 0
	for _, o := range r.listener.Has {
		theirs[o.Priority] = !o.Own
	}
	for _, o := range r.ordered() {
		if !o.Own {
			continue
		}
		for next++; theirs[next]; next++ {
		}
		if o.Priority != next {
			moves[o.ARN] = next
		}
	}
	if len(moves) > 0 {
		r.p.do(SetPriorities{Listener: r.listener.ARN, Priorities: moves})
	}
}

// order returns the rules that are there in the order in which they should apply, and those which can go from where they are.
func (r *rules) order() (order, alone []*ObservedRule) {
	for _, w := range r.places {
		if w.has != nil {
			order = append(order, w.has)
		}
	}
	if last, ok := r.removable(); ok && sorted(order) {
		r.extra = nil
		return order, last
	}

	overlapping := r.extra
	r.extra = nil
	for _, o := range overlapping {
		if r.alone(o) {
			alone = append(alone, o)
		} else {
			order, r.extra = append(order, o), append(r.extra, o)
		}
	}

	if sorted(order) {
		return order, alone
	}
	now := slices.SortedFunc(slices.Values(order), byPriority)
	return r.hold(now, order), alone
}

func byPriority(a, b *ObservedRule) int { return a.Priority - b.Priority }

func sorted(order []*ObservedRule) bool { return slices.IsSortedFunc(order, byPriority) }

// removable returns the last ones of those rules that are not wanted any more; false: for some of them a rule behind them does
// not serve yet.
func (r *rules) removable() (last []*ObservedRule, all bool) {
	for i, o := range r.extra {
		if slices.ContainsFunc(r.missing(), func(w *place) bool { return overlap(o.Match, w.Match) }) {
			return nil, false
		}
		for _, w := range r.places {
			if w.has != nil && w.has.Priority > o.Priority && overlap(o.Match, w.has.Match) && (!r.mayAllTake(o, w.has) || r.stillRefuses(w)) {
				return nil, false
			}
		}
		if !slices.ContainsFunc(r.extra[i+1:], func(next *ObservedRule) bool { return overlap(o.Match, next.Match) }) {
			last = append(last, o)
		}
	}
	return last, true
}

// stillRefuses reports whether a rule refuses requests that it is to answer.
func (r *rules) stillRefuses(w *place) bool {
	refuses := slices.ContainsFunc(r.actions(w.has), func(a Action) bool { return !r.p.answers(a) })
	return refuses && r.p.answers(w.Action)
}

// mayAllTake reports whether a rule may get the requests of another one, whatever both do by then.
func (r *rules) mayAllTake(front, behind *ObservedRule) bool {
	for _, f := range r.actions(front) {
		for _, b := range r.actions(behind) {
			if !r.p.mayTake(f, b) {
				return false
			}
		}
	}
	return true
}

// alone reports whether no other rule gets the requests of one that goes.
func (r *rules) alone(o *ObservedRule) bool {
	for _, other := range r.ordered() {
		if other != o && other.Own && overlap(o.Match, other.Match) && !sameMatch(other.Match, parking) {
			return false
		}
	}
	return !slices.ContainsFunc(r.missing(), func(w *place) bool { return overlap(o.Match, w.Match) })
}

// hold returns the order that is wanted, but that no rule comes before one whose requests it may not take.
func (r *rules) hold(now, want []*ObservedRule) []*ObservedRule {
	before := map[*ObservedRule][]*ObservedRule{}
	for {
		order := arrange(want, before)
		held := false
		for i, front := range now {
			for _, behind := range now[i+1:] {
				passes := slices.Index(order, behind) < slices.Index(order, front)
				if passes && overlap(front.Match, behind.Match) && !sameAction(front.Action, behind.Action) && !r.mayPass(front, behind, order) {
					before[behind] = append(before[behind], front)
					held = true
				}
			}
		}
		if !held {
			r.sayHeld(want, before)
			return order
		}
	}
}

// mayPass reports whether a rule may come before one that it is behind now, in this order. One that refuses requests, which it
// is to do, must not come before one that answers them while those are to go to a rule which is still behind both, or missing.
func (r *rules) mayPass(front, behind *ObservedRule, order []*ObservedRule) bool {
	if !r.mayAllTake(front, behind) {
		return false
	}
	refuses := slices.ContainsFunc(r.actions(behind), func(a Action) bool { return !r.p.answers(a) })
	answers := slices.ContainsFunc(r.actions(front), r.p.answers)
	if !refuses || !answers {
		return true
	}

	for _, w := range r.places {
		if w.has == behind {
			return !r.stillRefuses(w)
		}
		if overlap(w.Match, behind.Match) && overlap(w.Match, front.Match) && (w.has == nil || slices.Index(order, w.has) > slices.Index(order, behind)) {
			return false
		}
	}
	return false
}

// actions are what a rule does before and after this plan, either of which may be when another step is done.
func (r *rules) actions(o *ObservedRule) []Action {
	if next, ok := r.changed[o.ARN]; ok {
		return []Action{o.Action, next}
	}
	return []Action{o.Action}
}

// arrange returns rules in the order that is wanted, except that some come before others. What comes before what follows from
// the order that there is, so that there is always a first one.
func arrange(want []*ObservedRule, before map[*ObservedRule][]*ObservedRule) []*ObservedRule {
	var order []*ObservedRule
	for len(order) < len(want) {
		i := slices.IndexFunc(want, func(o *ObservedRule) bool {
			return !slices.Contains(order, o) && len(without(before[o], order)) == 0
		})
		order = append(order, want[i])
	}
	return order
}

// sayHeld says which rules wait for their places.
func (r *rules) sayHeld(want []*ObservedRule, before map[*ObservedRule][]*ObservedRule) {
	for i, o := range want {
		if slices.ContainsFunc(before[o], func(front *ObservedRule) bool { return slices.Contains(want[i:], front) }) {
			r.p.wait(o.Owner, "The rule for %s gets its place before others when what it forwards to serves: %s.", describe(o.Match), r.p.names(o.Action))
		}
	}
}

// setPriorities gives rules in this order the priorities that they have together. It reports whether any moves.
func (r *rules) setPriorities(order []*ObservedRule) bool {
	var priorities []int
	for _, o := range order {
		priorities = append(priorities, o.Priority)
	}
	slices.Sort(priorities)

	moves := map[string]int{}
	for i, o := range order {
		if o.Priority != priorities[i] {
			moves[o.ARN] = priorities[i]
		}
	}
	if len(moves) > 0 {
		r.p.do(SetPriorities{Listener: r.listener.ARN, Priorities: moves})
	}
	return len(moves) > 0
}

// drop deletes those rules that are not wanted any more and whose requests no other rule gets, or only such as serve, and those that
// get none. The last one goes first.
func (r *rules) drop(extra []*ObservedRule, order []*ObservedRule) {
	for i, o := range extra {
		next := slices.ContainsFunc(extra[i+1:], func(l *ObservedRule) bool { return overlap(o.Match, l.Match) })
		if !r.p.answers(o.Action) || r.hidden(o.Match, o.Priority) || !next && !r.takesOver(o, order) {
			r.remove(o)
		}
	}
}

func (p *planner) deleteRule(o *ObservedRule) {
	p.do(DeleteRule{ARN: o.ARN})
	p.unuse(o.Action)
}

// takesOver reports whether a rule that goes answers requests that something else gets which does not serve yet: a rule behind
// it in this order, one that is missing, or the default action.
func (r *rules) takesOver(o *ObservedRule, order []*ObservedRule) bool {
	behind := order[slices.Index(order, o)+1:]
	return r.defaultTakesOver(o) || slices.ContainsFunc(r.places, func(w *place) bool {
		return overlap(o.Match, w.Match) && (w.has == nil || slices.Contains(behind, w.has))
	})
}

// defaultTakesOver reports whether the default action, which does not serve yet, gets the requests of a rule that goes. It does
// not hold up an owner who leaves.
func (r *rules) defaultTakesOver(o *ObservedRule) bool {
	stays := slices.ContainsFunc(r.p.stack.TargetGroups, func(g TargetGroup) bool { return g.Owner == o.Owner })
	if !stays || !r.p.answers(r.fallback) && len(r.fallback.Forward) == 0 {
		return false
	}
	return !r.resolved || !sameShares(r.fallback, r.listener.Default) || !r.p.serves(r.fallback, r.p.healthy(o.Action))
}

// needs are the target groups that rules or the default action are to forward to, and do not yet.
func (r *rules) needs() map[string]bool {
	needed := map[string]bool{}
	add := func(a Action) {
		for _, arn := range groupsOf(a) {
			needed[arn] = true
		}
	}
	for _, w := range r.places {
		if w.has == nil || !sameShares(w.Action, w.has.Action) {
			add(w.Action)
		}
	}
	if !sameShares(r.fallback, r.listener.Default) {
		add(r.fallback)
	}
	for arn := range r.p.seenGroups {
		if r.cools(arn) {
			needed[arn] = true
		}
	}
	return needed
}

// unpark deletes the rules that match nothing and whose target groups no rule needs any more. Those that stay are nobody's.
func (r *rules) unpark() {
	for _, o := range r.parked {
		r.p.tag(o.ARN, r.p.stack.All("", nil), o.Tags)
	}
	r.parked = slices.DeleteFunc(r.parked, func(o *ObservedRule) bool {
		idle := !slices.ContainsFunc(groupsOf(o.Action), func(arn string) bool { return r.needed[arn] })
		if idle {
			r.p.deleteRule(o)
		}
		return idle
	})
}

// park has target groups checked that must serve before other rules name them: in rules that match nothing, or where there is
// no room for those, as guests of others.
func (r *rules) park() {
	warm := slices.DeleteFunc(r.warm, func(arn string) bool { return r.p.seenGroups[arn] == nil || r.p.used(arn) != unused })
	if r.p.balancer.Kind != Application {
		return
	}
	slices.Sort(warm)
	for chunk := range slices.Chunk(slices.Compact(warm), groupsPerForward) {
		if r.p.room() <= 0 {
			r.lodge(chunk)
			continue
		}
		r.append(r.idle(chunk))
	}
}

// idle is a rule that names target groups and matches nothing.
func (r *rules) idle(groups []string) Rule {
	made := Rule{Match: parking, Tags: r.p.stack.All("", nil)}
	for _, arn := range groups {
		made.Action.Forward = append(made.Action.Forward, Forward{Group: arn, Weight: 1})
	}
	return made
}

// groupsOf are the ARNs of the target groups of an action.
func groupsOf(a Action) []string {
	var list []string
	for _, f := range a.Forward {
		list = append(list, f.Group)
	}
	return list
}

// names are the names of an action's target groups, for people.
func (p *planner) names(a Action) string {
	var list []string
	for _, f := range weighted(a) {
		if g := p.seenGroups[f.Group]; g != nil {
			list = append(list, "target group "+g.Name)
		}
	}
	return strings.Join(list, ", ")
}

// describe says which requests match, for people.
func describe(m route.Match) string {
	return cmp.Or(strings.Join(m.Hosts, ", "), "every host") + " " + cmp.Or(strings.Join(m.Paths, ", "), "every path")
}
