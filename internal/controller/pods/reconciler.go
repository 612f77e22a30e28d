// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package pods writes the conditions that open pods' readiness gates. It is the only
// controller that writes pod conditions; it reads snapshots and makes no call to a load balancer.
package pods

import (
	"context"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/gate"
	"github.com/podgate/podgate/internal/gates"
	"github.com/podgate/podgate/internal/observe"
	"github.com/podgate/podgate/internal/override"
)

// What this package may do in the cluster.
//
// +kubebuilder:rbac:groups="",resources=pods;services,verbs=list;watch
// +kubebuilder:rbac:groups="",resources=pods/status,verbs=patch
// +kubebuilder:rbac:groups=elbv2.k8s.aws,resources=targetgroupbindings,verbs=list;watch
// +kubebuilder:rbac:groups=podgate.dev,resources=targetbindings;readinessgates,verbs=list;watch
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch

// Observer is the part of observe.Observer that the controller needs.
type Observer interface {
	Watch(pod types.NamespacedName, want observe.Interest) observe.Sighting
	Keep(pod types.NamespacedName, all ...observe.Interest)
}

// Reconciler reconciles one pod's gates at a time.
type Reconciler struct {
	client   client.Client
	kinds    gates.Kinds
	observer Observer
	drivers  balancer.Drivers
	registry *binding.Registry
	recorder events.EventRecorder
	// checkEvents bounds the events of gates that checks open and close.
	checkEvents eventLimits
	metrics     *metrics
	now         func() time.Time
	own         ownWrites
	closings    closings
	memory      *memory
	// orphanGrace is how long a pod waits at a gate that nothing claims; gate.ReleaseAfter when 0.
	orphanGrace time.Duration
}

// Reconcile decides all of a pod's gates and writes what changed in one patch.
func (r *Reconciler) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	var pod corev1.Pod
	if err := r.client.Get(ctx, req.NamespacedName, &pod); err != nil {
		if apierrors.IsNotFound(err) {
			r.forget(req.NamespacedName)
			return reconcile.Result{}, nil
		}
		return reconcile.Result{}, fmt.Errorf("get pod: %w", err)
	}

	if !pod.DeletionTimestamp.IsZero() || binding.Over(&pod) {
		r.forget(req.NamespacedName)
		return reconcile.Result{}, nil
	}

	// A cache that does not show the last write yet would have it decided and written again.
	if r.own.unseen(req.NamespacedName, pod.ResourceVersion, r.now()) {
		return reconcile.Result{RequeueAfter: behindPoll}, nil
	}

	seen, another := r.memory.recall(req.NamespacedName, pod.UID)
	defer r.memory.keep(req.NamespacedName, seen)
	if another {
		r.observer.Keep(req.NamespacedName)
	}

	e := evaluation{pod: &pod, key: req.NamespacedName, seen: seen, proven: readProven(&pod), overrides: override.Of(&pod), now: r.now()}
	for _, gateType := range r.kinds.Of(&pod) {
		if err := r.evaluate(ctx, &e, gateType); err != nil {
			return reconcile.Result{}, err
		}
	}

	if err := r.write(ctx, &e); err != nil {
		return reconcile.Result{}, err
	}

	// A gate whose opening was not written goes on waiting: what its checks said so far counts for the next attempt.
	r.observer.Keep(req.NamespacedName, e.interests...)
	r.metrics.waiting.Set(req.NamespacedName, e.waiting)
	r.metrics.orphans.Set(req.NamespacedName, e.orphans)

	return reconcile.Result{RequeueAfter: e.recheck}, nil
}

// evaluate decides one gate, from all that its kind says that it waits for.
func (r *Reconciler) evaluate(ctx context.Context, e *evaluation, gateType string) error {
	current := condition(e.pod, gateType)
	in := gates.Cluster{Reader: r.client, Registry: r.registry, Had: e.seen.had(gateType, e.proven.Waits[gateType], current)}
	sources, ours, err := r.kinds.Sources(ctx, in, e.pod, gateType)
	if err != nil || !ours {
		return err
	}

	e.seen.waits(gateType, waitedFor(sources, current))

	// A gate for which there is nothing to wait is released like one that nothing claims.
	nothing := len(sources) == 0
	if nothing {
		sources = []gates.Source{{Claim: gate.Unclaimed}}
	}

	facts := e.facts(gateType)
	facts.Leftover = r.drivers.Reported(current.Reason)

	feeds := r.feeds(e, gateType, sources, facts.ContainersReady && current.Status != gate.StatusTrue)
	feeds[0].Quiet = nothing
	e.seen.freed(feeds, e.now)

	// A pod that is closed by one source is missing at all of them, so one answer is for all.
	var unknown error
	room := sync.OnceValue(func() bool {
		has, err := r.room(ctx, e, gateType, sources)
		unknown = err
		return has
	})
	for i := range feeds {
		feeds[i].Room = room
	}

	d := gate.Decide(e.now, facts, feeds, gate.Policy{OrphanGrace: r.orphanGrace}, current)
	if unknown != nil {
		return unknown
	}

	// Only the decision knows whether the gate still waits for its targets.
	for _, s := range sources {
		if s.Claim == gate.Claimed {
			e.interests = append(e.interests, interest(s, d.Waiting && facts.ContainersReady))
		}
	}

	e.note(gateType, sources, current, d)
	return nil
}

// room reports whether enough gates of other pods are open, for each source, for this pod's
// to close.
func (r *Reconciler) room(ctx context.Context, e *evaluation, gateType string, sources []gates.Source) (bool, error) {
	var floors []floor
	for _, s := range sources {
		switch s.Claim {
		case gate.Releasing, gate.NotIP, gate.NotTarget:
			continue
		case gate.Claimed:
		default:
			return false, nil // nobody knows which other pods count
		}

		floors = append(floors, floor{keep: s.Policy.TrackFloor, open: func() (map[types.NamespacedName]bool, error) {
			return binding.OpenGates(ctx, r.client, e.key.Namespace, gateType, s.Service)
		}})
	}

	return r.closings.room(e.key, floors, e.now)
}

// write sends what changed, if anything did.
func (r *Reconciler) write(ctx context.Context, e *evaluation) error {
	body, err := makePatch(e.pod, e.conditions, e.proven)
	if err != nil || body == nil {
		return err
	}

	written := e.pod.DeepCopy()
	err = r.client.Status().Patch(ctx, written, client.RawPatch(types.StrategicMergePatchType, body))
	if apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		return nil // the pod is gone or is another one; its own event brings it back
	}
	if err != nil {
		return fmt.Errorf("patch conditions: %w", err)
	}

	r.own.note(e.key, written.ResourceVersion, e.now)
	for _, c := range e.conditions {
		log.FromContext(ctx).Info("Wrote condition", "type", c.Type, "status", c.Status, "reason", c.Reason)
		r.report(e, c)
		_, free := e.others(r.kinds)
		r.metrics.wrote(e.pod, c, e.groups[c.Type], free, r.now())
	}

	for _, l := range e.late {
		r.reportLate(e, l)
	}

	return nil
}

// forget drops all that is known of a pod that is gone or needs no gates any longer.
func (r *Reconciler) forget(key types.NamespacedName) {
	r.observer.Keep(key)
	r.own.forget(key)
	r.memory.forget(key)
	r.metrics.waiting.Set(key, nil)
	r.metrics.orphans.Set(key, nil)
}
