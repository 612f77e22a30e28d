// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package ingress

import (
	"fmt"
	"testing"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/internal/provision/elb"
	"github.com/podgate/podgate/internal/provision/subnets"
)

// TestClassWins: each setting of a class wins over the annotation of an Ingress or a Service, keys of tags and attributes each by
// itself.
func TestClassWins(t *testing.T) {
	s := newSite()
	s.annotate("shop/web", annotations{"target-type": "ip", "tags": "a=service,d=service"})
	s.params = map[string]Member{"web": {Params: &elbv2.IngressClassParamsSpec{
		Scheme: "internet-facing", LoadBalancerName: "class", IPAddressType: "dualstack", TargetType: "instance",
		CertificateArn: []string{"arn:1", "arn:2"}, SSLPolicy: "strict", SSLRedirectPort: "443",
		InboundCIDRs: []string{"10.0.0.0/8", "192.0.2.0/24"}, PrefixListsIDs: []string{"pl-1"}, PrefixListsIDsLegacy: []string{"pl-2"},
		Subnets:                &elbv2.SubnetSelector{IDs: []elbv2.SubnetID{"subnet-2", "subnet-1"}},
		Tags:                   []elbv2.Tag{{Key: "a", Value: "class"}, {Key: "b", Value: "x,y"}},
		LoadBalancerAttributes: []elbv2.Attribute{{Key: "x", Value: "class"}},
		Listeners: []elbv2.ParamsListener{
			{Protocol: "HTTP", Port: 80, ListenerAttributes: []elbv2.Attribute{{Key: "m", Value: "class"}}}, {Protocol: "HTTP", Port: 81, ListenerAttributes: []elbv2.Attribute{{Key: "m", Value: "no"}}},
		},
	}}}
	stack, problems := s.build(ingress("web", annotations{
		"scheme": "internal", "load-balancer-name": "mine", "ip-address-type": "ipv4", "certificate-arn": "arn:3", "ssl-policy": "lax", "ssl-redirect": "8443",
		"inbound-cidrs": "0.0.0.0/0", "subnets": "mine", "tags": "a=ingress,c=ingress", "load-balancer-attributes": "x=ingress,y=ingress", "listen-ports": `[{"HTTP":80},{"HTTPS":443}]`,
		"listener-attributes.HTTP-80": "m=ingress,n=ingress",
	}, all("", "web:80")))

	wins := func(annotation, class string) string {
		return fmt.Sprintf("shop/web notice NoEffect: %s has no effect: the class's IngressClassParams has %q, and wins", annotation, class)
	}
	check(t, "problems", []string{
		wins("annotation scheme", "internet-facing"), wins("annotation load-balancer-name", "class"), wins("annotation ip-address-type", "dualstack"),
		wins("annotation subnets", "subnet-2,subnet-1"), wins("annotation inbound-cidrs", "10.0.0.0/8,192.0.2.0/24"), wins("annotation ssl-redirect", "443"),
		wins("x of annotation load-balancer-attributes", "class"), wins("a of annotation tags", "class"), wins("annotation certificate-arn", "arn:1,arn:2"),
		wins("annotation ssl-policy", "strict"), wins("m of annotation listener-attributes.HTTP-80", "class"), wins("annotation target-type of Service web", "instance"),
		wins("a of annotation tags of Service web", "class"),
	}, told(problems))
	tags := map[string]string{"a": "class", "b": "x,y", "c": "ingress"}
	check(t, "load balancer", elb.LoadBalancer{
		Resource: "LoadBalancer", Kind: elb.Application, Name: "class", Scheme: "internet-facing", AddressType: "dualstack", Subnets: []string{"subnet-a", "subnet-b"}, SubnetsNamed: true,
		Attributes: map[string]string{"x": "class", "y": "ingress"}, Tags: tags,
	}, stack.LoadBalancer)
	check(t, "subnets", []subnets.Want{{Kind: elb.Application, VPC: "vpc-1", Cluster: "blue", Scheme: "internet-facing", AddressType: "dualstack", Named: []string{"subnet-1", "subnet-2"}}}, s.asked)
	check(t, "listeners", []string{"HTTP:80 301 HTTPS:443", "HTTPS:443 404 arn:1 arn:2", "  shop/web: [][/*] -> shop/web-web:80*1"}, drawn(stack))
	check(t, "policy", "strict", stack.Listeners[1].SSLPolicy)
	check(t, "listener attributes", map[string]string{"m": "class", "n": "ingress"}, stack.Listeners[0].Attributes)
	check(t, "target type", "instance", stack.TargetGroups[0].TargetType)
	check(t, "tags of the target group", map[string]string{"a": "class", "b": "x,y", "d": "service"}, stack.TargetGroups[0].Tags)

	var sources []string
	for _, p := range stack.SecurityGroup.Ingress[:4] {
		sources = append(sources, p.CIDR+p.PrefixList)
	}
	check(t, "sources", []string{"10.0.0.0/8", "192.0.2.0/24", "pl-1", "pl-2"}, sources)
}

