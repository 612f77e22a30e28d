// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package ungated

import (
	"context"
	"fmt"
	"maps"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/time/rate"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/controller/podgauge"
	"github.com/podgate/podgate/internal/index"
	"github.com/podgate/podgate/internal/injection"
)

// Name is the controller's, in logs and metrics.
const Name = "ungated"

// settle is how long after an event a pod is judged: what is applied together comes in
// any order, and the caches' order is another one.
const settle = 5 * time.Second

// patience is how long the caches may take. Whoever may not read namespaces or the configuration is told
// nothing here; the process must not end for that.
const patience = 10 * 365 * 24 * time.Hour

// Options are what Setup needs. All are required.
type Options struct {
	// Reader is a cache with the indexes of package index.
	Reader client.Reader
	// Asked is a cache of namespaces and webhook configurations, and of nothing else: every
	// controller waits for all of its cache, and podgate may be forbidden to read these.
	Asked cache.Cache
	// Serves tells whose gates podgate opens.
	Serves   func(binding client.Object) bool
	Recorder events.EventRecorder
	Metrics  prometheus.Registerer
	// Configuration is the name of the webhook's MutatingWebhookConfiguration. Path is that
	// of its entries which ask for gates, and DrainPath of those which ask for preStop hooks.
	Configuration, Path, DrainPath string
	// Client evicts pods, Observer and Groups tell whether those that stay serve, and Ask whether the
	// webhook would give a pod like this one these gates now.
	Client client.Client
	// AbsenceGrace is how long an evicted pod's successor may take to appear; a process that has just started waits as long.
	AbsenceGrace time.Duration
	Observer     Observer
	Groups       Resolutions
	Ask          func(context.Context, *admissionv1.MutatingWebhookConfiguration, *corev1.Pod, []string) error
}

func (o Options) judge() judge {
	return judge{reader: o.Reader, asked: o.Asked, serves: o.Serves, configuration: o.Configuration, path: o.Path, drainPath: o.DrainPath}
}

// Setup adds the controllers to a manager.
func Setup(mgr manager.Manager, o Options) error {
	r := newReconciler(o, time.Now)
	for _, t := range []*podgauge.Tally{r.missing, r.short} {
		if err := o.Metrics.Register(t.Gauge); err != nil {
			return err
		}
	}

	if err := setupReplacer(mgr, o); err != nil {
		return err
	}

	w := watcher{reader: o.Reader, serves: o.Serves, paths: []string{o.Path, o.DrainPath}}
	return builder.ControllerManagedBy(mgr).
		Named(Name).
		Watches(&corev1.Pod{}, w.pods()).
		Watches(&corev1.Service{}, w.services()).
		Watches(&elbv2.TargetGroupBinding{}, w.bindings()).
		Watches(&v1alpha1.TargetBinding{}, w.bindings()).
		WatchesRawSource(source.Kind[client.Object](o.Asked, namespaceOf(), w.namespaces())).
		WatchesRawSource(source.Kind[client.Object](o.Asked, &admissionv1.MutatingWebhookConfiguration{}, w.configurations())).
		WithOptions(controller.Options{CacheSyncTimeout: patience}).
		Complete(r)
}

func newReconciler(o Options, now func() time.Time) *Reconciler {
	return &Reconciler{
		judge: o.judge(), recorder: o.Recorder, now: now, started: now(),
		limit: rate.NewLimiter(eventsPerSecond, eventsBurst),
		missing: podgauge.New(prometheus.GaugeOpts{
			Name: "podgate_pods_ungated",
			Help: "Pods of labelled namespaces that lack a gate which they should carry, by why.",
		}, "namespace", "reason"),
		short: podgauge.New(prometheus.GaugeOpts{
			Name: "podgate_pods_drain_too_short",
			Help: "Pods of namespaces with drain that end before their load balancers let go of them, by what is too short.",
		}, "namespace", "what"),
		ungated: newBook(), undrained: newBook(),
	}
}

