// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package pods writes the conditions that open pods' readiness gates. It is the only
// writer of pod conditions; it reads snapshots and makes no call to a load balancer.
package pods

import (
	"context"
	"fmt"
	"net/netip"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/podgate/podgate/api/gates"
	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/controller/podgauge"
	"github.com/podgate/podgate/internal/gate"
	"github.com/podgate/podgate/internal/observe"
	"github.com/podgate/podgate/internal/override"
)

// What this package may do in the cluster.
//
// +kubebuilder:rbac:groups="",resources=pods;services,verbs=list;watch
// +kubebuilder:rbac:groups="",resources=pods/status,verbs=patch
// +kubebuilder:rbac:groups=elbv2.k8s.aws,resources=targetgroupbindings,verbs=list;watch
// +kubebuilder:rbac:groups=podgate.dev,resources=targetbindings,verbs=list;watch
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch

// Observer is the part of observe.Observer that the controller needs.
type Observer interface {
	Watch(observe.Interest) observe.Sighting
	Forget(pod types.NamespacedName, keep ...balancer.Ref)
}

// Reconciler reconciles one pod's gates at a time.
type Reconciler struct {
	client   client.Client
	observer Observer
	registry *binding.Registry
	recorder events.EventRecorder
	metrics  *metrics
	now      func() time.Time
	own      ownWrites
	closings closings
	// orphanGrace is how long a pod waits at a gate that no binding claims; gate.ReleaseAfter when 0.
	orphanGrace time.Duration

	mu sync.Mutex
	// uids tells a pod from one that is made anew under its name.
	uids map[types.NamespacedName]types.UID
	// unclaimed is since when a gate's binding is missing.
	unclaimed map[gateKey]absence
}

type gateKey struct {
	pod  types.NamespacedName
	gate string
}

// absence is since when a gate of the pod with a UID has no binding.
type absence struct {
	uid   types.UID
	since time.Time
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

	if r.own.unseen(req.NamespacedName, pod.ResourceVersion, r.now()) {
		return reconcile.Result{RequeueAfter: behindPoll}, nil
	}

	r.meet(req.NamespacedName, pod.UID)
	e := evaluation{pod: &pod, key: req.NamespacedName, proven: readProven(&pod), overrides: override.Of(&pod), now: r.now()}
	for _, name := range gates.Of(&pod) {
		if err := r.evaluate(ctx, &e, name); err != nil {
			return reconcile.Result{}, err
		}
	}

	r.observer.Forget(req.NamespacedName, e.refs...)
	if err := r.write(ctx, &e); err != nil {
		return reconcile.Result{}, err
	}

	r.metrics.waiting.Set(req.NamespacedName, e.waiting)
	r.metrics.orphans.Set(req.NamespacedName, e.orphans)
	return reconcile.Result{RequeueAfter: e.recheck}, nil
}

// evaluation gathers what follows for one pod.
type evaluation struct {
	pod        *corev1.Pod
	key        types.NamespacedName
	now        time.Time
	proven     proven
	overrides  override.Record
	conditions []corev1.PodCondition
	refs       []balancer.Ref
	// waiting and orphans are the label values of the pod's share in the gauges.
	waiting, orphans []podgauge.Series
	recheck          time.Duration
	// late are the gates that timed out just now, by the policy that applies.
	late []lateGate
}

// evaluate decides one gate.
func (r *Reconciler) evaluate(ctx context.Context, e *evaluation, name string) error {
	gateType := gates.Type(name)
	facts := gate.Pod{ClosedAt: e.proven.Closed[gateType], TimedOut: e.proven.TimedOut[gateType], Override: e.overrides.Gate(gateType)}
	if c := binding.Condition(e.pod, corev1.ContainersReady); c != nil {
		facts.ContainersReady = c.Status == corev1.ConditionTrue
		facts.ContainersReadySince = c.LastTransitionTime.Time
	}

	current := condition(e.pod, gateType)
	facts.Leftover = balancer.Reported(current.Reason)

	src, err := r.source(ctx, e, name)
	if err != nil || src.foreign {
		return err
	}

	feed := r.feed(e, gateType, src, facts, current)
	var unknown error
	feed.Room = func() bool {
		room, err := r.room(ctx, e, name, src)
		unknown = err
		return room
	}

	d := gate.Decide(e.now, facts, []gate.Feed{feed}, src.policy, current)
	if unknown != nil {
		return unknown
	}

	if src.watched() {
		// Only the decision knows whether the gate still waits for its target.
		r.observer.Watch(src.interest(e.key, d.Waiting && facts.ContainersReady))
	}

	if src.claim == gate.Unclaimed {
		e.orphans = append(e.orphans, podgauge.Series{e.key.Namespace, name})
	}

	e.take(gateType, current, d)
	return nil
}

