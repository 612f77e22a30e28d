// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package ungated

import (
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/time/rate"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/controller/podgauge"
)

// Name is the controller's, in logs and metrics.
const Name = "ungated"

// patience is how long the caches may take. Where podgate may not read namespaces or the webhook's
// configuration, this controller reports nothing; the process must not end for that.
const patience = 10 * 365 * 24 * time.Hour

// Options are what a Reconciler may be given beside what it requires. Each of them has a default that works.
type Options struct {
	Recorder events.EventRecorder
	Metrics  prometheus.Registerer
	// Now is the clock; time.Now when nil.
	Now func() time.Time
}

// withDefaults fills in what is not given.
func (o Options) withDefaults() Options {
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

// NewReconciler makes a Reconciler that has reported nothing yet.
func NewReconciler(inspector *Inspector, o Options) (*Reconciler, error) {
	o = o.withDefaults()
	r := &Reconciler{
		inspector: inspector, recorder: o.Recorder, now: o.Now, started: o.Now(),
		limit: rate.NewLimiter(eventsPerSecond, eventsBurst),
		missing: podgauge.New(prometheus.GaugeOpts{
			Name: "podgate_pods_ungated",
			Help: "Pods of labelled namespaces that should carry a gate and do not, by reason (BindingCreatedLater, ServiceCreatedLater, NotInjected, GatesStated). Traffic may reach them too early: restart them.",
		}, "namespace", "reason"),
		short: podgauge.New(prometheus.GaugeOpts{
			Name: "podgate_pods_drain_too_short",
			Help: "Pods with the drain label that end before their load balancers finish draining, by what (hook, grace_period) is too short. Their events say what to set.",
		}, "namespace", "what"),
		ungated: newReported(), undrained: newReported(),
	}

	for _, t := range []*podgauge.Tally{r.missing, r.short} {
		if err := o.Metrics.Register(t.Gauge); err != nil {
			return nil, fmt.Errorf("register metrics of ungated pods: %w", err)
		}
	}

	return r, nil
}

// Setup adds the controller to a manager. The inspector's Asked has to be a cache of namespaces and webhook
// configurations, and of nothing else: a controller waits for all of a cache, and podgate may be forbidden to
// read these.
func Setup(mgr manager.Manager, asked cache.Cache, inspector *Inspector, o Options) error {
	r, err := NewReconciler(inspector, o)
	if err != nil {
		return err
	}

	w := watcher{reader: inspector.Reader, serves: inspector.Serves}
	setup := builder.ControllerManagedBy(mgr).Named(Name)
	for _, kind := range binding.Kinds() {
		setup = setup.Watches(kind, w.bindings())
	}

	return setup.
		Watches(&corev1.Pod{}, w.pods()).
		Watches(&corev1.Service{}, w.services()).
		WatchesRawSource(source.Kind[client.Object](asked, namespaceOf(), w.namespaces())).
		WatchesRawSource(source.Kind[client.Object](asked, &admissionv1.MutatingWebhookConfiguration{}, w.configurations())).
		WithOptions(controller.Options{CacheSyncTimeout: patience}).
		Complete(r)
}
