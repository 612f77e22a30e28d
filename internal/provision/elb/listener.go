// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package elb

import (
	"cmp"
	"slices"
	"strings"

	"github.com/podgate/podgate/internal/route"
)

// nothing answers requests that nobody wants.
var nothing = Action{Answer: &route.Answer{Status: 404, ContentType: "text/plain"}}

// listeners makes, changes and deletes those of the load balancer that is wanted, with their rules.
func (p *planner) listeners() {
	if p.balancer == nil {
		return
	}
	wanted := p.wantedListeners()
	for _, want := range wanted {
		has := p.listener(want.Port)
		switch {
		case has == nil:
			p.createListener(want)
		case !has.Own:
			p.refuse("", "Port %d of load balancer %s has a listener that podgate did not make. Delete it, or choose another port.", want.Port, p.balancer.Name)
		default:
			p.changeListener(want, has)
		}
	}

	for i := range p.balancer.Listeners {
		l := &p.balancer.Listeners[i]
		switch {
		case !l.Own || slices.ContainsFunc(wanted, func(want Listener) bool { return want.Port == l.Port }):
		case strangers(l):
			p.strip(p.balancer, l)
		default:
			p.deleteListener(l)
		}
	}
}

// wantedListeners are those of the stack, and those that stay because their owners cannot be built now.
func (p *planner) wantedListeners() []Listener {
	return slices.Concat(p.stack.Listeners, p.keptListeners())
}

// keptListeners are those that stay only because their owners cannot be built now. Nothing but rules of others changes there.
func (p *planner) keptListeners() []Listener {
	if p.balancer == nil || len(p.stack.Keep) == 0 {
		return nil
	}

	var kept []Listener
	for _, l := range p.balancer.Listeners {
		wanted := slices.ContainsFunc(p.stack.Listeners, func(want Listener) bool { return want.Port == l.Port })
		if !wanted && p.keepsIn(l) {
			kept = append(kept, l.Listener)
		}
	}
	return kept
}

// keepsIn reports whether a listener has anything of an owner who cannot be built now.
func (p *planner) keepsIn(l ObservedListener) bool {
	return l.Own && (p.keeps(l.Default) || slices.ContainsFunc(l.Has, func(r ObservedRule) bool { return r.Own && slices.Contains(p.stack.Keep, r.Owner) }))
}

// keeps reports whether an action forwards to a target group of an owner who cannot be built now.
func (p *planner) keeps(a Action) bool {
	return slices.ContainsFunc(a.Forward, func(f Forward) bool {
		g := p.seenGroups[f.Group]
		return g != nil && slices.Contains(p.stack.Keep, p.ownerOf(g))
	})
}

// ownerOf is whose a target group is that exists, as far as the stack and rules name owners.
func (p *planner) ownerOf(g *ObservedTargetGroup) string {
	owners := slices.Clone(p.stack.Keep)
	for _, want := range p.stack.TargetGroups {
		if want.Resource == g.Resource {
			return want.Owner
		}
		owners = append(owners, want.Owner)
	}
	for _, l := range p.stack.Listeners {
		for _, r := range l.Rules {
			owners = append(owners, r.Owner)
		}
	}
	for _, lb := range p.seen.LoadBalancers {
		for _, l := range lb.Listeners {
			for _, r := range l.Has {
				owners = append(owners, r.Owner)
			}
		}
	}
	return g.OwnerAmong(owners)
}

// OwnerAmong is whose a target group is: its owner by its tag, or where it has none, as one that AWS Load Balancer Controller made,
// the one of these that its resource tag fits. Empty: nobody's of them.
func (g ObservedTargetGroup) OwnerAmong(owners []string) string {
	return cmp.Or(g.Owner, OwnerOf(g.Resource, owners))
}

// OwnerOf is whose a target group is by its resource, such as shop/web-api:80 of an Ingress or shop/web:80 of a Service, among the
// owners that there are; empty: nobody's of them. It is the longest name of those that fit, since both shop/a and shop/a-b begin shop/a-b-api:80.
func OwnerOf(resource string, owners []string) string {
	longest := ""
	for _, owner := range owners {
		if len(owner) > len(longest) && (strings.HasPrefix(resource, owner+"-") || strings.HasPrefix(resource, owner+":")) {
			longest = owner
		}
	}
	return longest
}

// listener returns the listener on a port of the load balancer, whosever it is.
func (p *planner) listener(port int32) *ObservedListener {
	for i := range p.balancer.Listeners {
		if p.balancer.Listeners[i].Port == port {
			return &p.balancer.Listeners[i]
		}
	}
	return nil
}

// strangers reports whether somebody else has rules there.
func strangers(l *ObservedListener) bool {
	return slices.ContainsFunc(l.Has, func(r ObservedRule) bool { return !r.Own })
}

