// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package lattice

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gwv1 "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/yaml"

	"github.com/podgate/podgate/internal/provision/certificates"
	services "github.com/podgate/podgate/internal/provision/lattice"
)

// world is the Gateway shop/gw with its routes.
type world struct {
	// gateway is its spec; empty: it has a listener http at port 80.
	gateway string
	// routes are the specs of HTTPRoutes of namespace shop, by name. Each is a second younger than the one whose name comes before its own.
	routes map[string]string
	// protocol is the application protocol of the Services' port.
	protocol string
	ipv6     bool
	uid      string

	observed services.Observed
	unserved bool
	quotas   services.Quotas
	// certified are the hosts that there is a certificate for.
	certified []string
}

func parse[T any](t *testing.T, text string) T {
	t.Helper()
	var into T
	if err := yaml.UnmarshalStrict([]byte(text), &into); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return into
}

func (w world) build(t *testing.T) Built {
	t.Helper()
	if w.gateway == "" {
		w.gateway = "{listeners: [{name: http, port: 80, protocol: HTTP}]}"
	}
	if w.quotas == (services.Quotas{}) {
		w.quotas = services.DefaultQuotas
	}
	g := Gateway{Controller: "podgate.dev/lattice", Network: "sn-1", Observed: w.observed, Unserved: w.unserved, Gateway: &gwv1.Gateway{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "gw", Generation: 4}, Spec: parse[gwv1.GatewaySpec](t, w.gateway),
	}}
	for i, name := range slices.Sorted(maps.Keys(w.routes)) {
		r := &gwv1.HTTPRoute{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, CreationTimestamp: metav1.NewTime(time.Unix(int64(i), 0))}, Spec: parse[gwv1.HTTPRouteSpec](t, w.routes[name])}
		r.Spec.ParentRefs = []gwv1.ParentReference{{Name: "gw"}}
		g.Routes = append(g.Routes, r)
	}
	return Build(g, Settings{Cluster: "test", VPC: "vpc-1", Tags: map[string]string{"by": "podgate"}, Quotas: w.quotas}, Lookups{
		Service: func(namespace, name string) *corev1.Service {
			if name == "missing" {
				return nil
			}
			svc := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, UID: "uid"}, Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 80, AppProtocol: &w.protocol}, {Port: 8080}}}}
			if w.uid != "" {
				svc.UID = "another"
			}
			if w.ipv6 {
				svc.Spec.IPFamilies = []corev1.IPFamily{corev1.IPv6Protocol}
			}
			return svc
		},
		Certificates: func(hosts []certificates.Host) []certificates.Found {
			var all []certificates.Found
			for _, h := range hosts {
				f := certificates.Found{Host: h.Name, ARNs: h.Named}
				if slices.Contains(w.certified, h.Name) {
					f.ARNs = []string{"cert/" + h.Name}
				}
				all = append(all, f)
			}
			return all
		},
	})
}

// told is a stack and what is said of it as lines, without what is the same in each.
func told(b Built) string {
	var lines []string
	if b.Stack.Keep {
		lines = append(lines, "keep")
	}
	for _, s := range b.Stack.Services {
		lines = append(lines, strings.TrimSpace(fmt.Sprintf("service %s %s %s", s.Resource, s.Domain, s.Certificate)))
		for _, l := range s.Listeners {
			for _, r := range l.Rules {
				lines = append(lines, fmt.Sprintf("%s %s of %s: %s", l.Name, r.Match, r.Owner, r.Action))
			}
		}
		for _, g := range s.TargetGroups {
			lines = append(lines, fmt.Sprintf("group %s %s %s %s:%d", g.Resource, g.Version, g.AddressType, g.Binding.Service, g.Binding.Port))
		}
	}
	if b.Accepted.Reason != "Accepted" {
		lines = append(lines, fmt.Sprintf("Accepted=%s %s: %s", b.Accepted.Status, b.Accepted.Reason, b.Accepted.Message))
	}
	for _, p := range b.Problems {
		lines = append(lines, fmt.Sprintf("%s: %s", p.Owner, p.Message))
	}
	return strings.Join(lines, "\n")
}

const web = "backendRefs: [{name: web, port: 80}]"

