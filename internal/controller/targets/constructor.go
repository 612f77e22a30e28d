// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package targets

import (
	"cmp"
	"context"
	"math/rand/v2"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/controller/latency"
	"github.com/podgate/podgate/internal/drain/record"
	"github.com/podgate/podgate/internal/gates"
	"github.com/podgate/podgate/internal/lbc"
)

// Name is the controller's, in logs and metrics.
const Name = "target"

// Options are what a Reconciler may be given in addition to what it requires. Each of them has a default that works.
type Options struct {
	// Reader is uncached. The client is read when it is nil.
	Reader client.Reader
	// Drivers say what is true of each load balancer; the most careful is assumed of one that is missing.
	Drivers balancer.Drivers
	// Account returns whose budget of calls a group draws on. One account never takes more than a quarter of the
	// workers. All groups are of one account when it is nil.
	Account  func(balancer.Ref) string
	Recorder events.EventRecorder
	Metrics  prometheus.Registerer
	// Gates are the kinds of gates; gates.All when nil.
	Gates gates.Kinds
	// Registered takes when pods that have a gate were registered.
	Registered *latency.Times[latency.Registration]
	// Wake adds bindings to the queue from outside.
	Wake source.Source
	// Ownership says which bindings are served; binding.OwnAll when empty.
	Ownership binding.Ownership
	// LBCLeaseNamespace is where AWS Load Balancer Controller has its lease; kube-system when empty.
	LBCLeaseNamespace string
	// Allowed returns the first of some things that the bindings of a namespace may not name, as binding.Names spells
	// them. All may name everything when it is nil.
	Allowed func(ctx context.Context, namespace string, things []string) (refused string, err error)
	// Namespace is the only one whose objects podgate sees; all when empty.
	Namespace string
	// AbsenceGrace is how long a Service, a port or all pods must be missing before running targets go.
	AbsenceGrace time.Duration
	// Floor is how many running targets of a group stay while pods that should serve do not; 1 when 0.
	Floor int
	// Workers is how many bindings are handled at a time; 1 when 0.
	Workers int
	// Now is the clock; time.Now when nil.
	Now func() time.Time
	// Random returns a duration below its argument, for jitter; rand.N when nil.
	Random func(time.Duration) time.Duration
}

// withDefaults fills in what is not given.
func (o Options) withDefaults(c client.Client) Options {
	if o.Reader == nil {
		o.Reader = c
	}

	if o.Account == nil {
		o.Account = func(balancer.Ref) string { return "" }
	}

	if o.Recorder == nil {
		o.Recorder = &events.FakeRecorder{} // Without a channel it drops every event.
	}

	if o.Metrics == nil {
		o.Metrics = prometheus.NewRegistry()
	}

	if o.Gates == nil {
		o.Gates = gates.All()
	}

	if o.Registered == nil {
		o.Registered = &latency.Times[latency.Registration]{}
	}

	o.Ownership = cmp.Or(o.Ownership, binding.OwnAll)
	o.LBCLeaseNamespace = cmp.Or(o.LBCLeaseNamespace, "kube-system")
	o.Workers = cmp.Or(o.Workers, 1)
	if o.Now == nil {
		o.Now = time.Now
	}

	if o.Random == nil {
		o.Random = rand.N
	}

	return o
}

