// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package ingress

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/provision/elb"
	"github.com/podgate/podgate/internal/provision/subnets"
	"github.com/podgate/podgate/internal/route"
)

// heard are the members whose wishes for the load balancer count.
func (b *builder) heard() []*member {
	return slices.DeleteFunc(slices.Clone(b.members), func(m *member) bool { return m.overruled })
}

// wish is the first one that a member has; the zero value: none has.
func wish[T comparable](members []*member, of func(wishes) T) T {
	var none T
	for _, m := range members {
		if w := of(m.wishes); w != none {
			return w
		}
	}
	return none
}

// wishList is the first list that a member has.
func wishList(members []*member, of func(wishes) []string) []string {
	for _, m := range members {
		if w := of(m.wishes); len(w) > 0 {
			return w
		}
	}
	return nil
}

// stack puts together what the members agreed on.
func (b *builder) stack() elb.Stack {
	stack := elb.Stack{Identity: Identity(b.settings.Cluster, b.settings.VPC, b.Key), MostRules: b.settings.Limits.Rules}
	b.redirect = b.redirectPort()
	stack.LoadBalancer, stack.SecurityGroup = b.balancer()
	stack.Listeners = b.listeners()

	b.unreached(stack.Listeners)

	used := groupsOf(stack.Listeners)
	for _, m := range b.members {
		if m.out() {
			stack.Keep = append(stack.Keep, m.Owner)
			continue
		}
		b.unheard(m)
		for _, g := range m.groups.list {
			if used[g.Resource] {
				stack.TargetGroups = append(stack.TargetGroups, g)
			}
		}
	}
	if len(b.held) > 0 {
		b.hold(&stack)
	}
	return stack
}

// groupsOf are the target groups that listeners use.
func groupsOf(listeners []elb.Listener) map[string]bool {
	used := map[string]bool{}
	add := func(a elb.Action) {
		for _, f := range a.Forward {
			used[f.Group] = true
		}
	}
	for _, l := range listeners {
		add(l.Default)
		for _, r := range l.Rules {
			add(r.Action)
		}
	}
	return used
}

// unheard tells that no client reaches a member's rules, since it only has listeners that redirect.
func (b *builder) unheard(m *member) {
	if b.redirect != 0 && len(m.rules) > 0 && !slices.ContainsFunc(m.ports, func(p port) bool { return p.protocol == "HTTPS" }) {
		m.Partial(v1alpha1.ReasonPathNotServed, "its paths are not served: it listens for HTTP only, and the group redirects HTTP to port %d: add {\"HTTPS\": %d} to listen-ports", b.redirect, b.redirect)
	}
}

// balancer is the load balancer with the security group that is made for it.
func (b *builder) balancer() (elb.LoadBalancer, *elb.SecurityGroup) {
	heard := b.heard()
	l := elb.LoadBalancer{
		Resource: balancerResource, Kind: elb.Application,
		Scheme:      b.scheme(),
		AddressType: b.addressType(),
		Subnets:     b.subnets, SubnetsNamed: b.subnetsNamed(),
		SecurityGroups: wishList(heard, func(w wishes) []string { return w.securityGroups }),
		Attributes:     map[string]string{}, Tags: map[string]string{},
	}
	l.Name = cmp.Or(wish(heard, func(w wishes) string { return w.name }), balancerName(b.settings.Cluster, b.Key, l.Scheme))
	for _, m := range heard {
		maps.Copy(l.Attributes, m.wishes.attributes)
		maps.Copy(l.Tags, m.wishes.tags)
	}
	maps.Copy(l.Tags, b.settings.Tags)

	if len(l.SecurityGroups) > 0 {
		return l, nil
	}
	if b.settings.BackendSecurityGroup != "" {
		l.SecurityGroups = []string{b.settings.BackendSecurityGroup}
	}
	return l, b.securityGroup(l)
}

func (b *builder) scheme() string {
	return cmp.Or(wish(b.heard(), func(w wishes) string { return w.scheme }), b.settings.Scheme)
}

