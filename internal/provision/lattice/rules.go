// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package lattice

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/podgate/podgate/internal/plural"
)

// ruler plans the rules of one listener, one step after the other. None loses a request that is answered now and is to be.
type ruler struct {
	*planner
	service  *ObservedService
	listener *ObservedListener
	want     []wanted
	// has are all rules that there are after the steps that are planned, in the order in which they apply.
	has []*ObservedRule
}

// wanted is a rule that is wanted. Its action names target groups by ARN.
type wanted struct {
	Rule
	// ready: all of its target groups can be named.
	ready bool
	// at is the rule that there is for the same requests; nil: none.
	at *ObservedRule
}

// rules plans the rules of a listener.
func (p *planner) rules(s *ObservedService, l *ObservedListener, want []Rule) {
	r := &ruler{planner: p, service: s, listener: l}
	for i := range l.Has {
		has := l.Has[i]
		r.has = append(r.has, &has)
	}
	r.sort()
	for _, rule := range want {
		if !slices.ContainsFunc(r.want, func(w wanted) bool { return w.Match.Same(rule.Match) }) {
			r.want = append(r.want, r.find(rule))
		}
	}

	for r.modify() || r.move() || r.create() || r.remove() {
		r.note()
	}
	r.tags()
	r.explain()
}

// find finds the target groups of a rule, and the rule that there is for the same requests.
func (r *ruler) find(rule Rule) wanted {
	w := wanted{Rule: rule, ready: true}
	w.Action.Forward = slices.Clone(rule.Action.Forward)
	for i := range w.Action.Forward {
		f := &w.Action.Forward[i]
		if g := r.groups[f.Group]; g != nil {
			f.Group = g.ARN
		}
		if g := r.all[f.Group]; g == nil || g.State != Active {
			w.ready = false
		}
	}
	for _, has := range r.has {
		if w.at == nil && has.Own && has.Match.Same(rule.Match) {
			w.at = has
		}
	}
	return w
}

func (r *ruler) sort() {
	slices.SortFunc(r.has, func(a, b *ObservedRule) int { return cmp.Compare(a.Priority, b.Priority) })
}

// note has the planner see what there is after a step.
func (r *ruler) note() {
	r.sort()
	before := r.listener.Has
	r.listener.Has = nil
	for _, has := range r.has {
		r.listener.Has = append(r.listener.Has, *has)
	}
	for _, has := range before {
		r.forget(has.Action)
	}
}

// index is the place of a rule among those that are wanted; -1: it is not.
func (r *ruler) index(of *ObservedRule) int {
	return slices.IndexFunc(r.want, func(w wanted) bool { return w.at == of })
}

// known reports whether a rule is the stack's and can be changed. One that a step of this plan makes has no ARN yet.
func known(r *ObservedRule) bool { return r.Own && r.ARN != "" }

// settled reports whether a wanted rule does what it is to do.
func (r *ruler) settled(w wanted) bool {
	return w.at != nil && w.ready && r.stripped(w).same(w.Action)
}

// stripped is what the rule that there is does, apart from target groups that are only checked there for a rule that is to come.
func (r *ruler) stripped(w wanted) Action {
	a := Action{Answer: w.at.Action.Answer}
	for _, f := range w.at.Action.Forward {
		if f.Weight > 0 || len(w.at.Action.Forward) == 1 || w.Action.names(f.Group) || !r.coming(f.Group) {
			a.Forward = append(a.Forward, f)
		}
	}
	return a
}

// coming reports whether a rule that is not there yet is to forward to a group.
func (r *ruler) coming(group string) bool {
	return slices.ContainsFunc(r.want, func(w wanted) bool { return w.at == nil && w.Action.names(group) })
}

// fits reports whether a rule can have an action: it and its service can have only so many target groups.
func (r *ruler) fits(a Action) bool {
	var groups []string
	add := func(a Action) {
		for _, f := range a.Forward {
			if !slices.Contains(groups, f.Group) {
				groups = append(groups, f.Group)
			}
		}
	}
	for _, l := range r.service.Has {
		add(l.Default)
		for _, has := range l.Has {
			add(has.Action)
		}
	}
	before := len(groups)
	add(a)
	return len(a.Forward) <= MaxForward && (len(groups) == before || len(groups) <= cmp.Or(r.stack.Quotas.TargetGroups, DefaultQuotas.TargetGroups))
}

