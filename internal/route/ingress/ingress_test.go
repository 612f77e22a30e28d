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

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/route"
)

// path is a path with a type, for a backend such as web:80 or web:http; without a type the last argument is empty.
func path(path, backend, kind string) networkingv1.HTTPIngressPath {
	p := networkingv1.HTTPIngressPath{Path: path, Backend: to(backend)}
	if kind != "" {
		p.PathType = new(networkingv1.PathType(kind))
	}
	return p
}

func to(backend string) networkingv1.IngressBackend {
	name, port, _ := strings.Cut(backend, ":")
	b := networkingv1.IngressBackend{Service: &networkingv1.IngressServiceBackend{Name: name, Port: networkingv1.ServiceBackendPort{Name: port}}}
	if port == "80" || port == "81" {
		b.Service.Port = networkingv1.ServiceBackendPort{}
		_, _ = fmt.Sscan(port, &b.Service.Port.Number) // it is one of the two
	}
	return b
}

func rule(host string, paths ...networkingv1.HTTPIngressPath) networkingv1.IngressRule {
	return networkingv1.IngressRule{Host: host, IngressRuleValue: networkingv1.IngressRuleValue{HTTP: &networkingv1.HTTPIngressRuleValue{Paths: paths}}}
}

func with(rules ...networkingv1.IngressRule) *networkingv1.Ingress {
	return &networkingv1.Ingress{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web"}, Spec: networkingv1.IngressSpec{Rules: rules}}
}

// shop has the Services web and api, each with the ports 80, which is named http, and 8443, which has no name.
func shop(name string) *corev1.Service {
	if name != "web" && name != "api" {
		return nil
	}
	return &corev1.Service{Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{{Name: "http", Port: 80}, {Port: 8443}}}}
}

// lines are rules, each in a line.
func lines(rules []route.Rule) []string {
	list := []string{}
	for _, r := range rules {
		to := "nothing"
		if a := r.Action.Answer; a != nil {
			to = fmt.Sprint(a.Status, " ", a.Body)
		}
		for _, b := range r.Action.Backends {
			to = fmt.Sprintf("%s/%s:%s*%d", b.Namespace, b.Service, b.Port, b.Weight)
		}
		list = append(list, fmt.Sprintf("%s %s -> %s", r.Match.Hosts, r.Match.Paths, to))
	}
	return list
}

