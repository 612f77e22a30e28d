// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package gatewayapi

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	gwv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// Kinds of routes.
const (
	httpRoute = "HTTPRoute"
	grpcRoute = "GRPCRoute"
)

// Object is an HTTPRoute or a GRPCRoute.
type Object interface {
	metav1.Object
	runtime.Object
}

// KindOf is the kind of a route; empty: it is none that is read.
func KindOf(o any) string {
	switch o.(type) {
	case *gwv1.HTTPRoute:
		return httpRoute
	case *gwv1.GRPCRoute:
		return grpcRoute
	}
	return ""
}

// ParentsOf are the references of a route to its parents, and StatusOf is what its status says.
func ParentsOf(o Object) []gwv1.ParentReference {
	switch o := o.(type) {
	case *gwv1.HTTPRoute:
		return o.Spec.ParentRefs
	case *gwv1.GRPCRoute:
		return o.Spec.ParentRefs
	}
	return nil
}

// StatusOf is the status of a route; nil: it is none that is read.
func StatusOf(o Object) *gwv1.RouteStatus {
	switch o := o.(type) {
	case *gwv1.HTTPRoute:
		return &o.Status.RouteStatus
	case *gwv1.GRPCRoute:
		return &o.Status.RouteStatus
	}
	return nil
}

// BackendsOf are the references of all rules of a route to their backends.
func BackendsOf(o Object) []gwv1.BackendRef {
	var refs []gwv1.BackendRef
	for _, rule := range rulesOf(o) {
		for _, b := range rule.backends {
			refs = append(refs, b.BackendRef)
		}
	}
	return refs
}

// HostnamesOf are the hosts of a route.
func HostnamesOf(o Object) []gwv1.Hostname {
	switch o := o.(type) {
	case *gwv1.HTTPRoute:
		return o.Spec.Hostnames
	case *gwv1.GRPCRoute:
		return o.Spec.Hostnames
	}
	return nil
}

// rule is a rule of a route of any kind.
type rule struct {
	http     []gwv1.HTTPRouteMatch
	grpc     []gwv1.GRPCRouteMatch
	backends []backendRef
	// filters are the types of its filters, and redirect is that of the first one; nil: it is another one.
	filters                     []string
	redirect                    *gwv1.HTTPRequestRedirectFilter
	timeouts, retries, sessions bool
}

// backendRef is a reference to a backend, which may have filters.
type backendRef struct {
	gwv1.BackendRef
	filters int
}

// rulesOf are the rules of a route.
func rulesOf(o Object) []rule {
	var rules []rule
	switch o := o.(type) {
	case *gwv1.HTTPRoute:
		for _, of := range o.Spec.Rules {
			r := rule{http: of.Matches, timeouts: of.Timeouts != nil, retries: of.Retry != nil, sessions: of.SessionPersistence != nil}
			if len(of.Matches) == 0 {
				r.http = []gwv1.HTTPRouteMatch{{}}
			}
			for _, b := range of.BackendRefs {
				r.backends = append(r.backends, backendRef{b.BackendRef, len(b.Filters)})
			}
			for i, f := range of.Filters {
				r.filters = append(r.filters, string(f.Type))
				if i == 0 {
					r.redirect = f.RequestRedirect
				}
			}
			rules = append(rules, r)
		}
	case *gwv1.GRPCRoute:
		for _, of := range o.Spec.Rules {
			r := rule{grpc: of.Matches, sessions: of.SessionPersistence != nil}
			if len(of.Matches) == 0 {
				r.grpc = []gwv1.GRPCRouteMatch{{}}
			}
			for _, b := range of.BackendRefs {
				r.backends = append(r.backends, backendRef{b.BackendRef, len(b.Filters)})
			}
			for _, f := range of.Filters {
				r.filters = append(r.filters, string(f.Type))
			}
			rules = append(rules, r)
		}
	}
	return rules
}
