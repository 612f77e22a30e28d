// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package elb

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"
)

// retirement is how long clients are given that have the address of a load balancer which the cluster does not name any more.
const retirement = 10 * time.Minute

// pause is how long one stays that AWS could not start, so that people learn of it and no more than one is tried in that time.
const pause = time.Minute

const (
	protection = "deletion_protection.enabled"
	failed     = "failed"
)

// onlyKeeps reports that no member of the stack could be built, so that it says nothing of what they share.
func (p *planner) onlyKeeps() bool { return len(p.stack.Listeners) == 0 && len(p.stack.Keep) > 0 }

// findLoadBalancer returns the load balancer that is as the stack wants it in all that cannot be changed, if it is there.
func (p *planner) findLoadBalancer() *ObservedLoadBalancer {
	var found []*ObservedLoadBalancer
	for i := range p.seen.LoadBalancers {
		lb := &p.seen.LoadBalancers[i]
		if p.gone() {
			return nil
		}

		// Rules that cannot be made on another one keep this one.
		if lb.Published && slices.ContainsFunc(lb.Listeners, p.keepsIn) {
			return lb
		}
		// Nobody can repair one that AWS could not start.
		if lb.State != failed && (p.onlyKeeps() || p.fits(lb)) {
			found = append(found, lb)
		}
	}
	if len(found) == 0 {
		return nil
	}

	// Of several the one stays that clients know.
	return slices.MinFunc(found, func(a, b *ObservedLoadBalancer) int {
		return cmp.Or(truth(b.Published)-truth(a.Published), truth(b.Retired.IsZero())-truth(a.Retired.IsZero()), cmp.Compare(a.ARN, b.ARN))
	})
}

// fits reports whether a load balancer has all that cannot be changed.
func (p *planner) fits(lb *ObservedLoadBalancer) bool {
	want := p.stack.LoadBalancer
	return lb.Kind == want.Kind && lb.Scheme == want.Scheme && slices.Contains(names(want.Name), lb.Name) && p.fitsNetwork(lb)
}

// fitsNetwork reports whether a network load balancer has what it can have only from the start: security groups or none, and zones,
// of which it may get more.
func (p *planner) fitsNetwork(lb *ObservedLoadBalancer) bool {
	want := p.stack.LoadBalancer
	guarded := p.stack.SecurityGroup != nil || len(want.SecurityGroups) > 0
	return lb.Kind != Network || guarded == (len(lb.SecurityGroups) > 0) && (!want.SubnetsNamed || len(without(lb.Subnets, want.Subnets)) == 0)
}

func truth(b bool) int {
	if b {
		return 1
	}
	return 0
}

// loadBalancer makes the load balancer, or changes what can be changed. It returns false where there cannot be one.
func (p *planner) loadBalancer() bool {
	if p.balancer == nil {
		return p.createLoadBalancer()
	}

	lb, want := p.balancer, p.stack.LoadBalancer
	if lb.State == failed {
		p.refuse("", "Load balancer %s failed, as AWS says, and has rules of Ingresses that cannot be built. Put those right, and it is replaced.", lb.Name)
		return false
	}
	if lb.State == "provisioning" {
		p.wait("", "Load balancer %s is being started.", lb.Name)
	}
	if !lb.Retired.IsZero() {
		p.do(Unretire{LoadBalancer: lb.ARN})
	}
	if p.onlyKeeps() {
		return true
	}

	if !p.fits(lb) {
		p.wait("", "Load balancer %s is replaced when every Ingress that has rules on it can be built.", lb.Name)
	}

	p.tag(lb.ARN, p.stack.All(want.Resource, want.Tags), lb.Tags)
	if want.SubnetsNamed && !sameSet(want.Subnets, lb.Subnets) {
		p.do(SetSubnets{LoadBalancer: lb.ARN, Subnets: want.Subnets})
	}

	// A network load balancer that was made without security groups never has any.
	if ids, _ := p.securityGroups(); len(ids) > 0 && !sameSet(ids, lb.SecurityGroups) && (lb.Kind != Network || len(lb.SecurityGroups) > 0) {
		p.do(SetSecurityGroups{LoadBalancer: lb.ARN, SecurityGroups: ids})
	}
	if differs(want.AddressType, lb.AddressType) {
		p.do(SetAddressType{LoadBalancer: lb.ARN, AddressType: want.AddressType})
	}

	attributes := changes(want.Attributes, lb.Attributes)
	if lb.Protected && attributes[protection] == "false" {
		delete(attributes, protection)
		p.refuse("", "Load balancer %s is protected from deletion, which podgate never switches off. Switch %s off at AWS.", lb.Name, protection)
	}
	if len(attributes) > 0 {
		p.do(SetLoadBalancerAttributes{LoadBalancer: lb.ARN, Attributes: attributes})
	}
	return true
}

