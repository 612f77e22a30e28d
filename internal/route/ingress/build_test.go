// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package ingress

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/provision/certificates"
	"github.com/podgate/podgate/internal/provision/elb"
	"github.com/podgate/podgate/internal/provision/subnets"
	"github.com/podgate/podgate/internal/route"
)

// annotations are an Ingress's, without their prefix.
type annotations map[string]string

func (a annotations) full() map[string]string {
	full := map[string]string{}
	for name, value := range a {
		full[Prefix+name] = value
	}
	return full
}

// ingress is an Ingress of the namespace shop.
func ingress(name string, a annotations, rules ...networkingv1.IngressRule) *networkingv1.Ingress {
	of := with(rules...)
	of.Name, of.Annotations = name, a.full()
	return of
}

// all is a rule for every request of a host; every host if it is empty.
func all(host, backend string) networkingv1.IngressRule {
	return rule(host, path("/", backend, "Prefix"))
}

// site is a cluster with the Services web and api of type NodePort, which each have the port 80, named http, that is the pods'
// 8080, and the port 443, named https, that is what the pods call tls.
type site struct {
	Settings
	services map[string]*corev1.Service
	subnets  func(subnets.Want) ([]string, error)
	// asked are the subnets that were asked for.
	asked []subnets.Want
	// acm has certificates by host.
	acm map[string]string
	// outage: ACM does not answer.
	outage   bool
	observed elb.Observed
	params   map[string]Member
}

func newSite() *site {
	s := &site{
		Settings: Settings{Cluster: "blue", VPC: "vpc-1", Scheme: "internal", TargetType: "ip", SSLPolicy: "policy-1", Limits: ALB},
		services: map[string]*corev1.Service{},
		acm:      map[string]string{},
	}
	for _, name := range []string{"web", "api"} {
		s.services["shop/"+name] = &corev1.Service{
			ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, UID: "uid-of-" + "service"},
			Spec: corev1.ServiceSpec{Type: corev1.ServiceTypeNodePort, Ports: []corev1.ServicePort{
				{Name: "http", Port: 80, TargetPort: intstr.FromInt32(8080), NodePort: 30080},
				{Name: "https", Port: 443, TargetPort: intstr.FromString("tls"), NodePort: 30443},
			}},
		}
	}
	s.subnets = func(subnets.Want) ([]string, error) { return []string{"subnet-a", "subnet-b"}, nil }
	return s
}

// annotate gives a Service annotations.
func (s *site) annotate(service string, a annotations) { s.services[service].Annotations = a.full() }

func (s *site) lookups() Lookups {
	return Lookups{
		Service: func(namespace, name string) *corev1.Service { return s.services[namespace+"/"+name] },
		Subnets: func(w subnets.Want) ([]string, error) {
			s.asked = append(s.asked, w)
			return s.subnets(w)
		},
		SecurityGroup: func(name string) (string, error) {
			if name == "edge" {
				return "sg-edge", nil
			}
			return "", fmt.Errorf("there is no security group %q", name)
		},
		TargetGroup: func(namespace, named string) (string, error) {
			arn := "arn:aws:elasticloadbalancing:x:1:targetgroup/theirs/1"
			if namespace != "shop" || named != "theirs" && named != arn {
				return "", fmt.Errorf("there is no target group %q", named)
			}
			return arn, nil
		},
		Certificates: func(hosts []certificates.Host) []certificates.Found {
			var found []certificates.Found
			for _, h := range hosts {
				f := certificates.Found{Host: h.Name, ARNs: h.Named}
				if len(h.Named) == 0 && s.outage {
					found = append(found, certificates.Found{Host: h.Name, Unknown: true, Problem: "nobody answers"})
					continue
				}
				if arn := s.acm[h.Name]; len(h.Named) == 0 && arn != "" {
					f.ARNs = []string{arn}
				}
				if len(f.ARNs) == 0 {
					f.Problem = "no certificate for " + h.Name
				}
				found = append(found, f)
			}
			return found
		},
	}
}