// act has a rule do something else.
func (r *ruler) act(of *ObservedRule, a Action) bool {
	if !known(of) || of.Action.same(a) || !r.fits(a) {
		return false
	}
	of.Action = a
	r.do(ModifyRule{ARN: of.ARN, Action: a})
	return true
}

// warm has a target group be checked before anything depends on it, by a rule that forwards to it with weight 0.
func (r *ruler) warm(at *ObservedRule, next Action) bool {
	return len(at.Action.Forward) > 0 && r.act(at, at.Action.with(next))
}

// modify has one of the rules that there are do what it is to do, or as a first step have the targets of that be checked.
func (r *ruler) modify() bool {
	for i, w := range r.want {
		if w.at == nil || !w.ready || r.settled(w) {
			continue
		}
		if !r.mayDo(i) {
			if r.warm(w.at, w.Action) {
				return true
			}
			continue
		}

		next := w.Action
		if next.Answer == 0 {
			var checked Action
			for _, f := range w.at.Action.Forward {
				if f.Weight == 0 && r.coming(f.Group) {
					checked.Forward = append(checked.Forward, f)
				}
			}
			next = next.with(checked)
		}
		if r.act(w.at, next) {
			return true
		}
	}
	return false
}

// mayDo reports whether a rule that there is can do what it is to do without anybody losing requests.
func (r *ruler) mayDo(i int) bool {
	w := r.want[i]
	switch {
	case !r.answers(w.at.Action):
		return true
	case w.Action.Answer != 0:
		return r.clear(i, slices.Index(r.has, w.at))
	}
	return r.serves(w.Action, r.healthy(w.at.Action))
}

// clear reports whether all rules that are to get requests before a wanted one do so if it comes to a place.
func (r *ruler) clear(i, place int) bool {
	for _, w := range r.want[:i] {
		if w.Match.overlaps(r.want[i].Match) && (!r.settled(w) || slices.Index(r.has, w.at) >= place) {
			return false
		}
	}
	return true
}

// over reports whether a rule can come to a place ahead of another one without anybody losing requests. i says which of the wanted rules
// it is; -1: it is not wanted.
func (r *ruler) over(a Rule, i, place int, b *ObservedRule) bool {
	switch {
	case !b.Own || !a.Match.overlaps(b.Match) || !r.answers(b.Action) || r.serves(a.Action, r.healthy(b.Action)):
		return true
	case i < 0 || r.want[i].Action.Answer == 0:
		return false
	}
	k := r.index(b)
	return (k < 0 || k > i) && r.clear(i, place)
}

// move brings two rules that there are into their order.
func (r *ruler) move() bool {
	last := -1
	for at, b := range r.has {
		j := r.index(b)
		if j < 0 {
			continue
		}
		if last >= 0 && r.index(r.has[last]) > j && (r.up(r.first(at, j), at) || r.up(last, at) || r.down(last, at)) {
			return true
		}
		last = at
	}
	return false
}

// ordered reports whether all rules that there are and are wanted are in their order.
func (r *ruler) ordered() bool {
	last := -1
	for _, b := range r.has {
		if j := r.index(b); j >= 0 {
			if j < last {
				return false
			}
			last = j
		}
	}
	return true
}

// first is the place of the first of the rules before a place that are to come after the wanted rule j.
func (r *ruler) first(at, j int) int {
	to := at
	for k := at - 1; k >= 0; k-- {
		switch i := r.index(r.has[k]); {
		case i > j:
			to = k
		case i >= 0:
			return to
		}
	}
	return to
}

// up brings the rule at a place to an earlier one.
func (r *ruler) up(to, from int) bool {
	rule := r.has[from]
	for _, b := range r.has[to:from] {
		if !r.over(rule.Rule, r.index(rule), to, b) {
			return false
		}
	}
	return r.bring(rule, to)
}

