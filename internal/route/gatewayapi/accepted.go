// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package gatewayapi

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gwv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/route/annotation"
)

// Unserved says what of a Gateway's spec is not served and would be missed; empty: nothing.
func Unserved(of *gwv1.Gateway) (gwv1.GatewayConditionReason, string) {
	spec := of.Spec
	switch {
	case spec.TLS != nil:
		return gwv1.GatewayReasonInvalid, "spec.tls is not served, and without it the Gateway would be served more openly than it asks for: remove it"
	case len(spec.Addresses) > 0:
		return gwv1.GatewayReasonUnsupportedAddress, "spec.addresses cannot be chosen: AWS gives a load balancer its addresses"
	case spec.Infrastructure != nil && spec.Infrastructure.ParametersRef != nil:
		return gwv1.GatewayReasonInvalidParameters, "spec.infrastructure.parametersRef is not served: use annotations"
	}
	return "", ""
}

// Accepted is a Gateway's condition of that type. With a message it is not accepted, else it depends on its listeners.
func Accepted(of *gwv1.Gateway, listeners []Listener, reason gwv1.GatewayConditionReason, message string) metav1.Condition {
	condition := func(ok bool, reason gwv1.GatewayConditionReason, message string) metav1.Condition {
		return Condition(string(gwv1.GatewayConditionAccepted), ok, string(reason), message, of.Generation)
	}
	if message != "" {
		return condition(false, reason, message)
	}

	usable := 0
	for _, l := range listeners {
		if l.Usable {
			usable++
		}
	}
	switch usable {
	case len(listeners):
		return condition(true, gwv1.GatewayReasonAccepted, "")
	case 0:
		return condition(false, gwv1.GatewayReasonListenersNotValid, "no listener can be served: see their conditions")
	}
	return condition(true, gwv1.GatewayReasonListenersNotValid, "some listeners cannot be served: see their conditions")
}

// Problems are those of the routes.
func (r Result) Problems() []annotation.Problem {
	var list []annotation.Problem
	for _, of := range r.Routes {
		if of.Problem == "" {
			continue
		}
		problem := annotation.Problem{Owner: Owner(of.Object), Severity: annotation.Partial, Reason: v1alpha1.ReasonRouteNotServed, Message: of.Problem}
		if of.Refused {
			problem.Severity = annotation.Refused
		}
		list = append(list, problem)
	}
	return list
}