// build builds the stack of the group of shared Ingresses, or of one.
func (s *site) build(ingresses ...*networkingv1.Ingress) (elb.Stack, []Problem) {
	g := Group{Key: Key{Name: "shared"}, Observed: s.observed}
	if len(ingresses) == 1 {
		g.Key = Key{Namespace: ingresses[0].Namespace, Name: ingresses[0].Name}
	}
	for _, of := range ingresses {
		m := s.params[of.Name]
		m.Ingress = of
		g.Members = append(g.Members, m)
	}
	return Build(g, s.Settings, s.lookups())
}

// told are problems, each in a line.
func told(problems []Problem) []string {
	var list []string
	for _, p := range problems {
		list = append(list, fmt.Sprintf("%s %s %s: %s", p.Owner, []string{"?", "notice", "partial", "refused"}[p.Severity], p.Reason, p.Message))
	}
	return list
}

// drawn are listeners and their rules, each in a line.
func drawn(stack elb.Stack) []string {
	var list []string
	for _, l := range stack.Listeners {
		list = append(list, strings.TrimSpace(fmt.Sprintf("%s:%d %s %s", l.Protocol, l.Port, did(l.Default), strings.Join(l.Certificates, " "))))
		for _, r := range l.Rules {
			line := fmt.Sprintf("  %s: %s%s -> %s", r.Owner, r.Match.Hosts, r.Match.Paths, did(r.Action))
			if r.Kept {
				line = fmt.Sprintf("  %s: kept", r.Owner)
			}
			list = append(list, line)
		}
	}
	return list
}

func did(a elb.Action) string {
	switch {
	case a.Answer != nil:
		return fmt.Sprint(a.Answer.Status)
	case a.Redirect != nil:
		return fmt.Sprintf("%d %s:%s", a.Redirect.Status, a.Redirect.Protocol, a.Redirect.Port)
	}
	var to []string
	for _, f := range a.Forward {
		to = append(to, fmt.Sprintf("%s*%d", f.Group, f.Weight))
	}
	return strings.Join(to, "+")
}

