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
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/check/manual"
	"github.com/podgate/podgate/internal/limit"
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
	// later is how soon to look again at a gate that cannot be served: what is allowed and named changes without it.
	later = time.Minute
)

// Observer says what the checks of a gate say; a *checks.Observer does.
type Observer interface {
	Said(checks.Gate) []checks.Said
	// Try has the checks asked about pods for a dry run, and Passing counts those of them that pass.
	Try(checks.Gate, []types.NamespacedName)
	Passing(checks.Gate) int
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
	// tried are the gates in a dry run, and awaited what was reported to wait for people. One goroutine reconciles.
	tried   map[types.NamespacedName]checks.Gate
	awaited map[types.NamespacedName]map[manual.Key]bool
}

// Reconcile implements reconcile.Reconciler.
func (r *Reconciler) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	var g v1alpha1.ReadinessGate
	err := r.client.Get(ctx, req.NamespacedName, &g)
	if apierrors.IsNotFound(err) {
		r.end(req.NamespacedName, "")
		delete(r.awaited, req.NamespacedName)
		return reconcile.Result{}, nil
	}
	if err != nil {
		return reconcile.Result{}, err
	}

	status, needs, err := r.status(ctx, &g)
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
	r.ask(&g, needs)

	if status.Pods.Waiting > 0 || g.Spec.Gate.Mode == trackMode || g.Spec.DryRun {
		return reconcile.Result{RequeueAfter: again}, nil
	}
	if !meta.IsStatusConditionTrue(status.Conditions, v1alpha1.ConditionReady) {
		return reconcile.Result{RequeueAfter: later}, nil
	}
	return reconcile.Result{}, nil
}

// trackMode has the checks asked about pods in service, too.
const trackMode v1alpha1.GateMode = "Track"

// status is what holds now, and needs what waits for people. Times stay as long as what they are the times of.
func (r *Reconciler) status(ctx context.Context, g *v1alpha1.ReadinessGate) (_ *v1alpha1.ReadinessGateStatus, needs approvals, err error) {
	status := g.Status.DeepCopy()
	status.ObservedGeneration = new(g.Generation)

	reason, message, err := r.judge(ctx, g)
	if err != nil {
		return nil, nil, err
	}
	ready := metav1.Condition{
		Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue, Reason: reason, Message: limit.Cut(message, limit.Message), ObservedGeneration: g.Generation,
	}
	if reason != v1alpha1.ReasonServing {
		ready.Status = metav1.ConditionFalse
	}
	meta.SetStatusCondition(&status.Conditions, ready)

	needs = approvals{}
	if status.Pods, err = r.count(ctx, g, needs); err != nil {
		return nil, nil, err
	}

	if status.DryRun, err = r.dryRun(ctx, g); err != nil {
		return nil, nil, err
	}
	status.Checks = r.checks(r.observer.Said(idOf(g)), g.Status.Checks)
	return status, needs, nil
}

func idOf(g *v1alpha1.ReadinessGate) checks.Gate {
	return checks.Gate{Namespace: g.Namespace, Name: g.Name, UID: g.UID}
}

// dryRun has the checks asked about the pods that would get the gate, and counts what would be; nil where it is no dry run.
func (r *Reconciler) dryRun(ctx context.Context, g *v1alpha1.ReadinessGate) (*v1alpha1.DryRunStatus, error) {
	if !g.Spec.DryRun {
		r.end(client.ObjectKeyFromObject(g), "")
		return nil, nil
	}
	r.end(client.ObjectKeyFromObject(g), g.UID)

	selector, err := metav1.LabelSelectorAsSelector(g.Spec.Selector) // Without one it selects nothing.
	if err != nil {
		return &v1alpha1.DryRunStatus{}, nil //nolint:nilerr // The pods that such a selector would give a gate are none.
	}
	var list corev1.PodList
	if err := r.client.List(ctx, &list, client.InNamespace(g.Namespace), client.MatchingLabelsSelector{Selector: selector}, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("list the pods of a dry run: %w", err)
	}

	var pods []types.NamespacedName
	for i := range list.Items {
		if pod := &list.Items[i]; pod.DeletionTimestamp.IsZero() && !binding.Over(pod) {
			pods = append(pods, client.ObjectKeyFromObject(pod))
		}
	}

	id := idOf(g)
	r.tried[client.ObjectKeyFromObject(g)] = id
	r.observer.Try(id, pods)
	passing := min(r.observer.Passing(id), len(pods))
	return &v1alpha1.DryRunStatus{Selected: int32(len(pods)), WouldOpen: int32(passing), WouldWait: int32(len(pods) - passing)}, nil
}

// end ends the dry run of a gate, unless it is that of this UID: a gate may be another one of the same name by now.
func (r *Reconciler) end(key types.NamespacedName, unless types.UID) {
	if id, tried := r.tried[key]; tried && id.UID != unless {
		r.observer.Try(id, nil)
		delete(r.tried, key)
	}
}

// count counts the running pods that carry the gate, and adds what they need of people.
func (r *Reconciler) count(ctx context.Context, g *v1alpha1.ReadinessGate, needs approvals) (*v1alpha1.GatedPods, error) {
	counts := &v1alpha1.GatedPods{}
	timeout := time.Duration(g.Spec.Gate.TimeoutSeconds) * time.Second
	gate := v1alpha1.CheckPrefix + g.Name
	given, _ := manual.Parse(g.Annotations[v1alpha1.ApprovalsAnnotation]) // What cannot be read approves of nothing.

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
			needs.add(g, given, pod)
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
