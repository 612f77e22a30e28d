// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package alb

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gwv1 "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/yaml"

	"github.com/podgate/podgate/internal/provision/certificates"
	"github.com/podgate/podgate/internal/provision/elb"
	"github.com/podgate/podgate/internal/provision/subnets"
	"github.com/podgate/podgate/internal/route"
	"github.com/podgate/podgate/internal/route/gatewayapi"
	"github.com/podgate/podgate/internal/route/ingress"
)

// world is the Gateway shop/gw with a route shop/web to a Service.
type world struct {
	// gateway is its spec; empty: it has a listener http at port 80. Annotations are in pairs, without their prefix.
	gateway     string
	annotations []string
	// service has annotations of the Service web, in pairs, and rules are the route's; empty: all requests go to web.
	service []string
	rules   string
	// calls are the rules of a GRPCRoute shop/calls; empty: there is none.
	calls string
	// protocol is the application protocol of the Service's port.
	protocol string
	ipv6     bool

	observed elb.Observed
	unserved bool
	found    certificates.Found
	subnets  error
}

func annotations(pairs []string) map[string]string {
	all := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		all[ingress.Prefix+pairs[i]] = pairs[i+1]
	}
	return all
}

func parse[T any](t *testing.T, text string) T {
	t.Helper()
	var into T
	if err := yaml.UnmarshalStrict([]byte(text), &into); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return into
}

var settings = ingress.Settings{
	Cluster: "test", VPC: "vpc-1", Scheme: "internal", TargetType: "ip", SSLPolicy: "policy", Tags: map[string]string{"by": "podgate"}, Limits: ingress.ALB,
}

func (w world) build(t *testing.T) Built {
	t.Helper()
	if w.gateway == "" {
		w.gateway = "{listeners: [{name: http, port: 80, protocol: HTTP}]}"
	}
	if w.rules == "" {
		w.rules = "[{backendRefs: [{name: web, port: 80}]}]"
	}
	r := &gwv1.HTTPRoute{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web"}, Spec: parse[gwv1.HTTPRouteSpec](t, "{parentRefs: [{name: gw}], rules: "+w.rules+"}")}
	g := Gateway{
		Gateway: &gwv1.Gateway{
			ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "gw", Annotations: annotations(w.annotations), Generation: 4}, Spec: parse[gwv1.GatewaySpec](t, w.gateway),
		},
		Controller: "podgate.dev/alb", Routes: []gatewayapi.Object{r}, Observed: w.observed, Unserved: w.unserved,
	}
	if w.calls != "" {
		g.Routes = append(g.Routes, &gwv1.GRPCRoute{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "calls"}, Spec: parse[gwv1.GRPCRouteSpec](t, "{parentRefs: [{name: gw}], hostnames: [calls.a.com], rules: "+w.calls+"}")})
	}
	return Build(g, settings, ingress.Lookups{
		Service: func(namespace, name string) *corev1.Service {
			svc := &corev1.Service{
				ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, UID: "uid", Annotations: annotations(w.service)},
				Spec:       corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 80, AppProtocol: &w.protocol}, {Port: 8080}}},
			}
			if w.ipv6 {
				svc.Spec.IPFamilies = []corev1.IPFamily{corev1.IPv6Protocol}
			}
			return svc
		},
		Subnets:       func(subnets.Want) ([]string, error) { return []string{"subnet-1", "subnet-2"}, w.subnets },
		SecurityGroup: func(name string) (string, error) { return "sg-" + name, nil },
		Certificates: func(hosts []certificates.Host) []certificates.Found {
			var all []certificates.Found
			for _, h := range hosts {
				f := w.found
				if len(h.Named) > 0 {
					f.ARNs = h.Named
				}
				all = append(all, f)
			}
			return all
		},
	})
}

