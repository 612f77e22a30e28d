// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package elb

import (
	"cmp"
	"maps"
	"slices"
)

// findTargetGroup returns a target group that is as the stack wants it in all that cannot be changed, and that no other load
// balancer uses.
func (p *planner) findTargetGroup(want TargetGroup) *ObservedTargetGroup {
	var found []*ObservedTargetGroup
	for i := range p.seen.TargetGroups {
		g := &p.seen.TargetGroups[i]
		free := g.LoadBalancer == "" || p.balancer != nil && g.LoadBalancer == p.balancer.ARN
		if free && g.Resource == want.Resource && sameKind(want, g.TargetGroup) {
			found = append(found, g)
		}
	}
	if len(found) == 0 {
		return nil
	}

	// Of several the one stays that is in use.
	return slices.MinFunc(found, func(a, b *ObservedTargetGroup) int {
		return cmp.Or(cmp.Compare(b.LoadBalancer, a.LoadBalancer), truth(b.Bound)-truth(a.Bound), cmp.Compare(len(a.Name), len(b.Name)), cmp.Compare(a.ARN, b.ARN))
	})
}

// sameKind reports whether a target group has all that cannot be changed.
func sameKind(want, has TargetGroup) bool {
	return slices.Contains(names(want.Name), has.Name) && want.VPC == has.VPC && want.Protocol == has.Protocol && want.Version == has.Version &&
		want.Port == has.Port && want.TargetType == has.TargetType && !differs(want.AddressType, has.AddressType)
}

// targetGroups makes target groups and their bindings, or changes what can be changed.
func (p *planner) targetGroups() {
	for _, want := range p.stack.TargetGroups {
		if has := p.groups[want.Resource]; has != nil {
			p.changeTargetGroup(want, has)
		} else {
			p.createTargetGroup(want)
		}
	}
}

func (p *planner) createTargetGroup(want TargetGroup) {
	if whose, ok := p.seen.Foreign[want.Name]; ok {
		p.refuse(want.Owner, "A target group named %s exists and is not this stack's (%s). Delete it.", want.Name, whose)
		return
	}

	taken := maps.Clone(p.seen.Foreign)
	for _, g := range p.seen.TargetGroups {
		taken = with(taken, g.Name)
	}
	name, free := firstFree(want.Name, taken)
	if !free {
		p.wait(want.Owner, "Target group %s is made when one of those that it replaces is gone.", want.Name)
		return
	}

	want.Name = name
	want.Tags = p.tagsOf(want)
	p.do(CreateTargetGroup{TargetGroup: want})
}

// tagsOf are all tags of a target group.
func (p *planner) tagsOf(want TargetGroup) map[string]string {
	tags := p.stack.All(want.Resource, want.Tags)
	if want.Owner != "" {
		tags[OwnerTag] = want.Owner
	}
	return tags
}

func (p *planner) changeTargetGroup(want TargetGroup, has *ObservedTargetGroup) {
	p.tag(has.ARN, p.tagsOf(want), has.Tags)
	if h, old := want.HealthCheck, has.HealthCheck; differs(h.Protocol, old.Protocol) || differs(h.Path, old.Path) || differs(h.Port, old.Port) || differs(h.Codes, old.Codes) ||
		differs(h.Interval, old.Interval) || differs(h.Timeout, old.Timeout) || differs(h.Healthy, old.Healthy) || differs(h.Unhealthy, old.Unhealthy) {
		p.do(ModifyTargetGroup{TargetGroup: has.ARN, HealthCheck: h})
	}
	if diff := changes(want.Attributes, has.Attributes); len(diff) > 0 {
		p.do(SetTargetGroupAttributes{TargetGroup: has.ARN, Attributes: diff})
	}

	// Targets are not checked before their group is in use, so neither is it bound before: gates would wait for nothing.
	want.Name = has.Name
	switch {
	case has.Unbinding:
		p.wait(want.Owner, "The binding of target group %s is made when the one that is being deleted is gone.", has.Name)
	case !has.Bound && (has.LoadBalancer != "" || p.used(has.ARN) != unused):
		p.do(CreateBinding{ARN: has.ARN, TargetGroup: want})
	case has.Bound && (len(changes(want.Binding.Labels, has.Binding.Labels)) > 0 || !maps.Equal(want.Binding.Nodes, has.Binding.Nodes) || want.Binding.MultiCluster != has.Binding.MultiCluster):
		p.do(UpdateBinding{ARN: has.ARN, TargetGroup: want})
	}
}

// Who uses a target group.
type use int

const (
	unused use = iota
	// idle: a rule of the stack, or a default action, that has it get no requests.
	idle
	ours
	strange
)

// used says who names a target group. What owners have that cannot be built now counts as if it got requests: it stays as it is.
func (p *planner) used(arn string) use {
	by := unused
	names := func(a Action, own, idles bool) {
		at := slices.IndexFunc(a.Forward, func(f Forward) bool { return f.Group == arn })
		switch {
		case at < 0:
		case !own:
			by = strange
		case idles || len(a.Forward) > 1 && a.Forward[at].Weight == 0 && !p.keeps(Action{Forward: a.Forward[at : at+1]}):
			by = max(by, idle)
		default:
			by = max(by, ours)
		}
	}
	for _, lb := range p.seen.LoadBalancers {
		for _, l := range lb.Listeners {
			names(l.Default, l.Own, false)
			for _, r := range l.Has {
				names(r.Action, r.Own, sameMatch(r.Match, parking))
			}
		}
	}
	return by
}

// oldTargetGroups takes the bindings of those away that get no requests any more, and deletes them when they have none.
func (p *planner) oldTargetGroups() {
	for i := range p.seen.TargetGroups {
		g := &p.seen.TargetGroups[i]
		if p.groups[g.Resource] == g {
			continue
		}

		switch by := p.used(g.ARN); {
		case by == strange:
			p.refuse("", "Target group %s is used by a listener or a rule that podgate did not make. Delete that, and it is deleted.", g.Name)
		case by == ours:
		case g.Unbinding:
			p.wait("", "Target group %s is deleted when its targets have drained.", g.Name)
		case g.Bound:
			p.do(DeleteBinding{ARN: g.ARN, Namespace: g.Binding.Namespace, Name: g.Name})
		case by == idle && p.drains(g):
			p.wait("", "Target group %s is deleted when its targets have drained.", g.Name)
		case by == idle: // What names it is changed first.
		case g.LoadBalancer != "":
			p.wait("", "Target group %s is deleted when load balancer %s does not use it any more.", g.Name, g.LoadBalancer)
		default:
			p.do(DeleteTargetGroup{TargetGroup: g.ARN})
		}
	}
}