// room reports whether enough other gates of a binding are open for this pod's to close.
func (r *Reconciler) room(ctx context.Context, e *evaluation, name string, src origin) (bool, error) {
	key := types.NamespacedName{Namespace: e.key.Namespace, Name: name}
	return r.closings.room(key, e.key, src.policy.TrackFloor, e.now, func() (map[types.NamespacedName]bool, error) {
		return binding.OpenGates(ctx, r.client, key, src.service)
	})
}

// take notes a decision.
func (e *evaluation) take(gateType string, current gate.Condition, d gate.Decision) {
	reported := e.proven.TimedOut[gateType]
	if d.Condition.Status != "" {
		var addr netip.Addr
		if len(d.Proven) > 0 {
			addr = d.Proven[0]
		}
		e.proven.set(gateType, addr)
		e.proven.closed(gateType, d.ClosedAt)
		e.proven.timedOut(gateType, d.TimedOut)
	}

	if d.Recheck > 0 && (e.recheck == 0 || d.Recheck < e.recheck) {
		e.recheck = d.Recheck
	}

	if d.Condition.Status != gate.StatusTrue && binding.IsTrue(e.pod, corev1.ContainersReady) {
		e.waiting = append(e.waiting, podgauge.Series{e.key.Namespace, bindingOf(gateType), d.Condition.Reason})
	}

	if d.Condition == current || d.Condition.Status == "" {
		return
	}

	e.time(gateType, current, d, reported)
	c := corev1.PodCondition{
		Type: corev1.PodConditionType(gateType), Status: corev1.ConditionStatus(d.Condition.Status),
		Reason: d.Condition.Reason, Message: d.Condition.Message, LastTransitionTime: metav1.NewTime(e.now),
	}
	if old := binding.Condition(e.pod, c.Type); old != nil && old.Status == c.Status && !old.LastTransitionTime.IsZero() {
		c.LastTransitionTime = old.LastTransitionTime
	}

	e.conditions = append(e.conditions, c)
}

// time notes that a gate's time-out has just passed, unless that was reported before.
func (e *evaluation) time(gateType string, current gate.Condition, d gate.Decision, reported bool) {
	switch {
	case d.Condition.Reason == v1alpha1.ReasonTimedOut && d.Condition.Status != current.Status:
		e.late = append(e.late, lateGate{gate: gateType, answer: gate.Open, message: d.Condition.Message})
	case d.TimedOut && !reported:
		e.late = append(e.late, lateGate{gate: gateType, answer: gate.Hold, message: d.Condition.Message})
	}
}

func condition(pod *corev1.Pod, gateType string) gate.Condition {
	c := binding.Condition(pod, corev1.PodConditionType(gateType))
	if c == nil {
		return gate.Condition{}
	}
	return gate.Condition{Status: gate.Status(c.Status), Reason: c.Reason, Message: c.Message}
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
		return nil // the pod is gone or was made anew; its own event brings it back
	}
	if err != nil {
		return fmt.Errorf("patch conditions: %w", err)
	}

	r.own.note(e.key, written.ResourceVersion, e.now)
	for _, c := range e.conditions {
		log.FromContext(ctx).Info("Wrote condition", "type", c.Type, "status", c.Status, "reason", c.Reason)
		r.tell(e, c)
		r.metrics.wrote(e.pod, c, r.group(e.key.Namespace, c.Type), r.now())
	}

	for _, l := range e.late {
		r.late(e, l)
	}

	return nil
}

// group is that of a gate, empty when it is not known.
func (r *Reconciler) group(namespace string, gate corev1.PodConditionType) string {
	res, _ := r.registry.Get(types.NamespacedName{Namespace: namespace, Name: bindingOf(string(gate))})
	return res.Group.Ref.Group
}

// meet drops what was seen of an earlier pod of that name.
func (r *Reconciler) meet(key types.NamespacedName, uid types.UID) {
	r.mu.Lock()
	before, known := r.uids[key]
	r.uids[key] = uid
	r.mu.Unlock()
	if known && before != uid {
		r.observer.Forget(key)
	}
}

func (r *Reconciler) forget(key types.NamespacedName) {
	r.observer.Forget(key)
	r.own.forget(key)
	r.metrics.waiting.Set(key, nil)
	r.metrics.orphans.Set(key, nil)
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.uids, key)
	for k := range r.unclaimed {
		if k.pod == key {
			delete(r.unclaimed, k)
		}
	}
}
