// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package record

import (
	"context"
	"fmt"
	"math"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/balancer/traits"
	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/drain"
	"github.com/podgate/podgate/internal/injection"
)

// judge measures a pod's end, and reports it when the load balancer still sent the pod requests.
func (r *Reports) judge(ctx context.Context, p Pass, d Drain, need drain.Need, e ended) {
	end := e.end(d.Target.Port)
	v := d.Judge(need, end)
	r.metrics.ended(p.Binding.Key(), v)
	r.remember(p.Binding.Key(), d, e.at)

	log := log.FromContext(ctx).WithValues("pod", client.ObjectKeyFromObject(e.pod), "group", p.Group.Ref.Group, "target", d.Target.String())
	if v.Cause == "" {
		log.V(1).Info("A pod ended", "judged", v.Judged, "deleted", d.Deleted, "accepted", d.Accepted, "draining", d.Draining, "gone", d.Gone, "livedOn", v.LivedOn.String())
		return
	}

	log.Info("A pod ended before it was drained", "cause", v.Cause, "early", v.Early.String(), "cut", v.Cut, "deleted", d.Deleted, "accepted", d.Accepted, "draining", d.Draining)
	r.event(p.Group, e.pod, v, end, need)
}

// event reports on the pod and on its owner that the pod ended too early.
func (r *Reports) event(group balancer.Group, pod *corev1.Pod, v Verdict, end End, need drain.Need) {
	owner := binding.Owner(pod)
	if owner != nil && (v.Cause == CauseHook || v.Cause == CauseNoHook) && !r.notify(owner.UID) {
		return // Its other pods have the same hook.
	}

	// When a node is lost with all its pods, some of them tell the story.
	if !r.events.AllowN(r.now(), 1) {
		return
	}

	said := message(group, v, end, need)
	r.recorder.Eventf(pod, nil, corev1.EventTypeWarning, v1alpha1.ReasonKilledUndrained, "Drain", "%s", said)

	// The pod is gone, and its owner is where people look next.
	if owner != nil {
		r.recorder.Eventf(owner, pod, corev1.EventTypeWarning, v1alpha1.ReasonKilledUndrained, "Drain", "Pod %s: %s", pod.Name, said)
	}
}

// notify reports whether an owner was not notified lately, and notes that it is now.
func (r *Reports) notify(owner types.UID) bool {
	r.mu.Lock()
	defer r.mu.Unlock()

	now := r.now()
	if at, notified := r.notified[owner]; notified && now.Sub(at) < notifyAgain {
		return false
	}

	// To begin again costs an event each, while to look for the oldest would cost time under the lock.
	if len(r.notified) >= mostOwners {
		r.notified = map[types.UID]time.Time{}
	}

	r.notified[owner] = now
	return true
}

// end reads how a pod ended, whose target has a port.
func (e ended) end(number int32) End {
	end := End{At: e.at, Deleted: DeletedAt(e.pod), Own: time.Duration(drain.DefaultGrace) * time.Second}
	if m, ok := drain.Kept(e.pod); ok {
		port := intstr.FromInt32(number)
		end.Own, end.Graceless = time.Duration(m.Grace)*time.Second, m.Grace <= 0
		stop := m.Stop(port)
		end.Hookless = m.Sure(port) && stop.Hook == 0 && !m.Has(stop.Container).AtOnce
	}

	as := injection.PodOf(e.pod)
	end.Maker = binding.MakerOf(e.pod)
	end.Hooked = !as.Static && !as.Hooks.OfJob && !as.Stated.End && as.Labels[v1alpha1.DrainLabel] != v1alpha1.DrainDisabled
	if g := e.pod.DeletionGracePeriodSeconds; g != nil {
		end.Grace = time.Duration(*g) * time.Second
	}
	if e.removed && end.Deleted.IsZero() {
		end.Deleted = e.at // At once, before anybody saw it.
	}

	return end
}

// DeletedAt is when a pod's deletion began, in whole seconds; zero when it is not being deleted.
func DeletedAt(pod *corev1.Pod) time.Time {
	if pod.DeletionTimestamp.IsZero() {
		return time.Time{}
	}

	at := pod.DeletionTimestamp.Time
	if g := pod.DeletionGracePeriodSeconds; g != nil {
		at = at.Add(-time.Duration(*g) * time.Second)
	}

	return at
}

// message says to people what a pod's early end means and what to do.
func message(group balancer.Group, v Verdict, end End, need drain.Need) string {
	said := fmt.Sprintf("Ended %s before %s had let go of it, so requests may be lost: ", seconds(v.Early), traits.All().Of(group.Ref.Provider).InSentence(group.Name))

	switch v.Cause {
	case CauseGrace:
		said += fmt.Sprintf("it was deleted with a grace period of %s instead of its %s. Leave the grace period out when you delete or evict pods.", seconds(end.Grace), seconds(end.Own))
	case CauseHeld:
		said += "no other pod served, so it was kept for as long as its grace period allowed. " + more(end.Maker) + "."
	case CauseDeregistration:
		said += "its deregistration was late. See the conditions and events of the binding."
	case CauseNoDeletion:
		said += "it ended without being deleted, as by the pressure on its node."
	case CauseNoHook:
		said += "the container that serves has no preStop hook. " + hook(end, need)
	default:
		said += tooShort(end, need)
	}

	if v.Cut > 0 {
		said += fmt.Sprintf(" Connections that it had: %d.", v.Cut)
	}

	return said
}

// more says how to have another pod serve while one ends. Most kinds make no new pod before the old one has gone.
func more(m binding.Maker) string {
	switch m.Kind {
	case "Deployment":
		return "Run more replicas, or have its rollout make new pods first: strategy.rollingUpdate with maxUnavailable 0 and maxSurge 1"
	case "DaemonSet":
		return "Have its rollout make new pods first, with updateStrategy.rollingUpdate.maxSurge 1, or run it on more nodes"
	case "", "Job", "Node":
		return "Run another pod that serves"
	}
	return "Run more replicas"
}

// hook says how a pod comes to a hook: podgate adds one, but not to every pod.
func hook(end End, need drain.Need) string {
	if end.Hooked {
		return end.Maker.Say("Let podgate add one: label the namespace " + v1alpha1.DrainLabel + "=" + v1alpha1.DrainEnabled + " unless it is, and " + v1alpha1.RestartPods + ".")
	}
	return end.Maker.Say(fmt.Sprintf("podgate adds none to such a pod: in the pod template, give the container a hook that sleeps %s, and set terminationGracePeriodSeconds to more than that.", seconds(need.Time())))
}

// tooShort says what to do about a pod whose own manifest ends it too early.
func tooShort(end End, need drain.Need) string {
	switch {
	case end.Graceless && end.Hooked:
		return end.Maker.Say("its terminationGracePeriodSeconds is 0, with which Kubernetes runs no preStop hook and podgate adds none. Set it to 1 or more in the pod template, or leave it out.")
	case end.Graceless:
		return fmt.Sprintf("its terminationGracePeriodSeconds is 0, with which Kubernetes runs no preStop hook. "+end.Maker.Say("In the pod template, set it to more than %s, and give the container that serves a preStop hook that sleeps as long."), seconds(need.Time()))
	}
	return fmt.Sprintf("its preStop hook or its grace period is too short. The hook has to keep it serving for %s after its deletion, and terminationGracePeriodSeconds has to be longer than the hook.", seconds(need.Time()))
}

func seconds(d time.Duration) string { return fmt.Sprintf("%d s", int(math.Ceil(d.Seconds()))) }