// NewReconciler makes a Reconciler that remembers nothing.
func NewReconciler(c client.Client, provider balancer.Provider, observer Observer, registry *binding.Registry, o Options) (*Reconciler, error) {
	o = o.withDefaults(c)

	calls, err := newCallMetrics(o.Metrics, o.Registered, o.Gates)
	if err != nil {
		return nil, err
	}

	guarded, err := newGuardMetrics(o.Metrics)
	if err != nil {
		return nil, err
	}

	drains, err := record.NewReports(record.Options{Drivers: o.Drivers, Recorder: o.Recorder, Metrics: o.Metrics, Now: o.Now})
	if err != nil {
		return nil, err
	}

	states := newStates()
	return &Reconciler{
		client: c, provider: provider, observer: observer, registry: registry,
		report: newReporter(c, states, guarded, o),
		registrar: &registrar{
			provider: provider, observer: observer, pending: newPendingCalls(o.Now, o.Drivers.Lag),
			drains: drains, metrics: calls, now: o.Now,
		},
		lbc: lbc.Coexistence{
			Owners:  lbc.NewOwners(o.Ownership, o.Reader, o.LBCLeaseNamespace, o.Now),
			Records: lbc.NewRecords(c, o.Reader, o.Drivers, o.Now),
			Nudger:  lbc.NewNudger(c, observer, o.Now),
		},
		slots:   newAccountSlots(o.Workers, o.Account),
		drivers: o.Drivers, allowed: o.Allowed,
		drains: drains, states: states, kinds: o.Gates,
		guards: guards{absenceGrace: o.AbsenceGrace, floor: o.Floor}, clock: clock{now: o.Now, random: o.Random},
	}, nil
}

// Setup adds the controller to a manager. Its Reconciler is for a standby's use.
func Setup(mgr manager.Manager, provider balancer.Provider, observer Observer, registry *binding.Registry, o Options) (*Reconciler, error) {
	c := mgr.GetClient()
	o = o.withDefaults(c)
	r, err := NewReconciler(c, provider, observer, registry, o)
	if err != nil {
		return nil, err
	}

	setup := builder.ControllerManagedBy(mgr).Named(Name)
	for _, kind := range binding.Kinds() {
		setup = setup.Watches(kind, handler.EnqueueRequestsFromMapFunc(itself), builder.WithPredicates(specChanged()))
	}

	setup = setup.
		Watches(&corev1.Service{}, handler.EnqueueRequestsFromMapFunc(serviceBindings(c, r.lbc.Owners))).
		Watches(&corev1.Pod{}, r.podEvents(c).handler()).
		WatchesRawSource(first(c, r.lbc.Owners, o.Gates)).
		WithOptions(controller.Options{MaxConcurrentReconciles: o.Workers, RateLimiter: newRateLimiter(o.Random, r.states)})
	if o.Wake != nil {
		setup = setup.WatchesRawSource(o.Wake)
	}

	return r, setup.Complete(r)
}

// itself maps a binding to its key.
func itself(_ context.Context, b client.Object) []reconcile.Request {
	return []reconcile.Request{{NamespacedName: binding.KeyOf(b)}}
}

// specChanged drops events that only the status, or podgate's own writing, caused.
func specChanged() predicate.Predicate {
	return predicate.Or(predicate.GenerationChangedPredicate{}, predicate.AnnotationChangedPredicate{}, finalizersChanged())
}

func finalizersChanged() predicate.Predicate {
	return predicate.Funcs{
		CreateFunc: func(event.CreateEvent) bool { return false },
		DeleteFunc: func(event.DeleteEvent) bool { return false },
		UpdateFunc: func(e event.UpdateEvent) bool {
			return len(e.ObjectOld.GetFinalizers()) != len(e.ObjectNew.GetFinalizers()) ||
				e.ObjectOld.GetDeletionTimestamp().IsZero() != e.ObjectNew.GetDeletionTimestamp().IsZero()
		},
		GenericFunc: func(event.GenericEvent) bool { return false },
	}
}

// serviceBindings maps a Service to the bindings that refer to it.
func serviceBindings(r client.Reader, owners *lbc.Owners) handler.MapFunc {
	return func(ctx context.Context, svc client.Object) []reconcile.Request {
		bindings, err := binding.OfService(ctx, r, client.ObjectKeyFromObject(svc))
		if err != nil {
			log.FromContext(ctx).Error(err, "Finding a Service's bindings failed", "service", client.ObjectKeyFromObject(svc))
			return nil
		}
		var reqs []reconcile.Request
		for i := range bindings {
			if owners.Serves(bindings[i]) {
				reqs = append(reqs, reconcile.Request{NamespacedName: bindings[i].Key()})
			}
		}
		return reqs
	}
}
