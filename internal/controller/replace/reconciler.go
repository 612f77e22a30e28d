// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package replace evicts pods that lack a readiness gate, where their binding asks for it: a gate cannot be added
// to a pod that exists. It is the only code of podgate that removes pods, so it goes by the most careful reading of
// everything: one pod at a time, only while all others of the Service serve, only where an owner makes another one
// and the webhook would gate that one, and always by the eviction API, which keeps PodDisruptionBudgets. It deletes
// nothing, changes no pod, and does nothing where no binding asks.
package replace

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/gate"
	"github.com/podgate/podgate/internal/index"
)

// What this package may do in the cluster, beside what package ungated may.
//
// +kubebuilder:rbac:groups="",resources=pods/eviction,verbs=create

const (
	// lookAgain is when a binding is looked at that asks for replacements and where no pod lacks a gate.
	lookAgain = time.Minute
	// progress is the same while something is under way, and refused after the API server or the webhook said no.
	progress = 5 * time.Second
	refused  = 30 * time.Second
	// fresh is how old a read may be that says that all targets are healthy.
	fresh = 30 * time.Second
	// askTime bounds the question to the webhook.
	askTime = 5 * time.Second
	// recent is how young a pod is whose missing gate says that the webhook does not work now.
	recent = 10 * time.Minute
)

// Reconciler evicts pods that lack a gate, where their binding asks for it: one at a time,
// while all others of its Service serve, and only where the next one would be gated.
type Reconciler struct {
	client    client.Client
	inspector Inspector
	webhook   Webhook
	observer  Observer
	groups    Resolutions
	serves    func(*binding.Binding) bool
	recorder  events.EventRecorder
	now       func() time.Time
	started   time.Time
	absence   time.Duration
	evictions *prometheus.CounterVec

	mu sync.Mutex
	// evicted are the evictions whose owner has not been seen to make another pod yet, by owner: several
	// Services may have its pods.
	evicted map[types.UID]eviction
	// reported is what was last reported to be in a binding's way.
	reported map[types.NamespacedName]string
}

// eviction is one that was accepted.
type eviction struct {
	pod types.UID
	at  time.Time
}

// hold is why nothing is evicted now.
type hold struct {
	why string
	// trouble does not pass by itself, so an event reports it.
	trouble bool
	again   time.Duration
}

func waiting(format string, args ...any) *hold {
	return &hold{why: fmt.Sprintf(format, args...), again: progress}
}

func trouble(format string, args ...any) *hold {
	return &hold{why: fmt.Sprintf(format, args...), trouble: true, again: refused}
}

// Reconcile replaces at most one pod of a binding's Service.
func (r *Reconciler) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	b, err := binding.Get(ctx, r.client, req.NamespacedName)
	if apierrors.IsNotFound(err) {
		r.forget(req.NamespacedName)
		return reconcile.Result{}, nil
	}

	if err != nil {
		return reconcile.Result{}, fmt.Errorf("get binding: %w", err)
	}

	if !Asks(b.Object) || !b.DeletionTimestamp.IsZero() || !r.serves(b) {
		r.forget(req.NamespacedName)
		return reconcile.Result{}, nil
	}

	var svc corev1.Service
	if err := r.client.Get(ctx, types.NamespacedName{Namespace: b.Namespace, Name: b.ServiceRef.Name}, &svc); err != nil {
		return reconcile.Result{RequeueAfter: lookAgain}, client.IgnoreNotFound(err)
	}

	g, err := r.group(ctx, &svc)
	if err != nil {
		return reconcile.Result{}, err
	}

	if len(g.ungated) == 0 {
		r.notReplaced(b, "")
		return reconcile.Result{RequeueAfter: lookAgain}, nil
	}

	next, h := r.next(ctx, g)
	if h == nil {
		h = r.replace(ctx, b, next)
	}

	if h.trouble {
		r.notReplaced(b, h.why)
	}

	log.FromContext(ctx).V(1).Info("Pods without a gate are left for now", "reason", h.why)
	return reconcile.Result{RequeueAfter: h.again}, nil
}

// Asks reports whether a binding asks for its pods to be replaced.
func Asks(b client.Object) bool {
	settings, _ := binding.SettingsOf(b)
	return settings.Replace
}

// group is a Service's pods and what is behind it.
type group struct {
	service  *corev1.Service
	bindings []*binding.Binding
	// pods are those that are not over, terminating ones included, ungated those that lack gates, oldest first.
	pods    []corev1.Pod
	ungated []lacking
}

type lacking struct {
	pod   *corev1.Pod
	gates []string
	// lost: the webhook was to gate it, and did not.
	lost bool
}

