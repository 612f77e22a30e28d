// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package ingress

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gwv1 "sigs.k8s.io/gateway-api/apis/v1"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/provision/elb"
	"github.com/podgate/podgate/internal/route/gatewayapi"
	"github.com/podgate/podgate/internal/route/gatewayapi/alb"
	routes "github.com/podgate/podgate/internal/route/ingress"
	"github.com/podgate/podgate/internal/route/service"
)

// kind is what differs between the kinds of objects that load balancers are made of.
type kind interface {
	// noun is what one is called, and parts what its load balancer has for it.
	noun() string
	parts() string
	// identity is what marks the stack of a group at AWS, and labels are those of its bindings.
	identity(settings routes.Settings, group Key) elb.Identity
	labels(group Key) map[string]string
	// members are the objects that a group has to do with, in the order of their names.
	members(ctx context.Context, group Key) ([]member, error)
	// limits are what a load balancer may have where AWS does not tell.
	limits(settings routes.Settings) (elb.Kind, routes.Limits)
	// build makes the stack of a group.
	build(ctx context.Context, group Key, members []member, seen elb.Observed, settings routes.Settings, look routes.Lookups) (built, error)
	// conclude writes what statuses say besides the name of the load balancer.
	conclude(ctx context.Context, p *pass) error
}

// built is a stack, and what is said of those that it is built of.
type built struct {
	stack    elb.Stack
	problems []routes.Problem
	// gateway is more about a Gateway; nil: it is of another kind, or was not built.
	gateway *alb.Built
}

// ingresses is the kind of groups of Ingresses.
type ingresses struct {
	reader  client.Reader
	classes Classes
}

func (ingresses) noun() string                       { return "Ingress" }
func (ingresses) parts() string                      { return "rules" }
func (ingresses) labels(group Key) map[string]string { return labelsOf(group) }

func (ingresses) identity(settings routes.Settings, group Key) elb.Identity {
	return routes.Identity(settings.Cluster, settings.VPC, group)
}

func (ingresses) limits(settings routes.Settings) (elb.Kind, routes.Limits) {
	return elb.Application, settings.Limits
}

func (ingresses) conclude(context.Context, *pass) error { return nil }

func (ingresses) build(_ context.Context, key Key, members []member, seen elb.Observed, settings routes.Settings, look routes.Lookups) (built, error) {
	group := routes.Group{Key: key, Observed: seen}
	for _, m := range members {
		ing, is := m.Object.(*networkingv1.Ingress)
		if !is || m.standing != active && m.standing != kept {
			continue
		}
		of := routes.Member{Ingress: ing, Unserved: m.standing == kept}
		if m.class.Params != nil {
			of.Params = &m.class.Params.Spec
		}
		group.Members = append(group.Members, of)
	}
	stack, problems := routes.Build(group, settings, look)
	return built{stack: stack, problems: problems}, nil
}

// services is the kind of Services, each of which is alone in its group.
type services struct{ reader client.Reader }

func (services) noun() string                       { return "Service" }
func (services) parts() string                      { return "listeners" }
func (services) labels(group Key) map[string]string { return service.Labels(group) }

func (services) identity(settings routes.Settings, group Key) elb.Identity {
	return service.Identity(settings.Cluster, settings.VPC, group)
}

// members is the Service. AWS Load Balancer Controller serves each that asks for such a load balancer.
func (k services) members(ctx context.Context, group Key) ([]member, error) {
	var of corev1.Service
	if err := k.reader.Get(ctx, group, &of); err != nil {
		if apierrors.IsNotFound(err) {
			return nil, nil
		}
		return nil, fmt.Errorf("get Service: %w", err)
	}
	m := member{Object: of.DeepCopy(), class: Class{Served: service.Asks(&of), LBC: true}}
	if m.standing = stands(m, group); m.standing == stranger {
		return nil, nil
	}
	return []member{m}, nil
}

func (services) limits(routes.Settings) (elb.Kind, routes.Limits) { return elb.Network, service.Limits }

func (services) conclude(context.Context, *pass) error { return nil }

func (k services) build(_ context.Context, key Key, members []member, seen elb.Observed, settings routes.Settings, look routes.Lookups) (built, error) {
	for _, m := range members {
		if of, is := m.Object.(*corev1.Service); is && (m.standing == active || m.standing == kept) {
			stack, problems := service.Build(of, seen, settings, look)
			return built{stack: stack, problems: problems}, nil
		}
	}
	return built{stack: elb.Stack{Identity: k.identity(settings, key)}}, nil
}

