// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package service

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/podgate/podgate/internal/provision/certificates"
	"github.com/podgate/podgate/internal/provision/elb"
	"github.com/podgate/podgate/internal/provision/subnets"
	"github.com/podgate/podgate/internal/route/annotation"
	"github.com/podgate/podgate/internal/route/ingress"
	"github.com/podgate/podgate/internal/route/routetest"
)

// annotations are without their prefix.
type annotations map[string]string

// web is a Service for TCP port 80 with node port 30080 and for TCP port 443, with annotations and changes.
func web(a annotations, change ...func(*corev1.Service)) *corev1.Service {
	s := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web", UID: "uid", Annotations: map[string]string{}},
		Spec: corev1.ServiceSpec{
			Type: corev1.ServiceTypeLoadBalancer, LoadBalancerClass: new(Class),
			Ports: []corev1.ServicePort{{Name: "http", Port: 80, NodePort: 30080, TargetPort: intstr.FromInt32(8080)}, {Name: "https", Port: 443, NodePort: 30443, TargetPort: intstr.FromString("web")}},
		},
	}
	for name, value := range a {
		s.Annotations[Prefix+name] = value
	}
	for _, f := range change {
		f(s)
	}
	return s
}

func check(t *testing.T, what string, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// told are problems, each in a line.
func told(problems []annotation.Problem) []string {
	var lines []string
	for _, p := range problems {
		lines = append(lines, fmt.Sprintf("%s %s: %s", []string{"", "notice", "partial", "refused"}[p.Severity], p.Reason, p.Message))
	}
	return lines
}

func TestAsks(t *testing.T) {
	of := func(change func(*corev1.ServiceSpec), a annotations) *corev1.Service {
		return web(a, func(s *corev1.Service) { s.Spec.LoadBalancerClass = nil; change(&s.Spec) })
	}
	same := func(*corev1.ServiceSpec) {}
	for name, tc := range map[string]struct {
		of   *corev1.Service
		want bool
	}{
		"class":                  {web(nil), true},
		"another class":          {of(func(s *corev1.ServiceSpec) { s.LoadBalancerClass = new("x") }, annotations{"type": "nlb-ip"}), false},
		"no load balancer":       {web(annotations{"type": "nlb-ip"}, func(s *corev1.Service) { s.Spec.Type = corev1.ServiceTypeNodePort }), false},
		"nothing":                {of(same, nil), false},
		"nlb":                    {of(same, annotations{"type": "nlb", "nlb-target-type": "ip"}), false},
		"nlb-ip":                 {of(same, annotations{"type": "nlb-ip"}), true},
		"external":               {of(same, annotations{"type": "external"}), false},
		"external with pods":     {of(same, annotations{"type": "external", "nlb-target-type": "ip"}), true},
		"external with nodes":    {of(same, annotations{"type": "external", "nlb-target-type": "instance"}), true},
		"external with nonsense": {of(same, annotations{"type": "external", "nlb-target-type": "x"}), false},
	} {
		check(t, name, tc.want, Asks(tc.of))
	}
}

// TestBuild: all of a load balancer that asks for nothing special.
func TestBuild(t *testing.T) {
	s := settings()
	s.Tags, s.BackendSecurityGroup = map[string]string{"team": "edge"}, "sg-backend"
	stack, problems := Build(web(annotations{"additional-resource-tags": "team=web,cost=1"}), elb.Observed{}, s, lookups())
	check(t, "problems", []string(nil), told(problems))

	tags := map[string]string{"team": "edge", "cost": "1"}
	group := func(port int32, nodePort int32, name string) elb.TargetGroup {
		return elb.TargetGroup{
			Resource: fmt.Sprintf("shop/web:%d", port), Owner: "shop/web", Name: name, VPC: "vpc-1", Protocol: "TCP", Port: nodePort, TargetType: "instance", AddressType: "ipv4",
			HealthCheck: elb.HealthCheck{Protocol: "TCP", Port: "traffic-port", Interval: 10, Timeout: 10, Healthy: 3, Unhealthy: 3},
			Attributes:  map[string]string{"proxy_protocol_v2.enabled": "false"}, Tags: tags,
			Binding: elb.Binding{
				Namespace: "shop", Service: "web", Port: fmt.Sprint(port), Labels: map[string]string{"service.k8s.aws/stack-namespace": "shop", "service.k8s.aws/stack-name": "web"},
			},
		}
	}
	listener := func(port int32) elb.Listener {
		return elb.Listener{
			Resource: fmt.Sprint(port), Port: port, Protocol: "TCP", Attributes: map[string]string{}, Tags: tags,
			Default: elb.Action{Forward: []elb.Forward{{Group: fmt.Sprintf("shop/web:%d", port), Weight: 1}}},
		}
	}
	check(t, "stack", elb.Stack{
		Identity: elb.Identity{VPC: "vpc-1", Tags: map[string]string{"elbv2.k8s.aws/cluster": "blue", "service.k8s.aws/stack": "shop/web"}, ResourceTag: "service.k8s.aws/resource"},
		LoadBalancer: elb.LoadBalancer{
			Resource: "LoadBalancer", Kind: elb.Network, Name: "k8s-shop-web-ccd5ef244a", Scheme: "internal", AddressType: "ipv4",
			Subnets: []string{"subnet-inner-a", "subnet-inner-b"}, SecurityGroups: []string{"sg-backend"}, Attributes: map[string]string{}, Tags: tags,
		},
		SecurityGroup: &elb.SecurityGroup{
			Resource: "ManagedLBSecurityGroup", Name: "k8s-shop-web-21608da335", Description: "Clients of the load balancer of Service shop/web", VPC: "vpc-1", Tags: tags,
			Ingress: []elb.Permission{{Protocol: "tcp", From: 80, To: 80, CIDR: "0.0.0.0/0"}, {Protocol: "tcp", From: 443, To: 443, CIDR: "0.0.0.0/0"}},
		},
		TargetGroups: []elb.TargetGroup{group(80, 30080, "k8s-shop-web-05b3726d2f"), group(443, 30443, "k8s-shop-web-ac9d1b1be5")},
		Listeners:    []elb.Listener{listener(80), listener(443)},
	}, stack)
}

// line says in a line what a test is about.
type line func(elb.Stack) string

func scheme(s elb.Stack) string     { return s.LoadBalancer.Scheme }
func target(s elb.Stack) string     { return s.TargetGroups[0].TargetType }
func attributes(s elb.Stack) string { return routetest.InLine("", s.LoadBalancer.Attributes) }
func addresses(s elb.Stack) string  { return s.TargetGroups[0].AddressType }
func placed(s elb.Stack) string {
	return fmt.Sprint(s.LoadBalancer.Subnets, s.LoadBalancer.SubnetsNamed)
}

func proxied(s elb.Stack) string {
	var list []string
	for _, g := range s.TargetGroups {
		list = append(list, g.Attributes[proxyProtocol])
	}
	return fmt.Sprint(list)
}

func listeners(s elb.Stack) string {
	var list []string
	for i, l := range s.Listeners {
		list = append(list, fmt.Sprintf("%s:%d>%s:%d", l.Protocol, l.Port, s.TargetGroups[i].Protocol, s.TargetGroups[i].Port))
	}
	return fmt.Sprint(list)
}

func secured(s elb.Stack) string {
	var list []string
	for _, l := range s.Listeners {
		list = append(list, fmt.Sprint(l.SSLPolicy, " ", l.ALPN, " ", l.Certificates))
	}
	return fmt.Sprint(list)
}

func checked(s elb.Stack) string {
	h := s.TargetGroups[0].HealthCheck
	return fmt.Sprintf("%s %s %s %d/%d %d/%d %s", h.Protocol, h.Port, h.Path, h.Interval, h.Timeout, h.Healthy, h.Unhealthy, h.Codes)
}

func allowed(s elb.Stack) string {
	list := fmt.Sprint(s.LoadBalancer.SecurityGroups)
	if s.SecurityGroup != nil {
		for _, p := range s.SecurityGroup.Ingress {
			list += fmt.Sprintf(" %s%s:%s:%d", p.CIDR, p.PrefixList, p.Protocol, p.From)
		}
	}
	return list
}

// TestAnnotations: what each annotation does, with every value that means something of its own.
func TestAnnotations(t *testing.T) {
	const star, old = "arn:aws:acm:eu-west-1:111122223333:certificate/star", "arn:aws:acm:eu-west-1:111122223333:certificate/old"
	one := func(s *corev1.Service) { s.Spec.Ports = s.Spec.Ports[:1] }
	six := func(s *corev1.Service) { s.Spec.IPFamilies = []corev1.IPFamily{corev1.IPv6Protocol} }
	local := func(s *corev1.Service) {
		s.Spec.ExternalTrafficPolicy, s.Spec.HealthCheckNodePort = corev1.ServiceExternalTrafficPolicyLocal, 32000
	}
	ports := func(list ...corev1.ServicePort) func(*corev1.Service) {
		return func(s *corev1.Service) { s.Spec.Ports = list }
	}
	udp, tcp := corev1.ServicePort{Port: 53, NodePort: 1, Protocol: corev1.ProtocolUDP}, corev1.ServicePort{Port: 53, NodePort: 1, Protocol: corev1.ProtocolTCP}
	ranges := func(list ...string) func(*corev1.Service) {
		return func(s *corev1.Service) { s.Spec.LoadBalancerSourceRanges = list }
	}
	annotated := func(value string) func(*corev1.Service) {
		return func(s *corev1.Service) { s.Annotations[RangesAnnotation] = value }
	}
	const notTLS = "there is TLS only where the annotation aws-load-balancer-ssl-cert names a certificate"
	const speaks = "targets speak TLS where it is ssl and the annotation aws-load-balancer-ssl-cert names a certificate, and plain TCP else"
	const checksTCP = "health checks are of TCP: set the annotation aws-load-balancer-healthcheck-protocol to HTTP"
	noEffect := func(name, why string) string {
		return "notice NoEffect: annotation aws-load-balancer-" + name + " has no effect: " + why
	}

	for name, tc := range map[string]struct {
		a      annotations
		change []func(*corev1.Service)
		of     line
		want   string
		told   []string
	}{
		"scheme internet-facing": {a: annotations{"scheme": "internet-facing"}, of: scheme, want: "internet-facing"},
		"internal":               {a: annotations{"internal": "true"}, of: scheme, want: "internal"},
		"internal of old":        {a: annotations{"internal": "0.0.0.0/0"}, of: scheme, want: "internal"},
		"not internal":           {a: annotations{"internal": "false"}, of: scheme, want: "internet-facing"},
		"both agree":             {a: annotations{"internal": "false", "scheme": "internet-facing"}, of: scheme, want: "internet-facing"},

		"pods":          {a: annotations{"nlb-target-type": "ip"}, of: target, want: "ip"},
		"nlb-ip":        {a: annotations{"type": "nlb-ip"}, of: target, want: "ip"},
		"nlb-ip, nodes": {a: annotations{"type": "nlb-ip", "nlb-target-type": "instance"}, of: target, want: "instance"},
		"external":      {a: annotations{"type": "external"}, of: target, want: "instance"},
		"nlb":           {a: annotations{"type": "nlb"}, of: target, want: "instance", told: []string{noEffect("type", "spec.loadBalancerClass says whose the Service is")}},

		"subnets":               {a: annotations{"subnets": "inner-b,inner-a"}, of: placed, want: "[subnet-inner-a subnet-inner-b] true"},
		"name":                  {a: annotations{"name": "shop"}, of: func(s elb.Stack) string { return s.LoadBalancer.Name }, want: "shop"},
		"scheme is in the name": {a: annotations{"scheme": "internet-facing"}, of: func(s elb.Stack) string { return s.LoadBalancer.Name }, want: "k8s-shop-web-27225faf3a"},

		"IPv6": {a: annotations{"ip-address-type": "dualstack"}, change: []func(*corev1.Service){six}, of: addresses, want: "ipv6"},
		"family": {change: []func(*corev1.Service){func(s *corev1.Service) {
			s.Spec.IPFamilies = []corev1.IPFamily{corev1.IPv4Protocol, corev1.IPv6Protocol}
		}}, of: addresses, want: "ipv4"},

		"listeners":       {of: listeners, want: "[TCP:80>TCP:30080 TCP:443>TCP:30443]"},
		"ports of pods":   {a: annotations{"nlb-target-type": "ip"}, of: listeners, want: "[TCP:80>TCP:8080 TCP:443>TCP:1]"},
		"in order":        {change: []func(*corev1.Service){func(s *corev1.Service) { slices.Reverse(s.Spec.Ports) }}, of: listeners, want: "[TCP:80>TCP:30080 TCP:443>TCP:30443]"},
		"UDP":             {change: []func(*corev1.Service){ports(udp)}, of: listeners, want: "[UDP:53>UDP:1]"},
		"UDP and TCP":     {a: annotations{"enable-tcp-udp-listener": "true"}, change: []func(*corev1.Service){ports(udp, tcp)}, of: listeners, want: "[TCP_UDP:53>TCP_UDP:1]"},
		"and its clients": {a: annotations{"enable-tcp-udp-listener": "true"}, change: []func(*corev1.Service){ports(udp, tcp)}, of: allowed, want: "[] 0.0.0.0/0:tcp:53 0.0.0.0/0:udp:53"},
		"clients of UDP":  {change: []func(*corev1.Service){ports(udp)}, of: allowed, want: "[] 0.0.0.0/0:udp:53"},
		"SCTP": {
			change: []func(*corev1.Service){ports(tcp, corev1.ServicePort{Port: 99, NodePort: 2, Protocol: corev1.ProtocolSCTP})}, of: listeners, want: "[TCP:53>TCP:1]",
			told: []string{"partial PortNotServed: port 99 is not served: a network load balancer has no SCTP"},
		},

		"TLS":          {a: annotations{"ssl-cert": star}, of: listeners, want: "[TLS:80>TCP:30080 TLS:443>TCP:30443]"},
		"TLS by name":  {a: annotations{"ssl-cert": star, "ssl-ports": "https"}, of: listeners, want: "[TCP:80>TCP:30080 TLS:443>TCP:30443]"},
		"TLS of ports": {a: annotations{"ssl-cert": star, "ssl-ports": "80"}, of: listeners, want: "[TLS:80>TCP:30080 TCP:443>TCP:30443]"},
		"TLS of targets": {
			a: annotations{"ssl-cert": star, "ssl-ports": "443", "backend-protocol": "ssl"}, of: listeners, want: "[TCP:80>TCP:30080 TLS:443>TLS:30443]",
		},
		"TLS beside UDP": {a: annotations{"ssl-cert": star}, change: []func(*corev1.Service){ports(udp, corev1.ServicePort{Port: 443, NodePort: 2})}, of: listeners, want: "[UDP:53>UDP:1 TLS:443>TCP:2]"},
		"settings of TLS": {
			a:      annotations{"ssl-cert": star, "alpn-policy": "HTTP2Only", "ssl-negotiation-policy": "new"},
			change: []func(*corev1.Service){one}, of: secured, want: "[new HTTP2Only [" + star + "]]",
		},
		"defaults of TLS": {a: annotations{"ssl-cert": star}, change: []func(*corev1.Service){one}, of: secured, want: "[ELBSecurityPolicy-2016-08  [" + star + "]]"},
		"no TLS":          {change: []func(*corev1.Service){one}, of: secured, want: "[  []]"},
		"one expired": {
			a: annotations{"ssl-cert": star + "," + old}, change: []func(*corev1.Service){one}, of: secured, want: "[ELBSecurityPolicy-2016-08  [" + star + "]]",
			told: []string{"partial NoCertificate: certificate " + old + " has expired"},
		},
		"none is good": {
			a: annotations{"ssl-cert": old, "ssl-ports": "443"}, of: listeners, want: "[TCP:80>TCP:30080]",
			told: []string{
				"partial NoCertificate: certificate " + old + " has expired",
				"partial NoCertificate: port 443 is not served: TLS needs a certificate, and none that the annotation aws-load-balancer-ssl-cert names can be used",
			},
		},
		"plain targets": {a: annotations{"backend-protocol": "tcp"}, of: listeners, want: "[TCP:80>TCP:30080 TCP:443>TCP:30443]"},
		"HTTP targets":  {a: annotations{"backend-protocol": "http"}, of: listeners, want: "[TCP:80>TCP:30080 TCP:443>TCP:30443]", told: []string{noEffect("backend-protocol", speaks)}},
		"TLS behind TCP": {
			a: annotations{"backend-protocol": "ssl", "ssl-negotiation-policy": "x", "alpn-policy": "None"}, of: listeners, want: "[TCP:80>TCP:30080 TCP:443>TCP:30443]",
			told: []string{noEffect("backend-protocol", speaks), noEffect("ssl-negotiation-policy", notTLS), noEffect("alpn-policy", notTLS)},
		},

		"checks":          {of: checked, want: "TCP traffic-port  10/10 3/3 "},
		"checks of HTTP":  {a: annotations{"healthcheck-protocol": "http"}, of: checked, want: "HTTP traffic-port / 10/6 3/3 200-399"},
		"checks of HTTPS": {a: annotations{"healthcheck-protocol": "HTTPS", "healthcheck-interval": "5"}, of: checked, want: "HTTPS traffic-port / 5/5 3/3 200-399"},
		"all of checks": {
			a: annotations{
				"healthcheck-protocol": "HTTP", "healthcheck-port": "https", "healthcheck-path": "/up", "healthcheck-interval": "300", "healthcheck-timeout": "120",
				"healthcheck-healthy-threshold": "10", "healthcheck-unhealthy-threshold": "2", "healthcheck-success-codes": "204",
			},
			of: checked, want: "HTTP 30443 /up 300/120 10/2 204",
		},
		"checks of nodes": {change: []func(*corev1.Service){local}, of: checked, want: "HTTP 32000 /healthz 10/6 2/2 200-399"},
		"Local with pods": {a: annotations{"nlb-target-type": "ip"}, change: []func(*corev1.Service){local}, of: checked, want: "TCP traffic-port  10/10 3/3 "},
		"Local, its port": {a: annotations{"healthcheck-port": "traffic-port"}, change: []func(*corev1.Service){local}, of: checked, want: "HTTP traffic-port /healthz 10/6 2/2 200-399"},
		"Local without": {
			change: []func(*corev1.Service){local, func(s *corev1.Service) { s.Spec.HealthCheckNodePort = 0 }}, of: checked, want: "TCP traffic-port  10/10 3/3 ",
		},
		"Cluster with": {
			change: []func(*corev1.Service){local, func(s *corev1.Service) { s.Spec.ExternalTrafficPolicy = corev1.ServiceExternalTrafficPolicyCluster }}, of: checked, want: "TCP traffic-port  10/10 3/3 ",
		},
		"path of TCP": {
			a: annotations{"healthcheck-path": "/up", "healthcheck-success-codes": "204"}, of: checked, want: "TCP traffic-port  10/10 3/3 ",
			told: []string{noEffect("healthcheck-path", checksTCP), noEffect("healthcheck-success-codes", checksTCP)},
		},

		"no proxy protocol":       {of: proxied, want: "[false false]"},
		"proxy protocol":          {a: annotations{"proxy-protocol": "*"}, of: proxied, want: "[true true]"},
		"of one port":             {a: annotations{"proxy-protocol-per-target-group": "443"}, of: proxied, want: "[false true]"},
		"by attribute":            {a: annotations{"target-group-attributes": "proxy_protocol_v2.enabled=true"}, of: proxied, want: "[true true]"},
		"of all and of one":       {a: annotations{"proxy-protocol": "*", "proxy-protocol-per-target-group": "80"}, of: proxied, want: "[true true]", told: []string{noEffect("proxy-protocol-per-target-group", "aws-load-balancer-proxy-protocol is for all ports")}},
		"nodes":                   {a: annotations{"target-node-labels": "a=b"}, of: func(s elb.Stack) string { return routetest.InLine("", s.TargetGroups[0].Binding.Nodes) }, want: "a=b"},
		"nodes of pods":           {a: annotations{"target-node-labels": "a=b", "nlb-target-type": "ip"}, of: func(s elb.Stack) string { return routetest.InLine("", s.TargetGroups[0].Binding.Nodes) }, told: []string{noEffect("target-node-labels", "targets are pods")}},
		"several clusters":        {a: annotations{"multi-cluster-target-group": "true"}, of: func(s elb.Stack) string { return fmt.Sprint(s.TargetGroups[0].Binding.MultiCluster) }, want: "true"},
		"attributes of listeners": {a: annotations{"listener-attributes.TCP-80": "a=b"}, of: func(s elb.Stack) string { return routetest.InLine("", s.Listeners[0].Attributes) }, want: "a=b"},
		"attributes of no listener": {
			a: annotations{"listener-attributes.TLS-80": "a=b"}, of: func(s elb.Stack) string { return routetest.InLine("", s.Listeners[0].Attributes) },
			told: []string{noEffect("listener-attributes.TLS-80", "the load balancer has no such listener: write the listener's protocol and port, such as TCP-80")},
		},

		"attributes": {a: annotations{"attributes": "a=b,dns_record.client_routing_policy=any_availability_zone"}, of: attributes, want: "a=b dns_record.client_routing_policy=any_availability_zone"},
		"older attributes": {
			a: annotations{
				"cross-zone-load-balancing-enabled": "true", "access-log-enabled": "false", "access-log-s3-bucket-name": "logs", "access-log-s3-bucket-prefix": "web",
				"attributes": "access_logs.s3.bucket=other,access_logs.s3.prefix=web",
			},
			of: attributes, want: "access_logs.s3.bucket=other access_logs.s3.enabled=false access_logs.s3.prefix=web load_balancing.cross_zone.enabled=true",
			told: []string{noEffect("access-log-s3-bucket-name", "aws-load-balancer-attributes has access_logs.s3.bucket=other")},
		},

		"everybody":     {change: []func(*corev1.Service){one}, of: allowed, want: "[] 0.0.0.0/0:tcp:80"},
		"and over IPv6": {a: annotations{"ip-address-type": "dualstack"}, change: []func(*corev1.Service){one}, of: allowed, want: "[] 0.0.0.0/0:tcp:80 ::/0:tcp:80"},
		"ranges":        {change: []func(*corev1.Service){one, ranges("10.1.0.0/16", " 10.0.0.1/24")}, of: allowed, want: "[] 10.0.0.0/24:tcp:80 10.1.0.0/16:tcp:80"},
		"by annotation": {change: []func(*corev1.Service){one, annotated("10.0.0.0/8, 192.0.2.0/24")}, of: allowed, want: "[] 10.0.0.0/8:tcp:80 192.0.2.0/24:tcp:80"},
		"both":          {change: []func(*corev1.Service){one, annotated("10.0.0.0/8"), ranges("10.0.0.0/8")}, of: allowed, want: "[] 10.0.0.0/8:tcp:80"},
		"both, narrower": {
			change: []func(*corev1.Service){one, annotated("10.0.0.0/8"), ranges("10.1.0.0/16")}, of: allowed, want: "[] 10.1.0.0/16:tcp:80",
			told: []string{"notice NoEffect: annotation service.beta.kubernetes.io/load-balancer-source-ranges has no effect: spec.loadBalancerSourceRanges counts"},
		},
		"IPv6 alone": {
			change: []func(*corev1.Service){one, ranges("2001:db8::/32")}, of: allowed, want: "[]",
			told: []string{"partial NoEffect: nobody may connect: all source ranges are of IPv6, which the load balancer does not have: set the annotation aws-load-balancer-ip-address-type to dualstack, or add ranges of IPv4"},
		},
		"IPv6 and a list":     {a: annotations{"security-group-prefix-lists": "pl-1"}, change: []func(*corev1.Service){one, ranges("2001:db8::/32")}, of: allowed, want: "[] pl-1:tcp:80"},
		"a range and a list":  {a: annotations{"security-group-prefix-lists": "pl-1"}, change: []func(*corev1.Service){one, ranges("10.0.0.0/8")}, of: allowed, want: "[] 10.0.0.0/8:tcp:80 pl-1:tcp:80"},
		"lists":               {a: annotations{"security-group-prefix-lists": "pl-1,pl-2"}, change: []func(*corev1.Service){one}, of: allowed, want: "[] pl-1:tcp:80 pl-2:tcp:80"},
		"own groups":          {a: annotations{"security-groups": "sg-1,edge"}, of: allowed, want: "[sg-1 sg-edge]"},
		"no groups":           {a: annotations{"disable-nlb-sg": "true"}, of: allowed, want: "[]"},
		"groups all the same": {a: annotations{"disable-nlb-sg": "false"}, change: []func(*corev1.Service){one}, of: allowed, want: "[] 0.0.0.0/0:tcp:80"},

		"PrivateLink":       {a: annotations{ofPrivateLink: "on"}, of: scheme, want: "internal"},
		"PrivateLink, open": {a: annotations{ofPrivateLink: "off"}, of: scheme, want: "internal", told: []string{"notice AnnotationNotServed: annotation aws-load-balancer-" + ofPrivateLink + " is not served, and has no effect"}},
		"others": {
			a: annotations{"eip-allocations": "x", "connection-idle-timeout": "60", "unheard-of": "1"}, of: scheme, want: "internal",
			change: []func(*corev1.Service){func(s *corev1.Service) { s.Annotations["service.beta.kubernetes.io/actions.TCP-80"] = "{}" }},
			told: []string{
				noEffect("connection-idle-timeout", "it is for Classic Load Balancers"),
				"notice AnnotationNotServed: annotation aws-load-balancer-eip-allocations is not served, and has no effect",
				"notice AnnotationNotServed: annotation aws-load-balancer-unheard-of is not known: correct its name, or remove it",
				"notice AnnotationNotServed: annotation service.beta.kubernetes.io/actions.TCP-80 is not served, and has no effect",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			stack, problems := Build(web(tc.a, tc.change...), elb.Observed{}, settings(), lookups())
			check(t, "told", tc.told, told(problems))
			if len(stack.Listeners) == 0 {
				t.Fatal("nothing is served")
			}
			check(t, "built", tc.want, tc.of(stack))
		})
	}
}

// refused builds a Service that is refused, and returns why. All that there is of its load balancer stays.
func refused(t *testing.T, s *corev1.Service, observed elb.Observed, with ingress.Settings, look ingress.Lookups) []string {
	t.Helper()
	stack, problems := Build(s, observed, with, look)
	check(t, "stays", elb.Stack{Identity: Identity("blue", "vpc-1", Key{Namespace: "shop", Name: "web"}), Keep: []string{"shop/web"}}, stack)
	return told(problems)
}

// TestRefused: what cannot be served as it is written changes nothing, and is told.
func TestRefused(t *testing.T) {
	const star = "arn:aws:acm:eu-west-1:111122223333:certificate/star"
	invalid := func(name, value, want string) []string {
		return []string{fmt.Sprintf("refused InvalidAnnotation: annotation aws-load-balancer-%s is %q: %s", name, value, want)}
	}
	udp := corev1.ServicePort{Port: 80, NodePort: 30080, TargetPort: intstr.FromInt32(8080), Protocol: corev1.ProtocolUDP}
	with := func(p corev1.ServicePort) func(*corev1.Service) {
		return func(s *corev1.Service) { s.Spec.Ports = append(s.Spec.Ports, p) }
	}
	other := func(change func(*corev1.ServicePort)) corev1.ServicePort {
		p := udp
		change(&p)
		return p
	}
	const apart = "refused PortNotServed: port 80 has other target or node ports for TCP than for UDP, and targets have one port for both: make them the same"
	const tcpPort = "it must be the number or the name of a port of TCP; all such ports have TLS without the annotation"

	for name, tc := range map[string]struct {
		a      annotations
		change []func(*corev1.Service)
		want   []string
	}{
		"scheme":           {a: annotations{"scheme": "public"}, want: invalid("scheme", "public", "use internal or internet-facing")},
		"internal":         {a: annotations{"internal": "yes"}, want: invalid("internal", "yes", "use true or false, or rather the annotation aws-load-balancer-scheme")},
		"two schemes":      {a: annotations{"internal": "true", "scheme": "internet-facing"}, want: invalid("internal", "true", "the annotation aws-load-balancer-scheme says otherwise: remove one of the two")},
		"target type":      {a: annotations{"nlb-target-type": "pod"}, want: invalid("nlb-target-type", "pod", "use instance or ip")},
		"name":             {a: annotations{"name": "-x"}, want: invalid("name", "-x", "a name has at most 32 letters, digits and dashes, no dash at either end, and does not begin with internal-")},
		"address type":     {a: annotations{"ip-address-type": "ipv6"}, want: invalid("ip-address-type", "ipv6", "use ipv4 or dualstack")},
		"tag":              {a: annotations{"additional-resource-tags": "service.k8s.aws/stack=x"}, want: invalid("additional-resource-tags", "service.k8s.aws/stack", "this tag cannot be set")},
		"tag of AWS":       {a: annotations{"additional-resource-tags": "aws:x=y"}, want: invalid("additional-resource-tags", "aws:x", "this tag cannot be set")},
		"ALPN":             {a: annotations{"ssl-cert": star, "alpn-policy": "HTTP3"}, want: invalid("alpn-policy", "HTTP3", "use HTTP1Only, HTTP2Only, HTTP2Optional, HTTP2Preferred or None")},
		"check protocol":   {a: annotations{"healthcheck-protocol": "grpc"}, want: invalid("healthcheck-protocol", "grpc", "use TCP, HTTP or HTTPS")},
		"check path":       {a: annotations{"healthcheck-protocol": "HTTP", "healthcheck-path": "up"}, want: invalid("healthcheck-path", "up", "begin it with /")},
		"check codes":      {a: annotations{"healthcheck-protocol": "HTTP", "healthcheck-success-codes": "ok"}, want: invalid("healthcheck-success-codes", "ok", "use codes such as 200, 200,302 or 200-299")},
		"check interval":   {a: annotations{"healthcheck-interval": "4"}, want: invalid("healthcheck-interval", "4", "use a number from 5 to 300")},
		"check timeout":    {a: annotations{"healthcheck-timeout": "1"}, want: invalid("healthcheck-timeout", "1", "use a number from 2 to 120")},
		"check thresholds": {a: annotations{"healthcheck-healthy-threshold": "1", "healthcheck-unhealthy-threshold": "11"}, want: append(invalid("healthcheck-healthy-threshold", "1", "use a number from 2 to 10"), invalid("healthcheck-unhealthy-threshold", "11", "use a number from 2 to 10")...)},
		"long interval":    {a: annotations{"healthcheck-interval": "301"}, want: invalid("healthcheck-interval", "301", "use a number from 5 to 300")},
		"long timeout":     {a: annotations{"healthcheck-interval": "300", "healthcheck-timeout": "121"}, want: invalid("healthcheck-timeout", "121", "use a number from 2 to 120")},
		"other thresholds": {a: annotations{"healthcheck-healthy-threshold": "11", "healthcheck-unhealthy-threshold": "1"}, want: append(invalid("healthcheck-healthy-threshold", "11", "use a number from 2 to 10"), invalid("healthcheck-unhealthy-threshold", "1", "use a number from 2 to 10")...)},
		"slow check": {
			a:    annotations{"healthcheck-interval": "10", "healthcheck-timeout": "11"},
			want: []string{"refused InvalidAnnotation: health checks time out after 11 s, and one begins every 10 s: make aws-load-balancer-healthcheck-timeout less than aws-load-balancer-healthcheck-interval"},
		},
		"check port":     {a: annotations{"healthcheck-port": "admin"}, want: []string{`refused PortNotServed: port 80 is not served: healthcheck-port "admin" is not a port of Service "web": use a number, traffic-port, or the name of one of its ports`, `refused PortNotServed: port 443 is not served: healthcheck-port "admin" is not a port of Service "web": use a number, traffic-port, or the name of one of its ports`}},
		"proxy protocol": {a: annotations{"proxy-protocol": "true"}, want: invalid("proxy-protocol", "true", "use *, for all ports, or name ports in aws-load-balancer-proxy-protocol-per-target-group")},
		"proxied port":   {a: annotations{"proxy-protocol-per-target-group": "81"}, want: invalid("proxy-protocol-per-target-group", "81", "it must be the number of a port of the Service")},
		"routing":        {a: annotations{"attributes": routing + "=near"}, want: invalid("attributes", "near", "use any_availability_zone, availability_zone_affinity, partial_availability_zone_affinity for dns_record.client_routing_policy")},
		"cross-zone":     {a: annotations{"cross-zone-load-balancing-enabled": "on"}, want: invalid("cross-zone-load-balancing-enabled", "on", "use true or false")},
		"PrivateLink":    {a: annotations{ofPrivateLink: "maybe"}, want: invalid(ofPrivateLink, "maybe", "use on or off")},

		"TCP and UDP": {
			change: []func(*corev1.Service){with(udp)},
			want:   []string{"refused PortNotServed: port 80 has both TCP and UDP, which a load balancer has in one listener: set the annotation aws-load-balancer-enable-tcp-udp-listener to true"},
		},
		"target ports apart": {a: annotations{"enable-tcp-udp-listener": "true"}, change: []func(*corev1.Service){with(other(func(p *corev1.ServicePort) { p.TargetPort = intstr.FromInt32(1) }))}, want: []string{apart}},
		"node ports apart":   {a: annotations{"enable-tcp-udp-listener": "true"}, change: []func(*corev1.Service){with(other(func(p *corev1.ServicePort) { p.NodePort = 1 }))}, want: []string{apart}},
		"no node port": {
			change: []func(*corev1.Service){func(s *corev1.Service) { s.Spec.Ports[1].NodePort = 0 }},
			want:   []string{`refused PortNotServed: port 443 is not served: the Service "web" has no node port, which target-type instance needs: make it a Service of type NodePort, or let one of type LoadBalancer have node ports, or use target-type ip`},
		},
		"IPv6": {
			change: []func(*corev1.Service){func(s *corev1.Service) { s.Spec.IPFamilies = []corev1.IPFamily{corev1.IPv6Protocol} }},
			want:   []string{"refused InvalidAnnotation: the Service has IPv6 addresses first, which a load balancer without IPv6 does not reach: set the annotation aws-load-balancer-ip-address-type to dualstack"},
		},
		"TLS of no port":  {a: annotations{"ssl-cert": star, "ssl-ports": "*"}, want: invalid("ssl-ports", "*", tcpPort)},
		"TLS of UDP port": {a: annotations{"ssl-cert": star, "ssl-ports": "53"}, change: []func(*corev1.Service){with(corev1.ServicePort{Port: 53, NodePort: 1, Protocol: corev1.ProtocolUDP})}, want: invalid("ssl-ports", "53", tcpPort)},
		"source range": {
			change: []func(*corev1.Service){func(s *corev1.Service) { s.Spec.LoadBalancerSourceRanges = []string{"10.0.0.1"} }},
			want:   []string{`refused InvalidAnnotation: spec.loadBalancerSourceRanges is "10.0.0.1": use CIDRs such as 10.0.0.0/8, with commas between them`},
		},
		"subnets": {a: annotations{"subnets": "nowhere"}, want: []string{`refused NoSubnets: there are no subnets for the load balancer: there is no subnet in vpc-1 whose tag Name is "nowhere"`}},
	} {
		t.Run(name, func(t *testing.T) {
			check(t, "told", tc.want, refused(t, web(tc.a, tc.change...), elb.Observed{}, settings(), lookups()))
		})
	}
}

// TestLaw15ServiceProtects: what limits who may connect is served, or else the Service is not.
func TestLaw15ServiceProtects(t *testing.T) {
	const star = "arn:aws:acm:eu-west-1:111122223333:certificate/star"
	ranges := func(s *corev1.Service) { s.Spec.LoadBalancerSourceRanges = []string{"10.0.0.0/8"} }
	const beside = "refused ProtectionNotServed: source ranges and prefix lists have no effect beside the annotation aws-load-balancer-security-groups, so that the Service would be served more openly than it asks for: have the rules of the security groups say who may connect, and remove them"
	const without = "refused ProtectionNotServed: with the annotation aws-load-balancer-disable-nlb-sg the load balancer has no security groups, so that everybody may connect, and the Service asks for limits: remove one of the two"

	for name, tc := range map[string]struct {
		a      annotations
		change func(*corev1.Service)
		want   string
	}{
		"ranges beside groups":  {a: annotations{"security-groups": "sg-1"}, change: ranges, want: beside},
		"lists beside groups":   {a: annotations{"security-groups": "sg-1", "security-group-prefix-lists": "pl-1"}, want: beside},
		"ranges without groups": {a: annotations{"disable-nlb-sg": "true"}, change: ranges, want: without},
		"lists without groups":  {a: annotations{"disable-nlb-sg": "true", "security-group-prefix-lists": "pl-1"}, want: without},
		"groups without groups": {a: annotations{"disable-nlb-sg": "true", "security-groups": "sg-1"}, want: without},
		"narrower annotation": {
			change: func(s *corev1.Service) {
				s.Spec.LoadBalancerSourceRanges, s.Annotations[RangesAnnotation] = []string{"10.0.0.0/8", "192.0.2.0/24"}, "10.0.0.0/7"
			},
			want: "refused ProtectionNotServed: the annotation service.beta.kubernetes.io/load-balancer-source-ranges does not let in 192.0.2.0/24, which spec.loadBalancerSourceRanges does, and which counts, so that the Service would be served more openly than it asks for: remove the annotation",
		},
		"TLS without certificate": {
			a:    annotations{"ssl-ports": "443"},
			want: "refused ProtectionNotServed: annotation aws-load-balancer-ssl-ports asks for TLS, and no certificate is named, so that the Service would be served more openly than it asks for: name one in the annotation aws-load-balancer-ssl-cert",
		},
		"TLS for UDP": {
			a: annotations{"ssl-cert": star}, change: func(s *corev1.Service) {
				s.Spec.Ports = []corev1.ServicePort{{Port: 53, NodePort: 1, Protocol: corev1.ProtocolUDP}}
			},
			want: "refused ProtectionNotServed: the annotation aws-load-balancer-ssl-cert asks for TLS, and the Service has no port of TCP: remove the annotation, or add a port",
		},
		"TLS for both": {
			a: annotations{"ssl-cert": star, "ssl-ports": "80", "enable-tcp-udp-listener": "true"},
			change: func(s *corev1.Service) {
				s.Spec.Ports = append(s.Spec.Ports, corev1.ServicePort{Port: 80, NodePort: 30080, TargetPort: intstr.FromInt32(8080), Protocol: corev1.ProtocolUDP})
			},
			want: "refused ProtectionNotServed: annotation aws-load-balancer-ssl-ports asks for TLS on port 80, which has UDP as well, and there is no TLS for both: use another port",
		},
		"misspelt": {
			a:    annotations{"source-range": "10.0.0.0/8"},
			want: "refused ProtectionNotServed: annotation aws-load-balancer-source-range is not known, and seems to limit who may connect: correct its name, or remove it",
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := web(tc.a)
			if tc.change != nil {
				tc.change(s)
			}
			check(t, "told", []string{tc.want}, refused(t, s, elb.Observed{}, settings(), lookups()))
		})
	}
}