// setupReplacer adds the controller that replaces pods. It looks at bindings that ask for it, by their events
// and by the clock.
func setupReplacer(mgr manager.Manager, o Options) error {
	r := newReplacer(o, time.Now)
	if err := o.Metrics.Register(r.evictions); err != nil {
		return err
	}

	err := builder.ControllerManagedBy(mgr).
		Named(Replacing).
		Watches(&elbv2.TargetGroupBinding{}, asking()).
		Watches(&v1alpha1.TargetBinding{}, asking()).
		Complete(r)
	if err != nil {
		return fmt.Errorf("set up controller %s: %w", Replacing, err)
	}

	return nil
}

func newReplacer(o Options, now func() time.Time) *Replacer {
	return &Replacer{
		judge: o.judge(), observer: o.Observer, groups: o.Groups, recorder: o.Recorder, evict: evictBy(o.Client), ask: o.Ask, now: now, started: now(), absence: o.AbsenceGrace,
		evictions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "podgate_pods_replaced_total",
			Help: "Pods that were evicted since they lacked a gate and their binding asks for it.",
		}, []string{"namespace", "binding"}),
		evicted: map[types.UID]eviction{}, told: map[types.NamespacedName]string{},
	}
}

// asking adds bindings that begin or end to ask for replacements.
func asking() handler.EventHandler {
	add := func(o client.Object, q queue) { q.Add(reconcile.Request{NamespacedName: binding.KeyOf(o)}) }
	return handler.Funcs{
		CreateFunc: func(_ context.Context, e event.CreateEvent, q queue) {
			if Asks(e.Object) {
				add(e.Object, q)
			}
		},
		UpdateFunc: func(_ context.Context, e event.UpdateEvent, q queue) {
			if Asks(e.ObjectOld) != Asks(e.ObjectNew) {
				add(e.ObjectNew, q)
			}
		},
		DeleteFunc: func(_ context.Context, e event.DeleteEvent, q queue) { add(e.Object, q) },
	}
}

// watcher finds the pods that an event may change something for. At the start all
// pods are looked at, so what is there already needs no look of its own.
type watcher struct {
	reader client.Reader
	serves func(client.Object) bool
	paths  []string
}

type queue = workqueue.TypedRateLimitingInterface[reconcile.Request]

func add(q queue, pod client.Object) {
	q.AddAfter(reconcile.Request{NamespacedName: client.ObjectKeyFromObject(pod)}, settle)
}

func (watcher) pods() handler.EventHandler {
	return handler.Funcs{
		CreateFunc: func(_ context.Context, e event.CreateEvent, q queue) { add(q, e.Object) },
		UpdateFunc: func(_ context.Context, e event.UpdateEvent, q queue) {
			before, after := e.ObjectOld.(*corev1.Pod), e.ObjectNew.(*corev1.Pod)
			if !maps.Equal(before.Labels, after.Labels) || gone(before) != gone(after) {
				add(q, after)
			}
		},
		DeleteFunc: func(_ context.Context, e event.DeleteEvent, q queue) { add(q, e.Object) },
	}
}

// gone reports whether a pod is of no interest any more.
func gone(pod *corev1.Pod) bool { return !pod.DeletionTimestamp.IsZero() || binding.Over(pod) }

func (w watcher) services() handler.EventHandler {
	return handler.Funcs{
		CreateFunc: func(ctx context.Context, e event.CreateEvent, q queue) {
			if !e.IsInInitialList {
				w.selected(ctx, e.Object.(*corev1.Service), q)
			}
		},
		UpdateFunc: func(ctx context.Context, e event.UpdateEvent, q queue) {
			before, after := e.ObjectOld.(*corev1.Service), e.ObjectNew.(*corev1.Service)
			if !maps.Equal(before.Spec.Selector, after.Spec.Selector) {
				w.selected(ctx, before, q)
				w.selected(ctx, after, q)
			}
		},
		DeleteFunc: func(ctx context.Context, e event.DeleteEvent, q queue) {
			w.selected(ctx, e.Object.(*corev1.Service), q)
		},
	}
}

