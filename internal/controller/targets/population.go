// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package targets

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"net/netip"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/disruption"
	"github.com/podgate/podgate/internal/drain"
	"github.com/podgate/podgate/internal/gate"
	"github.com/podgate/podgate/internal/index"
	"github.com/podgate/podgate/internal/lbc"
	"github.com/podgate/podgate/internal/membership"
	"github.com/podgate/podgate/internal/observe"
)

// population is who should be in a group, and who is there.
type population struct {
	members []membership.Member
	pods    map[gate.Target]*corev1.Pod
	// nodes are the names of those whose targets are in the group, or should be, where nodes are targets; there are no
	// pods then.
	nodes map[gate.Target]string
	// skipped are the nodes that should have a target and cannot.
	skipped []string
	// vacant reports whether the group surely does not hold a target, so that one it gets is its pod's.
	vacant func(gate.Target) bool
	// anew decides again, of what is known now; nil where nobody does.
	anew func(context.Context) (membership.Plan, error)
	// unselected are pods that have a target in the group without being selected.
	unselected []types.NamespacedName
	// record knows which targets of a group shared with other clusters are this one's.
	record *lbc.Record
	// coming is how many selected pods have no address yet, or lack the Service's port and serve all the same.
	coming int
	// service is the binding's; nil when there is none.
	service *corev1.Service
	// missing: what the binding refers to, or every running pod or node it could mean, is not there.
	missing bool
	// notice returns what is known of a pod's end before it is deleted, and ahead says whether pods
	// drain when that is announced.
	notice func(*corev1.Pod) disruption.Notice
	ahead  bool
	// heldBack reports whether a gate of another controller keeps a pod from requests.
	heldBack func(*corev1.Pod) bool
	// trouble is why the binding cannot work as it is; nil when it can.
	trouble *verdict
}

// population reads the Service and its pods. Pods that have a target in the group
// without being selected count too, as not wanted.
func (r *Reconciler) population(ctx context.Context, b *binding.Binding, group balancer.Group, observed map[gate.Target]gate.Health, rec *lbc.Record, known *history) (population, error) {
	if r.ofNodes(b, group) {
		return r.nodePopulation(ctx, b, group, observed, rec, known)
	}

	svc, trouble, err := r.service(ctx, b)
	if err != nil {
		return population{}, err
	}

	c := census{
		population: population{
			pods: map[gate.Target]*corev1.Pod{}, record: rec, notice: r.notice, ahead: b.Drain().AtTaint, heldBack: r.heldBack(b, svc),
			service: svc, missing: trouble != nil, trouble: trouble,
		},
		group: group, ref: b.ServiceRef, selects: trouble == nil, observed: byAddr(observed), known: known,
		counted: map[string]bool{}, decided: map[gate.Target]bool{},
	}

	if err := r.count(ctx, b.Namespace, &c); err != nil {
		return population{}, err
	}
	return c.done(), nil
}

// heldBack returns which pods of a binding gates of other controllers keep from requests.
func (r *Reconciler) heldBack(b *binding.Binding, svc *corev1.Service) func(*corev1.Pod) bool {
	follows := b.FollowsOthers(svc)
	return func(pod *corev1.Pod) bool { return follows && len(r.kinds.HeldBy(pod)) > 0 }
}

// byAddr sorts a group's targets by their addresses.
func byAddr(observed map[gate.Target]gate.Health) map[netip.Addr][]gate.Target {
	found := map[netip.Addr][]gate.Target{}
	for t := range observed {
		found[t.Addr] = append(found[t.Addr], t)
	}
	return found
}

// census is a population while its pods are counted.
type census struct {
	population
	group balancer.Group
	ref   v1alpha1.ServiceReference
	// selects: the Service and its port are there, so that it can select pods.
	selects bool
	// observed are the group's targets by their addresses, and known is what this process has seen of them.
	observed map[netip.Addr][]gate.Target
	known    *history
	// counted are the names of the pods that were counted, and decided the targets that are selected pods' own.
	counted map[string]bool
	decided map[gate.Target]bool
	// wanted is how many running pods should have a target, and replaced how many have none and are in the
	// group nevertheless.
	wanted, replaced int
	// lacking is what a selected pod lacks to have a target; nil when none lacks anything.
	lacking *verdict
}

