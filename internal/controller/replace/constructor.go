// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package replace

import (
	"context"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/controller/ungated"
	"github.com/podgate/podgate/internal/observe"
)

// Name is the controller's, in logs and metrics.
const Name = "replace"

// Inspector is the part of ungated.Inspector that replacing needs.
type Inspector interface {
	Inspect(context.Context, *corev1.Pod) (ungated.Finding, error)
}

// Observer is the part of observe.Observer that replacing needs.
type Observer interface {
	View(observe.Subject) observe.View
	Refresh(observe.Subject)
}

// Resolutions is the part of binding.Registry that replacing needs.
type Resolutions interface {
	Get(types.NamespacedName) (binding.Resolution, bool)
}

// Webhook is how the webhook is asked whether it would gate a pod.
type Webhook struct {
	// Reader reads the configuration, which is the webhook's MutatingWebhookConfiguration of that name.
	Reader        client.Reader
	Configuration string
	// Ask returns an error unless the webhook would give a pod like this one these gates now.
	Ask func(ctx context.Context, configuration *admissionv1.MutatingWebhookConfiguration, pod *corev1.Pod, gates []string) error
}

// Options are what a Reconciler may be given beside what it requires. Each of them has a default that works.
type Options struct {
	// Ownership says which bindings are served; binding.OwnAll when empty.
	Ownership binding.Ownership
	Recorder  events.EventRecorder
	Metrics   prometheus.Registerer
	// AbsenceGrace is how long an evicted pod's successor may take to appear; a process that has just started
	// waits as long.
	AbsenceGrace time.Duration
	// Now is the clock; time.Now when nil.
	Now func() time.Time
}

// withDefaults fills in what is not given.
func (o Options) withDefaults() Options {
	if o.Ownership == "" {
		o.Ownership = binding.OwnAll
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

	return o
}

// NewReconciler makes a Reconciler that has evicted nothing yet. The client reads a cache with the indexes of
// package index, and evicts.
func NewReconciler(c client.Client, inspector Inspector, webhook Webhook, observer Observer, groups Resolutions, o Options) (*Reconciler, error) {
	o = o.withDefaults()
	r := &Reconciler{
		client: c, inspector: inspector, webhook: webhook, observer: observer, groups: groups,
		serves: o.Ownership.Serves, recorder: o.Recorder, now: o.Now, started: o.Now(), absence: o.AbsenceGrace,
		evictions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "podgate_pods_replaced_total",
			Help: "Pods that were evicted because they lacked a gate and their binding asks for it.",
		}, []string{"namespace", "binding"}),
		evicted: map[types.UID]eviction{}, reported: map[types.NamespacedName]string{},
	}

	if err := o.Metrics.Register(r.evictions); err != nil {
		return nil, fmt.Errorf("register metrics of replaced pods: %w", err)
	}

	return r, nil
}

// Setup adds the controller to a manager. It looks at bindings that ask for replacements, by their events and by
// the clock.
func Setup(mgr manager.Manager, inspector Inspector, webhook Webhook, observer Observer, groups Resolutions, o Options) error {
	r, err := NewReconciler(mgr.GetClient(), inspector, webhook, observer, groups, o)
	if err != nil {
		return err
	}

	setup := builder.ControllerManagedBy(mgr).Named(Name)
	for _, kind := range binding.Kinds() {
		setup = setup.Watches(kind, asking())
	}

	if err := setup.Complete(r); err != nil {
		return fmt.Errorf("set up controller %s: %w", Name, err)
	}

	return nil
}

// asking wakes bindings that begin or cease to ask for replacements.
func asking() handler.EventHandler {
	type queue = workqueue.TypedRateLimitingInterface[reconcile.Request]
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