// down brings the rule at a place behind a later one.
func (r *ruler) down(from, behind int) bool {
	rule := r.has[from]
	for at := from + 1; at <= behind; at++ {
		if b := r.has[at]; b.Own && !r.over(b.Rule, r.index(b), at, rule) {
			return false
		}
	}
	return r.bring(rule, behind+1)
}

// bring brings a rule ahead of the one at a place.
func (r *ruler) bring(rule *ObservedRule, to int) bool {
	if !known(rule) {
		return false
	}
	priority, shifted := r.room(to)
	if priority > 0 {
		rule.Priority = priority
		r.do(SetPriority{ARN: rule.ARN, Priority: priority})
	}
	return priority > 0 || shifted
}

// room returns a free priority ahead of the rule at a place. Where there is none it makes room by one step, which keeps the order; 0 and
// false: there is no room at all. The order of somebody else's rules among the stack's means nothing.
func (r *ruler) room(at int) (priority int, shifted bool) {
	for {
		if priority, shifted = r.roomAt(at); priority > 0 || shifted || at == 0 || r.has[at-1].Own {
			return priority, shifted
		}
		at--
	}
}

func (r *ruler) roomAt(at int) (priority int, shifted bool) {
	priorityAt := func(i int) int {
		switch {
		case i < 0:
			return 0
		case i >= len(r.has):
			return maxPriority + 1
		}
		return r.has[i].Priority
	}
	low, high := priorityAt(at-1), priorityAt(at)
	if high-low > 1 {
		if at == len(r.has) && low+10 < high {
			return low + 10, false
		}
		return (low + high) / 2, false
	}

	for i := at; i < len(r.has) && known(r.has[i]); i++ {
		if gap := priorityAt(i+1) - priorityAt(i); gap > 1 {
			return 0, r.shift(r.has[i], gap/2)
		}
	}
	for i := at - 1; i >= 0 && known(r.has[i]); i-- {
		if gap := priorityAt(i) - priorityAt(i-1); gap > 1 {
			return 0, r.shift(r.has[i], -(gap / 2))
		}
	}
	return 0, false
}

func (r *ruler) shift(rule *ObservedRule, by int) bool {
	rule.Priority += by
	r.do(SetPriority{ARN: rule.ARN, Priority: rule.Priority})
	return true
}

// place is where a wanted rule that is not there comes: ahead of the first one that is to come after it.
func (r *ruler) place(i int) int {
	at := slices.IndexFunc(r.has, func(has *ObservedRule) bool { return r.index(has) > i })
	if at < 0 {
		return len(r.has)
	}
	return at
}

// create makes a rule that is not there, or where there is no room has one that is not wanted become it.
func (r *ruler) create() bool {
	for i, w := range r.want {
		if w.at != nil || !w.ready {
			continue
		}
		place := r.place(i)
		if blocks := r.blocking(i, place); blocks != nil {
			if w.Action.Answer == 0 && r.warm(blocks, w.Action) {
				return true
			}
			continue
		}
		if !r.fits(w.Action) {
			continue
		}
		if len(r.has) >= r.rulesQuota() {
			if r.replace(i, place) {
				return true
			}
			continue
		}

		priority, shifted := r.room(place)
		if shifted {
			return true
		}
		if priority > 0 {
			r.make(i, priority)
			return true
		}
	}
	return false
}

// blocking is a rule that gets requests which a rule would not answer that comes to a place.
func (r *ruler) blocking(i, place int) *ObservedRule {
	for _, b := range r.has[place:] {
		if !r.over(r.want[i].Rule, i, place, b) {
			return b
		}
	}
	return nil
}

func (r *ruler) make(i, priority int) {
	w := &r.want[i]
	made := w.Rule
	made.Tags = r.tagsOf(w.Rule)
	name := r.freeName()
	w.at = &ObservedRule{Rule: made, Name: name, Priority: priority, Own: true}
	r.has = append(r.has, w.at)
	r.do(CreateRule{Listener: r.listener.ARN, Name: name, Priority: priority, Rule: made})
}