func TestBuild(t *testing.T) {
	one := func(rule string) map[string]string { return map[string]string{"web": "{rules: [{" + rule + "}]}"} }
	refused := func(why string) string { return "HTTPRoute/shop/web: rule 0 cannot be served: " + why }
	https := "{listeners: [{name: https, port: 443, protocol: HTTPS, tls: {options: {podgate.dev/certificate-arn: %s}}}]}"
	for name, test := range map[string]struct {
		world
		want string
	}{
		"one rule": {
			world{routes: one(web)},
			"service *\nhttp-80 /* of HTTPRoute/shop/web: forward to *|shop/web:80 (1)\ngroup *|shop/web:80 HTTP1 IPV4 web:80",
		},
		"nothing": {world{}, ""},
		"prefixes end at slashes": {
			world{routes: one("matches: [{path: {value: /a/}}], " + web)},
			"service *\nhttp-80 /a of HTTPRoute/shop/web: forward to *|shop/web:80 (1)\nhttp-80 /a/* of HTTPRoute/shop/web: forward to *|shop/web:80 (1)\ngroup *|shop/web:80 HTTP1 IPV4 web:80",
		},
		"several matches, in order": {
			world{routes: one("matches: [{path: {value: /}}, {method: GET, headers: [{name: V, value: '*'}]}, {path: {type: Exact, value: /b}}], " + web)},
			"service *\nhttp-80 /b of HTTPRoute/shop/web: forward to *|shop/web:80 (1)\nhttp-80 GET /* V: * of HTTPRoute/shop/web: forward to *|shop/web:80 (1)\n" +
				"http-80 /* of HTTPRoute/shop/web: forward to *|shop/web:80 (1)\ngroup *|shop/web:80 HTTP1 IPV4 web:80",
		},
		"the first of equal matches": {
			world{routes: map[string]string{"a": "{rules: [{" + web + "}]}", "b": "{rules: [{backendRefs: [{name: other, port: 80}]}]}"}},
			"service *\nhttp-80 /* of HTTPRoute/shop/a: forward to *|shop/web:80 (1)\ngroup *|shop/web:80 HTTP1 IPV4 web:80",
		},
		"hosts": {
			world{routes: map[string]string{"web": "{hostnames: [a.x, b.x], rules: [{" + web + "}]}"}},
			"service a.x a.x\nhttp-80 /* of HTTPRoute/shop/web: forward to a.x|shop/web:80 (1)\ngroup a.x|shop/web:80 HTTP1 IPV4 web:80\n" +
				"service b.x b.x\nhttp-80 /* of HTTPRoute/shop/web: forward to b.x|shop/web:80 (1)\ngroup b.x|shop/web:80 HTTP1 IPV4 web:80",
		},
		"ports of a Service": {
			world{routes: one("backendRefs: [{name: web, port: 80, weight: 100}, {name: web, port: 8080, weight: 0}]")},
			"service *\nhttp-80 /* of HTTPRoute/shop/web: forward to *|shop/web:80 (100), *|shop/web:8080 (0)\ngroup *|shop/web:80 HTTP1 IPV4 web:80\ngroup *|shop/web:8080 HTTP1 IPV4 web:8080",
		},
		"weights": {
			world{routes: one("backendRefs: [{name: web, port: 80, weight: 1000000}, {name: web, port: 8080, weight: 1}]")},
			"service *\nhttp-80 /* of HTTPRoute/shop/web: forward to *|shop/web:80 (999), *|shop/web:8080 (1)\ngroup *|shop/web:80 HTTP1 IPV4 web:80\ngroup *|shop/web:8080 HTTP1 IPV4 web:8080",
		},
		"HTTP/2":     {world{protocol: "kubernetes.io/h2c", ipv6: true, routes: one(web)}, "service *\nhttp-80 /* of HTTPRoute/shop/web: forward to *|shop/web:80 (1)\ngroup *|shop/web:80 HTTP2 IPV6 web:80"},
		"WebSockets": {world{protocol: "kubernetes.io/wss", routes: one(web)}, refused(`backendRefs[0]: port 80 of Service "web" has the application protocol kubernetes.io/wss, and VPC Lattice has no WebSockets`)},
		"no backend": {world{routes: one("backendRefs: [{name: missing, port: 80}]")}, "service *\nhttp-80 /* of HTTPRoute/shop/web: answer 500\nHTTPRoute/shop/web: rule 0, backendRefs[0]: there is no Service \"missing\" in namespace \"shop\""},

		"redirect":        {world{routes: one("filters: [{type: RequestRedirect, requestRedirect: {scheme: https}}]")}, refused("VPC Lattice does not have the filter RequestRedirect: remove it")},
		"header change":   {world{routes: one("filters: [{type: RequestHeaderModifier, requestHeaderModifier: {}}], " + web)}, refused("VPC Lattice does not have the filter RequestHeaderModifier: remove it")},
		"mirror":          {world{routes: one("filters: [{type: RequestMirror}], " + web)}, refused("VPC Lattice does not have the filter RequestMirror: remove it")},
		"query":           {world{routes: one("matches: [{queryParams: [{name: a, value: b}]}], " + web)}, refused("match 0: query parameter a: VPC Lattice does not match those")},
		"regular":         {world{routes: one("matches: [{path: {type: RegularExpression, value: /a}}], " + web)}, refused(`match 0: path "/a": RegularExpression is not served: use Exact or PathPrefix`)},
		"time-out":        {world{routes: one("timeouts: {request: 1s}, " + web)}, refused("VPC Lattice has no timeouts of a rule: remove timeouts")},
		"six headers":     {world{routes: one("matches: [{headers: [{name: a, value: a}, {name: b, value: a}, {name: c, value: a}, {name: d, value: a}, {name: e, value: a}, {name: f, value: a}]}], " + web)}, refused("match 0: header f: VPC Lattice matches 5 headers in one rule")},
		"character":       {world{routes: one("matches: [{path: {value: '/a;b'}}], " + web)}, refused(`match 0: path "/a;b" has one of the characters !$'()*,;, which VPC Lattice does not match`)},
		"host wildcard":   {world{routes: map[string]string{"web": "{hostnames: ['*.x.y'], rules: [{" + web + "}]}"}}, "HTTPRoute/shop/web: VPC Lattice has no hosts with wildcards such as *.x.y: name each host"},
		"TCP":             {world{gateway: "{listeners: [{name: tcp, port: 80, protocol: TCP}]}", routes: one(web)}, "keep\nAccepted=False ListenersNotValid: no listener can be served: see their conditions\nHTTPRoute/shop/web: allowedRoutes of the listeners do not let in HTTPRoutes of this namespace"},
		"addresses":       {world{gateway: "{addresses: [{value: a}], listeners: [{name: http, port: 80, protocol: HTTP}]}", routes: one(web)}, "keep\nAccepted=False UnsupportedAddress: spec.addresses cannot be chosen: AWS gives a load balancer its addresses\nshop/gw: spec.addresses cannot be chosen: AWS gives a load balancer its addresses"},
		"class not there": {world{unserved: true, routes: one(web)}, "keep"},

		"TLS without a host": {
			world{gateway: fmt.Sprintf(https, "arn"), routes: one(web)},
			"service *\nhttps-443 /* of HTTPRoute/shop/web: forward to *|shop/web:80 (1)\ngroup *|shop/web:80 HTTP1 IPV4 web:80",
		},
		"certificate that is named": {
			world{gateway: fmt.Sprintf(https, "arn"), routes: map[string]string{"web": "{hostnames: [a.x], rules: [{" + web + "}]}"}},
			"service a.x a.x arn\nhttps-443 /* of HTTPRoute/shop/web: forward to a.x|shop/web:80 (1)\ngroup a.x|shop/web:80 HTTP1 IPV4 web:80",
		},
		"certificate that is found": {
			world{gateway: fmt.Sprintf(https, "auto"), certified: []string{"a.x"}, routes: map[string]string{"web": "{hostnames: [a.x, b.x], rules: [{" + web + "}]}"}},
			"service a.x a.x cert/a.x\nhttps-443 /* of HTTPRoute/shop/web: forward to a.x|shop/web:80 (1)\ngroup a.x|shop/web:80 HTTP1 IPV4 web:80",
		},
		"certificate that is not there": {
			world{gateway: fmt.Sprintf(https, "auto"), routes: map[string]string{"web": "{hostnames: [a.x], rules: [{" + web + "}]}"}},
			"keep\nAccepted=False ListenersNotValid: no listener can be served: see their conditions",
		},
		"certificate that stays": {
			world{gateway: fmt.Sprintf(https, "auto"), routes: map[string]string{"web": "{hostnames: [a.x], rules: [{" + web + "}]}"}, observed: services.Observed{
				Services: []services.ObservedService{{Service: services.Service{Resource: "a.x", Certificate: "old"}}},
			}},
			"service a.x a.x old\nhttps-443 /* of HTTPRoute/shop/web: forward to a.x|shop/web:80 (1)\ngroup a.x|shop/web:80 HTTP1 IPV4 web:80",
		},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, told(test.build(t))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestQuotas: of routes that are too many for one service the youngest is refused, and no route of another host.
func TestQuotas(t *testing.T) {
	route := func(host, path, service string) string {
		return fmt.Sprintf("{hostnames: [%s], rules: [{matches: [{path: {type: Exact, value: %s}}], backendRefs: [{name: %s, port: 80}]}]}", host, path, service)
	}
	routes := map[string]string{"a": route("a.x", "/a", "a"), "b": route("a.x", "/b", "b"), "c": route("b.x", "/c", "c")}
	two := "{listeners: [{name: http, port: 80, protocol: HTTP}, {name: more, port: 8080, protocol: HTTP}]}"
	for name, test := range map[string]struct {
		gateway string
		quotas  services.Quotas
		want    []string
	}{
		"rules":         {"", services.Quotas{Rules: 1, Listeners: 9, TargetGroups: 9}, []string{"HTTPRoute/shop/b: with this route the service of host a.x would have more than 1 rule at port 80, where each path, and each prefix twice, is a rule: use another host, or have AWS raise the quota"}},
		"target groups": {"", services.Quotas{Rules: 9, Listeners: 9, TargetGroups: 1}, []string{"HTTPRoute/shop/b: with this route the service of host a.x would have more than 1 target group, where each path, and each prefix twice, is a rule: use another host, or have AWS raise the quota"}},
		"listeners": {two, services.Quotas{Rules: 9, Listeners: 1, TargetGroups: 9}, []string{
			"HTTPRoute/shop/a: with this route the service of host a.x would have more than 1 listener, where each path, and each prefix twice, is a rule: use another host, or have AWS raise the quota",
			"HTTPRoute/shop/b: with this route the service of host a.x would have more than 1 listener, where each path, and each prefix twice, is a rule: use another host, or have AWS raise the quota",
			"HTTPRoute/shop/c: with this route the service of host b.x would have more than 1 listener, where each path, and each prefix twice, is a rule: use another host, or have AWS raise the quota",
		}},
		"enough": {two, services.Quotas{Rules: 2, Listeners: 2, TargetGroups: 2}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, p := range (world{gateway: test.gateway, quotas: test.quotas, routes: routes}).build(t).Problems {
				got = append(got, p.Owner+": "+p.Message)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestHeld: a route that cannot be served any more keeps the rules that it has, in the services that they are in.
func TestHeld(t *testing.T) {
	rule := func(host, path string, prefix bool, a services.Action) services.ObservedService {
		r := services.ObservedRule{Own: true, Priority: 10, Rule: services.Rule{Owner: "HTTPRoute/shop/web", Action: a, Match: services.Match{Path: path, Prefix: prefix, Method: "GET", Headers: []services.Header{{Name: "v", Value: "1"}}}}}
		theirs := r
		theirs.Own = false
		return services.ObservedService{Service: services.Service{Resource: host}, Has: []services.ObservedListener{{Own: true, Listener: services.Listener{Port: 80, Protocol: "HTTP"}, Has: []services.ObservedRule{theirs, r}}}}
	}
	w := world{routes: map[string]string{"web": "{rules: [{filters: [{type: RequestMirror}]}]}"}, observed: services.Observed{Services: []services.ObservedService{
		rule(EveryHost, "/a/", true, services.Action{Forward: []services.Forward{{Group: "tg/1", Weight: 3}}}), rule("a.x", "/b", false, services.Action{Answer: 500}),
	}}}
	want := "service *\nhttp-80 GET /a/* v: 1 of HTTPRoute/shop/web: forward to tg/1 (3)\nservice a.x a.x\nhttp-80 GET /b v: 1 of HTTPRoute/shop/web: answer 500\n" +
		"HTTPRoute/shop/web: rule 0 cannot be served: VPC Lattice does not have the filter RequestMirror: remove it. Its rules stay as they were until that is corrected"
	if diff := cmp.Diff(want, told(w.build(t))); diff != "" {
		t.Error(diff)
	}
}

// TestNames: names are legal at AWS, and another one stands for all that cannot be changed.
func TestNames(t *testing.T) {
	legal := regexp.MustCompile(`^k8s(-[a-z0-9]+)+$`)
	routes := map[string]string{"web": "{hostnames: [a.x], rules: [{" + web + "}]}"}
	seen := map[string]bool{}
	for _, w := range []world{{}, {protocol: "kubernetes.io/h2c"}, {ipv6: true}, {uid: "another"}} {
		w.routes = routes
		s := w.build(t).Stack.Services[0]
		g := s.TargetGroups[0]
		if !legal.MatchString(s.Name) || len(s.Name) > 40 || !legal.MatchString(g.Name) {
			t.Errorf("names %s and %s", s.Name, g.Name)
		}
		if seen[g.Name] {
			t.Errorf("%s stands for two different groups", g.Name)
		}
		seen[g.Name] = true
	}
}

// TestCosts: a route with several hosts says what they cost.
func TestCosts(t *testing.T) {
	for hosts, want := range map[string]string{"[a.x]": "", "[a.x, b.x]": "each of the 2 hostnames is a service of its own, whose target groups register and check all pods once more"} {
		b := world{routes: map[string]string{"web": "{hostnames: " + hosts + ", rules: [{" + web + "}]}"}}.build(t)
		if got := b.Routes[0].Parents[0].Conditions[0].Message; got != want {
			t.Errorf("%s: %q, want %q", hosts, got, want)
		}
	}
}

// TestIdentity: everything says which cluster and Gateway it is for.
func TestIdentity(t *testing.T) {
	got := Identity("test", "vpc-1", Key{Namespace: "shop", Name: "gw"}).All("a.x", nil)
	want := map[string]string{"podgate.dev/created-by": "test/vpc-1", "podgate.dev/gateway": "shop/gw", "podgate.dev/resource": "a.x"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