// told is a stack and what is said of it as lines, without what is the same in each.
func told(b Built) []string {
	var lines []string
	s := b.Stack
	if len(s.Keep) > 0 {
		lines = append(lines, "keep "+strings.Join(s.Keep, " "))
	}
	if l := s.LoadBalancer; l.Name != "" {
		lines = append(lines, strings.TrimSpace(fmt.Sprintf("%s %s %s %s", l.Scheme, l.AddressType, strings.Join(l.Subnets, " "), strings.Join(l.SecurityGroups, " "))))
	}
	if s.SecurityGroup != nil {
		line := "clients"
		for _, p := range s.SecurityGroup.Ingress {
			line += fmt.Sprintf(" %s%s:%d", p.CIDR, p.PrefixList, p.From)
		}
		lines = append(lines, line)
	}
	for _, g := range s.TargetGroups {
		lines = append(lines, fmt.Sprintf("group %s %s %s %s:%d", g.Resource, g.TargetType, g.Protocol, g.Version, g.Port))
	}
	for _, l := range s.Listeners {
		lines = append(lines, strings.TrimSpace(fmt.Sprintf("%s %d %s %s", l.Protocol, l.Port, l.SSLPolicy, strings.Join(l.Certificates, " "))))
		for _, r := range l.Rules {
			line := fmt.Sprintf("rule of %s %s ->", r.Owner, strings.Join(r.Match.Paths, "|"))
			for _, f := range r.Action.Forward {
				line += fmt.Sprintf(" %s=%d", f.Group, f.Weight)
			}
			if r.Action.Answer != nil {
				line += fmt.Sprint(" ", r.Action.Answer.Status)
			}
			lines = append(lines, line)
		}
	}
	lines = append(lines, strings.TrimSpace(fmt.Sprintf("Accepted=%s %s %s", b.Accepted.Status, b.Accepted.Reason, b.Accepted.Message)))
	for _, p := range b.Problems {
		lines = append(lines, fmt.Sprintf("%s %d %s: %s", p.Owner, p.Severity, p.Reason, p.Message))
	}
	return lines
}

// observed is a load balancer with a rule of the route and one of another one, of scheme internet-facing.
func observed(protocol string, port int32, certificates ...string) elb.Observed {
	rule := func(owner, path string) elb.ObservedRule {
		return elb.ObservedRule{Own: true, Rule: elb.Rule{Owner: owner, Match: route.Match{Paths: []string{path}}, Action: elb.Action{Forward: []elb.Forward{{Group: "arn:old", Weight: 1}}}}}
	}
	stranger := rule("HTTPRoute/shop/web", "/theirs")
	stranger.Own = false
	return elb.Observed{
		LoadBalancers: []elb.ObservedLoadBalancer{{
			LoadBalancer: elb.LoadBalancer{Name: "was", Scheme: "internet-facing"},
			Listeners: []elb.ObservedListener{{
				Own: true, Listener: elb.Listener{Port: port, Protocol: protocol, Certificates: certificates},
				Has: []elb.ObservedRule{rule("HTTPRoute/shop/web", "/old"), rule("HTTPRoute/shop/gone", "/gone"), stranger},
			}},
		}},
		TargetGroups: []elb.ObservedTargetGroup{{ARN: "arn:old", TargetGroup: elb.TargetGroup{Resource: "shop/web:80"}}},
	}
}