// freeName is a name that no rule of the listener has.
func (r *ruler) freeName() string {
	for n := 1; ; n++ {
		name := fmt.Sprintf("podgate-%d", n)
		if !slices.ContainsFunc(r.has, func(has *ObservedRule) bool { return has.Name == name }) {
			return name
		}
	}
}

func (r *ruler) tagsOf(rule Rule) map[string]string {
	tags := r.stack.All("rule", rule.Tags)
	tags[OwnerTag] = rule.Owner
	return tags
}

// replace has a rule that is not wanted become one that is.
func (r *ruler) replace(i, place int) bool {
	w := &r.want[i]
	for _, old := range r.has {
		if !known(old) || r.index(old) >= 0 || !r.removable(old, i) {
			continue
		}
		takes := old.Match.overlaps(w.Match) && r.answers(old.Action)
		if takes && w.Action.Answer == 0 && !r.serves(w.Action, r.healthy(old.Action)) {
			if r.warm(old, w.Action) {
				return true
			}
			continue
		}
		if takes && w.Action.Answer != 0 && !r.clear(i, place) {
			continue
		}

		priority, shifted := r.room(place)
		if priority > 0 {
			old.Match, old.Action, old.Priority, w.at = w.Match, w.Action, priority, old
			r.do(ReplaceRule{ARN: old.ARN, Priority: priority, Rule: w.Rule})
		}
		return priority > 0 || shifted
	}
	return false
}

// removable reports whether the rules that are to get the requests of one that is not wanted do so, apart from one that replaces it.
func (r *ruler) removable(old *ObservedRule, but int) bool {
	if !r.answers(old.Action) && len(r.has) >= r.rulesQuota() {
		return true
	}
	for i, w := range r.want {
		if i == but || !w.Match.overlaps(old.Match) {
			continue
		}
		if !r.settled(w) || w.Action.Answer == 0 && r.answers(old.Action) && !r.serves(w.Action, r.healthy(old.Action)) {
			return false
		}
	}
	// One that goes as well may get them first.
	for _, b := range r.has[slices.Index(r.has, old)+1:] {
		if r.index(b) < 0 && b.Own && b.Match.overlaps(old.Match) && r.answers(old.Action) && !r.serves(b.Action, r.healthy(old.Action)) {
			return false
		}
	}
	return r.ordered()
}

// remove deletes a rule that is not wanted.
func (r *ruler) remove() bool {
	for k, old := range r.has {
		if known(old) && r.index(old) < 0 && r.removable(old, -1) {
			r.has = slices.Delete(r.has, k, k+1)
			r.do(DeleteRule{ARN: old.ARN})
			return true
		}
	}
	return false
}

// tags has all rules say whose they are.
func (r *ruler) tags() {
	for _, w := range r.want {
		if w.at != nil && known(w.at) {
			r.tag(w.at.ARN, r.tagsOf(w.Rule), w.at.Tags)
		}
	}
}

// explain says what is left to do.
func (r *ruler) explain() {
	for _, w := range r.want {
		switch {
		case r.settled(w):
		case !w.ready:
			r.wait(w.Owner, "The rule for %s is made when its target groups are.", w.Match)
		case !r.fits(w.Action) || w.at != nil && !r.fits(w.at.Action.with(w.Action)):
			r.wait(w.Owner, "The rule for %s would have service %s forward to more target groups than it may: others have to go first.", w.Match, r.service.Name)
		case w.at == nil && len(r.has) >= r.rulesQuota():
			r.wait(w.Owner, "The rule for %s has to wait: listener %s may have no more than %s.", w.Match, r.listener.Name, plural.Count(r.rulesQuota(), "rule"))
		default:
			r.wait(w.Owner, "The rule for %s gets requests when its target groups have enough healthy targets.", w.Match)
		}
	}
	for _, old := range r.has {
		if old.Own && r.index(old) < 0 {
			r.wait(old.Owner, "The rule for %s goes when those that replace it serve.", old.Match)
		}
	}
	if !r.ordered() {
		r.wait("", "Rules of listener %s change places when those that get requests then serve.", r.listener.Name)
	}
}
