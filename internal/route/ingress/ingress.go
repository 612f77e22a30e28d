// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package ingress makes load balancers from Ingresses and Services: Build
// returns the one of a group of Ingresses. Annotations, names, tags and the
// order of rules are AWS Load Balancer Controller's.
//
// Unlike there, an Ingress that cannot be served changes nothing for the
// others of its group. Nothing in an Ingress is without effect silently, and
// what limits access is served, or else the Ingress is not.
//
// It asks nobody: what it needs it is given.
package ingress

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/route"
)

// The rules of an Ingress are in the order in which they are written, and in each of them exact paths come first, then the
// longest prefix.

// services returns a Service of the Ingress's namespace by its name; nil: there is none.
type services func(name string) *corev1.Service

// readRules reads the rules of a member, and what becomes of requests that none of them matches.
func (m *member) readRules(services services) {
	for _, r := range m.Ingress.Spec.Rules {
		var hosts []string
		if r.Host != "" {
			hosts = []string{r.Host}
		}
		if r.HTTP != nil {
			for _, p := range ordered(r.HTTP.Paths) {
				m.addRule(hosts, p, services)
			}
		}
	}

	if b := m.Ingress.Spec.DefaultBackend; b != nil {
		if action, ok := m.action("the default backend", *b, services); ok {
			m.otherwise = &action
		}
	}
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

func (m *member) addRule(hosts []string, p networkingv1.HTTPIngressPath, services services) {
	conditions := m.conditions(p.Backend)
	paths, ok := m.patterns(len(hosts) == 0 && conditions == nil, p)
	if !ok {
		return
	}
	action, ok := m.action(pathName(p), p.Backend, services)
	if !ok {
		return
	}

	match := route.Match{Hosts: hosts, Paths: paths}
	if conditions != nil {
		match = join(match, *conditions)
	}
	m.rules = append(m.rules, route.Rule{Owner: m.Owner, Match: match, Action: action})
}

func pathName(p networkingv1.HTTPIngressPath) string { return fmt.Sprintf("path %q", p.Path) }

// conditions are what requests for a backend have to be like besides, by an annotation with its name; nil: there is none.
func (m *member) conditions(backend networkingv1.IngressBackend) *route.Match {
	if backend.Service == nil {
		return nil
	}
	name := "conditions." + backend.Service.Name
	text, ok := m.own.Values[name]
	if !ok {
		return nil
	}

	match, err := parseConditions(text)
	if err != nil {
		m.Refuse(v1alpha1.ReasonInvalidAnnotation, "annotation %s cannot be read: %v", name, err)
	}
	return &match
}

// notInPaths are characters of regular expressions that AWS refuses in the pattern of a path, and maxPath is how long a path may be
// so that its pattern has at most the 128 characters that AWS allows.
const (
	notInPaths = `()[]{}^|\`
	maxPath    = 126
)

// patterns are those of a path. A prefix ends at a slash; elsewhere * and ? are wildcards only where the type is
// ImplementationSpecific. A rule needs one where it has nothing else.
func (m *member) patterns(alone bool, p networkingv1.HTTPIngressPath) ([]string, bool) {
	kind := typeOf(p)
	if strings.ContainsAny(p.Path, notInPaths) {
		m.Partial(v1alpha1.ReasonPathNotServed, "path %q has one of the characters %s, which a load balancer does not match: regular expressions are not served, and * and ? are the only wildcards", p.Path, notInPaths)
		return nil, false
	}
	if len(p.Path) > maxPath {
		m.Partial(v1alpha1.ReasonPathNotServed, "path %q has %d characters, and a load balancer matches %d: shorten it", p.Path, len(p.Path), maxPath)
		return nil, false
	}
	if kind == networkingv1.PathTypeImplementationSpecific {
		if p.Path == "" && !alone {
			return nil, true
		}
		return []string{cmp.Or(p.Path, "/*")}, true
	}

	if strings.ContainsAny(p.Path, "*?") {
		m.Partial(v1alpha1.ReasonPathNotServed, "path %q has a wildcard, which its pathType %s does not allow: use ImplementationSpecific", p.Path, kind)
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

// action is what becomes of requests for a backend.
func (m *member) action(what string, backend networkingv1.IngressBackend, services services) (route.Action, bool) {
	if backend.Service == nil {
		m.Partial(v1alpha1.ReasonPathNotServed, "%s has a backend that is not a Service: name a Service and its port", what)
		return route.Action{}, false
	}

	port := portName(backend.Service.Port)
	if port == useAnnotation {
		return m.annotatedAction(what, backend.Service.Name, services)
	}
	action := route.Action{Backends: []route.Backend{{Namespace: m.Ingress.Namespace, Service: backend.Service.Name, Port: port, Weight: 1}}}
	return m.there(what, action, services)
}

// annotatedAction is what the annotation with the name of a backend says.
func (m *member) annotatedAction(what, name string, services services) (route.Action, bool) {
	text, ok := m.own.Values["actions."+name]
	if !ok {
		m.Partial(v1alpha1.ReasonPathNotServed, "%s answers 503: there is no annotation actions.%s", what, name)
		return missingAction, true
	}

	action, err := parseAction(text, m.Ingress.Namespace, m.targetGroup)
	if err != nil {
		m.Refuse(v1alpha1.ReasonInvalidAnnotation, "annotation actions.%s cannot be read: %v", name, err)
		return route.Action{}, false
	}
	return m.there(what, action, services)
}

// there is an action whose Services and ports exist. A Service that is missing answers 503 until it is there, unless there are
// others, or it was there before: its pods may go on serving while it is made again. A port that is missing has no rule, since
// only the Ingress or the Service can be wrong.
func (m *member) there(what string, action route.Action, services services) (route.Action, bool) {
	for _, b := range action.Backends {
		if b.Group != "" {
			continue
		}

		service := services(b.Service)
		switch {
		case service == nil && len(action.Backends) == 1 && !m.serves(action):
			m.Partial(v1alpha1.ReasonPathNotServed, "%s answers 503: there is no Service %q", what, b.Service)
			return missing, true
		case service == nil:
			m.lacks(action, "%s is not served: there is no Service %q", what, b.Service)
			return route.Action{}, false
		}
		if _, ok := servicePort(service, b.Port); !ok {
			m.lacks(action, "%s is not served: Service %q has no port %q", what, b.Service, b.Port)
			return route.Action{}, false
		}
	}
	return action, true
}

// lacks tells that an action cannot be served as it is written. Where it was served before, the Ingress is refused, so that its
// rules stay: a Service is often written a moment before the Ingress that names it.
func (m *member) lacks(action route.Action, format string, args ...any) {
	if m.serves(action) {
		m.Refuse(v1alpha1.ReasonPathNotServed, format+": all rules that the Ingress has stay until that is corrected", args...)
		return
	}
	m.Partial(v1alpha1.ReasonPathNotServed, format, args...)
}

// serves reports whether an action was served before.
func (m *member) serves(action route.Action) bool {
	return m.served && slices.ContainsFunc(m.groupsOf(action), func(resource string) bool { return m.had[resource] })
}

// portName is a port as the Ingress writes it.
func portName(p networkingv1.ServiceBackendPort) string {
	return cmp.Or(p.Name, strconv.Itoa(int(p.Number)))
}