// addAll counts pods that run, each once.
func (c *census) addAll(pods []corev1.Pod) {
	for i := range pods {
		if pod := &pods[i]; !c.counted[pod.Name] && !binding.Over(pod) {
			c.counted[pod.Name] = true
			c.add(pod)
		}
	}
}

// add counts one pod.
func (c *census) add(pod *corev1.Pod) {
	own, claim, trouble := binding.TargetOf(pod, c.service, c.group, c.ref)
	selected, ends := c.selects && claim != gate.Unclaimed && claim != gate.NotTarget, c.ends(pod)
	addressed := len(pod.Status.PodIPs) > 0

	// Running targets are kept until it can take their place, which a pod without the port never can.
	noPort := (*binding.LacksPortError)(nil)
	if selected && !addressed && !ends && !errors.As(trouble, &noPort) {
		c.coming++
	}

	if selected && addressed && !ends && trouble != nil {
		c.lacks(pod, trouble)
	}

	addr, err := binding.Addr(pod, c.group.IPAddressType)
	if err != nil {
		return
	}

	if own.Addr.IsValid() {
		c.member(own, pod, true)
		c.decided[own] = true
		if !ends {
			c.wanted++
		}
	}

	// What the group holds of this pod already is counted all the same: a wrong port must not empty it.
	c.addUnselected(pod, addr, own, claim != gate.Unclaimed)
}

// lacks counts a selected pod that lacks the Service's target port, or an address of the group's family.
func (c *census) lacks(pod *corev1.Pod, trouble error) {
	c.lacking = &verdict{reason: v1alpha1.ReasonTargetPortNotFound, message: fmt.Sprintf("Service %q: target port: %v. Name the port in the pod template, or use its number.", c.service.Name, trouble)}
	if noPort := (*binding.LacksPortError)(nil); !errors.As(trouble, &noPort) {
		c.lacking.message = fmt.Sprintf("Service %q: %v, which the group's targets must have. Use a group of the pods' address family.", c.service.Name, trouble)
	}

	// As in a rollout that renames the port: it serves until the others do.
	if addr, err := binding.Addr(pod, c.group.IPAddressType); err == nil && slices.ContainsFunc(c.observed[addr], func(t gate.Target) bool {
		return c.record.Owns(t) && binding.MayHave(pod, t.Port)
	}) {
		c.replaced++
	}
}

// addUnselected counts the targets that a pod has in the group in addition to its own.
func (c *census) addUnselected(pod *corev1.Pod, addr netip.Addr, own gate.Target, selected bool) {
	for _, t := range c.observed[addr] {
		// A pod on its node's network that declares no port might have any of the node's. Only one that the Service selects,
		// or whose target it was before, is taken to have it.
		has := binding.Has(pod, t.Port) || (selected || c.known.saw(t)) && binding.MayHave(pod, t.Port)
		if t != own && c.record.Owns(t) && has {
			c.member(t, pod, false)
			c.unselected = append(c.unselected, client.ObjectKeyFromObject(pod))
		}
	}
}

// done returns the population when all its pods are counted.
func (c *census) done() population {
	none := c.wanted+c.coming == 0

	// Kubernetes leaves a pod that lacks the port out of its endpoints, and serves the others: only
	// when no pod has it, the binding cannot work.
	if none && c.trouble == nil {
		c.trouble = c.lacking
	}

	c.missing = c.missing || none
	if !c.missing {
		c.coming += c.replaced // They go when the others serve, not before.
	}
	return c.population
}

// count counts the pods that the Service selects, if there is one, and those that have an address of the group's targets.
// Nobody is looked for at an address where all targets are selected pods' own: of several pods with a target the selected one
// decides over it. Of a group that is as it should be this looks at each pod once.
func (r *Reconciler) count(ctx context.Context, namespace string, c *census) error {
	if c.service != nil {
		selected, err := index.PodsOf(ctx, r.client, c.service)
		if err != nil {
			return err
		}
		c.addAll(selected)
	}

	for addr, targets := range c.observed {
		if !slices.ContainsFunc(targets, func(t gate.Target) bool { return !c.decided[t] }) {
			continue
		}
		there, err := index.PodsAt(ctx, r.client, namespace, addr)
		if err != nil {
			return err
		}
		c.addAll(there)
	}

	return nil
}