// strip takes everything of the stack from a listener that stays for the rules that somebody else has there.
func (p *planner) strip(lb *ObservedLoadBalancer, l *ObservedListener) {
	p.refuse("", "Port %d of load balancer %s has rules that podgate did not make. Delete those, and the listener is deleted.", l.Port, lb.Name)
	for i := range l.Has {
		if l.Has[i].Own {
			p.deleteRule(&l.Has[i])
		}
	}
	if l.Default.Answer == nil {
		stripped := l.Listener
		stripped.Default = nothing
		p.do(ModifyListener{ARN: l.ARN, Listener: stripped})
		p.unuse(l.Default)
	}
}

// resolve names target groups by ARN; false: one of them is not there.
func (p *planner) resolve(a Action) (Action, bool) {
	all := true
	a.Forward = slices.Clone(a.Forward)
	for i, f := range a.Forward {
		if g := p.groups[f.Group]; g != nil {
			a.Forward[i].Group = g.ARN
		} else if slices.ContainsFunc(p.stack.TargetGroups, func(want TargetGroup) bool { return want.Resource == f.Group }) {
			all = false
		}
	}
	return a, all
}

// createListener makes a listener. Nobody answers on its port, so there is nothing to wait for.
func (p *planner) createListener(want Listener) {
	action, ok := p.resolve(want.Default)
	if !ok {
		if p.comes(want.Default) || p.balancer.Kind == Network { // One of these has no other action.
			return
		}
		action = nothing
	}
	want.Default, want.Rules = action, nil
	want.Tags = p.stack.All(want.Resource, want.Tags)
	p.do(CreateListener{LoadBalancer: p.balancer.ARN, Listener: want})
	p.use(action)
}

func (p *planner) deleteListener(l *ObservedListener) {
	p.do(DeleteListener{ARN: l.ARN})
	p.unuse(l.Default)
	for _, r := range l.Has {
		p.unuse(r.Action)
	}
}

// comes reports whether the target groups that an action lacks are about to be made.
func (p *planner) comes(a Action) bool {
	for _, f := range a.Forward {
		made := slices.ContainsFunc(p.plan.Steps, func(s Step) bool {
			c, ok := s.(CreateTargetGroup)
			return ok && c.TargetGroup.Resource == f.Group
		})
		if made {
			return true
		}
	}
	return false
}

// changeListener changes a listener and its rules. Certificates come before anything needs them, and go last.
func (p *planner) changeListener(want Listener, has *ObservedListener) {
	kept := !slices.ContainsFunc(p.stack.Listeners, func(l Listener) bool { return l.Port == want.Port })
	if !kept {
		p.tag(has.ARN, p.stack.All(want.Resource, want.Tags), has.Tags)
	}

	first, others := split(want.Certificates)
	hasFirst, hasOthers := split(has.Certificates)
	more := without(others, hasOthers)
	if len(more) > 0 && len(has.Certificates) > 0 {
		p.do(AddCertificates{Listener: has.ARN, Certificates: more})
	}

	r := p.newRules(want, has)
	r.next = r.defaultAction()
	if protocol := p.protocolFor(want, has, r.next); !sameAction(r.next, has.Default) || protocol != has.Protocol || differs(want.SSLPolicy, has.SSLPolicy) || differs(want.ALPN, has.ALPN) || differs(first, hasFirst) {
		changed := want
		changed.Default, changed.Rules = r.next, nil
		changed.Protocol = protocol
		p.do(ModifyListener{ARN: has.ARN, Listener: changed})
		p.use(r.next)
		p.unuse(has.Default)
	}
	if diff := changes(want.Attributes, has.Attributes); len(diff) > 0 {
		p.do(SetListenerAttributes{Listener: has.ARN, Attributes: diff})
	}

	r.change()

	// The first one cannot be removed, even where it is among the others, too. Nothing is removed before what replaces it is there.
	if less := without(hasOthers, append(slices.Clone(others), first)); len(less) > 0 && len(more) == 0 && first == hasFirst {
		p.do(RemoveCertificates{Listener: has.ARN, Certificates: less})
	}
}

// protocolFor is a listener's protocol now: the one that is wanted, unless only the one that there is goes with the target groups
// that there are until the wanted one serves.
func (p *planner) protocolFor(want Listener, has *ObservedListener, next Action) string {
	if !p.speaks(want.Protocol, next) && p.speaks(has.Protocol, next) {
		return has.Protocol
	}
	return want.Protocol
}

// forwards are the protocols of target groups that a network load balancer's listener with a protocol may forward to.
var forwards = map[string][]string{"TCP": {"TCP", both}, "UDP": {"UDP", both}, both: {both}, "TLS": {"TCP", "TLS"}}

const both = "TCP_UDP"

// speaks reports whether a listener with a protocol may forward to the target groups of an action.
func (p *planner) speaks(protocol string, a Action) bool {
	groups, network := forwards[protocol]
	return !network || !slices.ContainsFunc(a.Forward, func(f Forward) bool {
		g := p.seenGroups[f.Group]
		return g != nil && !slices.Contains(groups, g.Protocol)
	})
}

// split returns the first value and the other ones.
func split(values []string) (string, []string) {
	if len(values) == 0 {
		return "", nil
	}
	return values[0], values[1:]
}
