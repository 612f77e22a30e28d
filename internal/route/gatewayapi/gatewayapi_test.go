// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package gatewayapi

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gwv1 "sigs.k8s.io/gateway-api/apis/v1"
	gwv1beta1 "sigs.k8s.io/gateway-api/apis/v1beta1"
	"sigs.k8s.io/yaml"

	"github.com/podgate/podgate/internal/route"
)

// world is a Gateway with what concerns it. Namespaces have a label with their name, called team.
type world struct {
	// gateway is the spec of the Gateway shop/gw; empty: it has a listener http at port 80.
	gateway string
	// routes are the specs of HTTPRoutes, or if their names begin with grpc of GRPCRoutes, of namespace shop, or of another one before
	// a slash, by name. Each is a second younger than the one whose name comes before its own.
	routes map[string]string
	// grants are the specs of ReferenceGrants of namespace other.
	grants []string
	has    map[string]map[int32][]route.Rule
	broken string
	can    func(*Abilities)
}

func parse[T any](t *testing.T, text string) T {
	t.Helper()
	var into T
	if err := yaml.UnmarshalStrict([]byte(text), &into); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return into
}

func (w world) input(t *testing.T) Input {
	t.Helper()
	if w.gateway == "" {
		w.gateway = "{listeners: [{name: http, port: 80, protocol: HTTP}]}"
	}
	in := Input{Controller: "podgate.dev/alb", Can: ALB, Gateway: &gwv1.Gateway{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "gw", Generation: 3}, Spec: parse[gwv1.GatewaySpec](t, w.gateway),
	}}
	if w.can != nil {
		w.can(&in.Can)
	}

	for i, name := range slices.Sorted(maps.Keys(w.routes)) {
		of := metav1.ObjectMeta{Namespace: "shop", Name: name, Generation: 7, CreationTimestamp: metav1.NewTime(time.Unix(int64(i), 0))}
		if namespace, rest, is := strings.Cut(name, "/"); is {
			of.Namespace, of.Name = namespace, rest
		}
		own := []gwv1.ParentReference{{Name: "gw"}}
		if strings.HasPrefix(name, "grpc") {
			r := &gwv1.GRPCRoute{ObjectMeta: of, Spec: parse[gwv1.GRPCRouteSpec](t, w.routes[name])}
			if r.Spec.ParentRefs == nil {
				r.Spec.ParentRefs = own
			}
			in.Routes = append([]Object{r}, in.Routes...)
			continue
		}
		r := &gwv1.HTTPRoute{ObjectMeta: of, Spec: parse[gwv1.HTTPRouteSpec](t, w.routes[name])}
		if r.Spec.ParentRefs == nil {
			r.Spec.ParentRefs = own
		}
		in.Routes = append([]Object{r}, in.Routes...)
	}
	for _, text := range w.grants {
		in.Grants = append(in.Grants, &gwv1beta1.ReferenceGrant{ObjectMeta: metav1.ObjectMeta{Namespace: "other"}, Spec: parse[gwv1beta1.ReferenceGrantSpec](t, text)})
	}

	in.Labels = func(namespace string) map[string]string { return map[string]string{"team": namespace} }
	in.Has = func(owner string) map[int32][]route.Rule { return w.has[owner] }
	in.Service = func(namespace, name string) *corev1.Service {
		if name == "missing" {
			return nil
		}
		return &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 80}, {Port: 8080}}}}
	}
	in.Serve = func(b route.Backend, _ *corev1.Service) error {
		if b.Service == w.broken {
			return errors.New("it has no node port")
		}
		return nil
	}
	return in
}

