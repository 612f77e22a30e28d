// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package ingress

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gwv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/provision/elb"
	"github.com/podgate/podgate/internal/route/gatewayapi"
)

// conclude writes what the statuses of a Gateway and of its routes say besides the load balancer's name. Of a Gateway that is on its
// way out, those of its routes say nothing any more.
func (k gateways) conclude(ctx context.Context, p *pass) error {
	var errs []error
	for _, m := range p.members {
		switch o := m.Object.(type) {
		case *gwv1.Gateway:
			if p.made.gateway != nil && m.class.Refused == "" {
				errs = append(errs, k.tellGateway(ctx, p, o))
			}
		case *gwv1.HTTPRoute, *gwv1.GRPCRoute:
			errs = append(errs, k.tellRoute(ctx, p, o))
		}
	}
	return errors.Join(errs...)
}

// tellGateway writes the conditions of a Gateway and of its listeners.
func (k gateways) tellGateway(ctx context.Context, p *pass, of *gwv1.Gateway) error {
	before, now := of.DeepCopy(), metav1.NewTime(k.now())
	programmed := p.programmed(of)
	of.Status.Conditions = gatewayapi.SetConditions(of.Status.Conditions, []metav1.Condition{p.made.gateway.Accepted, programmed}, now)

	var listeners []gwv1.ListenerStatus
	for _, l := range p.made.gateway.Listeners {
		status := l.Status
		status.Conditions = append(slices.Clone(status.Conditions), p.listens(of, l))
		listeners = append(listeners, status)
	}
	of.Status.Listeners = gatewayapi.SetListeners(of.Status.Listeners, listeners, now)

	if reflect.DeepEqual(before.Status, of.Status) {
		return nil
	}
	if err := k.client.Status().Patch(ctx, of, client.MergeFrom(before)); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("write the status of Gateway %s/%s: %w", of.Namespace, of.Name, err)
	}
	return nil
}

// programmed is the condition that says whether a Gateway's load balancer serves.
func (p *pass) programmed(of *gwv1.Gateway) metav1.Condition {
	condition := func(ok bool, reason gwv1.GatewayConditionReason, message string) metav1.Condition {
		return gatewayapi.Condition(string(gwv1.GatewayConditionProgrammed), ok, string(reason), message, of.Generation)
	}
	if a := p.made.gateway.Accepted; a.Status == metav1.ConditionFalse {
		return condition(false, gwv1.GatewayReasonInvalid, a.Message)
	}
	for _, n := range p.notes[of.Namespace+"/"+of.Name] {
		switch n.reason {
		case v1alpha1.ReasonLoadBalancerFailed, v1alpha1.ReasonLoadBalancerHeld:
			return condition(false, gwv1.GatewayReasonPending, n.message)
		case v1alpha1.ReasonLoadBalancerWaiting:
			if len(hostnames(of)) == 0 {
				return condition(false, gwv1.GatewayReasonPending, n.message)
			}
		}
	}
	if len(hostnames(of)) == 0 {
		return condition(false, gwv1.GatewayReasonAddressNotAssigned, "the load balancer is not active yet")
	}
	return condition(true, gwv1.GatewayReasonProgrammed, "")
}

// listens is the condition that says whether the load balancer has a listener.
func (p *pass) listens(of *gwv1.Gateway, l gatewayapi.Listener) metav1.Condition {
	condition := func(ok bool, reason gwv1.ListenerConditionReason, message string) metav1.Condition {
		return gatewayapi.Condition(string(gwv1.ListenerConditionProgrammed), ok, string(reason), message, of.Generation)
	}
	there := slices.ContainsFunc(p.seen.LoadBalancers, func(lb elb.ObservedLoadBalancer) bool {
		return slices.ContainsFunc(lb.Listeners, func(has elb.ObservedListener) bool { return has.Own && has.Port == l.Port })
	})
	switch {
	case !l.Usable || p.made.gateway.Accepted.Status == metav1.ConditionFalse:
		return condition(false, gwv1.ListenerReasonInvalid, "the listener cannot be served: see the other conditions")
	case !there:
		return condition(false, gwv1.ListenerReasonPending, "the load balancer does not have the listener yet")
	}
	return condition(true, gwv1.ListenerReasonProgrammed, "")
}

// tellRoute writes a route's entries for the Gateway. What others wrote in between is read first, since the list is one.
func (k gateways) tellRoute(ctx context.Context, p *pass, of client.Object) error {
	gateway, set, known := p.entries(of)
	if !known {
		return nil
	}
	before, status := copyOf(of), gatewayapi.StatusOf(of)
	was := status.DeepCopy()
	status.Parents = gatewayapi.SetParents(of, v1alpha1.IngressController, gateway, set, metav1.NewTime(k.now()))
	if len(status.Parents) == len(was.Parents) && (len(status.Parents) == 0 || reflect.DeepEqual(was, status)) {
		return nil
	}
	err := k.client.Status().Patch(ctx, of, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}))
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("write the status of %s %s/%s: %w", gatewayapi.KindOf(of), of.GetNamespace(), of.GetName(), err)
	}
	return nil
}

// entries are a route's entries for its Gateway; false: nothing is known of them now.
func (p *pass) entries(of client.Object) (*gwv1.Gateway, []gwv1.RouteParentStatus, bool) {
	for _, m := range p.members {
		gateway, is := m.Object.(*gwv1.Gateway)
		switch {
		case !is:
			continue
		case m.standing == leaving:
			return gateway, nil, true
		case p.made.gateway == nil || m.class.Refused != "":
			return gateway, nil, false
		}
		for _, r := range p.made.gateway.Routes {
			if gatewayapi.Owner(r.Object) == gatewayapi.Owner(of) {
				return gateway, r.Parents, true
			}
		}
		return gateway, nil, true
	}
	return nil, nil, false
}
