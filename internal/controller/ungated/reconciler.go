// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package ungated reports which pods of labelled namespaces lack a gate, and why, and which
// pods end before their load balancers have let go of them. The webhook cannot report it: the
// API server hands its warnings to the ReplicaSet controller, and it may not even have been
// asked. The package reads caches, makes events and counts. It changes and deletes nothing:
// package replace evicts what has no gate, where a binding asks for it.
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

	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/controller/podgauge"
	"github.com/podgate/podgate/internal/injection"
)

// What this package may do in the cluster.
//
// +kubebuilder:rbac:groups="",resources=pods;services;namespaces,verbs=list;watch
// +kubebuilder:rbac:groups=elbv2.k8s.aws,resources=targetgroupbindings,verbs=list;watch
// +kubebuilder:rbac:groups=podgate.dev,resources=targetbindings;readinessgates,verbs=list;watch
// +kubebuilder:rbac:groups=admissionregistration.k8s.io,resources=mutatingwebhookconfigurations,verbs=get;list;watch,resourceNames=podgate-webhook
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch

const (
	// eventsPerSecond and eventsBurst bound the events of all pods and owners together: ten
	// thousand pods may lack a gate for one cause. What is left out the gauge counts.
	eventsPerSecond = 1
	eventsBurst     = 100
	// recent is how young a pod is, or what should have gated it, for a process that has just started to report
	// on it: on all others an earlier process has reported.
	recent = 10 * time.Minute
	// starting is for how long a process has just started.
	starting = time.Minute
)

// Reconciler inspects one pod at a time.
type Reconciler struct {
	inspector      *Inspector
	recorder       events.EventRecorder
	missing, short *podgauge.Tally
	limit          *rate.Limiter
	now            func() time.Time
	started        time.Time

	// ungated is what was reported of gates, undrained what was reported of hooks.
	ungated, undrained reported
}

// Reconcile inspects a pod.
func (r *Reconciler) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	var pod corev1.Pod
	if err := r.inspector.Reader.Get(ctx, req.NamespacedName, &pod); err != nil {
		if !apierrors.IsNotFound(err) {
			return reconcile.Result{}, fmt.Errorf("get pod: %w", err)
		}
		r.take(req.NamespacedName, nil, Finding{})
		return reconcile.Result{}, nil
	}

	f, err := r.inspector.Inspect(ctx, &pod)
	if err != nil {
		return reconcile.Result{}, err
	}

	r.take(req.NamespacedName, &pod, f)
	return reconcile.Result{}, nil
}

// take remembers what was found of a pod, and reports it when it is news. The pod is nil when
// it is gone.
func (r *Reconciler) take(key types.NamespacedName, pod *corev1.Pod, f Finding) {
	r.count(key, f)

	if f.Gates.Empty() {
		r.ungated.forget(key)
	} else {
		r.takeGates(key, pod, f.Gates)
	}

	if f.Drain.Empty() {
		r.undrained.forget(key)
	} else {
		r.takeDrain(key, pod, f.Drain)
	}
}

// takeGates reports on each pod, and on its owner once.
func (r *Reconciler) takeGates(key types.NamespacedName, pod *corev1.Pod, f injection.Finding) {
	owned, changed := r.ungated.enter(key, pod, keyOf(f))
	if owned == nil || !changed && r.old(f.Since) {
		return
	}

	m := binding.MakerOf(pod)

	// The owner comes first: where many pods use up the events, one of them names the cause.
	if owner := binding.Owner(pod); owner != nil && !owned.reported {
		owned.reported = r.report(owner, m, f, "Pods of this "+owner.Kind+" have no")
	}

	r.report(pod, m, f, "No")
}

// takeDrain reports on an owner and on the first of its pods: all come from one template.
func (r *Reconciler) takeDrain(key types.NamespacedName, pod *corev1.Pod, f injection.Shortfall) {
	owned, changed := r.undrained.enter(key, pod, f.String())
	if owned == nil || !changed && r.old(pod.CreationTimestamp.Time) {
		return
	}

	// A pod without an owner has a manifest of its own, so each of them is news.
	owner := binding.Owner(pod)
	if owner != nil && owned.reported || !r.limit.AllowN(r.now(), 1) {
		return
	}

	owned.reported = true
	r.reportShort(pod, owner, f)
}

// old reports whether a process that has just started may assume that something was reported: it
// was there before.
func (r *Reconciler) old(since time.Time) bool {
	return r.now().Sub(r.started) < starting && r.now().Sub(since) > recent
}

// count keeps the gauges of those that lack a gate which they should carry, and of those
// that end too soon.
func (r *Reconciler) count(key types.NamespacedName, f Finding) {
	var missing, short []podgauge.Series
	if len(f.Gates.Missing) > 0 {
		missing = append(missing, podgauge.Series{key.Namespace, f.Gates.Reason})
	}

	if f.Drain.Hook > 0 {
		short = append(short, podgauge.Series{key.Namespace, "hook"})
	}

	if f.Drain.Grace > 0 {
		short = append(short, podgauge.Series{key.Namespace, "grace_period"})
	}

	r.missing.Set(key, missing)
	r.short.Set(key, short)
}

// keyOf is what makes two findings the same news.
func keyOf(f injection.Finding) string {
	return f.Reason + " " + f.Service + " " + f.Binding + " " + strings.Join(f.Missing, " ")
}