// TestBuild: what becomes of a Gateway and its route.
func TestBuild(t *testing.T) {
	const (
		https    = "{listeners: [{name: https, port: 443, protocol: HTTPS, hostname: a.com, tls: {options: {podgate.dev/certificate-arn: %s}}}]}"
		balancer = "internal ipv4 subnet-1 subnet-2"
		clients  = "clients 0.0.0.0/0:80"
		group    = "group shop/web:80 ip HTTP HTTP1:80"
		rule     = "rule of HTTPRoute/shop/web /* -> shop/web:80=1"
		accepted = "Accepted=True Accepted"
	)
	auto := fmt.Sprintf(https, "auto")
	refused := func(reason, message string) []string {
		return []string{"keep shop/gw", "Accepted=False " + reason + " " + message}
	}

	for name, tc := range map[string]struct {
		world
		want []string
	}{
		"Plain":     {world{}, []string{balancer, clients, group, "HTTP 80", rule, accepted}},
		"Public":    {world{annotations: []string{"scheme", "internet-facing"}}, []string{"internet-facing ipv4 subnet-1 subnet-2", clients, group, "HTTP 80", rule, accepted}},
		"Dualstack": {world{annotations: []string{"ip-address-type", "dualstack"}, ipv6: true}, []string{"internal dualstack subnet-1 subnet-2", "clients 0.0.0.0/0:80 ::/0:80", group, "HTTP 80", rule, accepted}},
		"Clients":   {world{annotations: []string{"inbound-cidrs", "10.0.0.0/8", "security-group-prefix-lists", "pl-1"}}, []string{balancer, "clients 10.0.0.0/8:80 pl-1:80", group, "HTTP 80", rule, accepted}},
		"Groups":    {world{annotations: []string{"security-groups", "own,sg-1"}}, []string{balancer + " sg-own sg-1", group, "HTTP 80", rule, accepted}},
		"SeveralPorts": {
			world{gateway: "{listeners: [{name: b, port: 8080, protocol: HTTP}, {name: a, port: 80, protocol: HTTP, hostname: a.com}, {name: c, port: 80, protocol: HTTP, hostname: b.com}]}"},
			[]string{balancer, "clients 0.0.0.0/0:80 0.0.0.0/0:8080", group, "HTTP 80", "rule of HTTPRoute/shop/web  -> shop/web:80=1", "HTTP 8080", rule, accepted},
		},
		"OfService":        {world{annotations: []string{"backend-protocol", "HTTPS"}, service: []string{"backend-protocol", "HTTP", "backend-protocol-version", "HTTP2"}}, []string{balancer, clients, "group shop/web:80 ip HTTP HTTP2:80", "HTTP 80", rule, accepted}},
		"OfGateway":        {world{annotations: []string{"backend-protocol", "HTTPS"}}, []string{balancer, clients, "group shop/web:80 ip HTTPS HTTP1:80", "HTTP 80", rule, accepted}},
		"BackendProtocol":  {world{protocol: "kubernetes.io/h2c"}, []string{balancer, clients, "group shop/web:80 ip HTTP HTTP2:80", "HTTP 80", rule, accepted}},
		"ProtocolIsSaid":   {world{protocol: "kubernetes.io/h2c", service: []string{"backend-protocol-version", "HTTP1"}}, []string{balancer, clients, group, "HTTP 80", rule, accepted}},
		"OtherPort":        {world{protocol: "kubernetes.io/h2c", rules: "[{backendRefs: [{name: web, port: 8080}]}]"}, []string{balancer, clients, "group shop/web:8080 ip HTTP HTTP1:8080", "HTTP 80", "rule of HTTPRoute/shop/web /* -> shop/web:8080=1", accepted}},
		"SharedByRules":    {world{rules: "[{matches: [{path: {type: Exact, value: /a}}], backendRefs: [{name: web, port: 80}]}, {backendRefs: [{name: web, port: 80}]}]"}, []string{balancer, clients, group, "HTTP 80", "rule of HTTPRoute/shop/web /a|/* -> shop/web:80=1", accepted}},
		"NamedCertificate": {world{gateway: fmt.Sprintf(https, "'arn:a, arn:b'")}, []string{balancer, "clients 0.0.0.0/0:443", group, "HTTPS 443 policy arn:a arn:b", "rule of HTTPRoute/shop/web  -> shop/web:80=1", accepted}},
		"FoundCertificate": {world{gateway: auto, annotations: []string{"ssl-policy", "strict"}, found: certificates.Found{ARNs: []string{"arn:c"}}}, []string{balancer, "clients 0.0.0.0/0:443", group, "HTTPS 443 strict arn:c", "rule of HTTPRoute/shop/web  -> shop/web:80=1", accepted}},
		"NoCertificate": {
			world{gateway: auto, found: certificates.Found{Problem: "none is for a.com"}},
			append(refused("ListenersNotValid", "no listener can be served: see their conditions"), "shop/gw 2 NoCertificate: listener https: none is for a.com"),
		},
		"NoHostForCertificate": {
			world{gateway: "{listeners: [{name: https, port: 443, protocol: HTTPS, tls: {options: {podgate.dev/certificate-arn: auto}}}]}"},
			refused("ListenersNotValid", "no listener can be served: see their conditions"),
		},
		"CertificateStays": {
			world{gateway: auto, observed: observed("HTTPS", 443, "arn:has"), found: certificates.Found{Problem: "ACM is away"}},
			[]string{balancer, "clients 0.0.0.0/0:443", group, "HTTPS 443 policy arn:has", "rule of HTTPRoute/shop/web  -> shop/web:80=1", accepted, "shop/gw 2 NoCertificate: listener https: ACM is away"},
		},
		"SomeListeners": {
			world{gateway: "{listeners: [{name: http, port: 80, protocol: HTTP}, {name: udp, port: 53, protocol: UDP}]}"},
			[]string{balancer, clients, group, "HTTP 80", rule, "Accepted=True ListenersNotValid some listeners cannot be served: see their conditions"},
		},

		// What cannot be served changes nothing.
		"Protection": {
			world{annotations: []string{"auth-type", "oidc"}},
			append(refused("Invalid", "annotation auth-type is not served, and without it the Gateway would be served more openly than it asks for: remove it, or leave the Gateway to a controller that serves it"),
				"shop/gw 3 ProtectionNotServed: annotation auth-type is not served, and without it the Gateway would be served more openly than it asks for: remove it, or leave the Gateway to a controller that serves it"),
		},
		"CIDRsBesideGroups": {
			world{annotations: []string{"security-groups", "sg-1", "inbound-cidrs", "10.0.0.0/8"}},
			append(refused("Invalid", "inbound-cidrs and security-group-prefix-lists have no effect beside security-groups, so that the Gateway would be served more openly than it asks for: have the rules of the security groups say who may connect, and remove them"),
				"shop/gw 3 ProtectionNotServed: inbound-cidrs and security-group-prefix-lists have no effect beside security-groups, so that the Gateway would be served more openly than it asks for: have the rules of the security groups say who may connect, and remove them"),
		},
		"ClientCertificates": {
			world{gateway: "{listeners: [{name: http, port: 80, protocol: HTTP}], tls: {frontend: {default: {validation: {caCertificateRefs: [{group: '', kind: ConfigMap, name: ca}]}}}}}"},
			append(refused("Invalid", "spec.tls is not served, and without it the Gateway would be served more openly than it asks for: remove it"),
				"shop/gw 3 GatewayNotServed: spec.tls is not served, and without it the Gateway would be served more openly than it asks for: remove it"),
		},
		"Addresses": {
			world{gateway: "{listeners: [{name: http, port: 80, protocol: HTTP}], addresses: [{value: 10.0.0.1}]}"},
			append(refused("UnsupportedAddress", "spec.addresses cannot be chosen: AWS gives a load balancer its addresses"), "shop/gw 3 GatewayNotServed: spec.addresses cannot be chosen: AWS gives a load balancer its addresses"),
		},
		"Parameters": {
			world{gateway: "{listeners: [{name: http, port: 80, protocol: HTTP}], infrastructure: {parametersRef: {group: example.com, kind: X, name: x}}}"},
			append(refused("InvalidParameters", "spec.infrastructure.parametersRef is not served: use annotations"), "shop/gw 3 GatewayNotServed: spec.infrastructure.parametersRef is not served: use annotations"),
		},
		"NoSubnets": {
			world{subnets: errors.New("none has a tag")},
			append(refused("Invalid", "there are no subnets for the load balancer: none has a tag"), "shop/gw 3 NoSubnets: there are no subnets for the load balancer: none has a tag"),
		},
		"SubnetsStay": {
			world{subnets: errors.New("none has a tag"), annotations: []string{"scheme", "internet-facing"}, observed: observed("HTTP", 80)},
			[]string{"internet-facing ipv4 subnet-1 subnet-2", clients, group, "HTTP 80", rule, accepted},
		},
		"ClassIsGone": {world{unserved: true, observed: observed("HTTP", 80)}, []string{"keep shop/gw HTTPRoute/shop/web HTTPRoute/shop/gone", accepted}},
		"RouteIsKept": {
			world{rules: "[{retry: {attempts: 1}, backendRefs: [{name: web, port: 80}]}]", observed: observed("HTTP", 80)},
			[]string{"internet-facing ipv4 subnet-1 subnet-2", clients, "HTTP 80", "rule of HTTPRoute/shop/web /old -> arn:old=1", accepted,
				"HTTPRoute/shop/web 3 RouteNotServed: rule 0 cannot be served: an application load balancer does not retry: remove retry. Its rules stay as they were until that is corrected"},
		},
		"ServiceProtection": {
			world{service: []string{"auth-type", "oidc"}},
			[]string{balancer, clients, "HTTP 80", accepted,
				"HTTPRoute/shop/web 3 RouteNotServed: rule 0 cannot be served: backendRefs[0]: annotation auth-type of Service web is not served, and without it the Gateway would be served more openly than it asks for: remove it, or leave the Gateway to a controller that serves it"},
		},
		"IPv6": {
			world{ipv6: true},
			[]string{balancer, clients, "HTTP 80", accepted,
				"HTTPRoute/shop/web 3 RouteNotServed: rule 0 cannot be served: backendRefs[0]: the Service \"web\" has IPv6 addresses first, which a load balancer without IPv6 does not reach: set the annotation ip-address-type of the Gateway to dualstack"},
		},
		"GRPC": {
			world{service: []string{"backend-protocol-version", "GRPC"}},
			[]string{balancer, clients, "HTTP 80", accepted,
				"HTTPRoute/shop/web 3 RouteNotServed: rule 0 cannot be served: backendRefs[0]: backend-protocol-version of Service \"web\" is GRPC, which an HTTPRoute does not have: use a GRPCRoute, or remove the annotation"},
		},
		"GRPCRoute": {
			world{gateway: "{listeners: [{name: a, port: 443, protocol: HTTPS, hostname: a.com, tls: {options: {podgate.dev/certificate-arn: 'arn:a'}}}, {name: calls, port: 443, protocol: HTTPS, hostname: '*.a.com', tls: {options: {podgate.dev/certificate-arn: 'arn:b'}}}]}",
				service: []string{"backend-protocol-version", "HTTP2"}, calls: "[{matches: [{method: {service: s}}], backendRefs: [{name: web, port: 80}]}]"},
			[]string{balancer, "clients 0.0.0.0/0:443", "group shop/web:80 ip HTTP HTTP2:80", "group shop/web:80/GRPC ip HTTP GRPC:80", "HTTPS 443 policy arn:a arn:b",
				"rule of GRPCRoute/shop/calls /s/* -> shop/web:80/GRPC=1", "rule of HTTPRoute/shop/web  -> shop/web:80=1", accepted},
		},
		"NoNodePort": {
			world{annotations: []string{"target-type", "instance"}},
			[]string{balancer, clients, "HTTP 80", accepted,
				"HTTPRoute/shop/web 3 RouteNotServed: rule 0 cannot be served: backendRefs[0]: the Service \"web\" has no node port, which target-type instance needs: make it a Service of type NodePort, or let one of type LoadBalancer have node ports, or use target-type ip"},
		},
		"NoEffect": {
			world{annotations: []string{"listen-ports", `[{"HTTP": 80}]`, "actions.web", "{}", "typo", "x"}, service: []string{"scheme", "internal"},
				gateway: "{listeners: [{name: http, port: 80, protocol: HTTP}], infrastructure: {labels: {a: b}}}"},
			[]string{
				balancer, clients, group, "HTTP 80", rule, accepted,
				"shop/gw 1 NoEffect: annotation actions.web has no effect on a Gateway: its listeners and routes say that",
				"shop/gw 1 NoEffect: annotation listen-ports has no effect on a Gateway: its listeners and routes say that",
				"shop/gw 1 AnnotationNotServed: annotation typo is not known: correct its name, or remove it",
				"shop/gw 1 AnnotationNotServed: annotation scheme of Service web has no effect there: it belongs on the Gateway",
				"shop/gw 1 NoEffect: labels and annotations of spec.infrastructure have no effect: use the annotation alb.ingress.kubernetes.io/tags of the Gateway",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, told(tc.build(t))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestIdentity: what is made is found by tags of podgate's own, and names say whose it is.
func TestIdentity(t *testing.T) {
	b := world{annotations: []string{"tags", "team=shop,by=them"}}.build(t)
	s, g := b.Stack, b.Stack.TargetGroups[0]
	want := map[string]string{"elbv2.k8s.aws/cluster": "test", "podgate.dev/gateway": "shop/gw"}
	if diff := cmp.Diff(want, s.Tags); diff != "" {
		t.Error(diff)
	}
	if s.ResourceTag != "podgate.dev/resource" || g.Owner != "shop/gw" || s.MostRules != 100 || s.LoadBalancer.SubnetsNamed {
		t.Errorf("the stack is %+v", s)
	}
	if diff := cmp.Diff(map[string]string{"team": "shop", "by": "podgate"}, s.LoadBalancer.Tags); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string]string{"podgate.dev/gateway-namespace": "shop", "podgate.dev/gateway-name": "gw"}, g.Binding.Labels); diff != "" {
		t.Error(diff)
	}
	names := []string{s.LoadBalancer.Name, g.Name, s.SecurityGroup.Name}
	if !strings.HasPrefix(names[0], "k8s-shop-gw-") || !strings.HasPrefix(names[1], "k8s-shop-web-") || len(names[0]) > 32 || len(slices.Compact(names)) != 3 {
		t.Errorf("the names are %q", names)
	}
	if other := (world{annotations: []string{"scheme", "internet-facing"}}).build(t); other.Stack.LoadBalancer.Name == names[0] {
		t.Error("load balancers of both schemes have one name, although the one cannot become the other")
	}
}

// TestListenerLacksCertificate: the listener's status says so.
func TestListenerLacksCertificate(t *testing.T) {
	b := world{gateway: "{listeners: [{name: https, port: 443, protocol: HTTPS, hostname: a.com, tls: {options: {podgate.dev/certificate-arn: auto}}}]}", found: certificates.Found{Problem: "none is for a.com"}}.build(t)
	for _, c := range b.Listeners[0].Status.Conditions {
		if c.Type == "ResolvedRefs" && c.Status == metav1.ConditionFalse && c.Reason == "InvalidCertificateRef" && c.Message == "none is for a.com" {
			return
		}
	}
	t.Errorf("its status is %+v", b.Listeners[0].Status)
}
