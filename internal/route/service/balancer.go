// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package service

import (
	"cmp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/provision/elb"
	"github.com/podgate/podgate/internal/provision/subnets"
	"github.com/podgate/podgate/internal/route/annotation"
	"github.com/podgate/podgate/internal/route/ingress"
)

const (
	internal = "internal"
	public   = "internet-facing"
)

// balancer puts the load balancer into the stack, with the security group that is made for it.
func (b *builder) balancer(stack *elb.Stack) {
	l := elb.LoadBalancer{
		Resource: balancerResource, Kind: elb.Network, Scheme: b.scheme(), AddressType: b.OneOf("ip-address-type", "ipv4", "ipv4", "dualstack"),
		Attributes: b.attributes(), Tags: b.tags(),
	}
	l.Name = cmp.Or(b.BalancerName("name"), b.name(string(b.UID), l.Scheme))
	if len(b.Spec.IPFamilies) > 0 && b.Spec.IPFamilies[0] == corev1.IPv6Protocol && l.AddressType == "ipv4" {
		b.Refuse(v1alpha1.ReasonInvalidAnnotation, "the Service has IPv6 addresses first, which a load balancer without IPv6 does not reach: set the annotation aws-load-balancer-ip-address-type to dualstack")
	}

	b.subnets(&l)
	stack.SecurityGroup = b.access(&l, stack.Listeners)
	stack.LoadBalancer = l
}

// scheme says whether clients beyond the VPC reach the load balancer.
func (b *builder) scheme() string {
	scheme := b.OneOf("scheme", "", internal, public)
	old := map[string]string{"true": internal, "0.0.0.0/0": internal, "false": public}
	value, called, said := b.Get("internal")
	if said && old[value] == "" {
		b.Invalid(called, value, "use true or false, or rather the annotation aws-load-balancer-scheme")
	}
	if said && scheme != "" && old[value] != scheme {
		b.Invalid(called, value, "the annotation aws-load-balancer-scheme says otherwise: remove one of the two")
	}
	return cmp.Or(scheme, old[value], b.settings.Scheme)
}

// subnets finds the subnets of the load balancer. Those of one that exists stay where none are named.
func (b *builder) subnets(l *elb.LoadBalancer) {
	want := subnets.Want{
		Kind: elb.Network, VPC: b.settings.VPC, Cluster: b.settings.Cluster, Scheme: l.Scheme, AddressType: l.AddressType, Named: b.List("subnets"),
	}
	l.SubnetsNamed = len(want.Named) > 0

	var err error
	if l.Subnets, err = b.look.Subnets(want); err == nil || !l.SubnetsNamed && b.current != nil && b.current.Scheme == l.Scheme {
		return
	}
	b.Refuse(v1alpha1.ReasonNoSubnets, "there are no subnets for the load balancer: %v", err)
}

// Attributes of load balancers that have an annotation of their own, from before there was one for all.
var olderAttributes = []struct {
	annotation, attribute string
	flag                  bool
}{
	{"cross-zone-load-balancing-enabled", "load_balancing.cross_zone.enabled", true},
	{"access-log-enabled", "access_logs.s3.enabled", true},
	{"access-log-s3-bucket-name", "access_logs.s3.bucket", false},
	{"access-log-s3-bucket-prefix", "access_logs.s3.prefix", false},
}

// routings are the values of routing, the attribute that says in which zones a client finds the load balancer.
const routing = "dns_record.client_routing_policy"

var routings = []string{"any_availability_zone", "availability_zone_affinity", "partial_availability_zone_affinity"}

// attributes are the load balancer's.
func (b *builder) attributes() map[string]string {
	attributes := b.Pairs("attributes")
	if value, said := attributes[routing]; said && !slices.Contains(routings, value) {
		b.Invalid(b.own.Called("attributes"), value, "use "+strings.Join(routings, ", ")+" for "+routing)
	}

	for _, older := range olderAttributes {
		value, called, ok := b.Get(older.annotation)
		if !ok {
			continue
		}
		if older.flag {
			b.Yes(older.annotation)
		}
		if now, said := attributes[older.attribute]; said && now != value {
			b.noEffect(called, "aws-load-balancer-attributes has "+older.attribute+"="+now)
			continue
		}
		attributes[older.attribute] = value
	}
	return attributes
}

// RangesAnnotation is where the ranges of addresses of clients are that may connect, if not in the spec.
const RangesAnnotation = corev1.AnnotationLoadBalancerSourceRangesKey

