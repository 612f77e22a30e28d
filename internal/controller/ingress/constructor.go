// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package ingress

import (
	"context"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/internal/controller/backoff"
	"github.com/podgate/podgate/internal/lbc"
	routes "github.com/podgate/podgate/internal/route/ingress"
	"github.com/podgate/podgate/internal/route/service"
)

// Name is that of the controller of Ingresses, in logs and metrics, and ServiceName that of Services.
const (
	Name        = "ingress"
	ServiceName = "service"
)

// patience bounds how long one pass over a group may take. What is left then is done by the next one.
const patience = 2 * time.Minute

// Options of a Reconciler. Those of the first paragraph are required.
type Options struct {
	Settings     routes.Settings
	Cloud        Cloud
	Network      Network
	Certificates Certificates
	// Labels returns the labels of a namespace.
	Labels func(ctx context.Context, namespace string) (map[string]string, error)

	// Allowed returns the first of some target groups that the Ingresses of a namespace may not name; nil: they may name all.
	Allowed func(ctx context.Context, namespace string, arns []string) (string, error)
	// Reader is uncached. The client is read when it is nil.
	Reader client.Reader
	// Controllers are what the IngressClasses that are served name, besides v1alpha1.IngressController.
	Controllers []string
	// LBCLeaseNamespace is where AWS Load Balancer Controller has its lease.
	LBCLeaseNamespace string
	// Ingresses and Gateways say what is served: Ingresses and Services, and Gateways. OneNamespace: no Namespace can be read.
	Ingresses, Gateways, OneNamespace bool
	// Manage: TargetGroupBindings are served only with v1alpha1.ManageAnnotation.
	Manage   bool
	Recorder events.EventRecorder
	Metrics  prometheus.Registerer
	// Workers is how many groups are handled at a time; 1 when 0.
	Workers int
	// Now is the clock; time.Now when nil.
	Now func() time.Time
	// Random returns a duration below its argument, for jitter; rand.N when nil.
	Random func(time.Duration) time.Duration
}

func (o Options) withDefaults(c client.Client) Options {
	if o.Reader == nil {
		o.Reader = c
	}
	if o.Recorder == nil {
		o.Recorder = &events.FakeRecorder{} // Without a channel it drops every event.
	}
	if o.Metrics == nil {
		o.Metrics = prometheus.NewRegistry()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Random == nil {
		o.Random = rand.N[time.Duration]
	}
	o.Workers = max(o.Workers, 1)
	return o
}

// NewReconciler makes a Reconciler of groups of Ingresses that remembers nothing.
func NewReconciler(c client.Client, o Options) (*Reconciler, error) {
	o = o.withDefaults(c)
	return newReconciler(c, o, newShared(o), ingresses{c, Classes{Reader: c, Controllers: o.Controllers, Labels: o.Labels}}, ofIngresses)
}

func newReconciler(c client.Client, o Options, all *shared, of kind, called metricNames) (*Reconciler, error) {
	m, err := newMetrics(o.Metrics, called)
	if err != nil {
		return nil, err
	}
	return &Reconciler{
		client: c, cloud: o.Cloud, settings: o.Settings, manage: o.Manage, shared: all, kind: of,
		lbc:    lbc.NewIngresses(o.Reader, o.LBCLeaseNamespace, o.Now),
		teller: newTeller(o.Recorder), metrics: m, read: &times{all: map[Key]time.Time{}}, waiting: &times{all: map[Key]time.Time{}}, doubted: &times{all: map[Key]time.Time{}}, begun: sync.OnceValue(o.Now), now: o.Now, random: o.Random,
	}, nil
}

// Setup adds the controllers of what is served to a manager.
func Setup(mgr manager.Manager, o Options) error {
	o = o.withDefaults(mgr.GetClient())
	all := newShared(o)
	if o.Ingresses {
		if err := setupIngresses(mgr, o, all); err != nil {
			return err
		}
	}
	if o.Gateways {
		return setupGateways(mgr, o, all)
	}
	return nil
}

// setupIngresses adds the controllers of Ingresses and of Services to a manager.
func setupIngresses(mgr manager.Manager, o Options, all *shared) error {
	c := mgr.GetClient()
	classes := Classes{Reader: c, Controllers: o.Controllers, Labels: o.Labels}
	r, err := newReconciler(c, o, all, ingresses{c, classes}, ofIngresses)
	if err != nil {
		return err
	}
	of, err := newReconciler(c, o, all, services{c}, ofServices)
	if err != nil {
		return err
	}

	m := mapper{c, classes}
	err = builder.ControllerManagedBy(mgr).Named(Name).
		Watches(&networkingv1.Ingress{}, handler.EnqueueRequestsFromMapFunc(m.ingress), builder.WithPredicates(asked())).
		Watches(&corev1.Service{}, handler.EnqueueRequestsFromMapFunc(m.service)).
		Watches(&networkingv1.IngressClass{}, handler.EnqueueRequestsFromMapFunc(m.all), builder.WithPredicates(asked())).
		Watches(&elbv2.IngressClassParams{}, handler.EnqueueRequestsFromMapFunc(m.all), builder.WithPredicates(changed())).
		Watches(&elbv2.TargetGroupBinding{}, handler.EnqueueRequestsFromMapFunc(bound), builder.WithPredicates(changed())).
		WithOptions(o.controller()).
		Complete(r)
	if err != nil {
		return err
	}
	return builder.ControllerManagedBy(mgr).Named(ServiceName).
		Watches(&corev1.Service{}, handler.EnqueueRequestsFromMapFunc(balanced), builder.WithPredicates(written())).
		Watches(&elbv2.TargetGroupBinding{}, handler.EnqueueRequestsFromMapFunc(boundOfService), builder.WithPredicates(changed())).
		WithOptions(o.controller()).
		Complete(of)
}

// controller are the options of a controller of groups. A group that failed is looked at again after a while, ever longer, and at
// once when an event concerns it.
func (o Options) controller() controller.Options {
	return controller.Options{MaxConcurrentReconciles: o.Workers, ReconciliationTimeout: patience, RateLimiter: backoff.New(time.Second, nil, o.Random)}
}

// balanced is a Service that asks for a load balancer, or that may have something of one.
func balanced(_ context.Context, o client.Object) []reconcile.Request {
	of, is := o.(*corev1.Service)
	if !is || !service.Asks(of) && !controllerutil.ContainsFinalizer(of, finalizerOf(of)) {
		return nil
	}
	return requests([]Key{client.ObjectKeyFromObject(of)})
}

// written drops events that only the status of a Service caused, which has no generation.
func written() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		was, is := e.ObjectOld.(*corev1.Service)
		now, still := e.ObjectNew.(*corev1.Service)
		return !is || !still || !equality.Semantic.DeepEqual(was.Spec, now.Spec) || !maps.Equal(was.Annotations, now.Annotations) ||
			!slices.Equal(was.Finalizers, now.Finalizers) || was.DeletionTimestamp.IsZero() != now.DeletionTimestamp.IsZero()
	}}
}