// selected adds the pods that a Service selects.
func (w watcher) selected(ctx context.Context, svc *corev1.Service, q queue) {
	pods, err := index.PodsOf(ctx, w.reader, svc)
	if err != nil {
		log.FromContext(ctx).Error(err, "Finding a Service's pods failed", "service", client.ObjectKeyFromObject(svc))
	}
	for i := range pods {
		add(q, &pods[i])
	}
}

func (w watcher) bindings() handler.EventHandler {
	return handler.Funcs{
		CreateFunc: func(ctx context.Context, e event.CreateEvent, q queue) {
			if !e.IsInInitialList {
				w.bound(ctx, e.Object, q)
			}
		},
		UpdateFunc: func(ctx context.Context, e event.UpdateEvent, q queue) {
			before, after := e.ObjectOld, e.ObjectNew
			if injection.BindingOf(before, w.serves(before)) != injection.BindingOf(after, w.serves(after)) {
				w.bound(ctx, before, q)
				w.bound(ctx, after, q)
			}
		},
		DeleteFunc: func(ctx context.Context, e event.DeleteEvent, q queue) {
			w.bound(ctx, e.Object, q)
		},
	}
}

// bound adds the pods of a binding's Service.
func (w watcher) bound(ctx context.Context, b client.Object, q queue) {
	var svc corev1.Service
	err := w.reader.Get(ctx, types.NamespacedName{Namespace: b.GetNamespace(), Name: injection.BindingOf(b, true).Service}, &svc)
	if client.IgnoreNotFound(err) != nil {
		log.FromContext(ctx).Error(err, "Finding a binding's Service failed", "binding", client.ObjectKeyFromObject(b))
	}
	if err == nil {
		w.selected(ctx, &svc, q)
	}
}

func (w watcher) namespaces() handler.EventHandler {
	return handler.Funcs{UpdateFunc: func(ctx context.Context, e event.UpdateEvent, q queue) {
		if !maps.Equal(e.ObjectOld.GetLabels(), e.ObjectNew.GetLabels()) {
			w.all(ctx, e.ObjectNew.GetName(), q)
		}
	}}
}

// configurations are one, the webhook's: the cache has no other.
func (w watcher) configurations() handler.EventHandler {
	none := &admissionv1.MutatingWebhookConfiguration{}
	changed := func(ctx context.Context, before, after client.Object, q queue) {
		for _, path := range w.paths {
			if !injection.Alike(before.(*admissionv1.MutatingWebhookConfiguration), after.(*admissionv1.MutatingWebhookConfiguration), path) {
				w.all(ctx, "", q)
				return
			}
		}
	}

	return handler.Funcs{
		CreateFunc: func(ctx context.Context, e event.CreateEvent, q queue) { changed(ctx, none, e.Object, q) },
		UpdateFunc: func(ctx context.Context, e event.UpdateEvent, q queue) { changed(ctx, e.ObjectOld, e.ObjectNew, q) },
		DeleteFunc: func(ctx context.Context, e event.DeleteEvent, q queue) { changed(ctx, e.Object, none, q) },
	}
}

// all adds the pods of a namespace, or of all when none is given. It is for what people seldom do.
func (w watcher) all(ctx context.Context, namespace string, q queue) {
	var all corev1.PodList
	if err := w.reader.List(ctx, &all, client.InNamespace(namespace), client.UnsafeDisableDeepCopy); err != nil {
		log.FromContext(ctx).Error(err, "Listing pods failed", "namespace", namespace)
	}
	for i := range all.Items {
		add(q, &all.Items[i])
	}
}

// namespaceOf is a namespace of which only metadata is cached.
func namespaceOf() *metav1.PartialObjectMetadata {
	ns := &metav1.PartialObjectMetadata{}
	ns.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Namespace"))
	return ns
}