func (b *builder) addressType() string {
	return cmp.Or(wish(b.heard(), func(w wishes) string { return w.addressType }), "ipv4")
}

func (b *builder) subnetsNamed() bool {
	return slices.ContainsFunc(b.heard(), (*member).namesSubnets)
}

func (m *member) namesSubnets() bool {
	return len(m.wishes.subnets) > 0 || len(m.wishes.subnetTags) > 0
}

// securityGroup lets clients in at every port of a load balancer.
func (b *builder) securityGroup(l elb.LoadBalancer) *elb.SecurityGroup {
	g := &elb.SecurityGroup{
		Resource: securityGroupResource, Name: balancerName(b.settings.Cluster, b.Key, ""), Description: "Clients of the load balancer of " + StackOf(b.Key),
		VPC: b.settings.VPC, Tags: l.Tags,
	}

	for _, port := range b.portNumbers() {
		users := b.users(port)
		cidrs := wishList(users, func(w wishes) []string { return w.cidrs })
		lists := wishList(users, func(w wishes) []string { return w.prefixLists })
		if len(cidrs)+len(lists) == 0 {
			cidrs = []string{"0.0.0.0/0", "::/0"}
		}

		for _, cidr := range cidrs {
			if strings.Contains(cidr, ":") && l.AddressType == "ipv4" {
				continue
			}
			g.Ingress = append(g.Ingress, elb.Permission{Protocol: "tcp", From: port, To: port, CIDR: cidr})
		}
		for _, list := range lists {
			g.Ingress = append(g.Ingress, elb.Permission{Protocol: "tcp", From: port, To: port, PrefixList: list})
		}
	}
	return g
}

// port is what a member asks for at a port.
func (m *member) port(number int32) (port, bool) {
	i := slices.IndexFunc(m.ports, func(p port) bool { return p.number == number })
	if i < 0 {
		return port{}, false
	}
	return m.ports[i], true
}

// users are the members whose wishes count and that ask for a port.
func (b *builder) users(number int32) []*member {
	return slices.DeleteFunc(b.heard(), func(m *member) bool {
		_, uses := m.port(number)
		return !uses
	})
}

// portNumbers are the ports of the load balancer.
func (b *builder) portNumbers() []int32 {
	var numbers []int32
	for _, m := range b.heard() {
		for _, p := range m.ports {
			numbers = append(numbers, p.number)
		}
	}
	slices.Sort(numbers)
	return slices.Compact(numbers)
}

// findSubnets finds the subnets of the load balancer. Those of one that exists stay where none are named, so that only a new
// one needs them. Where some are named that cannot be used, those members are at fault that name them, one after the other.
func (b *builder) findSubnets() {
	for heard := b.heard(); len(heard) > 0; heard = b.heard() {
		var err error
		if b.subnets, err = b.look.Subnets(b.want(heard)); err == nil {
			return
		}

		i := slices.IndexFunc(heard, (*member).namesSubnets)
		if i < 0 && b.current != nil && b.current.Scheme == b.scheme() {
			return
		}
		if i >= 0 {
			heard = heard[i : i+1]
		}
		for _, m := range heard {
			m.Refuse(v1alpha1.ReasonNoSubnets, "there are no subnets for the load balancer: %v", err)
			m.overruled = true
			b.holdFor(m)
		}
	}
}

// want is what a load balancer for members needs.
func (b *builder) want(members []*member) subnets.Want {
	want := subnets.Want{Kind: elb.Application, VPC: b.settings.VPC, Cluster: b.settings.Cluster, Scheme: b.scheme(), AddressType: b.addressType()}
	if i := slices.IndexFunc(members, (*member).namesSubnets); i >= 0 {
		want.Named, want.Tags = members[i].wishes.subnets, members[i].wishes.subnetTags
	}
	return want
}