// nounOf is what an object is called.
func nounOf(o client.Object) string {
	switch o.(type) {
	case *corev1.Service:
		return services{}.noun()
	case *gwv1.Gateway:
		return gateways{}.noun()
	case *gwv1.HTTPRoute, *gwv1.GRPCRoute:
		return gatewayapi.KindOf(o)
	}
	return ingresses{}.noun()
}

// finalizerOf keeps an object until nothing of it is at AWS. On a Service it is AWS Load Balancer Controller's as well, so that
// either controller takes it off: the stacks that podgate notes say that it has something.
func finalizerOf(o client.Object) string {
	switch o.(type) {
	case *corev1.Service:
		return elbv2.LBCServiceFinalizer
	case *gwv1.Gateway:
		return v1alpha1.GatewayFinalizer
	}
	return v1alpha1.IngressFinalizer
}

// hostnames are the load balancers that the status of an object names.
func hostnames(o client.Object) []string {
	var names []string
	switch o := o.(type) {
	case *networkingv1.Ingress:
		for _, at := range o.Status.LoadBalancer.Ingress {
			names = append(names, at.Hostname)
		}
	case *corev1.Service:
		for _, at := range o.Status.LoadBalancer.Ingress {
			names = append(names, at.Hostname)
		}
	case *gwv1.Gateway:
		for _, at := range o.Status.Addresses {
			names = append(names, at.Value)
		}
	}
	return names
}

// name has the status of an object name its load balancer; that of a Service says its ports, too.
func name(o client.Object, hostname string, listeners []elb.Listener) {
	switch o := o.(type) {
	case *networkingv1.Ingress:
		o.Status.LoadBalancer = networkingv1.IngressLoadBalancerStatus{Ingress: []networkingv1.IngressLoadBalancerIngress{{Hostname: hostname}}}
	case *corev1.Service:
		at := corev1.LoadBalancerIngress{Hostname: hostname}
		for _, p := range o.Spec.Ports {
			if slices.ContainsFunc(listeners, func(l elb.Listener) bool { return l.Port == p.Port }) {
				at.Ports = append(at.Ports, corev1.PortStatus{Port: p.Port, Protocol: p.Protocol})
			}
		}
		// Of a Service that is refused nothing is known but that its load balancer stays.
		if now := o.Status.LoadBalancer.Ingress; len(listeners) == 0 && len(now) == 1 && now[0].Hostname == hostname {
			return
		}
		o.Status.LoadBalancer = corev1.LoadBalancerStatus{Ingress: []corev1.LoadBalancerIngress{at}}
	case *gwv1.Gateway:
		o.Status.Addresses = []gwv1.GatewayStatusAddress{{Type: new(gwv1.HostnameAddressType), Value: hostname}}
	}
}

// unname takes load balancers off the status of an object.
func unname(o client.Object, gone func(hostname string) bool) {
	switch o := o.(type) {
	case *networkingv1.Ingress:
		o.Status.LoadBalancer.Ingress = slices.DeleteFunc(o.Status.LoadBalancer.Ingress, func(at networkingv1.IngressLoadBalancerIngress) bool { return gone(at.Hostname) })
	case *corev1.Service:
		o.Status.LoadBalancer.Ingress = slices.DeleteFunc(o.Status.LoadBalancer.Ingress, func(at corev1.LoadBalancerIngress) bool { return gone(at.Hostname) })
	case *gwv1.Gateway:
		o.Status.Addresses = slices.DeleteFunc(o.Status.Addresses, func(at gwv1.GatewayStatusAddress) bool { return gone(at.Value) })
	}
}

// copyOf is a copy of an object, and set makes an object what another one is.
func copyOf[T client.Object](o T) T { return o.DeepCopyObject().(T) }

func set(o, to client.Object) {
	switch o := o.(type) {
	case *networkingv1.Ingress:
		to.(*networkingv1.Ingress).DeepCopyInto(o)
	case *corev1.Service:
		to.(*corev1.Service).DeepCopyInto(o)
	case *gwv1.Gateway:
		to.(*gwv1.Gateway).DeepCopyInto(o)
	}
}