func (r *Reconciler) group(ctx context.Context, svc *corev1.Service) (group, error) {
	g := group{service: svc}

	var err error
	if g.bindings, err = binding.OfService(ctx, r.client, client.ObjectKeyFromObject(svc)); err != nil {
		return g, err
	}

	if g.pods, err = index.PodsOf(ctx, r.client, svc); err != nil {
		return g, err
	}

	g.pods = slices.DeleteFunc(slices.Clone(g.pods), func(p corev1.Pod) bool { return binding.Over(&p) })
	for i := range g.pods {
		f, err := r.inspector.Inspect(ctx, &g.pods[i])
		if err != nil {
			return g, err
		}
		// Another pod of the same manifest would lack its gate, too.
		if len(f.Gates.Missing) > 0 && f.Gates.Reason != v1alpha1.ReasonGatesStated {
			g.ungated = append(g.ungated, lacking{pod: &g.pods[i], gates: f.Gates.Missing, lost: f.Gates.Reason == v1alpha1.ReasonNotInjected})
		}
	}

	slices.SortFunc(g.ungated, func(a, b lacking) int { return a.pod.CreationTimestamp.Compare(b.pod.CreationTimestamp.Time) })
	return g, nil
}

// next is the pod to evict, or why there is none. Everything is read off the objects and a
// fresh read of the groups, but for the latest evictions.
func (r *Reconciler) next(ctx context.Context, g group) (lacking, *hold) {
	if r.now().Sub(r.started) < r.absence {
		return lacking{}, waiting("podgate has just started")
	}

	for _, u := range g.ungated {
		if u.lost && r.now().Sub(u.pod.CreationTimestamp.Time) < recent {
			return lacking{}, trouble("Pod %s was created a moment ago, and the webhook did not gate it: another one would lack its gate, too. Find out why: podgate explain -n %s %s. It is tried again later.", u.pod.Name, u.pod.Namespace, u.pod.Name)
		}
	}

	if h := r.successor(g); h != nil {
		return lacking{}, h
	}

	if h := r.allServe(ctx, g); h != nil {
		return lacking{}, h
	}

	i := slices.IndexFunc(g.ungated, func(u lacking) bool { return recreated(u.pod) })
	if i < 0 {
		return lacking{}, trouble("%s", notRecreated(g.ungated[0].pod))
	}

	return g.ungated[i], r.gated(ctx, g.ungated[i])
}

// successor holds until the pod that was evicted last of each owner is gone and the owner made another.
func (r *Reconciler) successor(g group) *hold {
	r.mu.Lock()
	defer r.mu.Unlock()

	for i := range g.pods {
		last, owner, evicted := r.evictedOf(&g.pods[i])
		switch {
		case evicted && g.pods[i].UID == last.pod:
			return waiting("pod %s is on its way out", g.pods[i].Name)
		case evicted && !g.pods[i].CreationTimestamp.Add(time.Second).Before(last.at): // Kubernetes' times are whole seconds.
			delete(r.evicted, owner)
		}
	}

	for i := range g.pods {
		last, _, evicted := r.evictedOf(&g.pods[i])
		switch {
		case !evicted:
		case r.now().Sub(last.at) < r.absence:
			return waiting("the evicted pod's successor is not there yet")
		default:
			return trouble("The pod that was evicted last has no successor: its owner, that of pod %s, could not make one, which its events say, or was scaled down.", g.pods[i].Name)
		}
	}

	return nil
}

// evictedOf is what is known of a pod's owner's latest eviction. The caller holds the lock.
func (r *Reconciler) evictedOf(pod *corev1.Pod) (eviction, types.UID, bool) {
	owner := binding.Owner(pod)
	if owner == nil {
		return eviction{}, "", false
	}
	last, evicted := r.evicted[owner.UID]
	return last, owner.UID, evicted
}

// allServe holds unless every pod of the Service is Ready and its target healthy in each of the
// Service's groups, and there are two of them at least.
func (r *Reconciler) allServe(ctx context.Context, g group) *hold {
	for i := range g.pods {
		p := &g.pods[i]
		if !p.DeletionTimestamp.IsZero() {
			return waiting("pod %s is being deleted", p.Name)
		}
		if !binding.IsTrue(p, corev1.PodReady) {
			return waiting("pod %s is not Ready", p.Name)
		}
	}

	if len(g.pods) < 2 {
		return trouble("Pod %s is the only one of its Service: while it is replaced nothing would serve. Run a second one, or replace it yourself: %s.", g.pods[0].Name, binding.MakerOf(&g.pods[0]).Restart())
	}

	for _, b := range g.bindings {
		if !r.serves(b) {
			continue
		}
		if h := r.allHealthy(ctx, b, g); h != nil {
			return h
		}
	}

	return nil
}