// hold has the settings of the load balancer stay as they are.
func (b *builder) hold(stack *elb.Stack) {
	stack.LoadBalancer, stack.SecurityGroup = b.current.LoadBalancer, nil
	for _, g := range b.Observed.SecurityGroups {
		if g.Resource == securityGroupResource {
			stack.SecurityGroup = &g.SecurityGroup
			stack.LoadBalancer.SecurityGroups = slices.DeleteFunc(slices.Clone(stack.LoadBalancer.SecurityGroups), func(id string) bool { return id == g.ID })
		}
	}
	for _, m := range b.members {
		if !m.out() {
			m.Notice(v1alpha1.ReasonSettingsHeld, "the settings of the load balancer stay as they are until Ingress %s is corrected, since it has rules there", strings.Join(b.held, ", "))
		}
	}
}

// rulesAt are a member's rules at a listener, without those that would send clients to where they are, and those that stand
// behind a redirect that takes all their requests.
func (m *member) rulesAt(p port, redirect int32) []route.Rule {
	var rules []route.Rule
	if p.protocol == "HTTP" && redirect != 0 {
		return nil
	}
	for _, r := range m.rules {
		behind := slices.ContainsFunc(rules, func(first route.Rule) bool { return first.Action.Redirect != nil && first.Match.Covers(r.Match) })
		if behind || r.Action.Redirect != nil && loops(*r.Action.Redirect, r.Match, p.protocol, p.number) {
			continue
		}
		rules = append(rules, r)
	}
	return rules
}

// notFound is the answer to requests that no rule matches.
var notFound = elb.Action{Answer: &route.Answer{Status: 404, ContentType: "text/plain"}}

// listeners are those that the members ask for, and those that members use that are refused.
func (b *builder) listeners() []elb.Listener {
	var listeners []elb.Listener
	for _, number := range b.portNumbers() {
		if l, ok := b.listener(number); ok {
			listeners = append(listeners, l)
		}
	}
	for _, l := range b.kept() {
		if !slices.ContainsFunc(listeners, func(has elb.Listener) bool { return has.Port == l.Port }) {
			l.Rules = b.rules(nil)
			listeners = append(listeners, l)
		}
	}
	slices.SortFunc(listeners, func(a, b elb.Listener) int { return cmp.Compare(a.Port, b.Port) })
	return listeners
}

// kept are the listeners where members that are refused have rules, and those without rules, which may redirect to them.
func (b *builder) kept() []elb.Listener {
	var listeners []elb.Listener
	if b.current == nil || !slices.ContainsFunc(b.members, func(m *member) bool { return m.out() && m.served }) {
		return nil
	}
	for _, l := range b.current.Listeners {
		used := len(l.Has) == 0 || slices.ContainsFunc(b.members, func(m *member) bool { return m.out() && b.uses(l, m.Owner) })
		if l.Own && used {
			listeners = append(listeners, l.Listener)
		}
	}
	return listeners
}

// listener is the listener at a port; false: it cannot be made.
func (b *builder) listener(number int32) (elb.Listener, bool) {
	l := elb.Listener{Resource: port{number: number}.resource(), Port: number, Attributes: map[string]string{}, Tags: map[string]string{}, Default: notFound}
	users := b.users(number)
	unsure := false
	for _, m := range users {
		p, _ := m.port(number)
		unsure = unsure || p.unsure
		l.Protocol = p.protocol
		l.SSLPolicy = cmp.Or(l.SSLPolicy, p.policy)
		l.Certificates = union(l.Certificates, p.certificates)
		maps.Copy(l.Attributes, p.attributes)
		maps.Copy(l.Tags, m.wishes.tags)
	}
	maps.Copy(l.Tags, b.settings.Tags)

	has := b.has(number)
	if has != nil && len(b.held) > 0 {
		return b.settled(*has, l.Certificates), true
	}
	if has != nil && (len(l.Certificates) == 0 || unsure) {
		l.Certificates = union(slices.Clone(has.Certificates), l.Certificates)
	}

	switch {
	case l.Protocol == "HTTPS":
		l.SSLPolicy = cmp.Or(l.SSLPolicy, b.settings.SSLPolicy)
	case b.redirect != 0:
		l.Default = elb.Action{Redirect: &route.Redirect{Status: 301, Protocol: "HTTPS", Port: port{number: b.redirect}.resource()}}
		return l, true
	}
	if l.Protocol == "HTTPS" && len(l.Certificates) == 0 {
		for _, m := range users {
			m.Partial(v1alpha1.ReasonNoCertificate, "port %d is not served: HTTPS needs a certificate: name one in the annotation certificate-arn, or have one in ACM for a host of the Ingress", number)
		}
		return l, false
	}

	l.Default = b.otherwise(l)
	l.Rules = b.rules(&l)
	return l, true
}