func check(t *testing.T, what string, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// TestBuildsTheGame: the manifests of the game 2048, which most begin with, are a load balancer with all that it needs.
func TestBuildsTheGame(t *testing.T) {
	game := &networkingv1.Ingress{
		ObjectMeta: metav1.ObjectMeta{Namespace: "game-2048", Name: "ingress-2048", Annotations: annotations{"scheme": "internet-facing", "target-type": "ip"}.full()},
		Spec:       networkingv1.IngressSpec{IngressClassName: new("alb"), Rules: []networkingv1.IngressRule{all("", "service-2048:80")}},
	}
	s := newSite()
	s.TargetType = "instance"
	s.Tags = map[string]string{"team": "games"}
	s.services["game-2048/service-2048"] = &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: "game-2048", Name: "service-2048", UID: "u-1"},
		Spec:       corev1.ServiceSpec{Type: corev1.ServiceTypeNodePort, Ports: []corev1.ServicePort{{Port: 80, TargetPort: intstr.FromInt32(80), NodePort: 30000}}},
	}

	stack, problems := s.build(game)

	want := elb.Stack{
		Identity:  elb.Identity{VPC: "vpc-1", Tags: map[string]string{"elbv2.k8s.aws/cluster": "blue", "ingress.k8s.aws/stack": "game-2048/ingress-2048"}, ResourceTag: "ingress.k8s.aws/resource"},
		MostRules: 100,
		LoadBalancer: elb.LoadBalancer{
			Resource: "LoadBalancer", Kind: elb.Application, Name: balancerName("blue", Key{Namespace: "game-2048", Name: "ingress-2048"}, "internet-facing"),
			Scheme: "internet-facing", AddressType: "ipv4", Subnets: []string{"subnet-a", "subnet-b"},
			Attributes: map[string]string{}, Tags: map[string]string{"team": "games"},
		},
		SecurityGroup: &elb.SecurityGroup{
			Resource: "ManagedLBSecurityGroup", Name: balancerName("blue", Key{Namespace: "game-2048", Name: "ingress-2048"}, ""),
			Description: "Clients of the load balancer of game-2048/ingress-2048", VPC: "vpc-1",
			Ingress: []elb.Permission{{Protocol: "tcp", From: 80, To: 80, CIDR: "0.0.0.0/0"}}, Tags: map[string]string{"team": "games"},
		},
		TargetGroups: []elb.TargetGroup{{
			Resource: "game-2048/ingress-2048-service-2048:80", Owner: "game-2048/ingress-2048",
			Name: targetGroupName("game-2048", "service-2048", "blue", "game-2048/ingress-2048", "game-2048", "ingress-2048", "u-1", "80", "80", "ip", "HTTP", "HTTP1"),
			VPC:  "vpc-1", Protocol: "HTTP", Version: "HTTP1", Port: 80, TargetType: "ip", AddressType: "ipv4",
			HealthCheck: elb.HealthCheck{Protocol: "HTTP", Path: "/", Port: "traffic-port", Interval: 15, Timeout: 5, Healthy: 2, Unhealthy: 2, Codes: "200"},
			Attributes:  map[string]string{}, Tags: map[string]string{"team": "games"},
			Binding: elb.Binding{
				Namespace: "game-2048", Service: "service-2048", Port: "80",
				Labels: map[string]string{"ingress.k8s.aws/stack-namespace": "game-2048", "ingress.k8s.aws/stack-name": "ingress-2048"},
			},
		}},
		Listeners: []elb.Listener{{
			Resource: "80", Port: 80, Protocol: "HTTP", Attributes: map[string]string{}, Tags: map[string]string{"team": "games"},
			Default: elb.Action{Answer: &route.Answer{Status: 404, ContentType: "text/plain"}},
			Rules: []elb.Rule{{
				Owner: "game-2048/ingress-2048", Match: route.Match{Paths: []string{"/*"}}, Tags: map[string]string{"team": "games"},
				Action: elb.Action{Forward: []elb.Forward{{Group: "game-2048/ingress-2048-service-2048:80", Weight: 1}}},
			}},
		}},
	}
	check(t, "stack", want, stack)
	check(t, "problems", []Problem(nil), problems)
	check(t, "subnets", []subnets.Want{{Kind: elb.Application, VPC: "vpc-1", Cluster: "blue", Scheme: "internet-facing", AddressType: "ipv4"}}, s.asked)
}

// TestNamesAreTheirs: the names are those that AWS Load Balancer Controller makes.
func TestNamesAreTheirs(t *testing.T) {
	one := Key{Namespace: "ns-1", Name: "ing-1"}
	check(t, "load balancer", "k8s-ns1-ing1-159dd7a143", balancerName("cluster-dummy", one, "internet-facing"))
	check(t, "security group", "k8s-ns1-ing1-bd83176788", balancerName("cluster-dummy", one, ""))
	check(t, "target group", "k8s-ns1-svc1-9889425938", targetGroupName("ns-1", "svc-1", "cluster-dummy", StackOf(one), "ns-1", "ing-1", "", "http", "32768", "instance", "HTTP", "HTTP1"))
	check(t, "explicit group", "k8s-averylonggroupnam-5c1f0d2d7e"[:22], balancerName("cluster-dummy", Key{Name: "a.very-long_group-name-indeed"}, "internal")[:22])
	check(t, "cut", "k8s-namespac-servicen-", targetGroupName("namespace-1", "service-name")[:22])
}

