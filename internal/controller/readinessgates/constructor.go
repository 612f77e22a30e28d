// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package readinessgates

import (
	"context"
	"math/rand/v2"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/check/manual"
	"github.com/podgate/podgate/internal/controller/backoff"
	"github.com/podgate/podgate/internal/observe/checks"
)

// Name is the controller's, in logs and metrics.
const Name = "readinessgates"

// patience bounds how long one gate may take, which waits for the API server to tell what it may ask: others wait for it.
const patience = 20 * time.Second

// Options of a Reconciler. Judge and Observer are required.
type Options struct {
	Judge    Judge
	Observer Observer
	Recorder events.EventRecorder
	// Now is the clock; time.Now when nil.
	Now func() time.Time
	// Random returns a duration below its argument, for jitter; rand.N when nil.
	Random func(time.Duration) time.Duration
}

// NewReconciler makes a Reconciler that reads and writes by a client, whose cache has the indexes of package index.
func NewReconciler(c client.Client, o Options) *Reconciler {
	if o.Recorder == nil {
		o.Recorder = &events.FakeRecorder{} // Without a channel it drops every event.
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Reconciler{client: c, judge: o.Judge, observer: o.Observer, recorder: o.Recorder, now: o.Now, tried: map[types.NamespacedName]checks.Gate{}, awaited: map[types.NamespacedName]map[manual.Key]bool{}}
}

// Setup adds the controller to a manager.
func Setup(mgr manager.Manager, o Options) error {
	if o.Random == nil {
		o.Random = rand.N[time.Duration]
	}
	return builder.ControllerManagedBy(mgr).Named(Name).
		For(&v1alpha1.ReadinessGate{}, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&corev1.Pod{}, settled{}).
		WithOptions(controller.Options{MaxConcurrentReconciles: 1, ReconciliationTimeout: patience, RateLimiter: backoff.New(time.Second, nil, o.Random)}).
		Complete(NewReconciler(mgr.GetClient(), o))
}

// settled has the gates that a pod carries counted again a while after the pod changed, once for all that changes meanwhile.
type settled struct{}

type queue = workqueue.TypedRateLimitingInterface[reconcile.Request]

var _ handler.EventHandler = settled{}

// Create implements handler.EventHandler.
func (settled) Create(_ context.Context, e event.CreateEvent, q queue) { recount(e.Object, q) }

// Update implements handler.EventHandler.
func (settled) Update(_ context.Context, e event.UpdateEvent, q queue) { recount(e.ObjectNew, q) }

// Delete implements handler.EventHandler.
func (settled) Delete(_ context.Context, e event.DeleteEvent, q queue) { recount(e.Object, q) }

// Generic implements handler.EventHandler.
func (settled) Generic(_ context.Context, e event.GenericEvent, q queue) { recount(e.Object, q) }

func recount(o client.Object, q queue) {
	pod, ok := o.(*corev1.Pod)
	if !ok {
		return
	}
	for _, g := range pod.Spec.ReadinessGates {
		if name, found := strings.CutPrefix(string(g.ConditionType), v1alpha1.CheckPrefix); found {
			q.AddAfter(reconcile.Request{NamespacedName: types.NamespacedName{Namespace: pod.Namespace, Name: name}}, settle)
		}
	}
}
