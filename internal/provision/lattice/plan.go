// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package lattice

import (
	"cmp"
	"fmt"
	"slices"
)

// Plan is what to do now, and why not more.
type Plan struct {
	// Steps are to be done in this order, and none after one that failed. What can be done after them may be more: plan again.
	Steps []Step
	// Waits are what has to happen first. What is left is planned then.
	Waits []Wait
	// Refusals are what is not done because it is not the stack's to change.
	Refusals []Refusal
}

// Wait is something that nobody but AWS, the cluster or time brings about.
type Wait struct {
	// Owner is who waits, such as HTTPRoute/shop/web; empty: all of the stack.
	Owner   string
	Message string
}

// Refusal is something that a person has to decide. The message says what to do.
type Refusal struct{ Message string }

// Make plans. Everything follows from the stack and from what is seen.
func Make(stack Stack, seen Observed) Plan {
	p := newPlanner(stack, seen)
	if stack.Keep {
		return p.plan
	}

	p.targetGroups()
	for i := range stack.Services {
		p.service(&stack.Services[i])
	}
	for _, s := range p.services {
		if p.current[s.Resource] != s {
			p.oldService(s)
		}
	}
	p.bindings()
	p.oldTargetGroups()
	return p.plan
}

// planner makes one plan. What it has seen changes with every step that it plans.
type planner struct {
	stack Stack
	seen  Observed
	plan  Plan

	// services are all that there are, and current those of them that are wanted, by resource.
	services []*ObservedService
	current  map[string]*ObservedService
	// groups are the target groups that are as they should be, by resource, and all are all of the stack, by ARN.
	groups, all map[string]*ObservedTargetGroup
	// unused are the ARNs of groups that nothing named for a moment, whose health is not known any more.
	unused map[string]bool
}

func newPlanner(stack Stack, seen Observed) *planner {
	p := &planner{stack: stack, seen: seen, current: map[string]*ObservedService{}, groups: map[string]*ObservedTargetGroup{},
		all: map[string]*ObservedTargetGroup{}, unused: map[string]bool{}}
	for i := range seen.TargetGroups {
		p.all[seen.TargetGroups[i].ARN] = &seen.TargetGroups[i]
	}
	for _, s := range seen.Services {
		s.Has = slices.Clone(s.Has)
		for i := range s.Has {
			s.Has[i].Has = slices.Clone(s.Has[i].Has)
		}
		p.services = append(p.services, &s)
	}

	for _, want := range stack.Services {
		i := slices.IndexFunc(p.services, func(s *ObservedService) bool { return s.Resource == want.Resource && usable(s.State) })
		if i >= 0 {
			p.current[want.Resource] = p.services[i]
		}
		for _, g := range want.TargetGroups {
			if i := slices.IndexFunc(seen.TargetGroups, func(has ObservedTargetGroup) bool { return usable(has.State) && sameKind(g, has.TargetGroup) }); i >= 0 {
				p.groups[g.Resource] = &seen.TargetGroups[i]
			}
		}
	}
	return p
}

// usable reports whether what is in a state serves, or will.
func usable(s State) bool { return s == Active || s == Creating }

// sameKind reports whether a target group is the wanted one, in all that cannot be changed.
func sameKind(want, has TargetGroup) bool {
	return want.Resource == has.Resource && want.Name == has.Name && want.VPC == has.VPC && want.Protocol == has.Protocol && want.Version == has.Version &&
		want.Port == has.Port && want.AddressType == has.AddressType
}

func (p *planner) do(s Step) { p.plan.Steps = append(p.plan.Steps, s) }

func (p *planner) wait(owner, format string, args ...any) {
	w := Wait{Owner: owner, Message: fmt.Sprintf(format, args...)}
	if !slices.Contains(p.plan.Waits, w) {
		p.plan.Waits = append(p.plan.Waits, w)
	}
}

func (p *planner) refuse(format string, args ...any) {
	p.plan.Refusals = append(p.plan.Refusals, Refusal{Message: fmt.Sprintf(format, args...)})
}

// tag adds the tags that are missing or different.
func (p *planner) tag(arn string, want, has map[string]string) {
	diff := map[string]string{}
	for k, v := range want {
		if old, there := has[k]; !there || old != v {
			diff[k] = v
		}
	}
	if len(diff) > 0 {
		p.do(Tag{ARN: arn, Tags: diff})
	}
}

// service plans a service that is wanted, with its listeners.
func (p *planner) service(want *Service) {
	has := p.current[want.Resource]
	switch {
	case has == nil && p.taken(want.Name):
		return
	case has == nil:
		made := *want
		made.Tags = p.stack.All(want.Resource, want.Tags)
		p.do(CreateService{Service: made})
		return
	case has.State == Creating:
		p.wait("", "Service %s is being created.", has.Name)
		return
	}

	p.tag(has.ARN, p.stack.All(want.Resource, want.Tags), has.Tags)
	if want.Certificate != "" && want.Certificate != has.Certificate {
		p.do(SetCertificate{Service: has.ARN, Certificate: want.Certificate})
	}
	p.associate(has)
	p.oldListeners(want, has)
	for _, l := range want.Listeners {
		p.listener(has, l)
	}
}