// TestReadsAnnotations: what each annotation is good for, which values it may have, and what is said of others.
func TestReadsAnnotations(t *testing.T) {
	group := func(get func(elb.TargetGroup) any) func(elb.Stack) any {
		return func(stack elb.Stack) any { return get(stack.TargetGroups[0]) }
	}
	health := func(stack elb.Stack) any { return stack.TargetGroups[0].HealthCheck }
	checks := func(change func(*elb.HealthCheck)) elb.HealthCheck {
		h := elb.HealthCheck{Protocol: "HTTP", Path: "/", Port: "traffic-port", Interval: 15, Timeout: 5, Healthy: 2, Unhealthy: 2, Codes: "200"}
		change(&h)
		return h
	}
	listener := func(get func(elb.Listener) any) func(elb.Stack) any {
		return func(stack elb.Stack) any { return get(stack.Listeners[0]) }
	}
	scheme := func(stack elb.Stack) any { return stack.LoadBalancer.Scheme }
	permissions := func(stack elb.Stack) any {
		var list []string
		for _, p := range stack.SecurityGroup.Ingress {
			list = append(list, fmt.Sprintf("%s %d-%d %s%s", p.Protocol, p.From, p.To, p.CIDR, p.PrefixList))
		}
		return list
	}
	ports := func(stack elb.Stack) any {
		var list []string
		for _, l := range stack.Listeners {
			list = append(list, fmt.Sprintf("%s:%d", l.Protocol, l.Port))
		}
		return list
	}

	cases := map[string]struct {
		a       annotations
		service annotations
		get     func(elb.Stack) any
		want    any
	}{
		"Scheme":         {a: annotations{"scheme": " internet-facing "}, get: scheme, want: "internet-facing"},
		"DefaultScheme":  {get: scheme, want: "internal"},
		"Name":           {a: annotations{"load-balancer-name": "shop"}, get: func(s elb.Stack) any { return s.LoadBalancer.Name }, want: "shop"},
		"LongestName":    {a: annotations{"load-balancer-name": strings.Repeat("a", 32)}, get: func(s elb.Stack) any { return s.LoadBalancer.Name }, want: strings.Repeat("a", 32)},
		"AddressType":    {a: annotations{"ip-address-type": "dualstack"}, get: func(s elb.Stack) any { return s.LoadBalancer.AddressType }, want: "dualstack"},
		"Subnets":        {a: annotations{"subnets": "b, a"}, get: func(s elb.Stack) any { return s.LoadBalancer.SubnetsNamed }, want: true},
		"SubnetsFound":   {get: func(s elb.Stack) any { return s.LoadBalancer.SubnetsNamed }, want: false},
		"SecurityGroups": {a: annotations{"security-groups": "sg-2,edge"}, get: func(s elb.Stack) any { return []any{s.SecurityGroup == nil, s.LoadBalancer.SecurityGroups} }, want: []any{true, []string{"sg-2", "sg-edge"}}},
		"Attributes":     {a: annotations{"load-balancer-attributes": `idle_timeout.timeout_seconds=30, a=b=c,x=1\,2,`}, get: func(s elb.Stack) any { return s.LoadBalancer.Attributes }, want: map[string]string{"idle_timeout.timeout_seconds": "30", "a": "b=c", "x": "1,2"}},
		"Tags":           {a: annotations{"tags": "a=1,empty="}, get: func(s elb.Stack) any { return s.LoadBalancer.Tags }, want: map[string]string{"a": "1", "empty": ""}},
		"TagsOfRules":    {a: annotations{"tags": "a=1"}, get: listener(func(l elb.Listener) any { return []any{l.Tags, l.Rules[0].Tags} }), want: []any{map[string]string{"a": "1"}, map[string]string{"a": "1"}}},
		"TagsOfGroups":   {a: annotations{"tags": "a=1,b=1"}, service: annotations{"tags": "a=2"}, get: group(func(g elb.TargetGroup) any { return g.Tags }), want: map[string]string{"a": "2"}},
		"CIDRs":          {a: annotations{"inbound-cidrs": "10.1.2.3/8, 192.0.2.0/24"}, get: permissions, want: []string{"tcp 80-80 10.0.0.0/8", "tcp 80-80 192.0.2.0/24"}},
		"AnyCIDR":        {get: permissions, want: []string{"tcp 80-80 0.0.0.0/0"}},
		"AnyCIDRDual":    {a: annotations{"ip-address-type": "dualstack"}, get: permissions, want: []string{"tcp 80-80 0.0.0.0/0", "tcp 80-80 ::/0"}},
		"NoIPv6":         {a: annotations{"inbound-cidrs": "2001:db8::/32,10.0.0.0/8"}, get: permissions, want: []string{"tcp 80-80 10.0.0.0/8"}},
		"PrefixLists":    {a: annotations{"security-group-prefix-lists": "pl-2,pl-1"}, get: permissions, want: []string{"tcp 80-80 pl-1", "tcp 80-80 pl-2"}},
		"BothLimits":     {a: annotations{"security-group-prefix-lists": "pl-1", "inbound-cidrs": "10.0.0.0/8"}, get: permissions, want: []string{"tcp 80-80 10.0.0.0/8", "tcp 80-80 pl-1"}},

		"Ports":         {a: annotations{"listen-ports": `[{"HTTP":8080,"HTTPS":8443},{"HTTP":80}]`, "certificate-arn": "arn:1"}, get: ports, want: []string{"HTTP:80", "HTTP:8080", "HTTPS:8443"}},
		"PortsOfBounds": {a: annotations{"listen-ports": `[{"HTTP":1},{"HTTP":65535},{"HTTP":1}]`}, get: ports, want: []string{"HTTP:1", "HTTP:65535"}},
		"PortsDefault":  {get: ports, want: []string{"HTTP:80"}},
		"PortsByArn":    {a: annotations{"certificate-arn": "arn:1"}, get: ports, want: []string{"HTTPS:443"}},
		"Certificates":  {a: annotations{"certificate-arn": "arn:2, arn:1,arn:2"}, get: listener(func(l elb.Listener) any { return l.Certificates }), want: []string{"arn:2", "arn:1"}},
		"Policy":        {a: annotations{"certificate-arn": "arn:2", "ssl-policy": "strict"}, get: listener(func(l elb.Listener) any { return l.SSLPolicy }), want: "strict"},
		"PolicyDefault": {a: annotations{"certificate-arn": "arn:2"}, get: listener(func(l elb.Listener) any { return l.SSLPolicy }), want: "policy-1"},
		"PolicyOfHTTP":  {a: annotations{"ssl-policy": "strict"}, get: listener(func(l elb.Listener) any { return l.SSLPolicy }), want: ""},
		"ListenerAttr":  {a: annotations{"listener-attributes.HTTP-80": "a=1"}, get: listener(func(l elb.Listener) any { return l.Attributes }), want: map[string]string{"a": "1"}},

		"TargetType":      {a: annotations{"target-type": "instance"}, get: group(func(g elb.TargetGroup) any { return []any{g.TargetType, g.Port} }), want: []any{"instance", int32(30080)}},
		"TargetTypeOfOne": {a: annotations{"target-type": "instance"}, service: annotations{"target-type": "ip"}, get: group(func(g elb.TargetGroup) any { return []any{g.TargetType, g.Port} }), want: []any{"ip", int32(8080)}},
		"Protocol":        {a: annotations{"backend-protocol": "HTTPS"}, get: group(func(g elb.TargetGroup) any { return []any{g.Protocol, g.HealthCheck.Protocol} }), want: []any{"HTTPS", "HTTPS"}},
		"Version":         {a: annotations{"backend-protocol-version": "HTTP2"}, get: group(func(g elb.TargetGroup) any { return []any{g.Version, g.HealthCheck.Path} }), want: []any{"HTTP2", "/"}},
		"GRPC":            {a: annotations{"backend-protocol-version": "GRPC", "listen-ports": `[{"HTTPS":443}]`, "certificate-arn": "arn:1"}, get: health, want: checks(func(h *elb.HealthCheck) { h.Path, h.Codes = "/AWS.ALB/healthcheck", "12" })},
		"GroupAttributes": {a: annotations{"target-group-attributes": "a=1"}, service: annotations{"target-group-attributes": "b=2"}, get: group(func(g elb.TargetGroup) any { return g.Attributes }), want: map[string]string{"b": "2"}},
		"Nodes":           {a: annotations{"target-type": "instance", "target-node-labels": "pool=web"}, get: group(func(g elb.TargetGroup) any { return g.Binding.Nodes }), want: map[string]string{"pool": "web"}},
		"NoNodes":         {a: annotations{"target-type": "instance", "target-node-labels": ""}, get: group(func(g elb.TargetGroup) any { return g.Binding.Nodes }), want: map[string]string(nil)},
		"NodesOfPods":     {a: annotations{"target-node-labels": "pool=web"}, get: group(func(g elb.TargetGroup) any { return g.Binding.Nodes }), want: map[string]string(nil)},
		"MultiCluster":    {a: annotations{"multi-cluster-target-group": "true"}, get: group(func(g elb.TargetGroup) any { return g.Binding.MultiCluster }), want: true},
		"OneCluster":      {a: annotations{"multi-cluster-target-group": "false"}, get: group(func(g elb.TargetGroup) any { return g.Binding.MultiCluster }), want: false},

		"Health": {
			a: annotations{
				"healthcheck-protocol": "HTTPS", "healthcheck-path": "/up", "healthcheck-port": "9000", "healthcheck-interval-seconds": "300", "healthcheck-timeout-seconds": "120",
				"healthy-threshold-count": "10", "unhealthy-threshold-count": "3", "success-codes": "200-299,302",
			},
			get: health, want: elb.HealthCheck{Protocol: "HTTPS", Path: "/up", Port: "9000", Interval: 300, Timeout: 120, Healthy: 10, Unhealthy: 3, Codes: "200-299,302"},
		},
		"HealthLeast":        {a: annotations{"healthcheck-interval-seconds": "5", "healthcheck-timeout-seconds": "2", "healthy-threshold-count": "2", "unhealthy-threshold-count": "2"}, get: health, want: checks(func(h *elb.HealthCheck) { h.Interval, h.Timeout = 5, 2 })},
		"HealthOfOne":        {a: annotations{"healthcheck-path": "/all"}, service: annotations{"healthcheck-path": "/web"}, get: health, want: checks(func(h *elb.HealthCheck) { h.Path = "/web" })},
		"HealthPortName":     {a: annotations{"healthcheck-port": "http"}, get: health, want: checks(func(h *elb.HealthCheck) { h.Port = "8080" })},
		"HealthNodePort":     {a: annotations{"healthcheck-port": "https", "target-type": "instance"}, get: health, want: checks(func(h *elb.HealthCheck) { h.Port = "30443" })},
		"HealthTraffic":      {a: annotations{"healthcheck-port": "traffic-port"}, get: health, want: checks(func(*elb.HealthCheck) {})},
		"HealthLeastPort":    {a: annotations{"healthcheck-port": "1"}, get: health, want: checks(func(h *elb.HealthCheck) { h.Port = "1" })},
		"HealthGreatestPort": {a: annotations{"healthcheck-port": "65535"}, get: health, want: checks(func(h *elb.HealthCheck) { h.Port = "65535" })},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			s := newSite()
			s.annotate("shop/web", tc.service)
			stack, problems := s.build(ingress("web", tc.a, all("", "web:80")))
			check(t, "problems", []string(nil), told(problems))
			if t.Failed() {
				return
			}
			check(t, "value", tc.want, tc.get(stack))
		})
	}
}

