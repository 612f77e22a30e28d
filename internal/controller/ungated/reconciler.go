// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package ungated tells which pods of labelled namespaces lack a gate, and why, and which
// end sooner than their load balancers let go of them: the
// webhook cannot, since the API server hands its warnings to the ReplicaSet
// controller, and it may not even have been asked. It reads caches, makes events and
// counts. Neither a gate nor a hook can be added later: where a binding asks for it, a second
// controller replaces pods without a gate, one by one, by eviction. It changes no pod, and
// deletes none otherwise.
package ungated

import (
	"context"
	"fmt"
	"strings"
	"time"

	"golang.org/x/time/rate"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/controller/podgauge"
	"github.com/podgate/podgate/internal/injection"
)

// What this package may do in the cluster.
//
// +kubebuilder:rbac:groups="",resources=pods;services;namespaces,verbs=list;watch
// +kubebuilder:rbac:groups=elbv2.k8s.aws,resources=targetgroupbindings,verbs=list;watch
// +kubebuilder:rbac:groups=admissionregistration.k8s.io,resources=mutatingwebhookconfigurations,verbs=get;list;watch,resourceNames=podgate-webhook
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch

const (
	// eventsPerSecond and eventsBurst bound the events of all pods and owners together: ten
	// thousand pods may lack a gate for one cause. What is left out the gauge counts.
	eventsPerSecond = 1
	eventsBurst     = 100
	// recent is how young a pod is, or what should have gated it, of which a process tells
	// that has just started: of all others it was told before.
	recent = 10 * time.Minute
	// starting is for how long a process has just started.
	starting = time.Minute
)

// Reconciler judges one pod at a time.
type Reconciler struct {
	judge
	recorder       events.EventRecorder
	missing, short *podgauge.Tally
	limit          *rate.Limiter
	now            func() time.Time
	started        time.Time

	// ungated is what was told of gates, undrained what was told of hooks.
	ungated, undrained book
}

// finding is all that is found of a pod.
type finding struct {
	gates injection.Finding
	drain injection.Shortfall
}

// Reconcile judges a pod.
func (r *Reconciler) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	var pod corev1.Pod
	if err := r.reader.Get(ctx, req.NamespacedName, &pod); err != nil {
		if !apierrors.IsNotFound(err) {
			return reconcile.Result{}, fmt.Errorf("get pod: %w", err)
		}
		r.take(req.NamespacedName, nil, finding{})
		return reconcile.Result{}, nil
	}

	f, err := r.look(ctx, &pod)
	if err != nil {
		return reconcile.Result{}, err
	}

	r.take(req.NamespacedName, &pod, f)
	return reconcile.Result{}, nil
}

// take notes what was found of a pod, and tells it when it is news. The pod is nil when
// it is gone.
func (r *Reconciler) take(key types.NamespacedName, pod *corev1.Pod, f finding) {
	r.count(key, f)
	if f.gates.Empty() {
		r.ungated.forget(key)
	} else {
		r.takeGates(key, pod, f.gates)
	}
	if f.drain.Empty() {
		r.undrained.forget(key)
	} else {
		r.takeDrain(key, pod, f.drain)
	}
}

// takeGates tells each pod, and its owner once.
func (r *Reconciler) takeGates(key types.NamespacedName, pod *corev1.Pod, f injection.Finding) {
	whole, changed := r.ungated.enter(key, pod, about(f))
	if whole == nil || !changed && r.old(f.Since) {
		return
	}
	if owner := binding.Owner(pod); owner != nil && !whole.told {
		whole.told = r.tell(owner, f, "Pods of this "+owner.Kind+" have no readiness gate: ")
	}
	r.tell(pod, f, "No readiness gate: ")
}

// takeDrain tells an owner and the first of its pods: all come from one template.
func (r *Reconciler) takeDrain(key types.NamespacedName, pod *corev1.Pod, f injection.Shortfall) {
	whole, changed := r.undrained.enter(key, pod, f.String())
	if whole == nil || !changed && r.old(pod.CreationTimestamp.Time) {
		return
	}

	owner := binding.Owner(pod)
	if owner != nil && whole.told || !r.limit.AllowN(r.now(), 1) {
		return
	}

	whole.told = true
	r.recorder.Eventf(pod, nil, corev1.EventTypeWarning, v1alpha1.ReasonDrainTooShort, "Drain", "%s", f)

	if owner != nil {
		r.recorder.Eventf(owner, nil, corev1.EventTypeWarning, v1alpha1.ReasonDrainTooShort, "Drain", "Pods of this %s: %s", owner.Kind, f)
	}
}

// old reports whether a process that has just started may take something for told: it was
// there before.
func (r *Reconciler) old(since time.Time) bool {
	return r.now().Sub(r.started) < starting && r.now().Sub(since) > recent
}

// count keeps the gauges of those that lack a gate which they should carry, and of those
// that end too soon.
func (r *Reconciler) count(key types.NamespacedName, f finding) {
	var missing, short []podgauge.Series
	if len(f.gates.Missing) > 0 {
		missing = append(missing, podgauge.Series{key.Namespace, string(f.gates.Reason)})
	}
	if f.drain.Hook > 0 {
		short = append(short, podgauge.Series{key.Namespace, "hook"})
	}
	if f.drain.Grace > 0 {
		short = append(short, podgauge.Series{key.Namespace, "grace_period"})
	}
	r.missing.Set(key, missing)
	r.short.Set(key, short)
}

// about is what makes two findings the same news.
func about(f injection.Finding) string {
	return string(f.Reason) + " " + f.Service + " " + f.Binding + " " + strings.Join(f.Missing, " ")
}