// there is a load balancer with a listener.
func there(change func(*elb.ObservedLoadBalancer), l elb.Listener, own bool) elb.Observed {
	lb := elb.ObservedLoadBalancer{LoadBalancer: elb.LoadBalancer{Kind: elb.Network, Scheme: "internal", SecurityGroups: []string{"sg-1"}}, Listeners: []elb.ObservedListener{{Listener: l, Own: own}}}
	if change != nil {
		change(&lb)
	}
	return elb.Observed{LoadBalancers: []elb.ObservedLoadBalancer{lb}}
}

// TestLaw15TLSIsNeverPlain: a listener that is to have TLS keeps the certificates that it has while none that is named can be
// used, and one that has none is not served without.
func TestLaw15TLSIsNeverPlain(t *testing.T) {
	const star = "arn:aws:acm:eu-west-1:111122223333:certificate/star"
	look := func(found certificates.Found) ingress.Lookups {
		l := lookups()
		l.Certificates = func([]certificates.Host) []certificates.Found { return []certificates.Found{found} }
		return l
	}
	s := web(annotations{"ssl-cert": star}, func(s *corev1.Service) { s.Spec.Ports = s.Spec.Ports[1:] })
	has := elb.Listener{Port: 443, Protocol: "TLS", Certificates: []string{"old", star}, ALPN: "HTTP2Only"}
	const policy = "ELBSecurityPolicy-2016-08 None "

	for name, tc := range map[string]struct {
		observed elb.Observed
		found    certificates.Found
		want     string
	}{
		"it can be used":    {there(nil, has, true), certificates.Found{ARNs: []string{star}}, "[" + policy + "[" + star + "]]"},
		"nobody can tell":   {there(nil, has, true), certificates.Found{ARNs: []string{star}, Unknown: true}, "[" + policy + "[" + star + " old]]"},
		"none can be used":  {there(nil, has, true), certificates.Found{}, "[" + policy + "[old " + star + "]]"},
		"another port":      {there(nil, elb.Listener{Port: 80, Certificates: []string{"old"}}, true), certificates.Found{ARNs: []string{star}, Unknown: true}, "[ELBSecurityPolicy-2016-08  [" + star + "]]"},
		"somebody else's":   {there(nil, has, false), certificates.Found{ARNs: []string{star}, Unknown: true}, "[ELBSecurityPolicy-2016-08  [" + star + "]]"},
		"without protocols": {there(nil, elb.Listener{Port: 443, Certificates: []string{"old"}}, true), certificates.Found{ARNs: []string{star}}, "[ELBSecurityPolicy-2016-08  [" + star + "]]"},
	} {
		stack, problems := Build(s, tc.observed, settings(), look(tc.found))
		check(t, name, []string(nil), told(problems))
		check(t, name, tc.want, secured(stack))
	}

	check(t, "one that is plain stays so", []string{
		"refused NoCertificate: port 443 is to have TLS, and no certificate that is named can be used: the load balancer stays as it is until one can",
	}, refused(t, s, there(nil, elb.Listener{Port: 443, Protocol: "TCP"}, true), settings(), look(certificates.Found{})))
	stack, problems := Build(s, elb.Observed{}, settings(), look(certificates.Found{}))
	check(t, "none is made", 0, len(stack.Listeners)+len(stack.TargetGroups))
	check(t, "which is told", []string{"partial NoCertificate: port 443 is not served: TLS needs a certificate, and none that the annotation aws-load-balancer-ssl-cert names can be used"}, told(problems))
}

