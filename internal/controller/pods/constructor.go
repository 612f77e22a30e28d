// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package pods

import (
	"maps"
	"math/rand/v2"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/controller/backoff"
	"github.com/podgate/podgate/internal/controller/latency"
	"github.com/podgate/podgate/internal/gates"
)

// Name is the controller's, in logs and metrics.
const Name = "pod"

// firstBackoff is how long a pod waits after the first error.
const firstBackoff = 100 * time.Millisecond

// Options are what the controller needs. All are required but the grace and those that
// say what they are without.
type Options struct {
	Client client.Client
	// Kinds are those of the gates that the controller writes conditions for.
	Kinds    gates.Kinds
	Observer Observer
	// Drivers say which reasons are the load balancers' own.
	Drivers  balancer.Drivers
	Registry *binding.Registry
	Recorder events.EventRecorder
	Metrics  prometheus.Registerer
	// Registered is when the target controller registered pods; nothing is known of it when nil.
	Registered *latency.Times[latency.Registration]
	// Wake adds pods to the queue from outside.
	Wake source.Source
	// OrphanGrace is how long a pod waits at a gate that no binding claims; gate.ReleaseAfter when 0.
	OrphanGrace time.Duration
	// Workers is how many pods are handled at a time.
	Workers int
	// Now is the clock; time.Now when nil.
	Now func() time.Time
	// Random returns a duration below its argument, for jitter; rand.N when nil.
	Random func(time.Duration) time.Duration
}

// NewReconciler returns the controller's Reconciler, for Setup and for tests.
func NewReconciler(o Options) (*Reconciler, error) {
	m, err := newMetrics(o.Metrics)
	if err != nil {
		return nil, err
	}

	if o.Registered != nil {
		m.registered = o.Registered
	}

	if o.Now == nil {
		o.Now = time.Now
	}

	return &Reconciler{
		client: o.Client, kinds: o.Kinds, observer: o.Observer, drivers: o.Drivers, registry: o.Registry, recorder: o.Recorder, metrics: m, now: o.Now,
		orphanGrace: o.OrphanGrace, memory: newMemory(),
	}, nil
}

// Setup adds the controller to a manager.
func Setup(mgr manager.Manager, o Options) error {
	r, err := NewReconciler(o)
	if err != nil {
		return err
	}

	if o.Random == nil {
		o.Random = rand.N[time.Duration]
	}
	if o.Now == nil {
		o.Now = time.Now
	}

	gated := predicate.NewPredicateFuncs(func(pod client.Object) bool { return len(o.Kinds.Of(pod.(*corev1.Pod))) > 0 })
	wake := wakeups{client: o.Client, kinds: o.Kinds}
	setup := builder.ControllerManagedBy(mgr).Named(Name)
	for _, kind := range binding.Kinds() {
		setup = setup.Watches(kind, wake.bindings(), builder.WithPredicates(bindingChanged()))
	}

	return setup.
		Watches(&v1alpha1.ReadinessGate{}, wake.readinessGates(newEdits(o.Now)), builder.WithPredicates(bindingChanged())).
		For(&corev1.Pod{}, builder.WithPredicates(gated)).
		Watches(&corev1.Service{}, handler.EnqueueRequestsFromMapFunc(wake.service), builder.WithPredicates(serviceChanged())).
		WatchesRawSource(o.Wake).
		WithOptions(controller.Options{
			MaxConcurrentReconciles: o.Workers,
			RateLimiter:             backoff.New(firstBackoff, nil, o.Random),
		}).
		Complete(r)
}

// serviceChanged drops events that do not touch what selects pods and ports, nor whether gates of other controllers count.
func serviceChanged() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		before, after := e.ObjectOld.(*corev1.Service), e.ObjectNew.(*corev1.Service)
		return !equality.Semantic.DeepEqual(before.Spec.Selector, after.Spec.Selector) ||
			!equality.Semantic.DeepEqual(before.Spec.Ports, after.Spec.Ports) ||
			before.Spec.Type != after.Spec.Type ||
			before.Spec.PublishNotReadyAddresses != after.Spec.PublishNotReadyAddresses
	}}
}

// bindingChanged drops events of podgate's own writing to a binding or ReadinessGate, of its finalizers and
// status: what podgate found out about the group comes from the registry.
func bindingChanged() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		before, after := e.ObjectOld, e.ObjectNew
		return before.GetGeneration() != after.GetGeneration() ||
			!maps.Equal(before.GetLabels(), after.GetLabels()) || // They may say of which Ingress it is.
			before.GetDeletionTimestamp().IsZero() != after.GetDeletionTimestamp().IsZero() ||
			!maps.Equal(settings(before), settings(after))
	}}
}

// settings are a binding's annotations that are not podgate's own.
func settings(b client.Object) map[string]string {
	others := maps.Clone(b.GetAnnotations())
	delete(others, v1alpha1.PublishedAnnotation)
	return others
}
