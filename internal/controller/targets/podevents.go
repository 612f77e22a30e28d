// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package targets

import (
	"context"
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/disruption"
	"github.com/podgate/podgate/internal/gates"
	"github.com/podgate/podgate/internal/lbc"
)

// coalesce is how long pod events of one group are collected before they are acted
// upon, so that a burst makes one call.
const coalesce = 80 * time.Millisecond

// queue is what a controller's events are added to.
type queue = workqueue.TypedRateLimitingInterface[reconcile.Request]

// podEvents wakes the bindings of a pod, old labels and new, and those whose groups
// hold it, a moment later.
type podEvents struct {
	reader client.Reader
	owners *lbc.Owners
	states *states
	kinds  gates.Kinds
	// notice returns what is known of a pod's end before it is deleted.
	notice func(*corev1.Pod) disruption.Notice
	// ended is called when a pod has ended, once for each of its bindings.
	ended func(binding types.NamespacedName, pod *corev1.Pod, removed bool)
}

// podEvents finds pods' bindings by a reader.
func (r *Reconciler) podEvents(reader client.Reader) podEvents {
	return podEvents{reader: reader, owners: r.lbc.Owners, states: r.states, kinds: r.kinds, notice: r.notice, ended: r.drains.Ended}
}

// handler returns what handles the events.
func (p podEvents) handler() handler.EventHandler {
	return handler.Funcs{CreateFunc: p.created, UpdateFunc: p.updated, DeleteFunc: p.deleted}
}

func (p podEvents) created(ctx context.Context, e event.CreateEvent, q queue) {
	// A pod without an address changes nothing in any group.
	if pod := e.Object.(*corev1.Pod); len(pod.Status.PodIPs) > 0 {
		p.wake(q, p.bindings(ctx, pod))
	}
}

func (p podEvents) updated(ctx context.Context, e event.UpdateEvent, q queue) {
	before, pod := e.ObjectOld.(*corev1.Pod), e.ObjectNew.(*corev1.Pod)
	if !p.relevant(before, pod) {
		return
	}

	// Its old labels may have been another Service's, which has to let it go.
	if !maps.Equal(before.Labels, pod.Labels) {
		p.wake(q, p.bindings(ctx, before))
	}

	bindings := p.bindings(ctx, pod)
	if binding.Over(pod) && !binding.Over(before) {
		p.end(bindings, pod, false)
	}
	p.wake(q, bindings)
}

func (p podEvents) deleted(ctx context.Context, e event.DeleteEvent, q queue) {
	pod := e.Object.(*corev1.Pod)
	bindings := p.bindings(ctx, pod)

	// When a pod went that is only missing from a new list nobody knows.
	if !e.DeleteStateUnknown && !binding.Over(pod) {
		p.end(bindings, pod, true)
	}
	p.wake(q, bindings)
}

// bindings lists the bindings that a pod's event concerns.
func (p podEvents) bindings(ctx context.Context, pod *corev1.Pod) []types.NamespacedName {
	bindings, err := binding.ForPod(ctx, p.reader, pod)
	if err != nil {
		log.FromContext(ctx).Error(err, "Finding a pod's bindings failed", "pod", client.ObjectKeyFromObject(pod))
		return nil
	}

	var keys []types.NamespacedName
	for i := range bindings {
		if p.owners.Serves(bindings[i]) {
			keys = append(keys, bindings[i].Key())
		}
	}

	for _, key := range p.states.holding(client.ObjectKeyFromObject(pod)) {
		if !slices.Contains(keys, key) {
			keys = append(keys, key)
		}
	}

	return keys
}

func (p podEvents) end(bindings []types.NamespacedName, pod *corev1.Pod, removed bool) {
	for _, key := range bindings {
		p.ended(key, pod, removed)
	}
}

func (p podEvents) wake(q queue, bindings []types.NamespacedName) {
	for _, key := range bindings {
		q.AddAfter(reconcile.Request{NamespacedName: key}, coalesce)
	}
}