// TestLaw15WithoutSecurityGroups: a load balancer that was made without security groups and can have none is replaced only where
// the Service asks for limits.
func TestLaw15WithoutSecurityGroups(t *testing.T) {
	bare := there(func(lb *elb.ObservedLoadBalancer) { lb.SecurityGroups = nil }, elb.Listener{Port: 80}, true)
	one := func(s *corev1.Service) { s.Spec.Ports = s.Spec.Ports[:1] }
	for name, tc := range map[string]struct {
		observed elb.Observed
		a        annotations
		want     string
	}{
		"as it is":          {bare, nil, "[]"},
		"limits":            {bare, annotations{"security-group-prefix-lists": "pl-1"}, "[] pl-1:tcp:80"},
		"own groups":        {bare, annotations{"security-groups": "sg-2"}, "[sg-2]"},
		"it has some":       {there(nil, elb.Listener{Port: 80}, true), nil, "[] 0.0.0.0/0:tcp:80"},
		"of another kind":   {there(func(lb *elb.ObservedLoadBalancer) { lb.SecurityGroups, lb.Kind = nil, elb.Application }, elb.Listener{}, true), nil, "[] 0.0.0.0/0:tcp:80"},
		"there is none yet": {elb.Observed{}, nil, "[] 0.0.0.0/0:tcp:80"},
	} {
		stack, problems := Build(web(tc.a, one), tc.observed, settings(), lookups())
		check(t, name, []string(nil), told(problems))
		check(t, name, tc.want, allowed(stack))
	}
}