// has is the listener that there is at a port; nil: none.
func (b *builder) has(number int32) *elb.ObservedListener {
	if b.current != nil {
		for i := range b.current.Listeners {
			if l := &b.current.Listeners[i]; l.Own && l.Port == number {
				return l
			}
		}
	}
	return nil
}

// settled is a listener whose settings stay as they are, with more certificates and other rules. One that redirects has none.
func (b *builder) settled(has elb.ObservedListener, certificates []string) elb.Listener {
	l := has.Listener
	l.Certificates = union(slices.Clone(l.Certificates), certificates)
	if l.Default.Redirect != nil {
		l.Rules = b.rules(nil)
		return l
	}
	l.Default = b.otherwise(l)
	l.Rules = b.rules(&l)
	return l
}

// otherwise is what becomes of requests that no rule of a listener matches.
func (b *builder) otherwise(l elb.Listener) elb.Action {
	for _, m := range b.users(l.Port) {
		if m.otherwise != nil && !m.out() && m.speaks(l, "the default backend", *m.otherwise) {
			return action(m.Owner, *m.otherwise)
		}
	}

	has := b.has(l.Port)
	if has != nil && slices.ContainsFunc(b.members, func(m *member) bool { return m.out() && b.defaultOf(*has, m.Owner) }) {
		return has.Default
	}
	return notFound
}

// rules are all members' rules at a listener in turn.
func (b *builder) rules(l *elb.Listener) []elb.Rule {
	var rules []elb.Rule
	for _, m := range b.members {
		if m.out() {
			rules = append(rules, elb.Rule{Owner: m.Owner, Kept: true})
			continue
		}
		if l == nil {
			continue
		}
		p, uses := m.port(l.Port)
		if !uses {
			continue
		}
		for _, r := range m.rulesAt(p, b.redirect) {
			if !m.speaks(*l, ruleName(r.Match), r.Action) {
				continue
			}
			rules = append(rules, elb.Rule{Owner: m.Owner, Match: r.Match, Action: action(m.Owner, r.Action), Tags: merged(m.wishes.tags, b.settings.Tags)})
		}
	}
	return rules
}

// speaks reports whether a listener can forward requests to an action's target groups: gRPC needs HTTPS.
func (m *member) speaks(l elb.Listener, what string, a route.Action) bool {
	if l.Protocol == "HTTPS" {
		return true
	}
	for _, g := range m.groups.list {
		if g.Version == "GRPC" && slices.Contains(m.groupsOf(a), g.Resource) {
			m.Partial(v1alpha1.ReasonPathNotServed, "%s is not served at port %d: a load balancer has gRPC only with HTTPS: remove the port from listen-ports, or add ssl-redirect", what, l.Port)
			return false
		}
	}
	return true
}

// action is an action with target groups instead of Services.
func action(owner string, of route.Action) elb.Action {
	a := elb.Action{Redirect: of.Redirect, Answer: of.Answer, Sticky: of.Sticky}
	for _, b := range of.Backends {
		a.Forward = append(a.Forward, elb.Forward{Group: groupResource(owner, b), Weight: b.Weight})
	}
	return a
}
