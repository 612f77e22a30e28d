// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package ingress

import (
	"cmp"
	"slices"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/plural"
	"github.com/podgate/podgate/internal/provision/certificates"
	"github.com/podgate/podgate/internal/provision/elb"
	"github.com/podgate/podgate/internal/provision/subnets"
	"github.com/podgate/podgate/internal/route"
	"github.com/podgate/podgate/internal/route/annotation"
)

// Group are the Ingresses that share a load balancer.
type Group struct {
	Key     Key
	Members []Member
	// Observed is what there is of it. It matters where a member cannot be served as it is now.
	Observed elb.Observed
}

// Member is an Ingress of a group, chosen by its class.
type Member struct {
	Ingress *networkingv1.Ingress
	// Params is the spec of the class's IngressClassParams; nil: it has none.
	Params *elbv2.IngressClassParamsSpec
	// Unserved: it cannot be served now, for a reason that is told elsewhere. Rules that it has stay.
	Unserved bool
}

// Problem is why something of an Ingress is not served as it asks for.
type Problem = annotation.Problem

// Severity is how much of an Ingress a problem concerns.
type Severity = annotation.Severity

// Severities of problems.
const (
	Notice  = annotation.Notice
	Partial = annotation.Partial
	Refused = annotation.Refused
)

// Settings are the same for all groups.
type Settings struct {
	// Cluster is the cluster's name, and VPC the id of its VPC.
	Cluster, VPC string
	// Scheme, TargetType and SSLPolicy are for those that say nothing.
	Scheme, TargetType, SSLPolicy string
	// Tags are on everything, and win over others.
	Tags map[string]string
	// BackendSecurityGroup is the id of a security group that every load balancer has besides the one that is made for it; empty:
	// none.
	BackendSecurityGroup string
	Limits               Limits
}

// Limits are what a load balancer may have.
type Limits struct {
	route.Limits
	// Rules are of all listeners together, without the default ones.
	Rules        int
	Listeners    int
	TargetGroups int
	// Certificates are of a listener, besides the default one.
	Certificates   int
	SecurityGroups int
}

// With are limits of an account, where its quotas are known.
func (l Limits) With(q elb.Quotas) Limits {
	l.Rules, l.Listeners, l.TargetGroups = cmp.Or(q.Rules, l.Rules), cmp.Or(q.Listeners, l.Listeners), cmp.Or(q.TargetGroups, l.TargetGroups)
	l.Certificates, l.SecurityGroups = cmp.Or(q.Certificates, l.Certificates), cmp.Or(q.SecurityGroups, l.SecurityGroups)
	return l
}

// ALB is what AWS allows for an application load balancer, unless the account has other quotas.
var ALB = Limits{Limits: route.ALB, Rules: 100, Listeners: 50, TargetGroups: 100, Certificates: 25, SecurityGroups: 5}

// Lookups find what Ingresses name. Errors are for people.
type Lookups struct {
	// Service returns a Service; nil: there is none.
	Service func(namespace, name string) *corev1.Service
	// Subnets returns the ids of the subnets for a load balancer.
	Subnets func(subnets.Want) ([]string, error)
	// SecurityGroup returns the id of the security group with a name.
	SecurityGroup func(name string) (string, error)
	// TargetGroup returns the ARN of a target group that somebody else made, and that an Ingress of a namespace names by its name or
	// its ARN; nil: none can be found.
	TargetGroup func(namespace, named string) (arn string, err error)
	// Certificates returns for each host in turn its certificates.
	Certificates func([]certificates.Host) []certificates.Found
}

// Build returns the load balancer of a group, and what of its Ingresses is not served as they ask. An Ingress that is refused
// changes nothing for the others: its rules and target groups stay as they are. Where that also asks for settings of the load
// balancer that cannot be told any more, those stay, too, so that nothing is ever served more openly than asked.
func Build(g Group, settings Settings, look Lookups) (elb.Stack, []Problem) {
	look.Service = remembered(look.Service)
	b := &builder{Group: g, settings: settings, look: look}
	b.current = Current(g.Observed)
	b.readMembers()
	b.findCertificates()
	b.checkRedirects()
	b.checkAddresses()

	b.claims, b.redirect = map[string]claimed{}, b.redirectPort()
	for _, m := range b.members {
		b.admit(m)
	}
	b.findSubnets()

	return b.stack(), b.all()
}

// remembered looks each Service up once, so that it is the same throughout.
func remembered(look func(namespace, name string) *corev1.Service) func(namespace, name string) *corev1.Service {
	found := map[[2]string]*corev1.Service{}
	return func(namespace, name string) *corev1.Service {
		key := [2]string{namespace, name}
		if _, asked := found[key]; !asked {
			found[key] = look(namespace, name)
		}
		return found[key]
	}
}

// builder builds one stack.
type builder struct {
	Group
	settings Settings
	look     Lookups
	// current is the load balancer that there is; nil: there is none.
	current *elb.ObservedLoadBalancer
	members []*member

	claims map[string]claimed
	needs  needs
	// redirect is the port that all HTTP listeners send clients to; 0: they do not.
	redirect int32
	// subnets are the load balancer's.
	subnets []string
	// held are the members because of which the load balancer's settings stay as they are.
	held []string
}

