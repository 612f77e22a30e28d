// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package ungated tells which pods of labelled namespaces lack a gate, and why: the
// webhook cannot, since the API server hands its warnings to the ReplicaSet
// controller, and it may not even have been asked. It reads caches, makes events and
// counts; it changes no pod, and a gate cannot be added later.
package ungated

import (
	"context"
	"fmt"
	"strings"
	"time"

	"golang.org/x/time/rate"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/controller/tally"
	"github.com/podgate/podgate/internal/injection"
)

// What this package may do in the cluster.
//
// +kubebuilder:rbac:groups="",resources=pods;services;namespaces,verbs=get;list;watch
// +kubebuilder:rbac:groups=elbv2.k8s.aws,resources=targetgroupbindings,verbs=get;list;watch
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
	reader   client.Reader
	asked    client.Reader
	serves   func(client.Object) bool
	recorder events.EventRecorder
	// configuration is the webhook's, and path its entries' that ask for gates.
	configuration, path string
	missing             *tally.Tally
	limit               *rate.Limiter
	now                 func() time.Time
	started             time.Time

	// One worker has them; pods that lack nothing are in neither.
	pods   map[types.NamespacedName]note
	owners map[ownerNote]*ownerCount
}

// note is what was found of a pod.
type note struct {
	pod   types.UID
	owner types.UID
	about string
}

// ownerNote is what was found of an owner's pods.
type ownerNote struct {
	owner types.UID
	about string
}

type ownerCount struct {
	pods int
	told bool
}

// Reconcile judges a pod.
func (r *Reconciler) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	var pod corev1.Pod
	if err := r.reader.Get(ctx, req.NamespacedName, &pod); err != nil {
		if !apierrors.IsNotFound(err) {
			return reconcile.Result{}, fmt.Errorf("get pod: %w", err)
		}
		r.take(req.NamespacedName, nil, injection.Finding{})
		return reconcile.Result{}, nil
	}
	f, err := r.judge(ctx, &pod)
	if err != nil {
		return reconcile.Result{}, err
	}
	r.take(req.NamespacedName, &pod, f)
	return reconcile.Result{}, nil
}

// judge tells why a pod lacks gates, if the webhook is to look at it.
func (r *Reconciler) judge(ctx context.Context, pod *corev1.Pod) (injection.Finding, error) {
	if gone(pod) {
		return injection.Finding{}, nil
	}
	if covered, err := r.covered(ctx, pod); err != nil || !covered {
		return injection.Finding{}, err
	}
	services, bindings, err := injection.Lookup(ctx, r.reader, r.serves, pod.Namespace, pod.Labels)
	if err != nil {
		return injection.Finding{}, err
	}
	f := injection.Explain(injection.PodOf(pod), services, bindings)
	if owner := binding.Owner(pod); f.Reason == injection.ReasonNoService && owner != nil && owner.Kind == "Job" {
		return injection.Finding{}, nil // Nobody expects a Job's pods behind a load balancer.
	}
	return f, nil
}

// covered tells whether the webhook is asked about a pod, by its configuration as it is:
// people edit its selectors, and what they leave out they know of.
func (r *Reconciler) covered(ctx context.Context, pod *corev1.Pod) (bool, error) {
	ns := namespaceOf()
	if err := r.asked.Get(ctx, types.NamespacedName{Name: pod.Namespace}, ns); err != nil {
		return false, client.IgnoreNotFound(err)
	}
	var c admissionv1.MutatingWebhookConfiguration
	if err := r.asked.Get(ctx, types.NamespacedName{Name: r.configuration}, &c); client.IgnoreNotFound(err) != nil {
		return false, fmt.Errorf("get webhook configuration: %w", err)
	}
	entries, err := injection.CoverageOf(&c, r.path)
	return injection.Covers(entries, ns.Labels, pod.Labels), err
}

// take notes what was found of a pod, and tells it when it is news. The pod is nil when
// it is gone.
func (r *Reconciler) take(key types.NamespacedName, pod *corev1.Pod, f injection.Finding) {
	r.count(key, f)
	before, known := r.pods[key]
	if f.Empty() {
		r.forget(key, before, known)
		return
	}
	next := note{pod: pod.UID, about: about(f)}
	owner := binding.Owner(pod)
	if owner != nil {
		next.owner = owner.UID
	}
	if known && before == next {
		return
	}
	r.forget(key, before, known)
	r.pods[key] = next
	whole := r.of(next)
	whole.pods++
	changed := known && before.pod == next.pod
	if !changed && r.now().Sub(r.started) < starting && r.now().Sub(f.Since) > recent {
		return
	}
	if owner != nil && !whole.told {
		whole.told = r.tell(owner, f, "Pods of this "+owner.Kind+" have no readiness gate: ")
	}
	r.tell(pod, f, "No readiness gate: ")
}

// of is what is counted of a note's owner and finding.
func (r *Reconciler) of(n note) *ownerCount {
	key := ownerNote{owner: n.owner, about: n.about}
	if r.owners[key] == nil {
		r.owners[key] = &ownerCount{}
	}
	return r.owners[key]
}

// forget drops a pod's note.
func (r *Reconciler) forget(key types.NamespacedName, n note, known bool) {
	if !known {
		return
	}
	delete(r.pods, key)
	whole := r.of(n)
	if whole.pods--; whole.pods <= 0 {
		delete(r.owners, ownerNote{owner: n.owner, about: n.about})
	}
}

// count keeps the gauge of those that lack a gate which they should carry.
func (r *Reconciler) count(key types.NamespacedName, f injection.Finding) {
	if len(f.Missing) == 0 {
		r.missing.Set(key, nil)
		return
	}
	r.missing.Set(key, []tally.Series{{key.Namespace, string(f.Reason)}})
}

// about is what makes two findings the same news.
func about(f injection.Finding) string {
	return string(f.Reason) + " " + f.Service + " " + f.Binding + " " + strings.Join(f.Missing, " ")
}