// createLoadBalancer makes the load balancer once its security group is there.
func (p *planner) createLoadBalancer() bool {
	made := p.stack.LoadBalancer
	taken := maps.Clone(p.seen.Foreign)
	if whose, ok := taken[made.Name]; ok {
		p.refuse("", "A load balancer named %s exists and is not this stack's (%s). Delete it, or choose another name.", made.Name, whose)
		return false
	}
	if p.onlyKeeps() || len(made.Subnets) == 0 || slices.ContainsFunc(p.seen.LoadBalancers, stillborn) {
		return false
	}

	// The one that it replaces may have its name.
	for _, lb := range p.seen.LoadBalancers {
		taken = with(taken, lb.Name)
	}
	name, free := firstFree(made.Name, taken)
	ids, ready := p.securityGroups()
	if !free || !ready {
		return free
	}

	made.Name, made.SecurityGroups = name, ids
	made.Tags = p.stack.All(made.Resource, made.Tags)
	p.do(CreateLoadBalancer{LoadBalancer: made})
	return true
}

// stillborn reports whether AWS could not start a load balancer that nobody was told of.
func stillborn(lb ObservedLoadBalancer) bool {
	return lb.State == failed && !lb.Published
}

// with returns a map with one more key.
func with(m map[string]string, key string) map[string]string {
	if m == nil {
		m = map[string]string{}
	}
	m[key] = ""
	return m
}

// firstFree returns the first one of a name's forms that is not taken.
func firstFree(name string, taken map[string]string) (string, bool) {
	for _, n := range names(name) {
		if _, ok := taken[n]; !ok {
			return n, true
		}
	}
	return "", false
}

// oldLoadBalancers retires and deletes those that are not wanted any more.
func (p *planner) oldLoadBalancers() {
	for i := range p.seen.LoadBalancers {
		lb := &p.seen.LoadBalancers[i]
		switch {
		case lb == p.balancer:
		case p.gone():
			p.remove(lb)
		case p.balancer == nil && stillborn(*lb):
			p.retire(lb, pause, "Load balancer %s could not be started, as AWS says. It is deleted, and another one is made.")
		case p.balancer == nil || !p.balancer.Published || lb.Published:
			p.wait("", "Load balancer %s stays until its successor serves and the cluster names that one.", lb.Name)
		default:
			p.retire(lb, retirement, "Load balancer %s is kept for clients that still have its address.")
		}
	}
}

// retire notes since when a load balancer is not wanted any more, and deletes it when it was not for long enough.
func (p *planner) retire(lb *ObservedLoadBalancer, after time.Duration, why string) {
	until := lb.Retired.Add(after)
	switch {
	case lb.Retired.IsZero():
		p.do(Retire{LoadBalancer: lb.ARN, Since: p.now})
	case p.now.Before(until):
		p.plan.Waits = append(p.plan.Waits, Wait{Message: fmt.Sprintf(why, lb.Name), Until: until})
	default:
		p.delete(lb, false)
	}
}

// remove deletes a load balancer's listeners, and then itself.
func (p *planner) remove(lb *ObservedLoadBalancer) {
	left := false
	for i := range lb.Listeners {
		l := &lb.Listeners[i]
		if l.Own && !strangers(l) {
			p.do(DeleteListener{ARN: l.ARN})
			continue
		}
		left = true
		if l.Own {
			p.strip(lb, l)
		}
	}
	p.delete(lb, left)
}

// delete deletes a load balancer, unless that would take along what is somebody else's or a person protects it.
func (p *planner) delete(lb *ObservedLoadBalancer, strange bool) {
	for i := range lb.Listeners {
		strange = strange || !lb.Listeners[i].Own || strangers(&lb.Listeners[i])
	}
	switch {
	case lb.Protected:
		p.refuse("", "Load balancer %s is protected from deletion. Switch %s off at AWS, and it is deleted.", lb.Name, protection)
	case strange:
		p.refuse("", "Load balancer %s has listeners or rules that podgate did not make. Delete those, and it is deleted.", lb.Name)
	default:
		p.do(DeleteLoadBalancer{LoadBalancer: lb.ARN})
	}
}