// TestRefusesValues: a value that cannot be used refuses the Ingress, and the message says which would do.
func TestRefusesValues(t *testing.T) {
	const pairs = `write key=value with commas between them, and \, for a comma in a value; `
	const portsForm = `write [{"HTTP": 80}, {"HTTPS": 443}]: `
	for name, tc := range map[string]struct{ annotation, value, want string }{
		"Scheme":         {"scheme", "public", `annotation scheme is "public": use internal or internet-facing`},
		"AddressType":    {"ip-address-type", "ipv6", `annotation ip-address-type is "ipv6": use ipv4, dualstack or dualstack-without-public-ipv4`},
		"NameEmpty":      {"load-balancer-name", " ", `annotation load-balancer-name is "": give it a value, or remove it`},
		"NameLong":       {"load-balancer-name", strings.Repeat("a", 33), `annotation load-balancer-name is "` + strings.Repeat("a", 33) + `": a name has at most 32 letters, digits and dashes, no dash at either end, and does not begin with internal-`},
		"NameDash":       {"load-balancer-name", "a-", `annotation load-balancer-name is "a-": a name has at most 32 letters, digits and dashes, no dash at either end, and does not begin with internal-`},
		"NameInternal":   {"load-balancer-name", "internal-a", `annotation load-balancer-name is "internal-a": a name has at most 32 letters, digits and dashes, no dash at either end, and does not begin with internal-`},
		"OrderLow":       {"group.order", "-1001", `annotation group.order is "-1001": use a number from -1000 to 1000`},
		"OrderHigh":      {"group.order", "1001", `annotation group.order is "1001": use a number from -1000 to 1000`},
		"OrderText":      {"group.order", "first", `annotation group.order is "first": use a number from -1000 to 1000`},
		"OrderHuge":      {"group.order", "4294967296", `annotation group.order is "4294967296": use a number from -1000 to 1000`},
		"Subnets":        {"subnets", " , ", `annotation subnets is ",": name at least one, or remove it`},
		"Group":          {"security-groups", "nobody", `annotation security-groups is "nobody": there is no security group "nobody"`},
		"CIDR":           {"inbound-cidrs", "10.0.0.0/8,10.0.0.1", `annotation inbound-cidrs is "10.0.0.1": use CIDRs such as 10.0.0.0/8, with commas between them`},
		"Redirect":       {"ssl-redirect", "0", `annotation ssl-redirect is "0": use a number from 1 to 65535`},
		"RedirectHigh":   {"ssl-redirect", "65536", `annotation ssl-redirect is "65536": use a number from 1 to 65535`},
		"NoHTTPS":        {"ssl-redirect", "443", `ssl-redirect is 443, and there is no HTTPS listener on that port: add it to listen-ports, such as [{"HTTP": 80}, {"HTTPS": 443}]`},
		"Attributes":     {"load-balancer-attributes", "a", `annotation load-balancer-attributes is "a": ` + pairs + `"a" is none`},
		"AttributesKey":  {"load-balancer-attributes", "=a", `annotation load-balancer-attributes is "=a": ` + pairs + `"=a" is none`},
		"Lines":          {"load-balancer-attributes", "a=1\nb=2", `annotation load-balancer-attributes is "a=1\nb=2": write commas between key=value, instead of one on each line`},
		"Tags":           {"tags", "a", `annotation tags is "a": ` + pairs + `"a" is none`},
		"OwnTag":         {"tags", "elbv2.k8s.aws/cluster=green", `the tag elbv2.k8s.aws/cluster cannot be set: remove it from the annotation tags`},
		"StackTag":       {"tags", "ingress.k8s.aws/stack=green", `the tag ingress.k8s.aws/stack cannot be set: remove it from the annotation tags`},
		"ResourceTag":    {"tags", "ingress.k8s.aws/resource=green", `the tag ingress.k8s.aws/resource cannot be set: remove it from the annotation tags`},
		"AWSTag":         {"tags", "aws:x=green", `the tag aws:x cannot be set: remove it from the annotation tags`},
		"PortsJSON":      {"listen-ports", `{"HTTP":80}`, `annotation listen-ports is "{\"HTTP\":80}": ` + portsForm + `json: cannot unmarshal object into Go value of type []map[string]int32`},
		"PortsProtocol":  {"listen-ports", `[{"http":80}]`, `annotation listen-ports is "[{\"http\":80}]": ` + portsForm + `the protocols are HTTP and HTTPS`},
		"PortsLow":       {"listen-ports", `[{"HTTP":0}]`, `annotation listen-ports is "[{\"HTTP\":0}]": ` + portsForm + `ports are from 1 to 65535`},
		"PortsHigh":      {"listen-ports", `[{"HTTP":65536}]`, `annotation listen-ports is "[{\"HTTP\":65536}]": ` + portsForm + `ports are from 1 to 65535`},
		"PortsTwice":     {"listen-ports", `[{"HTTP":80},{"HTTPS":80}]`, `annotation listen-ports is "[{\"HTTP\":80},{\"HTTPS\":80}]": ` + portsForm + `port 80 has two protocols`},
		"PortsNone":      {"listen-ports", `[]`, `annotation listen-ports is "[]": ` + portsForm + `there is no port`},
		"Policy":         {"ssl-policy", "", `annotation ssl-policy is "": give it a value, or remove it`},
		"TargetType":     {"target-type", "pod", `annotation target-type is "pod": use instance or ip`},
		"Protocol":       {"backend-protocol", "GRPC", `annotation backend-protocol is "GRPC": use HTTP or HTTPS`},
		"Version":        {"backend-protocol-version", "grpc", `annotation backend-protocol-version is "grpc": use HTTP1, HTTP2 or GRPC`},
		"MultiCluster":   {"multi-cluster-target-group", "yes", `annotation multi-cluster-target-group is "yes": use true or false`},
		"HealthProtocol": {"healthcheck-protocol", "TCP", `annotation healthcheck-protocol is "TCP": use HTTP or HTTPS`},
		"Interval":       {"healthcheck-interval-seconds", "301", `annotation healthcheck-interval-seconds is "301": use a number from 5 to 300`},
		"IntervalLow":    {"healthcheck-interval-seconds", "4", `annotation healthcheck-interval-seconds is "4": use a number from 5 to 300`},
		"IntervalBound":  {"healthcheck-interval-seconds", "5", `the health checks of Service "web" time out after 5 s, and one begins every 5 s: make healthcheck-timeout-seconds less than healthcheck-interval-seconds`},
		"Timeout":        {"healthcheck-timeout-seconds", "1", `annotation healthcheck-timeout-seconds is "1": use a number from 2 to 120`},
		"Healthy":        {"healthy-threshold-count", "1", `annotation healthy-threshold-count is "1": use a number from 2 to 10`},
		"HealthyHigh":    {"healthy-threshold-count", "11", `annotation healthy-threshold-count is "11": use a number from 2 to 10`},
		"Unhealthy":      {"unhealthy-threshold-count", "1", `annotation unhealthy-threshold-count is "1": use a number from 2 to 10`},
		"UnhealthyHigh":  {"unhealthy-threshold-count", "11", `annotation unhealthy-threshold-count is "11": use a number from 2 to 10`},
		"HealthPort":     {"healthcheck-port", "65536", `annotation healthcheck-port is "65536": use a number from 1 to 65535`},
		"HealthPortLow":  {"healthcheck-port", "0", `annotation healthcheck-port is "0": use a number from 1 to 65535`},
		"CodesForm":      {"success-codes", "2xx", `success-codes of Service "web" is "2xx": use codes such as 200, 200,302 or 200-299`},
		"CodesLong":      {"success-codes", "2000", `success-codes of Service "web" is "2000": use codes such as 200, 200,302 or 200-299`},
		"PathForm":       {"healthcheck-path", "up", `healthcheck-path of Service "web" is "up": begin it with /`},
		"Codes":          {"success-codes", "", `annotation success-codes is "": give it a value, or remove it`},
		"Path":           {"healthcheck-path", "", `annotation healthcheck-path is "": give it a value, or remove it`},
	} {
		t.Run(name, func(t *testing.T) {
			stack, problems := newSite().build(ingress("web", annotations{tc.annotation: tc.value}, all("", "web:80")))
			if len(problems) == 0 {
				t.Fatal("nothing is said")
			}
			check(t, "problem", Problem{Owner: "shop/web", Severity: Refused, Reason: v1alpha1.ReasonInvalidAnnotation, Message: tc.want}, problems[0])
			check(t, "kept", []string{"shop/web"}, stack.Keep)
			check(t, "listeners", []string(nil), drawn(stack))
			check(t, "target groups", 0, len(stack.TargetGroups))
		})
	}
}

// TestServiceAtFault: a value that a Service has is told with its name.
func TestServiceAtFault(t *testing.T) {
	s := newSite()
	s.annotate("shop/web", annotations{"healthcheck-interval-seconds": "x", "scheme": "internal"})
	_, problems := s.build(ingress("web", nil, all("", "web:80")))
	check(t, "problems", []string{
		`shop/web notice AnnotationNotServed: annotation scheme of Service web has no effect there: it belongs on the Ingress`,
		`shop/web refused InvalidAnnotation: annotation healthcheck-interval-seconds of Service web is "x": use a number from 5 to 300`,
	}, told(problems))
}