// allHealthy holds unless every pod of a Service that is a binding's target is healthy in its group.
func (r *Reconciler) allHealthy(ctx context.Context, b *binding.Binding, g group) *hold {
	res, _ := r.groups.Get(b.Key())
	if !res.Resolved() {
		return waiting("the group of binding %s is not known", b.Name)
	}

	if res.Group.NotOfPods() {
		return nil
	}

	view := r.observer.View(res.Group.Ref)
	if view.Err != nil || view.Snapshot.Targets == nil || r.now().Sub(view.Snapshot.Started) > fresh {
		r.observer.Refresh(res.Group.Ref)
		return waiting("the group of binding %s is read first", b.Name)
	}

	for i := range g.pods {
		t, claim, err := binding.TargetOf(&g.pods[i], g.service, res.Group, b.ServiceRef)
		if noPort := (*binding.NoPortError)(nil); errors.As(err, &noPort) {
			return waiting("the Service has no port of binding %s", b.Name)
		}

		none := claim == gate.NotTarget
		if lacks := (*binding.LacksPortError)(nil); errors.As(err, &lacks) {
			if none, err = binding.LeftOut(ctx, r.client, binding.Workload(&g.pods[i]), g.service, res.Group, b.ServiceRef); err != nil {
				return waiting("the pods of the Service cannot be found")
			}
		}
		if none {
			continue
		}

		if claim != gate.Claimed || view.Snapshot.Targets[t].State != gate.Healthy {
			return waiting("the target of pod %s is not healthy", g.pods[i].Name)
		}
	}

	return nil
}

// recreated reports whether a pod's owner makes another one in its place.
func recreated(pod *corev1.Pod) bool {
	owner := binding.Owner(pod)
	return owner != nil && slices.Contains([]string{"ReplicaSet", "StatefulSet", "ReplicationController", "DaemonSet"}, owner.Kind)
}

// notRecreated says what to do about a pod in whose place nothing is known to make another one.
func notRecreated(pod *corev1.Pod) string {
	owner := binding.Owner(pod)
	if owner == nil {
		return fmt.Sprintf("Pod %s lacks its gate, and nothing would replace it: delete it and create it again.", pod.Name)
	}
	return fmt.Sprintf("Pod %s lacks its gate, and podgate does not know whether %s %s would replace it: %s.", pod.Name, owner.Kind, owner.Name, binding.MakerOf(pod).Restart())
}

// gated holds unless the webhook says that it would gate a pod like this one.
func (r *Reconciler) gated(ctx context.Context, u lacking) *hold {
	// A configuration that does not exist asks for no gates either: the answer to the question says so.
	var c admissionv1.MutatingWebhookConfiguration
	if err := r.webhook.Reader.Get(ctx, types.NamespacedName{Name: r.webhook.Configuration}, &c); client.IgnoreNotFound(err) != nil {
		return trouble("The webhook's configuration cannot be read, so the next pod might lack its gate, too. It is tried again; if that lasts, let podgate read it (RBAC).")
	}

	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	if err := r.webhook.Ask(ctx, &c, u.pod, u.gates); err != nil {
		log.FromContext(ctx).Error(err, "The webhook would not gate a pod", "pod", u.pod.Name)
		return trouble("The webhook does not say that it would gate the next pod; podgate's log says why.")
	}

	return nil
}

// replace evicts a pod. It returns when to go on.
func (r *Reconciler) replace(ctx context.Context, b *binding.Binding, u lacking) *hold {
	// A successor may be created while the call is still under way, so the time before it counts.
	at := r.now()
	err := r.evict(ctx, u.pod)
	switch {
	case apierrors.IsTooManyRequests(err):
		return trouble("Its PodDisruptionBudget does not let pod %s go now. It is tried again; if that lasts, podgate preflight -n %s says what blocks it.", u.pod.Name, u.pod.Namespace)
	case apierrors.IsNotFound(err) || apierrors.IsConflict(err):
		return waiting("pod %s is gone", u.pod.Name)
	case err != nil:
		log.FromContext(ctx).Error(err, "Evicting a pod failed", "pod", u.pod.Name)
		return trouble("Pod %s could not be evicted; podgate's log says why.", u.pod.Name)
	}

	// All bindings of the owner's pods wait for its successor.
	r.mu.Lock()
	r.evicted[binding.Owner(u.pod).UID] = eviction{pod: u.pod.UID, at: at}
	r.mu.Unlock()

	r.evictions.WithLabelValues(b.Namespace, b.Key().Name).Inc()
	r.replaced(b, u.pod)
	log.FromContext(ctx).Info("Evicted a pod without a gate", "pod", u.pod.Name)

	return waiting("pod %s was evicted", u.pod.Name)
}

// evict asks the API server, which knows the PodDisruptionBudgets, to evict this very pod.
func (r *Reconciler) evict(ctx context.Context, pod *corev1.Pod) error {
	return r.client.SubResource("eviction").Create(ctx, pod, &policyv1.Eviction{
		ObjectMeta:    metav1.ObjectMeta{Namespace: pod.Namespace, Name: pod.Name},
		DeleteOptions: &metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &pod.UID}},
	})
}
