// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package gatewayapi reads Gateways and routes of the Gateway API: which
// listeners can be served, which routes belong to them, in which order the rules
// of all routes apply, and what statuses say of it.
//
// A route that a load balancer cannot serve as it is written says so in its
// status, and changes nothing for other routes: the rules that it has stay.
//
// It refuses to know load balancers: what one can do it is told. It asks nobody
// and has no clock.
package gatewayapi

import (
	"cmp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	gwv1 "sigs.k8s.io/gateway-api/apis/v1"
	gwv1beta1 "sigs.k8s.io/gateway-api/apis/v1beta1"

	"github.com/podgate/podgate/internal/route"
)

// Input is a Gateway with all that concerns it.
type Input struct {
	// Controller is what the GatewayClass names, and whose entries in the statuses of routes are podgate's.
	Controller gwv1.GatewayController
	Gateway    *gwv1.Gateway
	// Routes are those that name the Gateway as a parent; others are ignored.
	Routes []Object
	Grants []*gwv1beta1.ReferenceGrant
	// Service returns a Service; nil: there is none.
	Service func(namespace, name string) *corev1.Service
	// Labels returns the labels of a namespace.
	Labels func(namespace string) map[string]string
	// Serve makes sure that there can be targets for a backend; the error says why there cannot, for people.
	Serve func(b route.Backend, service *corev1.Service) error
	// Has returns the rules that the load balancer has of an owner, by port. Where they forward, they name target groups.
	Has func(owner string) map[int32][]route.Rule
	// Can is what the load balancer can do.
	Can Abilities
}

// Abilities are what a load balancer can do.
type Abilities struct {
	// Name is what messages call it, such as "an application load balancer".
	Name string
	// Protocols are those of listeners that can be served.
	Protocols []gwv1.ProtocolType
	// GRPC are those of listeners that can forward gRPC.
	GRPC []gwv1.ProtocolType
	// Queries and Redirects: it matches parameters of the query, and sends clients elsewhere.
	Queries, Redirects bool
	// WildcardHosts: it has hosts such as *.example.com. Wildcards: in values * and ? are wildcards.
	WildcardHosts, Wildcards bool
	// NotInPaths are characters that a path cannot have.
	NotInPaths string
	// Value and HeaderName are how many characters a value or path and a header's name may have, and Headers how many headers one rule
	// may match; 0: any number.
	Value, HeaderName, Headers int
	// Limits are what one rule may consist of.
	Limits route.Limits
	// Rules, Backends and Weight are how many rules it may have, to how many backends one may forward, and the largest weight.
	Rules, Backends int
	Weight          int32
	// Excess says for people why it cannot have such rules, and whose those are; empty: it can. nil: only Rules counts.
	Excess func(rules map[int32][]route.Rule) (why string, owners []string)
}

// ALB is what an application load balancer can do, unless the account has other quotas.
var ALB = Abilities{
	Name: "an application load balancer", Protocols: []gwv1.ProtocolType{gwv1.HTTPProtocolType, gwv1.HTTPSProtocolType},
	GRPC: []gwv1.ProtocolType{gwv1.HTTPSProtocolType}, Queries: true, Redirects: true, WildcardHosts: true, Wildcards: true, NotInPaths: `()[]{}^|\`, Value: 128, HeaderName: 40,
	Limits: route.ALB, Rules: 100, Backends: 5, Weight: 999,
}

// Result is what was read.
type Result struct {
	// Listeners are all of the Gateway, in its order.
	Listeners []Listener
	// Rules are those of each port that has a usable listener, in the order in which they apply.
	Rules map[int32][]route.Rule
	// Routes are those that name the Gateway as a parent, and Problems what of them is not served as they ask for.
	Routes []Route
}

// Listener is a listener of a Gateway.
type Listener struct {
	gwv1.Listener
	// Usable: it can be served.
	Usable bool
	// Hosts are those of its routes, or its own.
	Hosts []string
	// Status has all conditions but Programmed, without times.
	Status gwv1.ListenerStatus

	// kinds are those of the routes that it takes, and taken are the routes with their hosts.
	kinds []gwv1.Kind
	taken []taking
}

// Route is a route of a Gateway.
type Route struct {
	Object
	// Parents are its entries for the Gateway, with conditions without times.
	Parents []gwv1.RouteParentStatus
	// Problem is why it is not served as it asks for; empty: it is.
	Problem string
	// Refused: it cannot be served as it is, and Held: the rules that it had stay.
	Refused, Held bool
}

// Owner is how rules name a route.
func Owner(r Object) string { return KindOf(r) + "/" + r.GetNamespace() + "/" + r.GetName() }

// Read reads a Gateway and its routes.
func Read(in Input) Result {
	r := &reader{Input: in}
	for i := range in.Gateway.Spec.Listeners {
		r.listeners = append(r.listeners, r.listener(in.Gateway.Spec.Listeners[i]))
	}
	r.findConflicts()

	for _, of := range in.Routes {
		if refs := r.refs(of); len(refs) > 0 {
			r.routes = append(r.routes, r.newMember(of, refs))
		}
	}
	slices.SortStableFunc(r.routes, func(a, b *member) int { return older(a.Object, b.Object) })
	for _, m := range r.routes {
		r.attachAll(m)
		r.compile(m)
	}

	rules := r.fit()
	result := Result{Rules: rules}
	for _, m := range r.routes {
		result.Routes = append(result.Routes, r.judge(m))
	}
	for _, l := range r.listeners {
		r.finish(l)
		result.Listeners = append(result.Listeners, *l)
	}
	return result
}

// reader reads one Gateway.
type reader struct {
	Input
	listeners []*Listener
	routes    []*member
}

// older orders routes by their age, and then by their names.
func older(a, b Object) int {
	return cmp.Or(a.GetCreationTimestamp().Compare(b.GetCreationTimestamp().Time), cmp.Compare(a.GetNamespace(), b.GetNamespace()), cmp.Compare(a.GetName(), b.GetName()))
}

// text is what a pointer to a text points at, or if it is nil another text.
func text[T ~string](of *T, otherwise string) string {
	if of == nil {
		return otherwise
	}
	return string(*of)
}

// intersect returns the hosts that two patterns have in common. An empty one is every host.
func intersect(a, b string) (string, bool) {
	switch {
	case a == b, b == "":
		return a, true
	case a == "":
		return b, true
	case under(a, b):
		return a, true
	case under(b, a):
		return b, true
	}
	return "", false
}

// under reports whether a host is one of those that a pattern with a wildcard has.
func under(host, pattern string) bool {
	suffix, wildcard := strings.CutPrefix(pattern, "*")
	return wildcard && strings.HasSuffix(host, suffix)
}