func TestRules(t *testing.T) {
	const exact, prefix, specific = "Exact", "Prefix", "ImplementationSpecific"
	resource := path("/r", "web:80", prefix)
	resource.Backend = networkingv1.IngressBackend{Resource: &corev1.TypedLocalObjectReference{Kind: "Bucket", Name: "b"}}

	cases := map[string]struct {
		reason   string
		ingress  *networkingv1.Ingress
		want     []string
		problems []string
	}{
		"Empty":         {reason: "an Ingress without rules has none", ingress: with()},
		"NoPaths":       {reason: "nor has a rule without paths", ingress: with(networkingv1.IngressRule{Host: "a"})},
		"Root":          {reason: "the prefix / is every path", ingress: with(rule("", path("/", "web:80", prefix))), want: []string{"[] [/*] -> shop/web:80*1"}},
		"Prefix":        {reason: "a prefix ends at a slash", ingress: with(rule("a", path("/foo", "web:80", prefix))), want: []string{"[a] [/foo /foo/*] -> shop/web:80*1"}},
		"PrefixSlash":   {reason: "with or without one", ingress: with(rule("a", path("/foo/", "web:80", prefix))), want: []string{"[a] [/foo /foo/*] -> shop/web:80*1"}},
		"Exact":         {reason: "an exact path is itself, slash and all", ingress: with(rule("a", path("/foo/", "web:80", exact))), want: []string{"[a] [/foo/] -> shop/web:80*1"}},
		"Specific":      {reason: "an unspecific path is a pattern", ingress: with(rule("", path("/*", "web:80", specific), path("/", "web:80", ""))), want: []string{"[] [/*] -> shop/web:80*1", "[] [/] -> shop/web:80*1"}},
		"HostAlone":     {reason: "a host without a path is every path", ingress: with(rule("a", path("", "web:80", specific))), want: []string{"[a] [] -> shop/web:80*1"}},
		"Nothing":       {reason: "neither is every request", ingress: with(rule("", path("", "web:80", ""))), want: []string{"[] [/*] -> shop/web:80*1"}},
		"Named":         {reason: "a port is as it is written", ingress: with(rule("", path("/", "web:http", prefix))), want: []string{"[] [/*] -> shop/web:http*1"}},
		"WildcardHost":  {reason: "a host is as it is written", ingress: with(rule("*.a", path("/", "web:80", prefix))), want: []string{"[*.a] [/*] -> shop/web:80*1"}},
		"WildcardPath":  {reason: "a wildcard in a prefix is a mistake, of this path alone", ingress: with(rule("", path("/*", "web:80", prefix), path("/a?", "web:80", exact), path("/b", "web:80", exact))), want: []string{"[] [/b] -> shop/web:80*1"}, problems: []string{`path "/a?" has a wildcard, which its pathType Exact does not allow: use ImplementationSpecific`, `path "/*" has a wildcard, which its pathType Prefix does not allow: use ImplementationSpecific`}},
		"Regex":         {reason: "what only a regular expression has is refused at AWS", ingress: with(rule("", path("/(a|b)", "web:80", ""), path("/b", "web:80", exact))), want: []string{"[] [/b] -> shop/web:80*1"}, problems: []string{`path "/(a|b)" has one of the characters ()[]{}^|\, which a load balancer does not match: regular expressions are not served, and * and ? are the only wildcards`}},
		"Long":          {reason: "and what is longer than a pattern", ingress: with(rule("", path("/"+strings.Repeat("a", 126), "web:80", ""), path("/"+strings.Repeat("b", 125), "web:80", ""))), want: []string{"[] [/" + strings.Repeat("b", 125) + "] -> shop/web:80*1"}, problems: []string{`path "/` + strings.Repeat("a", 126) + `" has 127 characters, and a load balancer matches 126: shorten it`}},
		"NoService":     {reason: "a Service that is missing answers", ingress: with(rule("", path("/", "gone:80", prefix))), want: []string{"[] [/*] -> 503 Backend service does not exist"}, problems: []string{`path "/" answers 503: there is no Service "gone"`}},
		"NoPort":        {reason: "a port that is missing has no rule", ingress: with(rule("", path("/", "web:81", prefix), path("/a", "web:https", exact))), problems: []string{`path "/a" is not served: Service "web" has no port "https"`, `path "/" is not served: Service "web" has no port "81"`}},
		"NotAService":   {reason: "a backend that is none", ingress: with(rule("", resource)), problems: []string{`path "/r" has a backend that is not a Service: name a Service and its port`}},
		"RulesAsWriten": {reason: "rules keep their order, whatever their hosts", ingress: with(rule("b", path("/", "web:80", prefix)), rule("a", path("/x", "api:80", exact))), want: []string{"[b] [/*] -> shop/web:80*1", "[a] [/x] -> shop/api:80*1"}},
		"PathsSorted": {
			reason: "exact paths are first, then the longest prefix, then the others as written",
			ingress: with(rule("a", path("/s2", "web:80", specific), path("/p", "web:80", prefix), path("/s1/long", "web:80", ""), path("/e2", "web:80", exact), path("/p/long", "web:80", prefix),
				path("/q", "web:80", prefix), path("/e1/long", "web:80", exact))),
			want: []string{
				"[a] [/e2] -> shop/web:80*1", "[a] [/e1/long] -> shop/web:80*1", "[a] [/p/long /p/long/*] -> shop/web:80*1", "[a] [/p /p/*] -> shop/web:80*1",
				"[a] [/q /q/*] -> shop/web:80*1", "[a] [/s2] -> shop/web:80*1", "[a] [/s1/long] -> shop/web:80*1",
			},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			before := tc.ingress.DeepCopy()
			m := newMember(Member{Ingress: tc.ingress}, nil)
			m.readRules(shop)
			if diff := cmp.Diff(append([]string{}, tc.want...), lines(m.rules)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}

			var messages []string
			for _, p := range m.List {
				messages = append(messages, p.Message)
				if p.Owner != "shop/web" || p.Severity != Partial || p.Reason != v1alpha1.ReasonPathNotServed {
					t.Errorf("problem %v", p)
				}
			}
			if diff := cmp.Diff(tc.problems, messages); diff != "" {
				t.Errorf("%s: problems (-want +got):\n%s", tc.reason, diff)
			}
			for _, r := range m.rules {
				if r.Owner != "shop/web" {
					t.Errorf("rule of %s", r.Owner)
				}
			}
			if diff := cmp.Diff(before, tc.ingress); diff != "" {
				t.Errorf("the Ingress was changed (-before +after):\n%s", diff)
			}
		})
	}
}

func TestDefaultBackend(t *testing.T) {
	backend := func(b networkingv1.IngressBackend) *networkingv1.Ingress {
		of := with()
		of.Spec.DefaultBackend = &b
		return of
	}
	cases := map[string]struct {
		reason   string
		ingress  *networkingv1.Ingress
		want     []string
		problems int
	}{
		"None":   {reason: "the Ingress says nothing", ingress: with()},
		"There":  {reason: "a Service", ingress: backend(to("web:80")), want: []string{"[] [] -> shop/web:80*1"}},
		"Gone":   {reason: "a Service that is missing answers", ingress: backend(to("gone:80")), want: []string{"[] [] -> 503 Backend service does not exist"}, problems: 1},
		"NoPort": {reason: "a port that is missing is a mistake", ingress: backend(to("web:81")), problems: 1},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			m := newMember(Member{Ingress: tc.ingress}, nil)
			m.readRules(shop)
			var got []string
			if m.otherwise != nil {
				got = lines([]route.Rule{{Action: *m.otherwise}})
			}
			if diff := cmp.Diff(tc.want, got); diff != "" || len(m.List) != tc.problems {
				t.Errorf("%s: %v (-want +got):\n%s", tc.reason, m.List, diff)
			}
		})
	}
}
