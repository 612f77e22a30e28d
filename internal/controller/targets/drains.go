// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package targets

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/drain"
	"github.com/podgate/podgate/internal/drain/record"
	"github.com/podgate/podgate/internal/gate"
	"github.com/podgate/podgate/internal/membership"
	"github.com/podgate/podgate/internal/observe"
)

const (
	// undrainedPerSecond and undrainedBurst bound the events of all pods together. What is left out the counter counts.
	undrainedPerSecond = 1
	undrainedBurst     = 100
	// toldLately is for how long an owner is told once that its pods' hooks are too short.
	toldLately = time.Hour
	// mostEnds bounds how many of a binding's pods wait to be judged.
	mostEnds = 1000
)

// ending is a pod whose containers have ended.
type ending struct {
	pod *corev1.Pod
	at  time.Time
	// removed: the pod is not in the cluster any more.
	removed bool
}

// endings are the pods of each binding that ended since it was looked at. The zero value
// is ready to use.
type endings struct {
	mu sync.Mutex
	of map[types.NamespacedName][]ending
}

func (e *endings) add(binding types.NamespacedName, ended ending) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.of == nil {
		e.of = map[types.NamespacedName][]ending{}
	}
	if len(e.of[binding]) < mostEnds {
		e.of[binding] = append(e.of[binding], ended)
	}
}

func (e *endings) take(binding types.NamespacedName) []ending {
	e.mu.Lock()
	defer e.mu.Unlock()
	all := e.of[binding]
	delete(e.of, binding)
	return all
}

// hooks are the owners of whose pods' hooks was told lately. The zero value is ready to use.
type hooks struct {
	mu   sync.Mutex
	told map[types.UID]time.Time
}

// first reports whether nothing was told of an owner lately, and notes that it is now.
func (h *hooks) first(owner types.UID, now time.Time) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if at, told := h.told[owner]; told && now.Sub(at) < toldLately {
		return false
	}
	if h.told == nil || len(h.told) >= mostEnds {
		h.told = map[types.UID]time.Time{}
	}
	h.told[owner] = now
	return true
}

// ends notes that a pod has ended.
func (r *Reconciler) ends(binding types.NamespacedName, pod *corev1.Pod, removed bool) {
	r.endings.add(binding, ending{pod: pod, at: r.now(), removed: removed})
}

// follow remembers the targets of pods that are being deleted, and which of them stay as
// the last.
func (r *Reconciler) follow(ref balancer.Ref, who population, observed map[gate.Target]gate.Health, held []membership.Held) {
	if observed == nil {
		return
	}
	for t, pod := range who.pods {
		if pod.DeletionTimestamp.IsZero() {
			continue
		}
		h, present := observed[t]
		last := slices.ContainsFunc(held, func(h membership.Held) bool { return h.Target == t && h.Guard == membership.GuardLastServing })
		r.leaving.Note(record.Drain{Pod: pod.UID, Ref: ref, Target: t, Served: present && serves(h), Held: last, Deleted: deletedAt(pod)}, r.now())
	}
}

// serves reports whether the load balancer may send requests to what it says this of.
func serves(h gate.Health) bool {
	return h.State != gate.Initial && h.State != gate.Unused && h.State != gate.Unhealthy
}

// accepted remembers deregistrations that were.
func (r *Reconciler) accepted(ref balancer.Ref, done []gate.Target, who population) {
	for _, t := range done {
		if pod := who.pods[t]; pod != nil {
			r.leaving.Note(record.Drain{Pod: pod.UID, Ref: ref, Target: t, Served: binding.IsTrue(pod, corev1.PodReady), Deleted: deletedAt(pod), Accepted: r.now()}, r.now())
		}
	}
}

// read measures what a read of the group shows of those that leave.
func (r *Reconciler) read(key types.NamespacedName, ref balancer.Ref, snap observe.Snapshot) {
	draining, gone := r.leaving.Read(ref, snap)
	for _, d := range draining {
		if !d.Accepted.IsZero() {
			r.metrics.acceptToSeen.Observe(d.Draining.Sub(d.Accepted).Seconds())
		}
	}

	for _, d := range gone {
		if !d.Accepted.IsZero() {
			r.metrics.drainTook.WithLabelValues(key.Namespace, key.Name).Observe(d.Gone.Sub(d.Accepted).Seconds())
		}
		if !d.Accepted.IsZero() && !d.Deleted.IsZero() {
			r.metrics.deleteToDrained.Observe(max(d.Gone.Sub(d.Deleted), 0).Seconds())
		}
	}
}

// ended judges the pods that ended since the last time: whether the load balancer had let
// go of them.
func (r *Reconciler) ended(ctx context.Context, b *binding.Binding, group balancer.Group, who population, observed map[gate.Target]gate.Health) {
	need := b.Need()
	for _, e := range r.endings.take(b.Key()) {
		known := r.leaving.End(e.pod.UID, group.Ref)
		if len(known) == 0 {
			known = r.unannounced(e.pod, group.Ref, who, observed)
		}
		for _, d := range known {
			r.tellEnd(ctx, b.Key(), group, d, need, e)
		}
	}
}