// told is a result as lines: the rules of each port, what is not as usual of listeners, and of routes.
func told(result Result) string {
	var lines []string
	for _, port := range slices.Sorted(maps.Keys(result.Rules)) {
		for _, r := range result.Rules[port] {
			lines = append(lines, fmt.Sprintf("%d %s -> %s", port, matchText(r.Match), actionText(r.Action)))
		}
	}
	for _, l := range result.Listeners {
		line := fmt.Sprintf("listener %s: %d routes", l.Name, l.Status.AttachedRoutes)
		for _, c := range l.Status.Conditions {
			usual := c.Type == "Conflicted" && c.Status == "False" || c.Type != "Conflicted" && c.Status == "True"
			if !usual {
				line += fmt.Sprintf(", %s=%s %s: %s", c.Type, c.Status, c.Reason, c.Message)
			}
		}
		lines = append(lines, line)
	}
	for _, r := range result.Routes {
		for _, p := range r.Parents {
			line := "route " + r.GetName() + ":"
			for _, c := range p.Conditions {
				if c.Status == "True" && c.Type != "PartiallyInvalid" {
					line += " " + c.Type
					continue
				}
				line += fmt.Sprintf(" %s=%s %s: %s", c.Type, c.Status, c.Reason, c.Message)
			}
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n")
}

func matchText(m route.Match) string {
	parts := []string{strings.Join(m.Hosts, "|"), strings.Join(m.Paths, "|"), strings.Join(m.Methods, "|")}
	for _, h := range m.Headers {
		parts = append(parts, h.Name+":"+strings.Join(h.Values, "|"))
	}
	for _, q := range m.Queries {
		parts = append(parts, "?"+q[0].Key+"="+q[0].Value)
	}
	return strings.Join(slices.DeleteFunc(parts, func(p string) bool { return p == "" }), " ")
}

func actionText(a route.Action) string {
	switch {
	case a.Redirect != nil:
		r := a.Redirect
		return strings.TrimSpace(fmt.Sprintf("%d %s %s %s %s", r.Status, r.Protocol, r.Host, r.Port, r.Path))
	case a.Answer != nil:
		return fmt.Sprint(a.Answer.Status)
	}
	var to []string
	for _, b := range a.Backends {
		if b.Group != "" {
			to = append(to, b.Group)
			continue
		}
		to = append(to, strings.TrimSpace(fmt.Sprintf("%s/%s:%s=%d %s", b.Namespace, b.Service, b.Port, b.Weight, b.Version)))
	}
	return strings.Join(to, " ")
}

// to is a rule's backend.
const to = "backendRefs: [{name: web, port: 80}]"

// kept are rules that the load balancer has of the route shop/web.
var kept = map[string]map[int32][]route.Rule{"HTTPRoute/shop/web": {80: {{
	Owner: "HTTPRoute/shop/web", Match: route.Match{Paths: []string{"/old", "/old/*"}}, Action: route.Action{Backends: []route.Backend{{Group: "arn:old", Weight: 1}}},
}}}}

// TestRead: what becomes of a Gateway and its routes, by the features of the specification.
func TestRead(t *testing.T) {
	const fine = "\nlistener http: 1 routes\nroute web: Accepted ResolvedRefs"
	refuses := func(why string) string {
		return "listener http: 0 routes\nroute web: Accepted=False UnsupportedValue: rule 0 cannot be served: " + why + " ResolvedRefs"
	}
	const https, served = "{listeners: [{name: https, port: 443, protocol: HTTPS, tls: {options: {podgate.dev/certificate-arn: auto}}}]}", "\nlistener https: 1 routes\nroute grpc: Accepted ResolvedRefs"
	refusesGRPC := func(why string) string {
		return "listener https: 0 routes\nroute grpc: Accepted=False UnsupportedValue: rule 0 cannot be served: " + why + " ResolvedRefs"
	}
	grpc := func(rule string) map[string]string { return map[string]string{"grpc": "{rules: [" + rule + "]}"} }
	one := func(rule string) map[string]string { return map[string]string{"web": "{rules: [" + rule + "]}"} }

	for name, tc := range map[string]struct {
		world
		want string
	}{
		"HTTPRouteSimpleSameNamespace": {world{routes: one("{" + to + "}")}, "80 /* -> shop/web:80=1" + fine},
		"NoRoutes":                     {world{}, "listener http: 0 routes"},
		"OtherGateway":                 {world{routes: map[string]string{"web": "{parentRefs: [{name: other}], rules: [{" + to + "}]}"}}, "listener http: 0 routes"},
		"OtherGatewayNamespace":        {world{routes: map[string]string{"web": "{parentRefs: [{name: gw, namespace: other}], rules: [{" + to + "}]}"}}, "listener http: 0 routes"},
		"OtherParentKind":              {world{routes: map[string]string{"web": "{parentRefs: [{name: gw, kind: Service, group: ''}], rules: [{" + to + "}]}"}}, "listener http: 0 routes"},

		// Paths.
		"HTTPRouteExactPathMatching": {world{routes: one("{matches: [{path: {type: Exact, value: /a}}], " + to + "}")}, "80 /a -> shop/web:80=1" + fine},
		"HTTPRoutePathPrefix":        {world{routes: one("{matches: [{path: {type: PathPrefix, value: /a/}}], " + to + "}")}, "80 /a|/a/* -> shop/web:80=1" + fine},
		"HTTPRoutePathRoot":          {world{routes: one("{matches: [{path: {type: PathPrefix, value: /}, method: GET}], " + to + "}")}, "80 GET -> shop/web:80=1" + fine},
		"HTTPRoutePathRegex": {world{routes: one("{matches: [{path: {type: RegularExpression, value: /a.}}], " + to + "}")},
			refuses(`match 0: path "/a.": RegularExpression is not served: use Exact or PathPrefix`)},
		"HTTPRoutePathWildcard": {world{routes: one("{matches: [{path: {type: Exact, value: /a*}}], " + to + "}")},
			refuses(`match 0: path "/a*" has one of the characters * and ?, which are wildcards of an application load balancer`)},
		"HTTPRoutePathBrackets": {world{routes: one("{matches: [{path: {type: Exact, value: '/a[1]'}}], " + to + "}")},
			refuses(`match 0: path "/a[1]" has one of the characters ()[]{}^|\, which an application load balancer does not match`)},
		"HTTPRoutePathLong": {world{routes: one("{matches: [{path: {value: /" + strings.Repeat("a", 126) + "}}], " + to + "}")},
			refuses(`match 0: path "/` + strings.Repeat("a", 126) + `" has 127 characters, and an application load balancer matches prefixes of 126`)},
		"HTTPRoutePathAsLongAsMayBe": {world{routes: one("{matches: [{path: {value: /" + strings.Repeat("a", 125) + "}}], " + to + "}")},
			"80 /" + strings.Repeat("a", 125) + "|/" + strings.Repeat("a", 125) + "/* -> shop/web:80=1" + fine},
		"HTTPRouteExactPathLong": {world{routes: one("{matches: [{path: {type: Exact, value: /" + strings.Repeat("a", 128) + "}}], " + to + "}")},
			refuses(`match 0: path "/` + strings.Repeat("a", 128) + `" has 129 characters, and an application load balancer matches 128`)},

		// Methods, headers and parameters of the query.
		"HTTPRouteMethodMatching":   {world{routes: one("{matches: [{method: POST}], " + to + "}")}, "80 POST -> shop/web:80=1" + fine},
		"HTTPRouteHeaderMatching":   {world{routes: one("{matches: [{headers: [{name: version, value: two}, {name: Version, value: three}, {name: color, value: blue}]}], " + to + "}")}, "80 version:two color:blue -> shop/web:80=1" + fine},
		"HTTPRouteHeaderRegex":      {world{routes: one("{matches: [{headers: [{name: a, value: b, type: RegularExpression}]}], " + to + "}")}, refuses("match 0: header a: an application load balancer matches no RegularExpression: use Exact")},
		"HTTPRouteHeaderHost":       {world{routes: one("{matches: [{headers: [{name: Host, value: b}]}], " + to + "}")}, refuses("match 0: header Host: hosts are matched by spec.hostnames")},
		"HTTPRouteHeaderLong":       {world{routes: one("{matches: [{headers: [{name: " + strings.Repeat("a", 41) + ", value: b}]}], " + to + "}")}, refuses("match 0: header " + strings.Repeat("a", 41) + " has a name of 41 characters, and an application load balancer matches 40")},
		"HTTPRouteHeaderWildcard":   {world{routes: one("{matches: [{headers: [{name: a, value: 'b?'}]}], " + to + "}")}, refuses("match 0: header a has one of the characters * and ?, which are wildcards of an application load balancer")},
		"HTTPRouteQueryParam":       {world{routes: one("{matches: [{queryParams: [{name: a, value: b}, {name: a, value: c}, {name: d, value: e}]}], " + to + "}")}, "80 ?a=b ?d=e -> shop/web:80=1" + fine},
		"HTTPRouteQueryParamRegex":  {world{routes: one("{matches: [{queryParams: [{name: a, value: b, type: RegularExpression}]}], " + to + "}")}, refuses("match 0: query parameter a: an application load balancer matches no RegularExpression: use Exact")},
		"HTTPRouteQueryParamWild":   {world{routes: one("{matches: [{queryParams: [{name: a, value: '*'}]}], " + to + "}")}, refuses("match 0: query parameter a has one of the characters * and ?, which are wildcards of an application load balancer")},
		"HTTPRouteQueryParamCannot": {world{can: func(a *Abilities) { a.Queries, a.Name = false, "VPC Lattice" }, routes: one("{matches: [{queryParams: [{name: a, value: b}]}], " + to + "}")}, refuses("match 0: query parameter a: VPC Lattice does not match those")},
		"TooManyValues": {world{routes: one("{matches: [{headers: [{name: a, value: b}, {name: c, value: d}, {name: e, value: f}, {name: g, value: h}, {name: i, value: j}], method: GET}], " + to + "}")},
			"listener http: 0 routes\nroute web: Accepted=False UnsupportedValue: a rule for path [] needs more than the 5 values or 5 wildcards that a rule of an application load balancer may have: write fewer matches ResolvedRefs"},

		"MethodAndHeader":     {world{routes: one("{matches: [{method: GET, headers: [{name: a, value: b}]}], " + to + "}")}, "80 GET a:b -> shop/web:80=1" + fine},
		"MethodAndQuery":      {world{routes: one("{matches: [{method: GET, queryParams: [{name: a, value: b}]}], " + to + "}")}, "80 GET ?a=b -> shop/web:80=1" + fine},
		"HeaderAndQuery":      {world{routes: one("{matches: [{headers: [{name: a, value: b}], queryParams: [{name: c, value: d}]}], " + to + "}")}, "80 a:b ?c=d -> shop/web:80=1" + fine},
		"HeaderNameLongest":   {world{routes: one("{matches: [{headers: [{name: " + strings.Repeat("a", 40) + ", value: " + strings.Repeat("b", 128) + "}]}], " + to + "}")}, "80 " + strings.Repeat("a", 40) + ":" + strings.Repeat("b", 128) + " -> shop/web:80=1" + fine},
		"OtherParentGroup":    {world{routes: map[string]string{"web": "{parentRefs: [{name: gw, group: example.com}], rules: [{" + to + "}]}"}}, "listener http: 0 routes"},
		"NoNamespaces":        {world{gateway: "{listeners: [{name: http, port: 80, protocol: HTTP, allowedRoutes: {namespaces: {from: None}}}]}", routes: one("{" + to + "}")}, "listener http: 0 routes\nroute web: Accepted=False NotAllowedByListeners: allowedRoutes of the listeners do not let in HTTPRoutes of this namespace ResolvedRefs"},
		"BackendOfOtherGroup": {world{routes: one("{backendRefs: [{name: a, group: example.com}]}")}, "80 /* -> 500\nlistener http: 1 routes\nroute web: Accepted ResolvedRefs=False InvalidKind: rule 0, backendRefs[0]: a Service is not served: name a Service"},
		"OnlyFirstBackendBroken": {world{routes: one("{backendRefs: [{name: missing, port: 80}, {name: web, port: 80}]}")},
			"80 /* -> 500\nlistener http: 1 routes\nroute web: Accepted ResolvedRefs=False BackendNotFound: rule 0, backendRefs[0]: there is no Service \"missing\" in namespace \"shop\"" +
				" PartiallyInvalid=True UnsupportedValue: rule 0 answers all requests with 500, since an application load balancer cannot do that for the share of backendRefs[0] alone: correct the reference, or give it weight 0"},
		"GRPCServiceAndMethod":  {world{can: func(a *Abilities) { a.Wildcards = false }, gateway: https, routes: grpc("{matches: [{method: {service: s, method: Get}}], " + to + "}")}, "443 /s/Get -> shop/web:80=1 GRPC" + served},
		"RedirectPortAlone":     {world{routes: one("{filters: [{type: RequestRedirect, requestRedirect: {port: 8080}}]}")}, "80 /* -> 302   8080" + fine},
		"AsManyBackendsAsMayBe": {world{can: func(a *Abilities) { a.Backends = 2 }, routes: one("{backendRefs: [{name: a, port: 80}, {name: b, port: 80}]}")}, "80 /* -> shop/a:80=1 shop/b:80=1" + fine},
		"GRPCServiceAlone":      {world{can: func(a *Abilities) { a.Wildcards = false }, gateway: https, routes: grpc("{matches: [{method: {service: s}}], " + to + "}")}, "443 /s/* -> shop/web:80=1 GRPC" + served},
		"RejectedAndRefused": {world{routes: map[string]string{"web": "{parentRefs: [{name: gw, sectionName: other}, {name: gw, port: 81}], rules: [{retry: {}, " + to + "}]}"}},
			"listener http: 0 routes\nroute web: Accepted=False NoMatchingParent: the Gateway has no listener with this sectionName and port ResolvedRefs\nroute web: Accepted=False NoMatchingParent: the Gateway has no listener with this sectionName and port ResolvedRefs"},

		// Order.
		"HTTPRoutePathMatchOrder": {
			world{routes: map[string]string{"web": `{rules: [
				{matches: [{path: {value: /a}}], backendRefs: [{name: short, port: 80}]},
				{matches: [{path: {value: /a/long}}], backendRefs: [{name: long, port: 80}]},
				{matches: [{path: {type: Exact, value: /a/long}}], backendRefs: [{name: exact, port: 80}]},
				{matches: [{path: {value: /a/long}, method: GET}], backendRefs: [{name: method, port: 80}]},
				{matches: [{path: {value: /a/long}, headers: [{name: x, value: z}]}], backendRefs: [{name: header, port: 80}]},
				{matches: [{path: {value: /a/long}, queryParams: [{name: x, value: z}]}], backendRefs: [{name: query, port: 80}]},
				{backendRefs: [{name: rest, port: 80}]}]}`}},
			"80 /a/long -> shop/exact:80=1\n80 /a/long|/a/long/* GET -> shop/method:80=1\n80 /a/long|/a/long/* x:z -> shop/header:80=1\n80 /a/long|/a/long/* ?x=z -> shop/query:80=1\n" +
				"80 /a/long|/a/long/* -> shop/long:80=1\n80 /a|/a/* -> shop/short:80=1\n80 /* -> shop/rest:80=1" + fine,
		},
		"HTTPRouteMatchingAcrossRoutes": {
			world{routes: map[string]string{
				"a": "{hostnames: ['*.example.com'], rules: [{matches: [{path: {type: Exact, value: /x}}], backendRefs: [{name: wild, port: 80}]}]}",
				"b": "{hostnames: [a.example.com], rules: [{backendRefs: [{name: exact, port: 80}]}]}",
				"c": "{rules: [{matches: [{path: {value: /x}}], backendRefs: [{name: any, port: 80}]}]}",
				"d": "{hostnames: [longer.example.com], rules: [{backendRefs: [{name: longer, port: 80}]}]}",
				"e": "{hostnames: [a.example.com], rules: [{backendRefs: [{name: younger, port: 80}]}]}",
			}},
			"80 longer.example.com -> shop/longer:80=1\n80 a.example.com -> shop/exact:80=1\n80 a.example.com -> shop/younger:80=1\n80 *.example.com /x -> shop/wild:80=1\n80 /x|/x/* -> shop/any:80=1\n" +
				"listener http: 5 routes\nroute a: Accepted ResolvedRefs\nroute b: Accepted ResolvedRefs\nroute c: Accepted ResolvedRefs\nroute d: Accepted ResolvedRefs\nroute e: Accepted ResolvedRefs",
		},
		"SeveralMatches": {world{routes: one("{matches: [{path: {type: Exact, value: /a}}, {path: {type: Exact, value: /b}}], " + to + "}")}, "80 /a|/b -> shop/web:80=1" + fine},
		"TooManyRules": {
			world{can: func(a *Abilities) { a.Rules = 1 }, has: map[string]map[int32][]route.Rule{"HTTPRoute/shop/b": {80: {{}}}}, routes: map[string]string{"a": "{rules: [{" + to + "}]}", "b": "{rules: [{" + to + "}]}", "c": "{rules: [{" + to + "}]}"}},
			"80 /* -> shop/web:80=1\nlistener http: 1 routes\nroute a: Accepted=False UnsupportedValue: with this route the load balancer would have more than 1 rule: use another Gateway, or have AWS raise the quota ResolvedRefs\n" +
				"route b: Accepted ResolvedRefs\nroute c: Accepted=False UnsupportedValue: with this route the load balancer would have more than 1 rule: use another Gateway, or have AWS raise the quota ResolvedRefs",
		},
		"NoWildcardHosts": {
			world{can: func(a *Abilities) { a.WildcardHosts = false }, routes: one("{" + to + "}"), gateway: "{listeners: [{name: http, port: 80, protocol: HTTP, hostname: '*.example.com'}]}"},
			"listener http: 0 routes\nroute web: Accepted=False UnsupportedValue: an application load balancer has no hosts with wildcards such as *.example.com: name each host ResolvedRefs",
		},
		"NoWildcards":    {world{can: func(a *Abilities) { a.Wildcards = false }, routes: one("{matches: [{headers: [{name: a, value: '*'}]}], " + to + "}")}, "80 a:* -> shop/web:80=1" + fine},
		"NotInPaths":     {world{can: func(a *Abilities) { a.NotInPaths = "!" }, routes: one("{matches: [{path: {value: /a!}}], " + to + "}")}, refuses(`match 0: path "/a!" has one of the characters !, which an application load balancer does not match`)},
		"TooManyHeaders": {world{can: func(a *Abilities) { a.Headers = 1 }, routes: one("{matches: [{headers: [{name: a, value: b}, {name: A, value: c}, {name: d, value: e}]}], " + to + "}")}, refuses("match 0: header d: an application load balancer matches 1 header in one rule")},
		"Excess": {
			world{can: func(a *Abilities) {
				a.Excess = func(all map[int32][]route.Rule) (string, []string) {
					if len(all[80]) > 2 {
						return "too many of them", []string{"HTTPRoute/shop/a", "HTTPRoute/shop/b"}
					}
					return "", nil
				}
			}, routes: map[string]string{"a": "{rules: [{" + to + "}]}", "b": "{rules: [{" + to + "}]}", "c": "{rules: [{" + to + "}]}"}},
			"80 /* -> shop/web:80=1\n80 /* -> shop/web:80=1\nlistener http: 2 routes\nroute a: Accepted ResolvedRefs\nroute b: Accepted=False UnsupportedValue: too many of them ResolvedRefs\nroute c: Accepted ResolvedRefs",
		},

		// Listeners.
		"HTTPRouteListenerHostnameMatching": {
			world{gateway: "{listeners: [{name: a, port: 80, protocol: HTTP, hostname: a.example.com}, {name: wild, port: 80, protocol: HTTP, hostname: '*.example.com'}, {name: other, port: 8080, protocol: HTTP, hostname: '*.org'}]}",
				routes: map[string]string{"web": "{hostnames: [b.example.com, '*.org', c.net], rules: [{" + to + "}]}"}},
			"80 b.example.com -> shop/web:80=1\n8080 *.org -> shop/web:80=1\nlistener a: 0 routes\nlistener wild: 1 routes\nlistener other: 1 routes\nroute web: Accepted ResolvedRefs",
		},
		"HTTPRouteHostnameIntersection": {
			world{gateway: "{listeners: [{name: a, port: 80, protocol: HTTP, hostname: very.specific.com}]}", routes: map[string]string{"web": "{hostnames: ['*.specific.com', non.matching.com], rules: [{" + to + "}]}"}},
			"80 very.specific.com -> shop/web:80=1\nlistener a: 1 routes\nroute web: Accepted ResolvedRefs",
		},
		"HTTPRouteHostnameNoIntersection": {
			world{gateway: "{listeners: [{name: a, port: 80, protocol: HTTP, hostname: '*.specific.com'}]}", routes: map[string]string{"web": "{hostnames: [specific.com, other.com], rules: [{" + to + "}]}"}},
			"listener a: 0 routes\nroute web: Accepted=False NoMatchingListenerHostname: no hostname of the route is one of the listeners' ResolvedRefs",
		},
		"WildcardsOfBoth": {
			world{gateway: "{listeners: [{name: a, port: 80, protocol: HTTP, hostname: '*.com'}]}", routes: map[string]string{"web": "{hostnames: ['*.example.com'], rules: [{" + to + "}]}"}},
			"80 *.example.com -> shop/web:80=1\nlistener a: 1 routes\nroute web: Accepted ResolvedRefs",
		},
		"HTTPRouteInvalidParentRefNotMatchingSectionName": {
			world{routes: map[string]string{"web": "{parentRefs: [{name: gw, sectionName: other}], rules: [{" + to + "}]}"}},
			"listener http: 0 routes\nroute web: Accepted=False NoMatchingParent: the Gateway has no listener with this sectionName and port ResolvedRefs",
		},
		"HTTPRouteParentRefPort": {
			world{gateway: "{listeners: [{name: a, port: 80, protocol: HTTP}, {name: b, port: 8080, protocol: HTTP}]}", routes: map[string]string{"web": "{parentRefs: [{name: gw, port: 8080}, {name: gw, port: 81}], rules: [{" + to + "}]}"}},
			"8080 /* -> shop/web:80=1\nlistener a: 0 routes\nlistener b: 1 routes\nroute web: Accepted ResolvedRefs\nroute web: Accepted=False NoMatchingParent: the Gateway has no listener with this sectionName and port ResolvedRefs",
		},
		"AttachedTwice": {
			world{routes: map[string]string{"web": "{parentRefs: [{name: gw}, {name: gw, sectionName: http}], rules: [{" + to + "}]}"}},
			"80 /* -> shop/web:80=1\nlistener http: 1 routes\nroute web: Accepted ResolvedRefs\nroute web: Accepted ResolvedRefs",
		},
		"HTTPRouteInvalidCrossNamespaceParentRef": {
			world{routes: map[string]string{"other/web": "{parentRefs: [{name: gw, namespace: shop}], rules: [{" + to + "}]}"}},
			"listener http: 0 routes\nroute web: Accepted=False NotAllowedByListeners: allowedRoutes of the listeners do not let in HTTPRoutes of this namespace ResolvedRefs",
		},
		"HTTPRouteCrossNamespace": {
			world{gateway: "{listeners: [{name: http, port: 80, protocol: HTTP, allowedRoutes: {namespaces: {from: All}}}]}", routes: map[string]string{"other/web": "{parentRefs: [{name: gw, namespace: shop}], rules: [{" + to + "}]}"}},
			"80 /* -> other/web:80=1" + fine,
		},
		"AllowedBySelector": {
			world{gateway: "{listeners: [{name: http, port: 80, protocol: HTTP, allowedRoutes: {namespaces: {from: Selector, selector: {matchLabels: {team: other}}}}}]}",
				routes: map[string]string{"other/web": "{parentRefs: [{name: gw, namespace: shop}], rules: [{" + to + "}]}", "own": "{rules: [{" + to + "}]}"}},
			"80 /* -> other/web:80=1\nlistener http: 1 routes\nroute web: Accepted ResolvedRefs\nroute own: Accepted=False NotAllowedByListeners: allowedRoutes of the listeners do not let in HTTPRoutes of this namespace ResolvedRefs",
		},
		"GatewayInvalidRouteKind": {
			world{gateway: "{listeners: [{name: http, port: 80, protocol: HTTP, allowedRoutes: {kinds: [{kind: TLSRoute}]}}]}", routes: one("{" + to + "}")},
			"listener http: 0 routes, ResolvedRefs=False InvalidRouteKinds: routes of kind TLSRoute are not served by an application load balancer at a listener with protocol HTTP: the kinds there are [HTTPRoute]\nroute web: Accepted=False NotAllowedByListeners: allowedRoutes of the listeners do not let in HTTPRoutes of this namespace ResolvedRefs",
		},
		"GatewayInvalidAndValidRouteKind": {
			world{gateway: "{listeners: [{name: http, port: 80, protocol: HTTP, allowedRoutes: {kinds: [{kind: TLSRoute}, {kind: HTTPRoute}]}}]}", routes: one("{" + to + "}")},
			"80 /* -> shop/web:80=1\nlistener http: 1 routes, ResolvedRefs=False InvalidRouteKinds: routes of kind TLSRoute are not served by an application load balancer at a listener with protocol HTTP: the kinds there are [HTTPRoute]\nroute web: Accepted ResolvedRefs",
		},
		"GatewayListenerUnsupportedProtocol": {
			world{gateway: "{listeners: [{name: tcp, port: 80, protocol: TCP}]}", routes: one("{" + to + "}")},
			"listener tcp: 0 routes, Accepted=False UnsupportedProtocol: an application load balancer cannot have protocol TCP: use one of [HTTP HTTPS]\nroute web: Accepted=False NotAllowedByListeners: allowedRoutes of the listeners do not let in HTTPRoutes of this namespace ResolvedRefs",
		},
		"GatewayHostnameConflict": {
			world{gateway: "{listeners: [{name: a, port: 80, protocol: HTTP}, {name: b, port: 80, protocol: HTTP}, {name: c, port: 81, protocol: HTTP}]}", routes: one("{" + to + "}")},
			"81 /* -> shop/web:80=1\nlistener a: 1 routes, Conflicted=True HostnameConflict: listener b has the same port and hostname, Accepted=False HostnameConflict: listener b has the same port and hostname\n" +
				"listener b: 1 routes, Conflicted=True HostnameConflict: listener a has the same port and hostname, Accepted=False HostnameConflict: listener a has the same port and hostname\nlistener c: 1 routes\nroute web: Accepted ResolvedRefs",
		},
		"GatewayProtocolConflict": {
			world{gateway: "{listeners: [{name: a, port: 80, protocol: HTTP, hostname: a.com}, {name: b, port: 80, protocol: HTTPS, hostname: b.com, tls: {options: {podgate.dev/certificate-arn: auto}}}]}"},
			"listener a: 0 routes, Conflicted=True ProtocolConflict: listener b has protocol HTTPS at the same port: use one protocol for each port, Accepted=False ProtocolConflict: listener b has protocol HTTPS at the same port: use one protocol for each port\n" +
				"listener b: 0 routes, Conflicted=True ProtocolConflict: listener a has protocol HTTP at the same port: use one protocol for each port, Accepted=False ProtocolConflict: listener a has protocol HTTP at the same port: use one protocol for each port",
		},
		"HTTPRouteHTTPSListener": {
			world{gateway: "{listeners: [{name: https, port: 443, protocol: HTTPS, tls: {options: {podgate.dev/certificate-arn: auto}}}]}", routes: one("{" + to + "}")},
			"443 /* -> shop/web:80=1\nlistener https: 1 routes\nroute web: Accepted ResolvedRefs",
		},
		"GatewayInvalidTLSConfiguration": {
			world{gateway: "{listeners: [{name: https, port: 443, protocol: HTTPS, tls: {certificateRefs: [{name: cert}]}}]}", routes: one("{" + to + "}")},
			"listener https: 1 routes, ResolvedRefs=False InvalidCertificateRef: an application load balancer has certificates of ACM only, and none of Secret shop/cert: name them in tls.options podgate.dev/certificate-arn, or let them be found with the value auto\nroute web: Accepted ResolvedRefs",
		},
		"GatewaySecretMissingReferenceGrant": {
			world{gateway: "{listeners: [{name: https, port: 443, protocol: HTTPS, tls: {certificateRefs: [{name: cert, namespace: other}]}}]}"},
			"listener https: 0 routes, ResolvedRefs=False RefNotPermitted: certificateRefs names Secret other/cert, and no ReferenceGrant there allows it",
		},
		"GatewaySecretReferenceGrant": {
			world{gateway: "{listeners: [{name: https, port: 443, protocol: HTTPS, tls: {certificateRefs: [{name: cert, namespace: other}]}}]}",
				grants: []string{"{from: [{group: gateway.networking.k8s.io, kind: Gateway, namespace: shop}], to: [{group: '', kind: Secret}]}"}},
			"listener https: 0 routes, ResolvedRefs=False InvalidCertificateRef: an application load balancer has certificates of ACM only, and none of Secret other/cert: name them in tls.options podgate.dev/certificate-arn, or let them be found with the value auto",
		},
		"UnknownTLSOption": {
			world{gateway: "{listeners: [{name: https, port: 443, protocol: HTTPS, tls: {options: {example.com/minimum: '1.3', podgate.dev/certificate-arn: auto}}}]}"},
			"listener https: 0 routes, Accepted=False Invalid: tls.options example.com/minimum is not served: remove it",
		},
		"Passthrough": {
			world{gateway: "{listeners: [{name: https, port: 443, protocol: HTTPS, tls: {mode: Passthrough, options: {podgate.dev/certificate-arn: auto}}}]}"},
			"listener https: 0 routes, Accepted=False Invalid: an application load balancer ends TLS: tls.mode must be Terminate",
		},
		"NoTLS": {
			world{gateway: "{listeners: [{name: https, port: 443, protocol: HTTPS}]}"},
			"listener https: 0 routes, Accepted=False Invalid: HTTPS needs tls with a certificate: set tls.options podgate.dev/certificate-arn",
		},

		// Backends.
		"HTTPRouteWeight":            {world{routes: one("{backendRefs: [{name: a, port: 80, weight: 70}, {name: b, port: 8080, weight: 30}, {name: c, port: 80, weight: 0}]}")}, "80 /* -> shop/a:80=70 shop/b:8080=30 shop/c:80=0" + fine},
		"HTTPRouteWeightScaled":      {world{routes: one("{backendRefs: [{name: a, port: 80, weight: 1000000}, {name: b, port: 80, weight: 500000}, {name: c, port: 80, weight: 1}, {name: d, port: 80, weight: 0}]}")}, "80 /* -> shop/a:80=999 shop/b:80=500 shop/c:80=1 shop/d:80=0" + fine},
		"HTTPRouteWeightOfOneTwice":  {world{routes: one("{backendRefs: [{name: a, port: 80, weight: 2}, {name: a, port: 80, weight: 3}, {name: a, port: 8080}]}")}, "80 /* -> shop/a:80=5 shop/a:8080=1" + fine},
		"HTTPRouteNoBackendRefs":     {world{routes: one("{matches: [{path: {value: /a}}]}")}, "80 /a|/a/* -> 500" + fine},
		"HTTPRouteAllWeightsZero":    {world{routes: one("{backendRefs: [{name: a, port: 80, weight: 0}]}")}, "80 /* -> 500" + fine},
		"HTTPRouteTooManyBackends":   {world{can: func(a *Abilities) { a.Backends = 1 }, routes: one("{backendRefs: [{name: a, port: 80}, {name: b, port: 80}]}")}, refuses("it forwards to 2 backends, and an application load balancer forwards to 1")},
		"HTTPRouteBackendFilters":    {world{routes: one("{backendRefs: [{name: a, port: 80, filters: [{type: RequestHeaderModifier}]}]}")}, refuses("an application load balancer does not have filters of backendRefs: remove those of backendRefs[0]")},
		"HTTPRouteBackendNotServed":  {world{broken: "web", routes: one("{" + to + "}")}, refuses("backendRefs[0]: it has no node port")},
		"HTTPRouteInvalidBackendRef": {world{routes: one("{backendRefs: [{name: a, kind: Thing, group: example.com}]}")}, "80 /* -> 500\nlistener http: 1 routes\nroute web: Accepted ResolvedRefs=False InvalidKind: rule 0, backendRefs[0]: a Thing is not served: name a Service"},
		"HTTPRouteInvalidNonExistentBackendRef": {
			world{routes: one("{backendRefs: [{name: missing, port: 80}]}")},
			"80 /* -> 500\nlistener http: 1 routes\nroute web: Accepted ResolvedRefs=False BackendNotFound: rule 0, backendRefs[0]: there is no Service \"missing\" in namespace \"shop\"",
		},
		"HTTPRouteMissingPort": {
			world{routes: one("{backendRefs: [{name: web, port: 81}]}")},
			"80 /* -> 500\nlistener http: 1 routes\nroute web: Accepted ResolvedRefs=False BackendNotFound: rule 0, backendRefs[0]: Service \"web\" in namespace \"shop\" has no port 81",
		},
		"HTTPRoutePartiallyInvalidBackends": {
			world{routes: one("{backendRefs: [{name: web, port: 80}, {name: missing, port: 80}]}")},
			"80 /* -> 500\nlistener http: 1 routes\nroute web: Accepted ResolvedRefs=False BackendNotFound: rule 0, backendRefs[1]: there is no Service \"missing\" in namespace \"shop\"" +
				" PartiallyInvalid=True UnsupportedValue: rule 0 answers all requests with 500, since an application load balancer cannot do that for the share of backendRefs[1] alone: correct the reference, or give it weight 0",
		},
		"HTTPRouteInvalidBackendOfWeight0": {
			world{routes: one("{backendRefs: [{name: web, port: 80}, {name: missing, port: 80, weight: 0}]}")},
			"80 /* -> shop/web:80=1\nlistener http: 1 routes\nroute web: Accepted ResolvedRefs=False BackendNotFound: rule 0, backendRefs[1]: there is no Service \"missing\" in namespace \"shop\"",
		},
		"HTTPRouteInvalidCrossNamespaceBackendRef": {
			world{routes: one("{backendRefs: [{name: web, namespace: other, port: 80}]}"), grants: []string{
				"{from: [{group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: elsewhere}], to: [{group: '', kind: Service}]}",
				"{from: [{group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: shop}], to: [{group: '', kind: Service, name: api}]}",
				"{from: [{group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: shop}], to: [{group: '', kind: Secret}]}",
				"{from: [{group: gateway.networking.k8s.io, kind: GRPCRoute, namespace: shop}], to: [{group: '', kind: Service}]}",
			}},
			"80 /* -> 500\nlistener http: 1 routes\nroute web: Accepted ResolvedRefs=False RefNotPermitted: rule 0, backendRefs[0]: no ReferenceGrant in namespace \"other\" lets HTTPRoutes of namespace \"shop\" name Service \"web\"",
		},
		"HTTPRouteReferenceGrant": {
			world{routes: one("{backendRefs: [{name: web, namespace: other, port: 80}]}"), grants: []string{"{from: [{group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: shop}], to: [{group: '', kind: Service, name: web}]}"}},
			"80 /* -> other/web:80=1" + fine,
		},

		// Filters and what else a rule may have.
		"HTTPRouteRedirectHostAndStatus":  {world{routes: one("{filters: [{type: RequestRedirect, requestRedirect: {hostname: example.org, statusCode: 301}}]}")}, "80 /* -> 301  example.org" + fine},
		"HTTPRouteRedirectScheme":         {world{routes: one("{filters: [{type: RequestRedirect, requestRedirect: {scheme: https}}]}")}, "80 /* -> 302 HTTPS  443" + fine},
		"HTTPRouteRedirectSchemeHTTP":     {world{routes: one("{filters: [{type: RequestRedirect, requestRedirect: {scheme: http}}]}")}, "80 /* -> 302 HTTP  80" + fine},
		"HTTPRouteRedirectPort":           {world{routes: one("{filters: [{type: RequestRedirect, requestRedirect: {scheme: https, port: 8443}}]}")}, "80 /* -> 302 HTTPS  8443" + fine},
		"HTTPRouteRedirectPath":           {world{routes: one("{filters: [{type: RequestRedirect, requestRedirect: {path: {type: ReplaceFullPath, replaceFullPath: /new}}}]}")}, "80 /* -> 302    /new" + fine},
		"HTTPRouteRedirectPrefix":         {world{routes: one("{matches: [{path: {value: /}}], filters: [{type: RequestRedirect, requestRedirect: {path: {type: ReplacePrefixMatch, replacePrefixMatch: /new/}}}]}")}, "80 /* -> 302    /new/#{path}" + fine},
		"HTTPRouteRedirectPrefixAway":     {world{routes: one("{filters: [{type: RequestRedirect, requestRedirect: {hostname: example.org, path: {type: ReplacePrefixMatch, replacePrefixMatch: /}}}]}")}, "80 /* -> 302  example.org" + fine},
		"HTTPRouteRedirectPrefixNothing":  {world{routes: one("{filters: [{type: RequestRedirect, requestRedirect: {path: {type: ReplacePrefixMatch, replacePrefixMatch: /}}}]}")}, refuses("the redirect changes nothing, so that clients would be redirected for ever")},
		"HTTPRouteRedirectPrefixPart":     {world{routes: one("{matches: [{path: {value: /old}}], filters: [{type: RequestRedirect, requestRedirect: {path: {type: ReplacePrefixMatch, replacePrefixMatch: /new}}}]}")}, refuses("an application load balancer cannot replace a part of the path unless its prefix is /: use ReplaceFullPath")},
		"HTTPRouteRedirectPathLong":       {world{routes: one("{filters: [{type: RequestRedirect, requestRedirect: {path: {type: ReplacePrefixMatch, replacePrefixMatch: /" + strings.Repeat("a", 120) + "}}}]}")}, refuses(`an application load balancer cannot redirect to path "/` + strings.Repeat("a", 120) + `"`)},
		"HTTPRouteRedirectPathLongest":    {world{routes: one("{filters: [{type: RequestRedirect, requestRedirect: {path: {type: ReplacePrefixMatch, replacePrefixMatch: /" + strings.Repeat("a", 119) + "}}}]}")}, "80 /* -> 302    /" + strings.Repeat("a", 119) + "/#{path}" + fine},
		"HTTPRouteRedirectPlaceholder":    {world{routes: one("{filters: [{type: RequestRedirect, requestRedirect: {path: {type: ReplaceFullPath, replaceFullPath: '/#{host}'}}}]}")}, refuses(`an application load balancer cannot redirect to path "/#{host}"`)},
		"HTTPRouteRedirectStatus":         {world{routes: one("{filters: [{type: RequestRedirect, requestRedirect: {hostname: example.org, statusCode: 307}}]}")}, refuses("an application load balancer redirects with 301 and 302 only, and not with 307")},
		"HTTPRouteRedirectNothing":        {world{routes: one("{filters: [{type: RequestRedirect, requestRedirect: {}}]}")}, refuses("the redirect changes nothing, so that clients would be redirected for ever")},
		"HTTPRouteRedirectCannot":         {world{can: func(a *Abilities) { a.Redirects = false }, routes: one("{filters: [{type: RequestRedirect, requestRedirect: {scheme: https}}]}")}, refuses("an application load balancer does not have the filter RequestRedirect: remove it")},
		"HTTPRouteRequestHeaderModifier":  {world{routes: one("{filters: [{type: RequestHeaderModifier, requestHeaderModifier: {}}], " + to + "}")}, refuses("an application load balancer does not have the filter RequestHeaderModifier: remove it")},
		"HTTPRouteRedirectAndModifier":    {world{routes: one("{filters: [{type: RequestRedirect, requestRedirect: {scheme: https}}, {type: RequestHeaderModifier, requestHeaderModifier: {}}]}")}, refuses("an application load balancer does not have the filter RequestHeaderModifier: remove it")},
		"HTTPRouteRequestTimeout":         {world{routes: one("{timeouts: {request: 1s}, " + to + "}")}, refuses("an application load balancer has no timeouts of a rule: remove timeouts")},
		"HTTPRouteRetry":                  {world{routes: one("{retry: {attempts: 1}, " + to + "}")}, refuses("an application load balancer does not retry: remove retry")},
		"HTTPRouteSessionPersistence":     {world{routes: one("{sessionPersistence: {}, " + to + "}")}, refuses("sessionPersistence is not served: remove it")},
		"HTTPRouteSecondRuleNotSupported": {world{routes: map[string]string{"web": "{rules: [{" + to + "}, {retry: {attempts: 1}, " + to + "}]}"}}, "listener http: 0 routes\nroute web: Accepted=False UnsupportedValue: rule 1 cannot be served: an application load balancer does not retry: remove retry ResolvedRefs"},

		// Calls of gRPC.
		"GRPCRouteEveryCall": {world{gateway: https, routes: grpc("{" + to + "}")}, "443 /* -> shop/web:80=1 GRPC" + served},
		"GRPCExactMethodMatching": {
			world{gateway: https, routes: grpc("{matches: [{method: {service: a.B, method: Get}}, {method: {service: a.B, type: Exact}}, {method: {method: Get}}], " + to + "}")},
			"443 /a.B/Get|/a.B/*|/*/Get -> shop/web:80=1 GRPC" + served,
		},
		"GRPCMethodMatchOrder": {
			world{gateway: https, routes: map[string]string{"grpc": `{rules: [
				{backendRefs: [{name: rest, port: 80}]},
				{matches: [{method: {method: Get}}], backendRefs: [{name: method, port: 80}]},
				{matches: [{method: {method: Longer}, headers: [{name: x, value: z}]}], backendRefs: [{name: longer, port: 80}]},
				{matches: [{method: {service: s}}], backendRefs: [{name: service, port: 80}]},
				{matches: [{method: {service: s, method: Get}}], backendRefs: [{name: both, port: 80}]}]}`}},
			"443 /s/Get -> shop/both:80=1 GRPC\n443 /s/* -> shop/service:80=1 GRPC\n443 /*/Longer x:z -> shop/longer:80=1 GRPC\n443 /*/Get -> shop/method:80=1 GRPC\n443 /* -> shop/rest:80=1 GRPC" + served,
		},
		"GRPCRouteHeaderMatching": {world{gateway: https, routes: grpc("{matches: [{headers: [{name: version, value: two}, {name: Version, value: three}]}], " + to + "}")}, "443 version:two -> shop/web:80=1 GRPC" + served},
		"GRPCRouteHeaderRegex":    {world{gateway: https, routes: grpc("{matches: [{headers: [{name: a, value: b, type: RegularExpression}]}], " + to + "}")}, refusesGRPC("match 0: header a: an application load balancer matches no RegularExpression: use Exact")},
		"GRPCRouteMethodRegex":    {world{gateway: https, routes: grpc("{matches: [{method: {service: a.*, type: RegularExpression}}], " + to + "}")}, refusesGRPC("match 0: method: an application load balancer matches no RegularExpression: use Exact")},
		"GRPCRouteMethodWildcard": {world{gateway: https, routes: grpc("{matches: [{method: {service: 'a*'}}], " + to + "}")}, refusesGRPC(`match 0: method "a*" has one of the characters * and ?, which are wildcards of an application load balancer`)},
		"GRPCRouteMethodBrackets": {world{gateway: https, routes: grpc("{matches: [{}, {method: {method: 'a(b)'}}], " + to + "}")}, refusesGRPC(`match 1: method "a(b)" has one of the characters ()[]{}^|\, which an application load balancer does not match`)},
		"GRPCRouteMethodLong":     {world{gateway: https, routes: grpc("{matches: [{method: {service: " + strings.Repeat("a", 100) + ", method: " + strings.Repeat("b", 27) + "}}], " + to + "}")}, refusesGRPC("match 0: service and method have 129 characters, and an application load balancer matches 128")},
		"GRPCRouteMethodLongest":  {world{gateway: https, routes: grpc("{matches: [{method: {service: " + strings.Repeat("a", 100) + ", method: " + strings.Repeat("b", 26) + "}}], " + to + "}")}, "443 /" + strings.Repeat("a", 100) + "/" + strings.Repeat("b", 26) + " -> shop/web:80=1 GRPC" + served},
		"GRPCRouteMethodAlone":    {world{can: func(a *Abilities) { a.Wildcards = false }, gateway: https, routes: grpc("{matches: [{method: {method: Get}}], " + to + "}")}, refusesGRPC(`match 0: method "Get": an application load balancer matches no method of every service: name the service`)},
		"GRPCRouteFilter":         {world{gateway: https, routes: grpc("{filters: [{type: RequestMirror}], " + to + "}")}, refusesGRPC("an application load balancer does not have the filter RequestMirror: remove it")},
		"GRPCRouteBackendFilters": {world{gateway: https, routes: grpc("{backendRefs: [{name: a, port: 80, filters: [{type: RequestHeaderModifier}]}]}")}, refusesGRPC("an application load balancer does not have filters of backendRefs: remove those of backendRefs[0]")},
		"GRPCRouteSessions":       {world{gateway: https, routes: grpc("{sessionPersistence: {}, " + to + "}")}, refusesGRPC("sessionPersistence is not served: remove it")},
		"GRPCRouteWeight":         {world{gateway: https, routes: grpc("{backendRefs: [{name: a, port: 80, weight: 7}, {name: b, port: 80, weight: 3}]}")}, "443 /* -> shop/a:80=7 GRPC shop/b:80=3 GRPC" + served},
		"GRPCRouteNoBackendRefs":  {world{gateway: https, routes: grpc("{}")}, "443 /* -> 503" + served},
		"GRPCRoutePartiallyInvalid": {
			world{gateway: https, routes: grpc("{backendRefs: [{name: web, port: 80}, {name: missing, port: 80}]}")},
			"443 /* -> 503\nlistener https: 1 routes\nroute grpc: Accepted ResolvedRefs=False BackendNotFound: rule 0, backendRefs[1]: there is no Service \"missing\" in namespace \"shop\"" +
				" PartiallyInvalid=True UnsupportedValue: rule 0 answers all requests with 503, since an application load balancer cannot do that for the share of backendRefs[1] alone: correct the reference, or give it weight 0",
		},
		"GRPCRouteReferenceGrant": {
			world{gateway: https, routes: grpc("{backendRefs: [{name: web, namespace: other, port: 80}]}"), grants: []string{"{from: [{group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: shop}], to: [{group: '', kind: Service}]}"}},
			"443 /* -> 503\nlistener https: 1 routes\nroute grpc: Accepted ResolvedRefs=False RefNotPermitted: rule 0, backendRefs[0]: no ReferenceGrant in namespace \"other\" lets GRPCRoutes of namespace \"shop\" name Service \"web\"",
		},
		"GRPCRouteNeedsHTTPS": {
			world{routes: grpc("{" + to + "}")},
			"listener http: 0 routes\nroute grpc: Accepted=False NotAllowedByListeners: an application load balancer forwards gRPC at listeners with one of the protocols [HTTPS] only: name one of those in sectionName ResolvedRefs",
		},
		"GRPCRouteNotAllowed": {
			world{gateway: "{listeners: [{name: https, port: 443, protocol: HTTPS, allowedRoutes: {kinds: [{kind: HTTPRoute}]}, tls: {options: {podgate.dev/certificate-arn: auto}}}]}", routes: grpc("{" + to + "}")},
			"listener https: 0 routes\nroute grpc: Accepted=False NotAllowedByListeners: allowedRoutes of the listeners do not let in GRPCRoutes of this namespace ResolvedRefs",
		},
		"GRPCRouteKindOfHTTP": {
			world{gateway: "{listeners: [{name: http, port: 80, protocol: HTTP, allowedRoutes: {kinds: [{kind: GRPCRoute}]}}]}"},
			"listener http: 0 routes, ResolvedRefs=False InvalidRouteKinds: routes of kind GRPCRoute are not served by an application load balancer at a listener with protocol HTTP: the kinds there are [HTTPRoute]",
		},
		"OneKindForEachHost": {
			world{gateway: https, routes: map[string]string{"a": "{hostnames: ['*.com'], rules: [{" + to + "}]}", "grpc-b": "{hostnames: [b.com, c.org], rules: [{" + to + "}]}", "grpc-c": "{hostnames: [c.org], rules: [{" + to + "}]}"}},
			"443 c.org -> shop/web:80=1 GRPC\n443 *.com -> shop/web:80=1\nlistener https: 2 routes\nroute a: Accepted ResolvedRefs\n" +
				"route grpc-b: Accepted=False NoMatchingListenerHostname: HTTPRoute shop/a is older and has a host in common with it, and a listener serves routes of one kind for each host: use other hostnames ResolvedRefs\nroute grpc-c: Accepted ResolvedRefs",
		},
		"OneKindIsOlder": {
			world{gateway: https, routes: map[string]string{"grpc-b": "{rules: [{" + to + "}]}", "web": "{rules: [{" + to + "}]}"}},
			"443 /* -> shop/web:80=1 GRPC\nlistener https: 1 routes\nroute grpc-b: Accepted ResolvedRefs\n" +
				"route web: Accepted=False NoMatchingListenerHostname: GRPCRoute shop/grpc-b is older and has a host in common with it, and a listener serves routes of one kind for each host: use other hostnames ResolvedRefs",
		},

		// What was served before.
		"KeptWhereUnsupported": {world{has: kept, routes: one("{retry: {attempts: 1}, " + to + "}")},
			"80 /old|/old/* -> arn:old\nlistener http: 0 routes\nroute web: Accepted=False UnsupportedValue: rule 0 cannot be served: an application load balancer does not retry: remove retry. Its rules stay as they were until that is corrected ResolvedRefs"},
		"KeptWhereServiceIsGone": {world{has: kept, routes: one("{backendRefs: [{name: missing, port: 80}]}")},
			"80 /old|/old/* -> arn:old\nlistener http: 1 routes\nroute web: Accepted ResolvedRefs=False BackendNotFound: rule 0, backendRefs[0]: there is no Service \"missing\" in namespace \"shop\"" +
				" PartiallyInvalid=True UnsupportedValue: rule 0, backendRefs[0]: there is no Service \"missing\" in namespace \"shop\". All rules of the route stay as they were until that is corrected"},
		"NotKeptWhereNotPermitted": {world{has: kept, routes: map[string]string{"web": "{rules: [{backendRefs: [{name: missing, port: 80}]}, {matches: [{path: {value: /b}}], backendRefs: [{name: web, namespace: other, port: 80}]}]}"}},
			"80 /b|/b/*|/* -> 500\nlistener http: 1 routes\nroute web: Accepted ResolvedRefs=False BackendNotFound: rule 0, backendRefs[0]: there is no Service \"missing\" in namespace \"shop\""},
		"NotKeptAmongOthers": {world{has: kept, routes: map[string]string{"api": "{rules: [{matches: [{path: {value: /old/api}}], backendRefs: [{name: api, port: 80}]}]}", "web": "{rules: [{retry: {attempts: 1}, " + to + "}]}"}},
			"80 /old/api|/old/api/* -> shop/api:80=1\n80 /old|/old/* -> arn:old\nlistener http: 1 routes\nroute api: Accepted ResolvedRefs\n" +
				"route web: Accepted=False UnsupportedValue: rule 0 cannot be served: an application load balancer does not retry: remove retry. Its rules stay as they were until that is corrected ResolvedRefs"},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(strings.Split(tc.want, "\n"), strings.Split(told(Read(tc.input(t))), "\n")); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestStatus: entries name the controller and the reference, and conditions the generation that they are about.
func TestStatus(t *testing.T) {
	result := Read(world{routes: map[string]string{"web": "{rules: [{" + to + "}]}"}}.input(t))
	p := result.Routes[0].Parents[0]
	if p.ControllerName != "podgate.dev/alb" || p.ParentRef.Name != "gw" || p.Conditions[0].ObservedGeneration != 7 {
		t.Errorf("the route's entry is %+v", p)
	}
	l := result.Listeners[0].Status
	if len(l.SupportedKinds) != 1 || l.SupportedKinds[0].Kind != "HTTPRoute" || *l.SupportedKinds[0].Group != gwv1.GroupName || l.Conditions[0].ObservedGeneration != 3 {
		t.Errorf("the listener's status is %+v", l)
	}
}

// TestHosts: certificates are for the hosts of a listener's routes, or for its own.
func TestHosts(t *testing.T) {
	w := world{
		gateway: "{listeners: [{name: a, port: 80, protocol: HTTP, hostname: '*.example.com'}, {name: b, port: 81, protocol: HTTP, hostname: b.com}, {name: c, port: 82, protocol: HTTP}]}",
		routes:  map[string]string{"web": "{hostnames: [x.example.com, y.example.com], parentRefs: [{name: gw, sectionName: a}], rules: [{" + to + "}]}", "all": "{parentRefs: [{name: gw, sectionName: c}], rules: [{" + to + "}]}"},
	}
	var got []string
	for _, l := range Read(w.input(t)).Listeners {
		got = append(got, strings.Join(l.Hosts, " "))
	}
	if diff := cmp.Diff([]string{"x.example.com y.example.com", "b.com", ""}, got); diff != "" {
		t.Error(diff)
	}
}

// TestGatewayPreserveForeignConditions: what others wrote stays, and times change with a condition's status alone.
func TestGatewayPreserveForeignConditions(t *testing.T) {
	then, now := metav1.NewTime(time.Unix(1, 0)), metav1.NewTime(time.Unix(2, 0))
	has := []metav1.Condition{{Type: "Theirs", Status: "True"}, {Type: "Accepted", Status: "True", Reason: "Old", LastTransitionTime: then}, {Type: "Programmed", Status: "False", LastTransitionTime: then}}
	got := SetConditions(has, []metav1.Condition{Condition("Accepted", true, "Accepted", "", 4), Condition("Programmed", true, "Programmed", "fine", 4)}, now)
	want := []metav1.Condition{
		{Type: "Theirs", Status: "True"},
		{Type: "Accepted", Status: "True", Reason: "Accepted", LastTransitionTime: then, ObservedGeneration: 4},
		{Type: "Programmed", Status: "True", Reason: "Programmed", Message: "fine", LastTransitionTime: now, ObservedGeneration: 4},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if has[1].Reason != "Old" {
		t.Error("it changed what it was given")
	}
}

// TestListeners: listeners that are gone have no status any more.
func TestListeners(t *testing.T) {
	then, now := metav1.NewTime(time.Unix(1, 0)), metav1.NewTime(time.Unix(2, 0))
	has := []gwv1.ListenerStatus{{Name: "a", Conditions: []metav1.Condition{{Type: "Accepted", Status: "True", LastTransitionTime: then}}}, {Name: "gone"}}
	got := SetListeners(has, []gwv1.ListenerStatus{{Name: "a", AttachedRoutes: 2, Conditions: []metav1.Condition{Condition("Accepted", true, "Accepted", "", 1)}}}, now)
	if len(got) != 1 || got[0].AttachedRoutes != 2 || got[0].Conditions[0].LastTransitionTime != then {
		t.Errorf("got %+v", got)
	}
}

// TestHTTPRoutePreserveForeignStatus: entries of other controllers and for other Gateways stay; those for a reference that is gone
// do not, nor does PartiallyInvalid when it is over.
func TestHTTPRoutePreserveForeignStatus(t *testing.T) {
	const ours = "podgate.dev/alb"
	gateway := &gwv1.Gateway{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "gw"}}
	section := gwv1.SectionName("http")
	of := &gwv1.HTTPRoute{ObjectMeta: metav1.ObjectMeta{Namespace: "shop"}}
	of.Status.Parents = []gwv1.RouteParentStatus{
		{ControllerName: "example.com/theirs", ParentRef: gwv1.ParentReference{Name: "gw"}},
		{ControllerName: ours, ParentRef: gwv1.ParentReference{Name: "gw", SectionName: &section}},
		{ControllerName: ours, ParentRef: gwv1.ParentReference{Name: "gw"}, Conditions: []metav1.Condition{{Type: "PartiallyInvalid", Status: "True"}, {Type: "Mine", Status: "True"}}},
		{ControllerName: ours, ParentRef: gwv1.ParentReference{Name: "other"}},
	}
	accepted := []metav1.Condition{Condition("Accepted", true, "Accepted", "", 1)}
	set := []gwv1.RouteParentStatus{
		{ControllerName: ours, ParentRef: gwv1.ParentReference{Name: "gw"}, Conditions: accepted}, {ControllerName: ours, ParentRef: gwv1.ParentReference{Name: "gw", Port: new(gwv1.PortNumber(80))}, Conditions: accepted},
	}

	var got []string
	for _, p := range SetParents(of, ours, gateway, set, metav1.Now()) {
		line := fmt.Sprintf("%s %s", p.ControllerName, p.ParentRef.Name)
		for _, c := range p.Conditions {
			line += " " + c.Type
		}
		got = append(got, line)
	}
	if diff := cmp.Diff([]string{"example.com/theirs gw", "podgate.dev/alb gw Mine Accepted", "podgate.dev/alb other", "podgate.dev/alb gw Accepted"}, got); diff != "" {
		t.Error(diff)
	}
	if left := SetParents(of, ours, gateway, nil, metav1.Now()); len(left) != 2 || left == nil {
		t.Errorf("of a Gateway that is gone, %d entries are left", len(left))
	}
}

// TestLaw15RoutesReachWhatTheyMay: a route that listeners do not let in has no rules, nor does one get at Services of a namespace that
// does not let it, and a listener with an option of TLS that is not served is not served.
func TestLaw15RoutesReachWhatTheyMay(t *testing.T) {
	backend := "{parentRefs: [{name: gw, namespace: shop}], rules: [{backendRefs: [{name: web, namespace: other, port: 80}]}]}"
	for name, tc := range map[string]struct {
		world
		want string
	}{
		"Namespace": {world{routes: map[string]string{"other/web": backend}}, ""},
		"Selector": {world{
			gateway: "{listeners: [{name: http, port: 80, protocol: HTTP, allowedRoutes: {namespaces: {from: Selector, selector: {matchLabels: {team: shop}}}}}]}", routes: map[string]string{"other/web": backend},
		}, ""},
		"NoGrant":      {world{routes: map[string]string{"web": backend}}, "500"},
		"GrantToOther": {world{routes: map[string]string{"web": backend}, grants: []string{"{from: [{group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: else}], to: [{group: '', kind: Service}]}"}}, "500"},
		"GrantOfOther": {world{routes: map[string]string{"web": backend}, grants: []string{"{from: [{group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: shop}], to: [{group: '', kind: Secret}]}"}}, "500"},
		"TLS": {world{
			gateway: "{listeners: [{name: https, port: 443, protocol: HTTPS, tls: {options: {example.com/minimum: '1.3', podgate.dev/certificate-arn: auto}}}]}", routes: map[string]string{"web": "{rules: [{" + to + "}]}"},
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, rules := range Read(tc.input(t)).Rules {
				for _, r := range rules {
					got = append(got, actionText(r.Action))
				}
			}
			if strings.Join(got, "\n") != tc.want {
				t.Errorf("the rules are %q", got)
			}
		})
	}
}
