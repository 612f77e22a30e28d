// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package readinessgates writes the status of ReadinessGates: whether podgate can serve them, how many pods wait, and what the
// checks say. It opens and closes no gate; package pods does.
package readinessgates

import (
	"context"
	"fmt"
	"reflect"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/observe/checks"
)

// +kubebuilder:rbac:groups=podgate.dev,resources=readinessgates,verbs=list;watch
// +kubebuilder:rbac:groups=podgate.dev,resources=readinessgates/status,verbs=patch
// +kubebuilder:rbac:groups="",resources=pods,verbs=list;watch
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch

const (
	// settle is how long changes are collected before the status is written: 10,000 pods that open make no 10,000 writes.
	settle = 2 * time.Second
	// again is how soon the answers of checks are counted again while pods wait for them: an answer alone makes no event.
	again = 5 * time.Second
)

// Observer says what the checks of a gate say; a *checks.Observer does.
type Observer interface {
	Said(checks.Gate) []checks.Said
}

// Judge says whether a ReadinessGate can be served: by a reason of the place OnReadinessGate, and a message. An error means that
// it cannot be told now.
type Judge func(ctx context.Context, g *v1alpha1.ReadinessGate) (reason, message string, err error)

// Reconciler writes the status of one ReadinessGate at a time.
type Reconciler struct {
	client   client.Client
	judge    Judge
	observer Observer
	recorder events.EventRecorder
	now      func() time.Time
}

// Reconcile implements reconcile.Reconciler.
func (r *Reconciler) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	var g v1alpha1.ReadinessGate
	if err := r.client.Get(ctx, req.NamespacedName, &g); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}

	status, err := r.status(ctx, &g)
	if err != nil {
		return reconcile.Result{}, err
	}

	if !reflect.DeepEqual(*status, g.Status) {
		after := g.DeepCopy()
		after.Status = *status
		if err := r.client.Status().Patch(ctx, after, client.MergeFrom(&g)); err != nil {
			return reconcile.Result{}, fmt.Errorf("write the status of ReadinessGate: %w", err)
		}
		r.report(&g, status)
	}

	if status.Pods.Waiting > 0 || g.Spec.Gate.Mode == trackMode {
		return reconcile.Result{RequeueAfter: again}, nil
	}
	return reconcile.Result{}, nil
}

// trackMode has the checks asked about pods in service, too.
const trackMode v1alpha1.GateMode = "Track"

// status is what holds now. Times stay as long as what they are the times of.
func (r *Reconciler) status(ctx context.Context, g *v1alpha1.ReadinessGate) (*v1alpha1.ReadinessGateStatus, error) {
	status := g.Status.DeepCopy()
	status.ObservedGeneration = new(g.Generation)

	reason, message, err := r.judge(ctx, g)
	if err != nil {
		return nil, err
	}
	ready := metav1.Condition{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue, Reason: reason, Message: message, ObservedGeneration: g.Generation}
	if reason != v1alpha1.ReasonServing {
		ready.Status = metav1.ConditionFalse
	}
	meta.SetStatusCondition(&status.Conditions, ready)

	pods, err := r.count(ctx, g)
	if err != nil {
		return nil, err
	}
	status.Pods = pods

	said := r.observer.Said(checks.Gate{Namespace: g.Namespace, Name: g.Name, UID: g.UID})
	status.Checks = r.checks(said, g.Status.Checks)
	return status, nil
}

// count counts the running pods that carry the gate.
func (r *Reconciler) count(ctx context.Context, g *v1alpha1.ReadinessGate) (*v1alpha1.GatedPods, error) {
	counts := &v1alpha1.GatedPods{}
	timeout := time.Duration(g.Spec.Gate.TimeoutSeconds) * time.Second
	gate := v1alpha1.CheckPrefix + g.Name

	_, err := binding.Carriers(ctx, r.client, g.Namespace, gate, func(pod *corev1.Pod) bool {
		counts.Gated++
		condition := binding.Condition(pod, corev1.PodConditionType(gate))
		ready := binding.Condition(pod, corev1.ContainersReady)
		switch {
		case condition != nil && condition.Status == corev1.ConditionTrue:
			counts.Open++
			return false
		case ready == nil || ready.Status != corev1.ConditionTrue:
			return false // It waits for its containers.
		}

		counts.Waiting++
		if timeout > 0 && r.now().Sub(ready.LastTransitionTime.Time) >= timeout {
			counts.TimedOut++
		}
		if condition != nil && condition.Reason == v1alpha1.ReasonCheckNotApproved {
			counts.ApprovalNeeded++
		}
		return false
	})
	return counts, err
}

// checks is what the checks say, as the status has it, with the times of what has not changed.
func (r *Reconciler) checks(said []checks.Said, before []v1alpha1.CheckStatus) []v1alpha1.CheckStatus {
	since := metav1.NewTime(r.now().Truncate(time.Second))
	var all []v1alpha1.CheckStatus
	for _, s := range said {
		now := v1alpha1.CheckStatus{Name: s.Check, Passing: int32(s.Passing), Failing: int32(s.Failing), NoAnswer: int32(s.NoAnswer), Problem: s.Problem, Since: &since}
		for _, b := range before {
			if same := now; b.Name == now.Name {
				same.Since = b.Since
				if b == same {
					now = same
				}
			}
		}
		all = append(all, now)
	}
	return all
}

// report makes an event when it changes whether the gate can be served, and why not.
func (r *Reconciler) report(g *v1alpha1.ReadinessGate, status *v1alpha1.ReadinessGateStatus) {
	before, now := meta.FindStatusCondition(g.Status.Conditions, v1alpha1.ConditionReady), meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionReady)
	if before != nil && before.Reason == now.Reason && before.Message == now.Message {
		return
	}

	kind := corev1.EventTypeNormal
	if now.Status != metav1.ConditionTrue {
		kind = corev1.EventTypeWarning
	}
	r.recorder.Eventf(g, nil, kind, now.Reason, "Serve", "%s", now.Message)
}
