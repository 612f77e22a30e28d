// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package ingress

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gwv1 "sigs.k8s.io/gateway-api/apis/v1"
	gwv1beta1 "sigs.k8s.io/gateway-api/apis/v1beta1"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/provision/elb"
	"github.com/podgate/podgate/internal/route/gatewayapi"
	"github.com/podgate/podgate/internal/route/gatewayapi/alb"
	routes "github.com/podgate/podgate/internal/route/ingress"
)

// gateways is the kind of Gateways, each of which is alone in its group. Its routes are guests there.
type gateways struct {
	client client.Client
	// namespace returns the labels of a namespace.
	namespace func(ctx context.Context, namespace string) (map[string]string, error)
	now       func() time.Time
}

func (gateways) noun() string                       { return "Gateway" }
func (gateways) parts() string                      { return "listeners" }
func (gateways) labels(group Key) map[string]string { return alb.Labels(group) }

func (gateways) limits(settings routes.Settings) (elb.Kind, routes.Limits) {
	return elb.Application, settings.Limits
}

func (gateways) identity(settings routes.Settings, group Key) elb.Identity {
	return alb.Identity(settings.Cluster, settings.VPC, group)
}

// members is the Gateway, and the routes that name it as a parent or did so.
func (k gateways) members(ctx context.Context, group Key) ([]member, error) {
	of := &gwv1.Gateway{}
	if err := k.client.Get(ctx, group, of); err != nil {
		if apierrors.IsNotFound(err) {
			return nil, nil
		}
		return nil, fmt.Errorf("get Gateway: %w", err)
	}

	class, err := classOf(ctx, k.client, of)
	if err != nil {
		return nil, err
	}
	m := member{Object: of, class: class}
	if m.standing = stands(m, group); m.standing == stranger {
		return nil, nil
	}
	guests, err := k.guests(ctx, of)
	return append([]member{m}, guests...), err
}

// guests are the routes of a Gateway, in the order of their names.
func (k gateways) guests(ctx context.Context, of *gwv1.Gateway) ([]member, error) {
	all, err := routesOf(ctx, k.client)
	if err != nil {
		return nil, err
	}
	var found []member
	for _, r := range all {
		if slices.Contains(parentsOf(r), client.ObjectKeyFromObject(of)) {
			found = append(found, member{Object: copyOf(r), standing: guest})
		}
	}
	slices.SortStableFunc(found, func(a, b member) int {
		return compareKeys(client.ObjectKeyFromObject(a), client.ObjectKeyFromObject(b))
	})
	return found, nil
}

// routesOf are all routes, which are not to be changed.
func routesOf(ctx context.Context, reader client.Reader) ([]client.Object, error) {
	var http gwv1.HTTPRouteList
	if err := reader.List(ctx, &http, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("list HTTPRoutes: %w", err)
	}
	var grpc gwv1.GRPCRouteList
	if err := reader.List(ctx, &grpc, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("list GRPCRoutes: %w", err)
	}
	var all []client.Object
	for i := range http.Items {
		all = append(all, &http.Items[i])
	}
	for i := range grpc.Items {
		all = append(all, &grpc.Items[i])
	}
	return all, nil
}

// parentsOf are the Gateways that a route names as parents, and those of which its status says something that podgate wrote.
func parentsOf(r client.Object) []Key {
	status := gatewayapi.StatusOf(r)
	if status == nil {
		return nil
	}
	refs := slices.Clone(gatewayapi.ParentsOf(r))
	for _, p := range status.Parents {
		if p.ControllerName == v1alpha1.IngressController {
			refs = append(refs, p.ParentRef)
		}
	}

	var keys []Key
	for _, ref := range refs {
		key := Key{Namespace: r.GetNamespace(), Name: string(ref.Name)}
		if ref.Namespace != nil {
			key.Namespace = string(*ref.Namespace)
		}
		of := &gwv1.Gateway{}
		of.Namespace, of.Name = key.Namespace, key.Name
		if gatewayapi.Names(ref, r.GetNamespace(), of) && !slices.Contains(keys, key) {
			keys = append(keys, key)
		}
	}
	return keys
}

// classOf is what a Gateway's class says of it.
func classOf(ctx context.Context, reader client.Reader, of *gwv1.Gateway) (Class, error) {
	class := &gwv1.GatewayClass{}
	switch err := reader.Get(ctx, types.NamespacedName{Name: string(of.Spec.GatewayClassName)}, class); {
	case apierrors.IsNotFound(err):
		return Class{Refused: fmt.Sprintf("there is no GatewayClass %q: create it, or name another one", of.Spec.GatewayClassName)}, nil
	case err != nil:
		return Class{}, fmt.Errorf("get GatewayClass %q: %w", of.Spec.GatewayClassName, err)
	}
	if class.Spec.ControllerName != v1alpha1.IngressController {
		return Class{}, nil
	}
	if class.Spec.ParametersRef != nil {
		return Class{Served: true, Refused: fmt.Sprintf("spec.parametersRef of GatewayClass %q is not served: remove it, and use annotations of Gateways", class.Name)}, nil
	}
	return Class{Served: true}, nil
}

func (k gateways) build(ctx context.Context, key Key, members []member, seen elb.Observed, settings routes.Settings, look routes.Lookups) (built, error) {
	g := alb.Gateway{Controller: v1alpha1.IngressController, Observed: seen}
	for _, m := range members {
		switch o := m.Object.(type) {
		case *gwv1.Gateway:
			if m.standing == active || m.standing == kept {
				g.Gateway, g.Unserved = o, m.class.Refused != ""
			}
		case *gwv1.HTTPRoute, *gwv1.GRPCRoute:
			if o.GetDeletionTimestamp().IsZero() {
				g.Routes = append(g.Routes, o)
			}
		}
	}
	if g.Gateway == nil {
		return built{stack: elb.Stack{Identity: k.identity(settings, key)}}, nil
	}

	var list gwv1beta1.ReferenceGrantList
	if err := k.client.List(ctx, &list); err != nil {
		return built{}, fmt.Errorf("list ReferenceGrants: %w", err)
	}
	for i := range list.Items {
		g.Grants = append(g.Grants, &list.Items[i])
	}
	var failed error
	g.Labels = func(namespace string) map[string]string {
		has, err := k.namespace(ctx, namespace)
		failed = errors.Join(failed, err)
		return has
	}

	made := alb.Build(g, settings, look)
	if failed != nil {
		return built{}, fmt.Errorf("get the labels of namespaces: %w", failed)
	}
	return built{stack: made.Stack, problems: made.Problems, gateway: &made}, nil
}
