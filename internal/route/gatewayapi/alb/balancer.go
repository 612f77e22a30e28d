// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package alb

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"

	gwv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/provision/certificates"
	"github.com/podgate/podgate/internal/provision/elb"
	"github.com/podgate/podgate/internal/provision/subnets"
	"github.com/podgate/podgate/internal/route"
	"github.com/podgate/podgate/internal/route/annotation"
	"github.com/podgate/podgate/internal/route/gatewayapi"
	"github.com/podgate/podgate/internal/route/ingress"
)

// ofGateways are the annotations that a Gateway may have, besides those of targets.
var ofGateways = []string{
	"scheme", "load-balancer-name", "ip-address-type", "subnets", "security-groups", "inbound-cidrs", "security-group-prefix-lists", "load-balancer-attributes", "ssl-policy",
}

// ofIngresses are annotations, and beginnings of their names, that only an Ingress needs.
var ofIngresses = []string{"listen-ports", "certificate-arn", "ssl-redirect", "group", "actions", "conditions", "listener-attributes"}

// findCertificates finds the certificates of listeners that end TLS: those that they name, or those for their hosts.
func (b *builder) findCertificates() {
	var hosts []certificates.Host
	var of []*gatewayapi.Listener
	for i := range b.read.Listeners {
		l := &b.read.Listeners[i]
		if !l.Usable || l.Protocol != gwv1.HTTPSProtocolType {
			continue
		}
		var arns []string
		if option := string(l.TLS.Options[gatewayapi.CertificateOption]); option != gatewayapi.FindCertificate {
			arns = annotation.Split(option)
		}
		asks := l.Hosts
		if len(asks) == 0 && len(arns) > 0 {
			asks = []string{""} // So that those that are named and cannot be used are told, and left out.
		}
		if len(asks) == 0 && !b.serves(l) {
			l.Lacks(gwv1.ListenerReasonInvalidCertificateRef, "there is no host to find a certificate for: set hostname, or name the certificate in tls.options "+gatewayapi.CertificateOption)
			continue
		}
		for _, host := range asks {
			hosts, of = append(hosts, certificates.Host{Name: host, Named: arns}), append(of, l)
		}
	}

	found := map[*gatewayapi.Listener][]string{}
	problems := map[*gatewayapi.Listener]string{}
	for i, f := range b.look.Certificates(hosts) {
		found[of[i]] = append(found[of[i]], f.ARNs...)
		problems[of[i]] = cmp.Or(problems[of[i]], f.Problem)
	}
	b.certificates = map[int32][]string{}
	for i := range b.read.Listeners {
		l := &b.read.Listeners[i]
		b.certify(l, found[l], problems[l])
	}
}

// certify gives a listener its certificates. One that lacks one keeps those that it has.
func (b *builder) certify(l *gatewayapi.Listener, arns []string, problem string) {
	if !l.Usable || l.Protocol != gwv1.HTTPSProtocolType {
		return
	}
	port := l.Port
	if has := b.at(port); has != nil && (len(arns) == 0 || problem != "") {
		arns = slices.Concat(has.Certificates, arns)
	}
	if problem != "" {
		b.Partial(v1alpha1.ReasonNoCertificate, "listener %s: %s", l.Name, problem)
	}
	if len(arns) == 0 {
		l.Lacks(gwv1.ListenerReasonInvalidCertificateRef, cmp.Or(problem, "there is no certificate"))
		return
	}
	for _, arn := range arns {
		if !slices.Contains(b.certificates[port], arn) {
			b.certificates[port] = append(b.certificates[port], arn)
		}
	}
}

// at is the listener that there is at a port; nil: none.
func (b *builder) at(port int32) *elb.ObservedListener {
	if b.current == nil {
		return nil
	}
	for i := range b.current.Listeners {
		if l := &b.current.Listeners[i]; l.Own && l.Port == port {
			return l
		}
	}
	return nil
}

// serves reports whether there is a listener with certificates at the port of a Gateway's listener.
func (b *builder) serves(l *gatewayapi.Listener) bool {
	has := b.at(l.Port)
	return has != nil && len(has.Certificates) > 0
}

// listen puts the listeners into the stack, one for each port, with the target groups that their rules name.
func (b *builder) listen(stack *elb.Stack) {
	tags := b.tags()
	used := map[string]bool{}
	for _, of := range b.read.Listeners {
		port := of.Port
		there := slices.ContainsFunc(stack.Listeners, func(l elb.Listener) bool { return l.Port == port })
		if !of.Usable || there {
			continue
		}

		l := elb.Listener{
			Resource: strconv.Itoa(int(port)), Port: port, Protocol: string(of.Protocol), Attributes: map[string]string{}, Tags: tags,
			Default: elb.Action{Answer: &route.Answer{Status: 404, ContentType: "text/plain"}}, Certificates: b.certificates[port],
		}
		if l.Protocol == "HTTPS" {
			l.SSLPolicy = b.Text("ssl-policy", b.settings.SSLPolicy)
		}
		for _, r := range b.read.Rules[port] {
			rule := elb.Rule{Owner: r.Owner, Match: r.Match, Action: elb.Action{Redirect: r.Action.Redirect, Answer: r.Action.Answer, Sticky: r.Action.Sticky}, Tags: tags}
			for _, backend := range r.Action.Backends {
				rule.Action.Forward = append(rule.Action.Forward, elb.Forward{Group: groupResource(backend), Weight: backend.Weight})
				used[groupResource(backend)] = true
			}
			l.Rules = append(l.Rules, rule)
		}
		stack.Listeners = append(stack.Listeners, l)
	}
	slices.SortFunc(stack.Listeners, func(x, y elb.Listener) int { return cmp.Compare(x.Port, y.Port) })

	for _, resource := range slices.Sorted(maps.Keys(b.groups)) {
		if used[resource] || b.holds(resource, used) {
			stack.TargetGroups = append(stack.TargetGroups, *b.groups[resource])
		}
	}
}

