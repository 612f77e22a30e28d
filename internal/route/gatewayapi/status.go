// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package gatewayapi

import (
	"reflect"
	"slices"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gwv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// SetConditions returns conditions with others set, which count from now on where they changed. Those of other types stay.
func SetConditions(has, set []metav1.Condition, now metav1.Time) []metav1.Condition {
	list := slices.Clone(has)
	for _, c := range set {
		c.LastTransitionTime = now
		meta.SetStatusCondition(&list, c)
	}
	return list
}

// SetListeners returns the statuses of listeners with those that are set, and no others.
func SetListeners(has, set []gwv1.ListenerStatus, now metav1.Time) []gwv1.ListenerStatus {
	list := []gwv1.ListenerStatus{}
	for _, l := range set {
		var before []metav1.Condition
		if i := slices.IndexFunc(has, func(of gwv1.ListenerStatus) bool { return of.Name == l.Name }); i >= 0 {
			before = has[i].Conditions
		}
		l.Conditions = SetConditions(before, l.Conditions, now)
		list = append(list, l)
	}
	return list
}

// SetParents returns a route's entries for its parents with those for a Gateway set, in the order that they have. Entries for the
// Gateway that are not set any more go; those of other controllers and for other parents stay.
func SetParents(of Object, controller gwv1.GatewayController, gateway *gwv1.Gateway, set []gwv1.RouteParentStatus, now metav1.Time) []gwv1.RouteParentStatus {
	list, left := []gwv1.RouteParentStatus{}, slices.Clone(set)
	for _, p := range StatusOf(of).Parents {
		if p.ControllerName != controller || !Names(p.ParentRef, of.GetNamespace(), gateway) {
			list = append(list, p)
			continue
		}
		if i := slices.IndexFunc(left, func(s gwv1.RouteParentStatus) bool { return reflect.DeepEqual(s.ParentRef, p.ParentRef) }); i >= 0 {
			list = append(list, setParent(p.Conditions, left[i], now))
			left = slices.Delete(left, i, i+1)
		}
	}
	for _, p := range left {
		list = append(list, setParent(nil, p, now))
	}
	return list
}

// setParent is an entry with its conditions set. PartiallyInvalid goes when it is over.
func setParent(has []metav1.Condition, p gwv1.RouteParentStatus, now metav1.Time) gwv1.RouteParentStatus {
	has = slices.DeleteFunc(slices.Clone(has), func(c metav1.Condition) bool {
		return c.Type == string(gwv1.RouteConditionPartiallyInvalid) && meta.FindStatusCondition(p.Conditions, c.Type) == nil
	})
	p.Conditions = SetConditions(has, p.Conditions, now)
	return p
}

// Condition is one without times.
func Condition(kind string, ok bool, reason, message string, generation int64) metav1.Condition {
	status := metav1.ConditionFalse
	if ok {
		status = metav1.ConditionTrue
	}
	return metav1.Condition{Type: kind, Status: status, Reason: reason, Message: message, ObservedGeneration: generation}
}

// SupportedFeatures are what conformance tests may ask of an application load balancer. Of HTTPRoute, filters that change headers
// are missing, which such a load balancer does not have.
var SupportedFeatures = []gwv1.SupportedFeature{
	{Name: "Gateway"}, {Name: "GatewayPort8080"}, {Name: "HTTPRoute"}, {Name: "HTTPRouteDestinationPortMatching"}, {Name: "HTTPRouteMethodMatching"},
	{Name: "HTTPRouteParentRefPort"}, {Name: "HTTPRoutePortRedirect"}, {Name: "HTTPRouteQueryParamMatching"}, {Name: "HTTPRouteSchemeRedirect"}, {Name: "ReferenceGrant"},
}
