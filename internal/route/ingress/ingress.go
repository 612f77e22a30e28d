// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package ingress makes rules from Ingresses and Services, in the order that
// AWS Load Balancer Controller gives them: members of a group one after the
// other, their rules as written, and in a rule exact paths first, then the
// longest prefix.
//
// It refuses to read annotations, and asks nobody: what it needs it is given.
package ingress

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"

	"github.com/podgate/podgate/internal/route"
)

// Problem is why a path of an Ingress has no rule. It concerns that path alone.
type Problem struct {
	// Owner is the Ingress, as namespace/name.
	Owner string
	// Message is for people, and says what to do.
	Message string
}

// Rules returns the rules of one Ingress, and what could not be served. services returns a Service of the Ingress's
// namespace by its name; nil: there is none.
func Rules(of *networkingv1.Ingress, services func(name string) *corev1.Service) ([]route.Rule, []Problem) {
	b := &builder{owner: of.Namespace + "/" + of.Name, namespace: of.Namespace, services: services}
	for _, r := range of.Spec.Rules {
		hosts := []string{}
		if r.Host != "" {
			hosts = append(hosts, r.Host)
		}
		if r.HTTP != nil {
			for _, p := range ordered(r.HTTP.Paths) {
				b.add(hosts, p)
			}
		}
	}
	return b.rules, b.problems
}

// Default returns what becomes of requests that no rule of an Ingress matches; false: the Ingress does not say.
func Default(of *networkingv1.Ingress, services func(name string) *corev1.Service) (route.Action, []Problem, bool) {
	if of.Spec.DefaultBackend == nil {
		return route.Action{}, nil, false
	}
	b := &builder{owner: of.Namespace + "/" + of.Name, namespace: of.Namespace, services: services}
	action, ok := b.action("the default backend", *of.Spec.DefaultBackend)
	return action, b.problems, ok
}

// ordered are the paths of a rule in the order in which they apply: exact ones, then the longest prefix, then the
// others as they are written.
func ordered(paths []networkingv1.HTTPIngressPath) []networkingv1.HTTPIngressPath {
	rank := func(p networkingv1.HTTPIngressPath) int {
		switch typeOf(p) {
		case networkingv1.PathTypeExact:
			return 0
		case networkingv1.PathTypePrefix:
			return 1
		}
		return 2
	}

	list := slices.Clone(paths)
	slices.SortStableFunc(list, func(a, b networkingv1.HTTPIngressPath) int {
		if order := cmp.Compare(rank(a), rank(b)); order != 0 || rank(a) != 1 {
			return order
		}
		return cmp.Compare(len(b.Path), len(a.Path))
	})
	return list
}

func typeOf(p networkingv1.HTTPIngressPath) networkingv1.PathType {
	if p.PathType == nil {
		return networkingv1.PathTypeImplementationSpecific
	}
	return *p.PathType
}

// builder collects the rules of one Ingress.
type builder struct {
	owner, namespace string
	services         func(name string) *corev1.Service

	rules    []route.Rule
	problems []Problem
}

func (b *builder) problem(format string, args ...any) {
	b.problems = append(b.problems, Problem{b.owner, fmt.Sprintf(format, args...)})
}

func (b *builder) add(hosts []string, p networkingv1.HTTPIngressPath) {
	paths, ok := b.patterns(hosts, p)
	if !ok {
		return
	}
	if action, ok := b.action(fmt.Sprintf("path %q", p.Path), p.Backend); ok {
		b.rules = append(b.rules, route.Rule{Owner: b.owner, Match: route.Match{Hosts: hosts, Paths: paths}, Action: action})
	}
}

// patterns are those of a path. A prefix ends at a slash; elsewhere * and ? are wildcards only where the type is
// ImplementationSpecific.
func (b *builder) patterns(hosts []string, p networkingv1.HTTPIngressPath) ([]string, bool) {
	kind := typeOf(p)
	if kind == networkingv1.PathTypeImplementationSpecific {
		if p.Path == "" && len(hosts) > 0 {
			return nil, true
		}
		return []string{cmp.Or(p.Path, "/*")}, true
	}

	if strings.ContainsAny(p.Path, "*?") {
		b.problem("path %q has a wildcard, which its pathType %s does not allow: use ImplementationSpecific", p.Path, kind)
		return nil, false
	}
	if kind == networkingv1.PathTypeExact {
		return []string{p.Path}, true
	}

	prefix := strings.TrimSuffix(p.Path, "/")
	if prefix == "" {
		return []string{"/*"}, true
	}
	return []string{prefix, prefix + "/*"}, true
}

// missing is the answer where the Service is not there, in AWS Load Balancer Controller's words.
var missing = route.Action{Answer: &route.Answer{Status: 503, ContentType: "text/plain", Body: "Backend service does not exist"}}

// action is what becomes of requests for a backend. A Service that is missing answers 503 until it is there; a port that
// is missing has no rule, since only the Ingress or the Service can be wrong.
func (b *builder) action(what string, backend networkingv1.IngressBackend) (route.Action, bool) {
	if backend.Service == nil {
		b.problem("%s has a backend that is not a Service: name a Service and its port", what)
		return route.Action{}, false
	}

	service := b.services(backend.Service.Name)
	if service == nil {
		b.problem("%s answers 503: there is no Service %q", what, backend.Service.Name)
		return missing, true
	}

	port := backend.Service.Port
	if !slices.ContainsFunc(service.Spec.Ports, func(p corev1.ServicePort) bool {
		return port.Name != "" && p.Name == port.Name || port.Name == "" && p.Port == port.Number
	}) {
		b.problem("%s is not served: Service %q has no port %q", what, backend.Service.Name, portName(port))
		return route.Action{}, false
	}

	return route.Action{Backends: []route.Backend{{Namespace: b.namespace, Service: backend.Service.Name, Port: portName(port), Weight: 1}}}, true
}

// portName is a port as the Ingress writes it.
func portName(p networkingv1.ServiceBackendPort) string {
	return cmp.Or(p.Name, strconv.Itoa(int(p.Number)))
}