// TestSubnetsStay: a load balancer that exists needs no subnets to be found, unless its Service names some, or asks for a new one.
func TestSubnetsStay(t *testing.T) {
	look := lookups()
	var asked subnets.Want
	look.Subnets = func(want subnets.Want) ([]string, error) { asked = want; return nil, errors.New("there are none") }
	const none = "refused NoSubnets: there are no subnets for the load balancer: there are none"
	exists := there(nil, elb.Listener{Port: 80}, true)

	_, problems := Build(web(nil), exists, settings(), look)
	check(t, "it stays", []string(nil), told(problems))
	check(t, "named", []string{none}, refused(t, web(annotations{"subnets": "a"}), exists, settings(), look))
	check(t, "another scheme", []string{none}, refused(t, web(annotations{"scheme": "internet-facing"}), exists, settings(), look))
	check(t, "none exists", []string{none}, refused(t, web(annotations{"subnets": "b", "ip-address-type": "dualstack"}), elb.Observed{}, settings(), look))
	check(t, "asked", subnets.Want{Kind: elb.Network, VPC: "vpc-1", Cluster: "blue", Scheme: "internal", AddressType: "dualstack", Named: []string{"b"}}, asked)
}

func TestLimits(t *testing.T) {
	few := settings()
	few.Limits = ingress.Limits{Listeners: 2, Certificates: 1, SecurityGroups: 2}
	two := web(annotations{"ssl-cert": "arn:1,arn:2"})
	look := lookups()
	look.Certificates = func(hosts []certificates.Host) []certificates.Found {
		return []certificates.Found{{ARNs: hosts[0].Named}}
	}
	_, problems := Build(two, elb.Observed{}, few, look)
	check(t, "within", []string(nil), told(problems))

	three := web(annotations{"ssl-cert": "arn:1,arn:2,arn:3"}, func(s *corev1.Service) {
		s.Spec.Ports = append(s.Spec.Ports, corev1.ServicePort{Port: 8080, NodePort: 1})
	})
	check(t, "beyond", []string{
		"refused LimitExceeded: the Service names 3 certificates, and a listener may have 2: name fewer, or have AWS raise the quota",
		"refused LimitExceeded: the Service has 3 ports, and its load balancer may have 2 listeners: divide it, or have AWS raise the quota",
	}, refused(t, three, elb.Observed{}, few, look))

	_, problems = Build(web(annotations{"security-groups": "sg-1,sg-2"}), elb.Observed{}, few, look)
	check(t, "security groups", []string(nil), told(problems))
	check(t, "too many security groups", []string{
		"refused LimitExceeded: annotation aws-load-balancer-security-groups names 3 security groups, and a load balancer may have 2: name fewer, or have AWS raise the quota of security groups per network interface",
	}, refused(t, web(annotations{"security-groups": "sg-1,sg-2,sg-3"}), elb.Observed{}, few, look))
}

