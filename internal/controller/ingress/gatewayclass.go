// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package ingress

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	gwv1 "sigs.k8s.io/gateway-api/apis/v1"
	gwv1beta1 "sigs.k8s.io/gateway-api/apis/v1beta1"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/route/gatewayapi"
)

// What this package may do in the cluster, where Gateways are served.
//
// +kubebuilder:rbac:groups=gateway.networking.k8s.io,resources=gateways,verbs=list;watch;patch,roleName=podgate-gateway
// +kubebuilder:rbac:groups=gateway.networking.k8s.io,resources=gatewayclasses;grpcroutes;httproutes;referencegrants,verbs=list;watch,roleName=podgate-gateway
// +kubebuilder:rbac:groups=gateway.networking.k8s.io,resources=gatewayclasses/status;gateways/status;grpcroutes/status;httproutes/status,verbs=patch,roleName=podgate-gateway
// +kubebuilder:rbac:groups=elbv2.k8s.aws,resources=targetgroupbindings,verbs=create;delete,roleName=podgate-gateway

// GatewayName is the name of the controller of Gateways, in logs and metrics, and GatewayClassName that of their classes.
const (
	GatewayName      = "gateway"
	GatewayClassName = "gatewayclass"
)

// gatewayClasses accepts the GatewayClasses that name podgate.
type gatewayClasses struct {
	client client.Client
	now    func() time.Time
}

// Reconcile implements reconcile.Reconciler.
func (r gatewayClasses) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	class := &gwv1.GatewayClass{}
	if err := r.client.Get(ctx, req.NamespacedName, class); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	if class.Spec.ControllerName != v1alpha1.IngressController {
		return reconcile.Result{}, nil
	}

	accepted := gatewayapi.Condition(string(gwv1.GatewayClassConditionStatusAccepted), true, string(gwv1.GatewayClassReasonAccepted), "podgate makes application load balancers of its Gateways", class.Generation)
	if class.Spec.ParametersRef != nil {
		accepted.Status, accepted.Reason, accepted.Message = metav1.ConditionFalse, string(gwv1.GatewayClassReasonInvalidParameters), "spec.parametersRef is not served: remove it, and use annotations of Gateways"
	}

	before := class.DeepCopy()
	class.Status.Conditions = gatewayapi.SetConditions(class.Status.Conditions, []metav1.Condition{accepted}, metav1.NewTime(r.now()))
	class.Status.SupportedFeatures = gatewayapi.SupportedFeatures
	if reflect.DeepEqual(before.Status, class.Status) {
		return reconcile.Result{}, nil
	}
	if err := r.client.Status().Patch(ctx, class, client.MergeFrom(before)); client.IgnoreNotFound(err) != nil {
		return reconcile.Result{}, fmt.Errorf("write the status of GatewayClass %s: %w", class.Name, err)
	}
	log.FromContext(ctx).Info("Judged a GatewayClass", "class", class.Name, "reason", accepted.Reason)
	return reconcile.Result{}, nil
}

// setupGateways adds the controllers of Gateways and of GatewayClasses to a manager.
func setupGateways(mgr manager.Manager, o Options, all *shared) error {
	c := mgr.GetClient()
	r, err := newReconciler(c, o, all, gateways{client: c, namespace: o.Labels, now: o.Now}, ofGateways)
	if err != nil {
		return err
	}
	err = builder.ControllerManagedBy(mgr).Named(GatewayClassName).
		For(&gwv1.GatewayClass{}, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		WithOptions(o.controller()).
		Complete(gatewayClasses{c, o.Now})
	if err != nil {
		return err
	}

	m := gatewayMapper{c}
	b := builder.ControllerManagedBy(mgr).Named(GatewayName).
		Watches(&gwv1.Gateway{}, &handler.EnqueueRequestForObject{}, builder.WithPredicates(asked())).
		Watches(&gwv1.HTTPRoute{}, handler.EnqueueRequestsFromMapFunc(m.route), builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&gwv1.GRPCRoute{}, handler.EnqueueRequestsFromMapFunc(m.route), builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&gwv1beta1.ReferenceGrant{}, handler.EnqueueRequestsFromMapFunc(m.all), builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&gwv1.GatewayClass{}, handler.EnqueueRequestsFromMapFunc(m.class), builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&corev1.Service{}, handler.EnqueueRequestsFromMapFunc(m.service), builder.WithPredicates(written())).
		Watches(&elbv2.TargetGroupBinding{}, handler.EnqueueRequestsFromMapFunc(boundOfGateway), builder.WithPredicates(changed())).
		WithOptions(o.controller())
	if !o.OneNamespace {
		b = b.WatchesMetadata(&corev1.Namespace{}, handler.EnqueueRequestsFromMapFunc(m.all), builder.WithPredicates(predicate.LabelChangedPredicate{}))
	}
	return b.Complete(r)
}

// gatewayMapper tells which Gateways an event concerns.
type gatewayMapper struct{ reader client.Reader }

// route are the parents of a route.
func (m gatewayMapper) route(_ context.Context, o client.Object) []reconcile.Request {
	return requests(parentsOf(o))
}

// service are the parents of the routes that name a Service.
func (m gatewayMapper) service(ctx context.Context, o client.Object) []reconcile.Request {
	list, err := routesOf(ctx, m.reader)
	if err != nil {
		log.FromContext(ctx).Error(err, "Finding the routes that an event concerns failed")
		return nil
	}
	var all []reconcile.Request
	for _, r := range list {
		if forwards(r, client.ObjectKeyFromObject(o)) {
			all = append(all, requests(parentsOf(r))...)
		}
	}
	return all
}

// forwards reports whether a route names a Service.
func forwards(r client.Object, service Key) bool {
	return slices.ContainsFunc(gatewayapi.BackendsOf(r), func(ref gwv1.BackendRef) bool {
		namespace := r.GetNamespace()
		if ref.Namespace != nil {
			namespace = string(*ref.Namespace)
		}
		return string(ref.Name) == service.Name && namespace == service.Namespace
	})
}

// class are the Gateways of a class, and all are all Gateways.
func (m gatewayMapper) class(ctx context.Context, o client.Object) []reconcile.Request {
	return m.of(ctx, func(g *gwv1.Gateway) bool { return string(g.Spec.GatewayClassName) == o.GetName() })
}

func (m gatewayMapper) all(ctx context.Context, _ client.Object) []reconcile.Request {
	return m.of(ctx, func(*gwv1.Gateway) bool { return true })
}

func (m gatewayMapper) of(ctx context.Context, concerned func(*gwv1.Gateway) bool) []reconcile.Request {
	var list gwv1.GatewayList
	if err := m.reader.List(ctx, &list, client.UnsafeDisableDeepCopy); err != nil {
		log.FromContext(ctx).Error(err, "Finding the Gateways that an event concerns failed")
		return nil
	}
	var keys []Key
	for i := range list.Items {
		if concerned(&list.Items[i]) {
			keys = append(keys, client.ObjectKeyFromObject(&list.Items[i]))
		}
	}
	return requests(keys)
}

// boundOfGateway is the Gateway of a binding.
func boundOfGateway(_ context.Context, o client.Object) []reconcile.Request {
	labels := o.GetLabels()
	key := Key{Namespace: labels[v1alpha1.GatewayNamespaceLabel], Name: labels[v1alpha1.GatewayNameLabel]}
	if key.Namespace == "" || key.Name == "" {
		return nil
	}
	return requests([]Key{key})
}