// taken reports whether a service cannot be made since another one has its name.
func (p *planner) taken(name string) bool {
	if whose, foreign := p.seen.Foreign[name]; foreign {
		p.refuse("A service named %s exists and is not this stack's (%s). Delete it.", name, whose)
		return true
	}
	for _, s := range p.services {
		if s.Name == name {
			p.wait("", "Service %s is made again when the one that is being deleted is gone.", name)
			return true
		}
	}
	return false
}

// associate has a service be in its network, and leave others only then.
func (p *planner) associate(s *ObservedService) {
	if p.stack.Network == "" {
		p.wait("", "The service network is not known.")
		return
	}

	there := false
	for _, a := range s.Associations {
		if a.Network != p.stack.Network {
			continue
		}
		switch {
		case a.State == Active:
			there = true
		case a.State == CreationFailed && a.Own, a.State == DeletionFailed && a.Own:
			p.do(Dissociate{ARN: a.ARN})
			return
		default:
			p.wait("", "Service %s is not in network %s yet: %s.", s.Name, p.stack.Network, a.State)
			return
		}
	}
	if !there {
		p.do(Associate{Service: s.ARN, Network: p.stack.Network, Tags: p.stack.All(s.Resource, nil)})
		return
	}
	for _, a := range s.Associations {
		if a.Network != p.stack.Network && a.Own {
			p.dissociate(s, a)
		}
	}
}

func (p *planner) dissociate(s *ObservedService, a Association) {
	if a.State == Creating || a.State == Deleting {
		p.wait("", "Service %s leaves network %s: %s.", s.Name, a.Network, a.State)
		return
	}
	p.do(Dissociate{ARN: a.ARN})
}

// oldListeners deletes those at ports that are not wanted, or that have another protocol there: a port has one protocol.
func (p *planner) oldListeners(want *Service, has *ObservedService) {
	var gone []ObservedRule
	has.Has = slices.DeleteFunc(has.Has, func(l ObservedListener) bool {
		keeps := slices.ContainsFunc(want.Listeners, func(w Listener) bool { return w.Port == l.Port && w.Protocol == l.Protocol })
		if keeps || !l.Own {
			return false
		}
		if strangers(l) {
			p.refuse("Listener %s of service %s has rules that podgate did not make. Delete them, and it is deleted.", l.Name, has.Name)
			return false
		}
		p.do(DeleteListener{ARN: l.ARN})
		gone = append(gone, l.Has...)
		return true
	})
	for _, r := range gone {
		p.forget(r.Action)
	}
}

// strangers reports whether a listener has rules that are not the stack's.
func strangers(l ObservedListener) bool {
	return slices.ContainsFunc(l.Has, func(r ObservedRule) bool { return !r.Own })
}

// listener plans a listener with its rules.
func (p *planner) listener(s *ObservedService, want Listener) {
	i := slices.IndexFunc(s.Has, func(l ObservedListener) bool { return l.Port == want.Port })
	tags := p.stack.All(want.Name, want.Tags)
	if i < 0 {
		want.Tags, want.Rules = tags, nil
		p.do(CreateListener{Service: s.ARN, Listener: want})
		return
	}

	has := &s.Has[i]
	switch {
	case !has.Own:
		p.refuse("Service %s has a listener at port %d that podgate did not make. Delete it.", s.Name, want.Port)
	case has.Protocol == want.Protocol:
		p.tag(has.ARN, tags, has.Tags)
		p.rules(s, has, want.Rules)
	}
}

// oldService takes a service down that is not wanted: associations before it, and it before its target groups.
func (p *planner) oldService(s *ObservedService) {
	if slices.ContainsFunc(s.Has, func(l ObservedListener) bool { return !l.Own || strangers(l) }) {
		p.refuse("Service %s has listeners or rules that podgate did not make. Delete them, and it is deleted.", s.Name)
		return
	}
	for _, a := range s.Associations {
		if !a.Own {
			p.refuse("Service %s is in network %s by an association that podgate did not make. Delete that, and it is deleted.", s.Name, a.Network)
			return
		}
	}

	for _, a := range s.Associations {
		p.dissociate(s, a)
	}
	switch {
	case s.State == Creating || s.State == Deleting:
		p.wait("", "Service %s is deleted: %s.", s.Name, s.State)
	case len(s.Associations) > 0:
		p.wait("", "Service %s is deleted when it is in no network.", s.Name)
	default:
		p.do(DeleteService{ARN: s.ARN})
	}
}

// Who uses a target group.
type use int

const (
	nobody use = iota
	ours
	strange
)

