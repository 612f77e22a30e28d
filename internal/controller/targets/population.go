// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package targets

import (
	"context"
	"fmt"
	"net/netip"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
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
	// vacant reports whether a target surely has no row, so that one it gets is its pod's.
	vacant func(gate.Target) bool
	// lodgers hold rows without being selected.
	lodgers []types.NamespacedName
	// record tells which targets of a group shared with other clusters are this one's.
	record *lbc.Record
	// coming is how many selected pods have no address yet, or lack the Service's port while others have it.
	coming int
	// service is the binding's; nil when there is none.
	service *corev1.Service
	// missing: what the binding refers to, or every running pod it could mean, is not there.
	missing bool
	// notice tells what is known of a pod's end before it is deleted, and ahead whether pods
	// drain when that is announced.
	notice func(*corev1.Pod) disruption.Notice
	ahead  bool
	// trouble is why the binding cannot work as it is; nil when it can.
	trouble *verdict
}

// population reads the Service and its pods. Pods that hold a row of the group
// without being selected count too, as not wanted.
func (r *Reconciler) population(ctx context.Context, b *binding.Binding, group balancer.Group, observed map[gate.Target]gate.Health, rec *lbc.Record) (population, error) {
	who := population{pods: map[gate.Target]*corev1.Pod{}, record: rec, notice: r.notice, ahead: b.Drain().AtTaint}
	svc, port, err := r.service(ctx, b, &who)
	if err != nil {
		return population{}, err
	}

	rows := map[netip.Addr][]gate.Target{}
	for t := range observed {
		rows[t.Addr] = append(rows[t.Addr], t)
	}

	pods, err := r.concerned(ctx, b.Namespace, svc, rows)
	if err != nil {
		return population{}, err
	}

	wanted, portless := 0, 0
	for _, pod := range pods {
		if binding.Over(pod) {
			continue
		}

		mine, claim, trouble := binding.TargetOf(pod, svc, group, b.ServiceRef)
		selected := port != nil && claim != gate.Unclaimed
		if selected && len(pod.Status.PodIPs) == 0 && !who.ends(pod) {
			who.coming++
		}

		addr, err := binding.Addr(pod, group.IPAddressType)
		if err != nil {
			continue
		}

		if selected && trouble != nil {
			who.trouble = &verdict{v1alpha1.ReasonTargetPortNotFound, fmt.Sprintf("Service %q: target port: %v. Name the port in the pod template, or use its number.", svc.Name, trouble)}
			if !who.ends(pod) {
				portless++
			}
		}

		if mine.Addr.IsValid() {
			who.add(mine, pod, true)
			if !who.ends(pod) {
				wanted++
			}
		}

		for _, t := range rows[addr] {
			if t != mine && who.record.Owns(t) && binding.MayHave(pod, t.Port) {
				who.add(t, pod, false)
				who.lodgers = append(who.lodgers, client.ObjectKeyFromObject(pod))
			}
		}
	}

	who.service = svc
	who.missing = who.missing || wanted+who.coming == 0
	if !who.missing {
		who.coming += portless // As in a rollout that renames the port: they go with it, not before.
	}

	return who, nil
}

// concerned lists the pods that a Service selects, nil when there is none, and those
// that have an address of the group's rows.
func (r *Reconciler) concerned(ctx context.Context, namespace string, svc *corev1.Service, rows map[netip.Addr][]gate.Target) ([]*corev1.Pod, error) {
	var lists [][]corev1.Pod
	if svc != nil {
		selected, err := index.PodsOf(ctx, r.client, svc)
		if err != nil {
			return nil, err
		}
		lists = append(lists, selected)
	}

	for addr := range rows {
		there, err := index.PodsAt(ctx, r.client, namespace, addr)
		if err != nil {
			return nil, err
		}
		lists = append(lists, there)
	}

	var pods []*corev1.Pod
	seen := map[string]bool{}
	for _, list := range lists {
		for i := range list {
			if pod := &list[i]; !seen[pod.Name] {
				seen[pod.Name] = true
				pods = append(pods, pod)
			}
		}
	}

	return pods, nil
}

// service finds the Service and port of a binding; a nil port means trouble.
func (r *Reconciler) service(ctx context.Context, b *binding.Binding, who *population) (*corev1.Service, *corev1.ServicePort, error) {
	ref := b.ServiceRef
	var svc corev1.Service
	err := r.client.Get(ctx, types.NamespacedName{Namespace: b.Namespace, Name: ref.Name}, &svc)
	if apierrors.IsNotFound(err) {
		who.missing = true
		who.trouble = &verdict{v1alpha1.ReasonServiceNotFound, fmt.Sprintf("Service %q does not exist in this namespace: create it, or correct spec.serviceRef.name.", ref.Name)}
		return nil, nil, nil
	}

	if err != nil {
		return nil, nil, fmt.Errorf("get service: %w", err)
	}

	if len(svc.Spec.Selector) == 0 {
		who.missing = true
		who.trouble = &verdict{v1alpha1.ReasonServiceWithoutSelector, fmt.Sprintf("Service %q has no selector, so it selects no pods: podgate registers pods only.", ref.Name)}
		return &svc, nil, nil
	}

	port, ok := binding.ServicePort(&svc, ref.Port)
	if !ok {
		who.missing = true
		who.trouble = &verdict{v1alpha1.ReasonPortNotFound, fmt.Sprintf("Service %q has no port %q: it has %s. Correct spec.serviceRef.port.", ref.Name, ref.Port.String(), ports(&svc))}
		return &svc, nil, nil
	}

	return &svc, &port, nil
}

// vacant knows which targets the group does not hold: a read of the last seconds
// says so, and no call of ours since, all of which the ledger remembers.
func (r *Reconciler) vacant(ref balancer.Ref, observed map[gate.Target]gate.Health, snap observe.Snapshot) func(gate.Target) bool {
	fresh := r.now().Sub(snap.Started) < gate.Lag
	return func(t gate.Target) bool {
		_, held := observed[t]
		return fresh && !held && !r.ledger.doubtful(ref, t)
	}
}

func (w *population) add(t gate.Target, pod *corev1.Pod, wanted bool) {
	m := membership.Member{
		Target: t, Wanted: wanted,
		Ready:       binding.IsTrue(pod, corev1.ContainersReady),
		Serving:     binding.IsTrue(pod, corev1.PodReady),
		Terminating: w.ends(pod),
	}

	switch w.notice(pod) {
	case disruption.Announced:
		m.Leaving = w.ahead
	case disruption.Dead:
		m.Ready, m.Serving = false, false
	}

	if !pod.DeletionTimestamp.IsZero() {
		m.KilledAt, m.StoppedAt = pod.DeletionTimestamp.Time, drain.StoppedAt(pod)
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

func ports(svc *corev1.Service) string {
	var names []string
	for _, p := range svc.Spec.Ports {
		name := fmt.Sprint(p.Port)
		if p.Name != "" {
			name += " (" + p.Name + ")"
		}
		names = append(names, name)
	}
	return strings.Join(names, ", ")
}