// findService finds a binding's Service, nil when there is none, which the verdict says.
func (r *Reconciler) findService(ctx context.Context, b *binding.Binding) (*corev1.Service, *verdict, error) {
	svc, err := b.Service(ctx, r.client)
	if err == nil && svc == nil {
		return nil, &verdict{reason: v1alpha1.ReasonServiceNotFound, message: fmt.Sprintf("Service %q does not exist in this namespace: create it, or correct spec.serviceRef.name.", b.ServiceRef.Name)}, nil
	}
	return svc, nil, err
}

// service finds a binding's Service, nil when there is none, and says why it cannot select pods.
func (r *Reconciler) service(ctx context.Context, b *binding.Binding) (*corev1.Service, *verdict, error) {
	ref := b.ServiceRef
	svc, missing, err := r.findService(ctx, b)
	if missing != nil || err != nil {
		return nil, missing, err
	}

	if svc.Spec.Type == corev1.ServiceTypeExternalName {
		return svc, &verdict{reason: v1alpha1.ReasonServiceWithoutSelector, message: fmt.Sprintf("Service %q is of type ExternalName, so it serves no pods, whatever its selector says. Name a Service of another type.", ref.Name)}, nil
	}

	if len(svc.Spec.Selector) == 0 {
		return svc, &verdict{reason: v1alpha1.ReasonServiceWithoutSelector, message: fmt.Sprintf("Service %q has no selector, so it selects no pods: podgate registers pods only.", ref.Name)}, nil
	}

	if missing := binding.CheckPort(svc, ref.Port); missing != nil {
		return svc, &verdict{reason: v1alpha1.ReasonPortNotFound, message: missing.Error() + "."}, nil
	}

	return svc, nil, nil
}

// freshRead is how old a read may be that shows which targets a group does not hold.
const freshRead = 10 * time.Second

// vacant returns which targets the group surely does not hold: a read of the last seconds
// says so, and none of this process's calls since, which are remembered.
func (r *Reconciler) vacant(ref balancer.Ref, observed map[gate.Target]gate.Health, snap observe.Snapshot) func(gate.Target) bool {
	fresh := r.now().Sub(snap.Started) < freshRead
	return func(t gate.Target) bool {
		_, held := observed[t]
		return fresh && !held && !r.registrar.pending.doubtful(ref, t)
	}
}

// member adds a target and its pod.
func (w *population) member(t gate.Target, pod *corev1.Pod, wanted bool) {
	m := membership.Member{
		Target: t, Wanted: wanted,
		Ready:       binding.IsTrue(pod, corev1.ContainersReady),
		Serving:     binding.IsTrue(pod, corev1.PodReady),
		HeldBack:    w.heldBack(pod),
		Terminating: w.ends(pod),
	}

	switch w.notice(pod) {
	case disruption.Announced:
		m.Leaving = w.ahead
	case disruption.Dead:
		m.Ready, m.Serving = false, false
	}

	if !pod.DeletionTimestamp.IsZero() {
		m.KilledAt, m.StoppedAt = pod.DeletionTimestamp.Time, drain.StoppedAt(pod, intstr.FromInt32(t.Port))
	}

	w.members = append(w.members, m)
	if wanted || w.pods[t] == nil {
		w.pods[t] = pod
	}
}

// ends reports whether a pod is deleted, or being ended without that.
func (w *population) ends(pod *corev1.Pod) bool {
	return !pod.DeletionTimestamp.IsZero() || w.notice(pod) >= disruption.Ending
}

// has reports whether the binding has a pod, or a node, with a target.
func (w *population) has(t gate.Target) bool {
	_, node := w.nodes[t]
	return node || w.pods[t] != nil
}

// targets are those of the binding's pods or nodes.
func (w *population) targets() iter.Seq[gate.Target] {
	if w.nodes != nil {
		return maps.Keys(w.nodes)
	}
	return maps.Keys(w.pods)
}

// owners names the pods of targets.
func (w *population) owners(targets []gate.Target) balancer.Pods {
	owners := balancer.Pods{}
	for _, t := range targets {
		if pod := w.pods[t]; pod != nil {
			owners[t] = balancer.Pod{Namespace: pod.Namespace, Name: pod.Name, UID: string(pod.UID)}
		}
	}
	return owners
}
