// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package elb

import "slices"

// findSecurityGroup returns the security group that the stack wants, if it is there.
func (p *planner) findSecurityGroup() *ObservedSecurityGroup {
	want := p.stack.SecurityGroup
	if want == nil {
		return nil
	}
	for i, g := range p.seen.SecurityGroups {
		if g.Resource == want.Resource && g.VPC == want.VPC {
			return &p.seen.SecurityGroups[i]
		}
	}
	return nil
}

// openSecurityGroup makes the security group, and lets in whoever should be let in.
func (p *planner) openSecurityGroup() {
	want, has := p.stack.SecurityGroup, p.group
	if want == nil || p.onlyKeeps() {
		return
	}

	tags := p.stack.All(want.Resource, want.Tags)
	if has == nil {
		made := *want
		made.Tags, made.Ingress = tags, nil
		p.do(CreateSecurityGroup{SecurityGroup: made})
		return
	}

	p.tag(has.ID, tags, has.Tags)
	more := without(want.Ingress, has.Ingress)
	if now := slices.DeleteFunc(slices.Clone(more), p.opensLeaving); len(now) > 0 {
		p.do(AuthorizeIngress{ID: has.ID, Permissions: now})
	}

	// Rules that come may ask for fewer clients than those that are there.
	less := slices.DeleteFunc(without(has.Ingress, want.Ingress), func(permission Permission) bool {
		return p.keptOpen(permission) || !slices.ContainsFunc(p.stack.Listeners, func(l Listener) bool { return covers(permission, l.Port) })
	})
	if len(less) > 0 && len(more) == 0 {
		p.narrows = true
		p.do(RevokeIngress{ID: has.ID, Permissions: less})
	}
}

// opensLeaving reports whether a permission lets clients reach rules of an owner who leaves, and who may have asked for fewer.
func (p *planner) opensLeaving(permission Permission) bool {
	if p.balancer == nil {
		return false
	}
	return slices.ContainsFunc(p.balancer.Listeners, func(l ObservedListener) bool {
		return l.Own && covers(permission, l.Port) && slices.ContainsFunc(l.Has, func(r ObservedRule) bool { return r.Own && r.Owner != "" && !p.stays(r.Owner) })
	})
}

// stays reports whether an owner has rules in the stack.
func (p *planner) stays(owner string) bool {
	return slices.Contains(p.stack.Keep, owner) || slices.ContainsFunc(p.stack.Listeners, func(l Listener) bool {
		return slices.ContainsFunc(l.Rules, func(r Rule) bool { return r.Owner == owner })
	})
}

func covers(permission Permission, port int32) bool {
	return permission.From <= port && port <= permission.To
}

// closeSecurityGroups takes out whoever should not be let in any more, and deletes security groups that no load balancer has.
func (p *planner) closeSecurityGroups() {
	if p.onlyKeeps() {
		return
	}
	for i := range p.seen.SecurityGroups {
		has := &p.seen.SecurityGroups[i]
		if has == p.group {
			more, less := without(p.stack.SecurityGroup.Ingress, has.Ingress), slices.DeleteFunc(without(has.Ingress, p.stack.SecurityGroup.Ingress), p.keptOpen)
			if len(less) > 0 && len(more) == 0 && !p.narrows {
				p.do(RevokeIngress{ID: has.ID, Permissions: less})
			}
			continue
		}

		inUse := slices.ContainsFunc(p.seen.LoadBalancers, func(lb ObservedLoadBalancer) bool { return slices.Contains(lb.SecurityGroups, has.ID) })
		if !inUse {
			p.do(DeleteSecurityGroup{ID: has.ID})
		}
	}
}

// securityGroups are the ids that the load balancer should have; false: the one that the stack makes is not there yet.
func (p *planner) securityGroups() ([]string, bool) {
	ids := slices.Clone(p.stack.LoadBalancer.SecurityGroups)
	if p.stack.SecurityGroup == nil {
		return ids, true
	}
	if p.group == nil {
		return nil, false
	}
	return append(ids, p.group.ID), true
}

// keptOpen reports whether a permission is for a listener that stays only because its owner cannot be built now.
func (p *planner) keptOpen(permission Permission) bool {
	return slices.ContainsFunc(p.keptListeners(), func(l Listener) bool { return covers(permission, l.Port) })
}