// unannounced gives the rows of a pod that was gone before anybody saw that it would be.
func (r *Reconciler) unannounced(pod *corev1.Pod, ref balancer.Ref, who population, observed map[gate.Target]gate.Health) []record.Drain {
	var found []record.Drain
	for t, h := range observed {
		mine := slices.ContainsFunc(pod.Status.PodIPs, func(ip corev1.PodIP) bool { return ip.IP == t.Addr.String() })
		if mine && who.pods[t] == nil && !h.Leaving() && serves(h) && binding.MayHave(pod, t.Port) {
			found = append(found, record.Drain{Pod: pod.UID, Ref: ref, Target: t, Served: true, GoneIsDone: r.drivers.Of(ref.Provider).GoneIsDone})
		}
	}
	return found
}

// tellEnd measures a pod's end, and tells it where the load balancer had not let go of the pod.
func (r *Reconciler) tellEnd(ctx context.Context, key types.NamespacedName, group balancer.Group, d record.Drain, need drain.Need, e ending) {
	end := endOf(e)
	v := d.Judge(need, end)
	r.metrics.ended(key, v)
	r.windows.add(key, d, e.at)
	log := log.FromContext(ctx).WithValues("pod", client.ObjectKeyFromObject(e.pod), "group", group.Ref.Group, "target", d.Target.String())
	if v.Cause == "" {
		log.V(1).Info("A pod ended", "judged", v.Judged, "deleted", d.Deleted, "accepted", d.Accepted, "draining", d.Draining, "gone", d.Gone, "livedOn", v.LivedOn.String())
		return
	}

	log.Info("A pod ended before it was drained", "cause", v.Cause, "early", v.Early.String(), "cut", v.Cut, "deleted", d.Deleted, "accepted", d.Accepted, "draining", d.Draining)
	owner := binding.Owner(e.pod)
	if owner != nil && (v.Cause == record.CauseHook || v.Cause == record.CauseNoHook) && !r.hooks.first(owner.UID, r.now()) {
		return // Its other pods have the same hook.
	}
	if !r.undrained.AllowN(r.now(), 1) {
		return
	}

	said := undrained(group, v, end)
	r.recorder.Eventf(e.pod, nil, corev1.EventTypeWarning, v1alpha1.ReasonKilledUndrained, "Drain", "%s", said)

	if owner != nil {
		r.recorder.Eventf(owner, e.pod, corev1.EventTypeWarning, v1alpha1.ReasonKilledUndrained, "Drain", "Pod %s: %s", e.pod.Name, said)
	}
}

// endOf reads a pod's end.
func endOf(e ending) record.End {
	end := record.End{At: e.at, Deleted: deletedAt(e.pod), Own: time.Duration(drain.DefaultGrace) * time.Second}
	if stop, ok := drain.Kept(e.pod); ok {
		end.Own, end.Hookless = time.Duration(stop.Grace)*time.Second, stop.Hook == 0
	}
	if g := e.pod.DeletionGracePeriodSeconds; g != nil {
		end.Grace = time.Duration(*g) * time.Second
	}
	if e.removed && end.Deleted.IsZero() {
		end.Deleted = e.at // At once, before anybody saw it.
	}
	return end
}

// deletedAt is when a pod's deletion began; zero when it is not being deleted.
func deletedAt(pod *corev1.Pod) time.Time {
	if pod.DeletionTimestamp.IsZero() {
		return time.Time{}
	}
	at := pod.DeletionTimestamp.Time
	if g := pod.DeletionGracePeriodSeconds; g != nil {
		at = at.Add(-time.Duration(*g) * time.Second)
	}
	return at
}

// undrained says what a pod's early end means and what to do, for people.
func undrained(group balancer.Group, v record.Verdict, end record.End) string {
	said := fmt.Sprintf("Ended %s before %s had let go of it, so requests may be lost: ", seconds(v.Early), group.Name)
	switch v.Cause {
	case record.CauseGrace:
		said += fmt.Sprintf("it was deleted with a grace period of %s instead of its %s. Leave the grace period out when you delete or evict pods.", seconds(end.Grace), seconds(end.Own))
	case record.CauseHeld:
		said += "no other pod served, so it was kept for as long as its grace period allowed. Run more replicas, or set maxUnavailable to 0."
	case record.CauseDeregistration:
		said += "its deregistration was late. See the conditions and events of the binding."
	case record.CauseNoDeletion:
		said += "it ended without being deleted, as by the pressure on its node."
	case record.CauseNoHook:
		said += "a container of it has no preStop hook. Let podgate add one (podgate.dev/drain: enabled on the namespace or the pod), or give it one."
	default:
		said += "its preStop hook or its grace period is too short. Leave the hook out and let podgate add one (podgate.dev/drain: enabled), or make it longer."
	}

	if v.Cut > 0 {
		said += fmt.Sprintf(" Connections that it had: %d.", v.Cut)
	}

	return said
}

func seconds(d time.Duration) string { return fmt.Sprintf("%d s", int(math.Ceil(d.Seconds()))) }