// Current is the load balancer of a stack that clients use: the one that the cluster names, else one that is not on its way out.
func Current(o elb.Observed) *elb.ObservedLoadBalancer {
	var found *elb.ObservedLoadBalancer
	for i := range o.LoadBalancers {
		switch l := &o.LoadBalancers[i]; {
		case l.Published:
			return l
		case found == nil && l.Retired.IsZero():
			found = l
		}
	}
	return found
}

// serves reports whether the load balancer that there is has something of an owner.
func (b *builder) serves(owner string) bool {
	return b.current != nil && slices.ContainsFunc(b.current.Listeners, func(l elb.ObservedListener) bool { return b.uses(l, owner) })
}

// uses reports whether a listener has rules of an owner, or its default action.
func (b *builder) uses(l elb.ObservedListener, owner string) bool {
	return l.Own && (b.defaultOf(l, owner) || slices.ContainsFunc(l.Has, func(r elb.ObservedRule) bool { return r.Own && r.Owner == owner }))
}

// defaultOf reports whether a listener forwards what no rule matches to a target group of an owner.
func (b *builder) defaultOf(l elb.ObservedListener, owner string) bool {
	var owners []string
	for _, m := range b.Members {
		owners = append(owners, m.Ingress.Namespace+"/"+m.Ingress.Name)
	}
	return slices.ContainsFunc(l.Default.Forward, func(f elb.Forward) bool {
		return slices.ContainsFunc(b.Observed.TargetGroups, func(g elb.ObservedTargetGroup) bool {
			return g.ARN == f.Group && g.OwnerAmong(owners) == owner
		})
	})
}

// readMembers reads each member by itself, and puts them in order.
func (b *builder) readMembers() {
	had := map[string]bool{}
	for _, g := range b.Observed.TargetGroups {
		had[g.Resource] = true
	}
	for _, of := range b.Members {
		m := newMember(of, b.look.TargetGroup)
		m.served, m.had = b.serves(m.Owner), had
		m.read(b.look, b.settings.Limits)
		b.readRules(m)
		b.members = append(b.members, m)
	}
	slices.SortFunc(b.members, before)

	for _, m := range slices.Clone(b.members) {
		if m.misplaced && m.served {
			b.place(m)
		}
	}
}

// place puts a member behind those whose rules come before its own now.
func (b *builder) place(m *member) {
	b.members = slices.DeleteFunc(b.members, func(other *member) bool { return other == m })
	at := 0
	for i, other := range b.members {
		if slices.ContainsFunc(b.current.Listeners, func(l elb.ObservedListener) bool { return precedes(l, other.Owner, m.Owner) }) {
			at = i + 1
		}
	}
	b.members = slices.Insert(b.members, at, m)
}

// precedes reports whether an owner's rules at a listener come before another one's.
func precedes(l elb.ObservedListener, owner, other string) bool {
	first := map[string]int{}
	for _, r := range l.Has {
		if p, has := first[r.Owner]; r.Own && (!has || r.Priority < p) {
			first[r.Owner] = r.Priority
		}
	}
	return first[owner] > 0 && first[owner] < first[other]
}

// readRules reads a member's rules, with the target groups that they need.
func (b *builder) readRules(m *member) {
	services := func(name string) *corev1.Service { return b.look.Service(m.Ingress.Namespace, name) }
	m.readRules(services)

	var served []route.Rule
	for _, r := range m.rules {
		if b.target(m, ruleName(r.Match), r.Action, services) {
			served = append(served, r)
		}
	}
	if m.otherwise != nil && !b.target(m, "the default backend", *m.otherwise, services) {
		m.otherwise = nil
	}

	var tooLarge []route.Rule
	m.rules, tooLarge = route.Fit(served, b.settings.Limits.Limits)
	for _, r := range tooLarge {
		m.Partial(v1alpha1.ReasonLimitExceeded, "%s is not served: it needs more than the %s or %s that a rule may have: write fewer conditions", ruleName(r.Match), plural.Count(b.settings.Limits.Values, "value"), plural.Count(b.settings.Limits.Wildcards, "wildcard"))
	}
}

// target makes sure that there are target groups for an action.
func (b *builder) target(m *member, what string, action route.Action, services services) bool {
	for _, backend := range action.Backends {
		var service *corev1.Service
		if backend.Group == "" {
			service = services(backend.Service)
			Check(&m.Problems, OfService(service), OfTargets, nil)
		}
		if err := m.target(backend, service, b.settings, b.Key); err != nil {
			m.lacks(action, "%s is not served: %v", what, err)
			return false
		}
	}
	return true
}

// all are the problems of all members, in the order of the group.
func (b *builder) all() []Problem {
	var list []Problem
	for _, m := range b.members {
		list = append(list, m.List...)
	}
	return list
}