// holds reports whether a rule that stays names the target group of a resource by its ARN.
func (b *builder) holds(resource string, used map[string]bool) bool {
	return slices.ContainsFunc(b.Observed.TargetGroups, func(g elb.ObservedTargetGroup) bool { return g.Resource == resource && used[g.ARN] })
}

// tags are those of everything that is made.
func (b *builder) tags() map[string]string {
	tags := ingress.Tags(b.Reader)
	maps.Copy(tags, b.settings.Tags)
	return tags
}

// scheme says whether clients beyond the VPC reach the load balancer.
func (b *builder) scheme() string {
	return b.OneOf("scheme", b.settings.Scheme, "internal", "internet-facing")
}

func (b *builder) addressType() string {
	return b.OneOf("ip-address-type", "ipv4", "ipv4", "dualstack", "dualstack-without-public-ipv4")
}

// balancer puts the load balancer into the stack, with the security group that is made for it.
func (b *builder) balancer(stack *elb.Stack) {
	l := elb.LoadBalancer{
		Resource: balancerResource, Kind: elb.Application, Scheme: b.scheme(), AddressType: b.addressType(), Attributes: b.Pairs("load-balancer-attributes"), Tags: b.tags(),
	}
	l.Name = cmp.Or(b.BalancerName("load-balancer-name"), b.name(l.Scheme))
	// Rules that stay as they are cannot be made on another load balancer.
	if b.current != nil && slices.ContainsFunc(b.read.Routes, func(r gatewayapi.Route) bool { return r.Held }) {
		l.Name, l.Scheme = b.current.Name, b.current.Scheme
	}

	b.subnets(&l)
	stack.SecurityGroup = b.access(&l, stack.Listeners)
	stack.LoadBalancer = l
}

// subnets finds the subnets of the load balancer. Those of one that exists stay where none are named.
func (b *builder) subnets(l *elb.LoadBalancer) {
	want := subnets.Want{
		Kind: elb.Application, VPC: b.settings.VPC, Cluster: b.settings.Cluster, Scheme: l.Scheme, AddressType: l.AddressType, Named: b.List("subnets"),
	}
	l.SubnetsNamed = len(want.Named) > 0

	var err error
	if l.Subnets, err = b.look.Subnets(want); err == nil || !l.SubnetsNamed && b.current != nil && b.current.Scheme == l.Scheme {
		return
	}
	b.Refuse(v1alpha1.ReasonNoSubnets, "there are no subnets for the load balancer: %v", err)
}

// access says who may connect: by the security groups that the Gateway names, or by one that is made. It returns the latter.
func (b *builder) access(l *elb.LoadBalancer, listeners []elb.Listener) *elb.SecurityGroup {
	cidrs, lists := b.CIDRs("inbound-cidrs"), b.List("security-group-prefix-lists")
	l.SecurityGroups = ingress.SecurityGroups(b.Reader, b.look, b.settings.Limits)
	if len(l.SecurityGroups) > 0 {
		if len(cidrs)+len(lists) > 0 {
			b.Refuse(v1alpha1.ReasonProtectionNotServed, "inbound-cidrs and security-group-prefix-lists have no effect beside security-groups, so that the Gateway would be served more openly than it asks for: have the rules of the security groups say who may connect, and remove them")
		}
		return nil
	}

	if b.settings.BackendSecurityGroup != "" {
		l.SecurityGroups = []string{b.settings.BackendSecurityGroup}
	}
	if len(cidrs)+len(lists) == 0 {
		cidrs = []string{"0.0.0.0/0", "::/0"}
	}
	g := &elb.SecurityGroup{
		Resource: securityGroupResource, Name: b.name("clients"), Description: "Clients of the load balancer of Gateway " + b.Owner, VPC: b.settings.VPC, Tags: l.Tags,
	}
	for _, at := range listeners {
		for _, cidr := range cidrs {
			if !strings.Contains(cidr, ":") || l.AddressType != "ipv4" {
				g.Ingress = append(g.Ingress, elb.Permission{Protocol: "tcp", From: at.Port, To: at.Port, CIDR: cidr})
			}
		}
		for _, list := range lists {
			g.Ingress = append(g.Ingress, elb.Permission{Protocol: "tcp", From: at.Port, To: at.Port, PrefixList: list})
		}
	}
	return g
}