// TestLaw13TagsOfOthers: no Service marks its load balancer as a part of another stack.
func TestLaw13TagsOfOthers(t *testing.T) {
	for _, key := range []string{ingress.ClusterTag, StackTag, ResourceTag, ingress.StackTag, ingress.ResourceTag, elb.OwnerTag, elb.RetiredTag} {
		check(t, key, []string{`refused InvalidAnnotation: annotation aws-load-balancer-additional-resource-tags is "` + key + `": this tag cannot be set`},
			refused(t, web(annotations{"additional-resource-tags": key + "=x"}), elb.Observed{}, settings(), lookups()))
	}
}

// TestLaw13EachServiceHasItsOwn: what is made for a Service is marked as for no other one, and no Ingress.
func TestLaw13EachServiceHasItsOwn(t *testing.T) {
	of := func(cluster, namespace, name string) map[string]string {
		return Identity(cluster, "vpc-1", Key{Namespace: namespace, Name: name}).Tags
	}
	web := of("blue", "shop", "web")
	for _, other := range []map[string]string{of("blue", "shop", "api"), of("blue", "pay", "web"), of("green", "shop", "web"), ingress.Identity("blue", "vpc-1", Key{Namespace: "shop", Name: "web"}).Tags} {
		check(t, "the same as "+fmt.Sprint(other), false, maps.Equal(web, other))
	}
}