// used says who names a target group, after the steps that are planned.
func (p *planner) used(g *ObservedTargetGroup) use {
	by := nobody
	for _, s := range p.services {
		for _, l := range s.Has {
			if l.Default.names(g.ARN) {
				by = max(by, whose(l.Own))
			}
			for _, r := range l.Has {
				if r.Action.names(g.ARN) {
					by = max(by, whose(r.Own))
				}
			}
		}
	}
	for _, arn := range g.Services {
		if !slices.ContainsFunc(p.services, func(s *ObservedService) bool { return s.ARN == arn }) {
			by = strange
		}
	}
	return by
}

func whose(own bool) use {
	if own {
		return ours
	}
	return strange
}

// forget notes which groups nothing names after a step: when something does again they are checked anew.
func (p *planner) forget(a Action) {
	for _, f := range a.Forward {
		if g := p.all[f.Group]; g != nil && p.used(g) == nobody {
			p.unused[g.ARN] = true
		}
	}
}

// targetGroups makes those that are wanted, or changes what can be changed.
func (p *planner) targetGroups() {
	for _, s := range p.stack.Services {
		for _, want := range s.TargetGroups {
			tags := p.stack.All(want.Resource, want.Tags)
			has := p.groups[want.Resource]
			switch whose, foreign := p.seen.Foreign[want.Name]; {
			case has == nil && foreign:
				p.refuse("A target group named %s exists and is not this stack's (%s). Delete it.", want.Name, whose)
			case has == nil && slices.ContainsFunc(p.seen.TargetGroups, func(g ObservedTargetGroup) bool { return g.Name == want.Name }):
				p.wait("", "Target group %s is made again when the one that is being deleted is gone.", want.Name)
			case has == nil:
				want.Tags = tags
				p.do(CreateTargetGroup{TargetGroup: want})
			case has.State == Creating:
				p.wait("", "Target group %s is being created.", has.Name)
			default:
				p.tag(has.ARN, tags, has.Tags)
				if want.HealthCheck.differs(has.HealthCheck) {
					p.do(ModifyTargetGroup{ARN: has.ARN, HealthCheck: want.HealthCheck})
				}
			}
		}
	}
}

// differs reports whether a setting was asked for and is another one.
func (h HealthCheck) differs(has HealthCheck) bool {
	return h.Off != has.Off || !h.Off && (differs(h.Protocol, has.Protocol) || differs(h.Version, has.Version) || differs(h.Path, has.Path) || differs(h.Codes, has.Codes) ||
		differs(h.Port, has.Port) || differs(h.Interval, has.Interval) || differs(h.Timeout, has.Timeout) || differs(h.Healthy, has.Healthy) || differs(h.Unhealthy, has.Unhealthy))
}

func differs[T comparable](want, has T) bool {
	var none T
	return want != none && want != has
}

// bindings binds target groups that are in use: the targets of others are not checked, and gates would wait for nothing.
func (p *planner) bindings() {
	for _, s := range p.stack.Services {
		for _, want := range s.TargetGroups {
			has := p.groups[want.Resource]
			switch {
			case has == nil || has.State != Active:
			case has.Unbinding:
				p.wait("", "The binding of target group %s is made when the one that is being deleted is gone.", has.Name)
			case has.Bound && slices.ContainsFunc(keys(want.Binding.Labels), func(k string) bool { return has.Binding.Labels[k] != want.Binding.Labels[k] }):
				p.do(UpdateBinding{ARN: has.ARN, TargetGroup: want})
			case !has.Bound && p.used(has) != nobody:
				p.do(CreateBinding{ARN: has.ARN, TargetGroup: want})
			}
		}
	}
}

func keys(m map[string]string) []string {
	var list []string
	for k := range m {
		list = append(list, k)
	}
	return list
}

// oldTargetGroups takes the bindings of those away that nothing names any more, and deletes them when their targets are gone.
func (p *planner) oldTargetGroups() {
	for i := range p.seen.TargetGroups {
		g := &p.seen.TargetGroups[i]
		if p.groups[g.Resource] == g {
			continue
		}

		switch by := p.used(g); {
		case by == strange:
			p.refuse("Target group %s is used by a listener or a rule that podgate did not make. Delete that, and it is deleted.", g.Name)
		case by == ours:
		case g.Unbinding:
			p.wait("", "Target group %s is deleted when its targets have drained.", g.Name)
		case g.Bound:
			p.do(DeleteBinding{ARN: g.ARN, Namespace: g.Binding.Namespace, Name: g.Name})
		case !usable(g.State) && g.State != CreationFailed && g.State != DeletionFailed, g.State == Creating:
			p.wait("", "Target group %s is deleted: %s.", g.Name, g.State)
		case g.Registered > 0:
			p.do(Deregister{ARN: g.ARN})
		case g.Targets > 0:
			p.wait("", "Target group %s is deleted when its targets have drained.", g.Name)
		default:
			p.do(DeleteTargetGroup{ARN: g.ARN})
		}
	}
}

// rulesQuota is how many rules a listener can have.
func (p *planner) rulesQuota() int {
	return min(cmp.Or(p.stack.Quotas.Rules, DefaultQuotas.Rules), MaxRules)
}