// TestClassAgrees: what an Ingress says as its class does is not told, in whatever order.
func TestClassAgrees(t *testing.T) {
	s := newSite()
	s.params = map[string]Member{"web": {Params: &elbv2.IngressClassParamsSpec{
		Scheme: "internet-facing", InboundCIDRs: []string{"10.0.0.0/8", "192.0.2.0/24"}, Tags: []elbv2.Tag{{Key: "a", Value: "1"}},
	}}}
	_, problems := s.build(ingress("web", annotations{"scheme": "internet-facing", "inbound-cidrs": "192.0.2.0/24, 10.0.0.0/8", "tags": "a=1"}, all("", "web:80")))
	check(t, "problems", []string(nil), told(problems))
}

// TestClassAtFault: a value of a class that cannot be used is told as the class's.
func TestClassAtFault(t *testing.T) {
	s := newSite()
	s.params = map[string]Member{"web": {Params: &elbv2.IngressClassParamsSpec{SSLRedirectPort: "https"}}}
	_, problems := s.build(ingress("web", nil, all("", "web:80")))
	check(t, "problems", []string{`shop/web refused InvalidAnnotation: ssl-redirect of the class's IngressClassParams is "https": use a number from 1 to 65535`}, told(problems))
}

// TestClassSelectsSubnets: subnets by their tags are only the class's, and win over those that an Ingress names.
func TestClassSelectsSubnets(t *testing.T) {
	s := newSite()
	tags := map[string][]string{"tier": {"edge"}}
	s.params = map[string]Member{"a": {Params: &elbv2.IngressClassParamsSpec{Subnets: &elbv2.SubnetSelector{Tags: tags}}}}
	stack, problems := s.build(ingress("a", annotations{"subnets": "mine"}, all("a", "web:80")), ingress("b", nil, all("b", "web:80")))
	check(t, "problems", []string{`shop/a notice NoEffect: annotation subnets has no effect: the class's IngressClassParams has "spec.subnets.tags", and wins`}, told(problems))
	check(t, "named", true, stack.LoadBalancer.SubnetsNamed)
	check(t, "subnets", []subnets.Want{{Kind: elb.Application, VPC: "vpc-1", Cluster: "blue", Scheme: "internal", AddressType: "ipv4", Tags: tags}}, s.asked)

	_, problems = s.build(ingress("a", nil, all("a", "web:80")), ingress("b", annotations{"subnets": "mine"}, all("b", "web:80")))
	check(t, "conflict", []string{`shop/b refused ConflictInGroup: subnets is "mine", and Ingress shop/a, which is before it in the group, has "map[tier:[edge]]": use the same value, or another group`}, told(problems))
}

// TestClassIsToldWhatIsNotServed: settings of a class that have no effect are told as annotations are.
func TestClassIsToldWhatIsNotServed(t *testing.T) {
	s := newSite()
	s.params = map[string]Member{"web": {Params: &elbv2.IngressClassParamsSpec{
		MinimumLoadBalancerCapacity: &elbv2.MinimumLoadBalancerCapacity{CapacityUnits: 7}, IPAMConfiguration: &elbv2.IPAMConfiguration{IPv4IPAMPoolId: new("pool")},
	}}}
	_, problems := s.build(ingress("web", nil, all("", "web:80")))
	check(t, "problems", []string{
		"shop/web notice AnnotationNotServed: ipam-ipv4-pool-id of the class's IngressClassParams is not served, and has no effect",
		"shop/web notice AnnotationNotServed: minimum-load-balancer-capacity of the class's IngressClassParams is not served, and has no effect",
	}, told(problems))

	s.params = map[string]Member{"web": {Params: &elbv2.IngressClassParamsSpec{IPAMConfiguration: &elbv2.IPAMConfiguration{}}}}
	_, problems = s.build(ingress("web", nil, all("", "web:80")))
	check(t, "none", []string(nil), told(problems))
}