// access says who may connect: by the security groups that the Service names, or by one that is made. It returns the latter.
func (b *builder) access(l *elb.LoadBalancer, listeners []elb.Listener) *elb.SecurityGroup {
	cidrs := b.ranges()
	lists := b.List("security-group-prefix-lists")
	l.SecurityGroups = ingress.SecurityGroups(b.Reader, b.look, b.settings.Limits)
	without := b.Yes("disable-nlb-sg")
	named := len(l.SecurityGroups) > 0

	limited := len(cidrs)+len(lists) > 0
	switch {
	case limited && named:
		b.Refuse(v1alpha1.ReasonProtectionNotServed, "source ranges and prefix lists have no effect beside the annotation aws-load-balancer-security-groups, so that the Service would be served more openly than it asks for: have the rules of the security groups say who may connect, and remove them")
	case without && (limited || named):
		b.Refuse(v1alpha1.ReasonProtectionNotServed, "with the annotation aws-load-balancer-disable-nlb-sg the load balancer has no security groups, so that everybody may connect, and the Service asks for limits: remove one of the two")
	case named:
		return nil
	case without, !limited && b.grown():
		return nil
	}

	if b.settings.BackendSecurityGroup != "" {
		l.SecurityGroups = []string{b.settings.BackendSecurityGroup}
	}
	if !limited {
		cidrs = []string{"0.0.0.0/0", "::/0"}
	}
	return b.securityGroup(l, listeners, cidrs, lists)
}

// grown reports whether the load balancer that there is was made without security groups, and can have none. It is not replaced
// for nothing.
func (b *builder) grown() bool {
	return b.current != nil && b.current.Kind == elb.Network && len(b.current.SecurityGroups) == 0
}

// securityGroup lets clients in at every listener.
func (b *builder) securityGroup(l *elb.LoadBalancer, listeners []elb.Listener, cidrs, lists []string) *elb.SecurityGroup {
	g := &elb.SecurityGroup{
		Resource: securityGroupResource, Name: b.name(b.Name, b.Namespace, string(b.UID)), Description: "Clients of the load balancer of Service " + b.Owner,
		VPC: b.settings.VPC, Tags: l.Tags,
	}

	four := slices.DeleteFunc(slices.Clone(cidrs), func(cidr string) bool { return strings.Contains(cidr, ":") && l.AddressType == "ipv4" })
	if len(four)+len(lists) == 0 {
		b.Partial(v1alpha1.ReasonNoEffect, "nobody may connect: all source ranges are of IPv6, which the load balancer does not have: set the annotation aws-load-balancer-ip-address-type to dualstack, or add ranges of IPv4")
	}
	for _, p := range listeners {
		for _, protocol := range transports(p.Protocol) {
			for _, cidr := range four {
				g.Ingress = append(g.Ingress, elb.Permission{Protocol: protocol, From: p.Port, To: p.Port, CIDR: cidr})
			}
			for _, list := range lists {
				g.Ingress = append(g.Ingress, elb.Permission{Protocol: protocol, From: p.Port, To: p.Port, PrefixList: list})
			}
		}
	}
	return g
}

// transports are what security groups call the protocol of a listener.
func transports(protocol string) []string {
	switch protocol {
	case "UDP":
		return []string{"udp"}
	case both:
		return []string{"tcp", "udp"}
	}
	return []string{"tcp"}
}

// ranges are the addresses of clients that may connect; none: it does not say. Those of the spec count.
func (b *builder) ranges() []string {
	spec := b.Ranges("spec.loadBalancerSourceRanges", b.Spec.LoadBalancerSourceRanges)
	text, said := b.Annotations[RangesAnnotation]
	older := b.Ranges("annotation "+RangesAnnotation, annotation.Split(text))
	if !said || len(spec) == 0 {
		return append(spec, older...)
	}

	for _, cidr := range spec {
		if !slices.ContainsFunc(older, func(outer string) bool { return annotation.Contains(outer, cidr) }) {
			b.Refuse(v1alpha1.ReasonProtectionNotServed, "the annotation %s does not let in %s, which spec.loadBalancerSourceRanges does, and which counts, so that the Service would be served more openly than it asks for: remove the annotation", RangesAnnotation, cidr)
		}
	}
	if !b.Refused() && !slices.Equal(spec, older) {
		b.noEffect("annotation "+RangesAnnotation, "spec.loadBalancerSourceRanges counts")
	}
	return spec
}