// boundOfService is the Service of a binding.
func boundOfService(_ context.Context, o client.Object) []reconcile.Request {
	labels := o.GetLabels()
	key := Key{Namespace: labels[elbv2.ServiceNamespaceLabel], Name: labels[elbv2.ServiceNameLabel]}
	if key.Namespace == "" || key.Name == "" {
		return nil
	}
	return requests([]Key{key})
}

// asked drops events that only the status of an object caused, and changed those that only an annotation did as well.
func asked() predicate.Predicate {
	return predicate.Or(changed(), predicate.AnnotationChangedPredicate{})
}

func changed() predicate.Predicate {
	return predicate.Or(predicate.GenerationChangedPredicate{}, predicate.LabelChangedPredicate{})
}

// mapper tells which groups an event concerns.
type mapper struct {
	reader  client.Reader
	classes Classes
}

// ingress are the groups of an Ingress: that which it is in, and those that may have something of it.
func (m mapper) ingress(ctx context.Context, o client.Object) []reconcile.Request {
	ing, ok := o.(*networkingv1.Ingress)
	if !ok {
		return nil
	}

	var groups []Key
	for _, stack := range stacksOf(ing) {
		groups = append(groups, keyOfStack(stack))
	}
	of, err := m.classes.Of(ctx, ing)
	if err != nil {
		log.FromContext(ctx).Error(err, "Finding the class of an Ingress failed", "ingress", client.ObjectKeyFromObject(ing))
	}
	// Whose class cannot be told now is looked at by its own group, which tries again.
	if key := keyOf(ing, of.Group); (err != nil || of.Served) && !slices.Contains(groups, key) {
		groups = append(groups, key)
	}
	return requests(groups)
}

// service are the groups of the Ingresses that may name a Service.
func (m mapper) service(ctx context.Context, o client.Object) []reconcile.Request {
	return m.of(ctx, func(ing *networkingv1.Ingress) bool { return mentions(ing, o.GetName()) }, client.InNamespace(o.GetNamespace()))
}

// all are the groups of all Ingresses.
func (m mapper) all(ctx context.Context, _ client.Object) []reconcile.Request {
	return m.of(ctx, func(*networkingv1.Ingress) bool { return true })
}

func (m mapper) of(ctx context.Context, concerned func(*networkingv1.Ingress) bool, where ...client.ListOption) []reconcile.Request {
	var list networkingv1.IngressList
	if err := m.reader.List(ctx, &list, append(where, client.UnsafeDisableDeepCopy)...); err != nil {
		log.FromContext(ctx).Error(err, "Finding the Ingresses that an event concerns failed")
		return nil
	}

	seen := map[reconcile.Request]bool{}
	var all []reconcile.Request
	for i := range list.Items {
		if !concerned(&list.Items[i]) {
			continue
		}
		for _, req := range m.ingress(ctx, &list.Items[i]) {
			if !seen[req] {
				seen[req] = true
				all = append(all, req)
			}
		}
	}
	return all
}

// mentions reports whether an Ingress may name a Service: as a backend, or in an annotation.
func mentions(ing *networkingv1.Ingress, service string) bool {
	names := func(b *networkingv1.IngressBackend) bool {
		return b != nil && b.Service != nil && b.Service.Name == service
	}
	if names(ing.Spec.DefaultBackend) {
		return true
	}
	for _, rule := range ing.Spec.Rules {
		if rule.HTTP != nil && slices.ContainsFunc(rule.HTTP.Paths, func(p networkingv1.HTTPIngressPath) bool { return names(&p.Backend) }) {
			return true
		}
	}
	for name, value := range ing.Annotations {
		if strings.HasPrefix(name, actionsPrefix) && strings.Contains(value, service) {
			return true
		}
	}
	return false
}

// actionsPrefix begins the annotations whose values name Services.
const actionsPrefix = routes.Prefix + "actions."

// bound is the group of a binding.
func bound(_ context.Context, o client.Object) []reconcile.Request {
	if group, of := groupOfLabels(o.GetLabels()); of {
		return requests([]Key{group})
	}
	return nil
}

func requests(groups []Key) []reconcile.Request {
	var all []reconcile.Request
	for _, g := range groups {
		all = append(all, reconcile.Request{NamespacedName: g})
	}
	return all
}
