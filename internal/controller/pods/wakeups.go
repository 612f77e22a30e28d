// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package pods

import (
	"context"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/gates"
)

// wakeups find the pods that are to be looked at again when something in the cluster changed.
type wakeups struct {
	client client.Reader
	kinds  gates.Kinds
}

// whose finds pods by the owner of what feeds their gates.
type whose func(context.Context, client.Reader, types.NamespacedName) ([]types.NamespacedName, error)

// service returns the pods that wait at gates which a Service's bindings feed.
func (w wakeups) service(ctx context.Context, svc client.Object) []reconcile.Request {
	bindings, err := binding.OfService(ctx, w.client, client.ObjectKeyFromObject(svc))
	if err != nil {
		log.FromContext(ctx).Error(err, "Finding a Service's bindings failed", "service", client.ObjectKeyFromObject(svc))
		return nil
	}

	var reqs []reconcile.Request
	for i := range bindings {
		reqs = append(reqs, w.pods(ctx, bindings[i].Key(), w.kinds.Waiting)...)
	}
	return reqs
}

// bindings wakes the pods that wait at a gate which a binding feeds, and when the binding's
// policies changed those whose gate is open, too.
func (w wakeups) bindings() handler.EventHandler {
	enqueue := func(ctx context.Context, b client.Object, q workqueue.TypedRateLimitingInterface[reconcile.Request], which whose) {
		for _, req := range w.pods(ctx, binding.KeyOf(b), which) {
			q.Add(req)
		}
	}

	return handler.Funcs{
		CreateFunc: func(ctx context.Context, e event.CreateEvent, q workqueue.TypedRateLimitingInterface[reconcile.Request]) {
			enqueue(ctx, e.Object, q, w.kinds.Waiting)
		},
		UpdateFunc: func(ctx context.Context, e event.UpdateEvent, q workqueue.TypedRateLimitingInterface[reconcile.Request]) {
			if policyChanged(e.ObjectOld, e.ObjectNew) {
				enqueue(ctx, e.ObjectNew, q, w.kinds.Fed)
				return
			}
			enqueue(ctx, e.ObjectNew, q, w.kinds.Waiting)
		},
		DeleteFunc: func(ctx context.Context, e event.DeleteEvent, q workqueue.TypedRateLimitingInterface[reconcile.Request]) {
			enqueue(ctx, e.Object, q, w.kinds.Waiting)
		},
	}
}

// readinessGates wakes the pods that carry a ReadinessGate's gate, open or not: what closes it may have changed. Those of one that is
// edited all the time are woken once in a while.
func (w wakeups) readinessGates(edits *edits) handler.EventHandler {
	enqueue := func(ctx context.Context, g client.Object, q workqueue.TypedRateLimitingInterface[reconcile.Request]) {
		key := client.ObjectKeyFromObject(g)
		pods := w.pods(ctx, gates.CheckOwner(key), w.kinds.Fed)
		wait := edits.wait(key, len(pods))
		for _, req := range pods {
			q.AddAfter(req, wait)
		}
	}

	return handler.Funcs{
		CreateFunc: func(ctx context.Context, e event.CreateEvent, q workqueue.TypedRateLimitingInterface[reconcile.Request]) {
			enqueue(ctx, e.Object, q)
		},
		UpdateFunc: func(ctx context.Context, e event.UpdateEvent, q workqueue.TypedRateLimitingInterface[reconcile.Request]) {
			enqueue(ctx, e.ObjectNew, q)
		},
		DeleteFunc: func(ctx context.Context, e event.DeleteEvent, q workqueue.TypedRateLimitingInterface[reconcile.Request]) {
			enqueue(ctx, e.Object, q)
		},
	}
}

// pods returns the pods with gates that an owner's sources feed.
func (w wakeups) pods(ctx context.Context, owner types.NamespacedName, which whose) []reconcile.Request {
	found, err := which(ctx, w.client, owner)
	if err != nil {
		log.FromContext(ctx).Error(err, "Finding a gate's pods failed", "binding", owner)
		return nil
	}

	reqs := make([]reconcile.Request, 0, len(found))
	for _, pod := range found {
		reqs = append(reqs, reconcile.Request{NamespacedName: pod})
	}
	return reqs
}

// policyChanged reports whether a binding's open gates may have to close by what it says now.
func policyChanged(before, after client.Object) bool {
	old, _ := binding.SettingsOf(before)
	now, _ := binding.SettingsOf(after)
	return old.Gate != now.Gate || old.IgnoreOthers != now.IgnoreOthers
}
