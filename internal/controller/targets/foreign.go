// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package targets

import (
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/gate"
	"github.com/podgate/podgate/internal/index"
	"github.com/podgate/podgate/internal/membership"
	"github.com/podgate/podgate/internal/plural"
)

// lookEvery is how often a group is read while a target that may be a dead pod's seems to serve, and lookShare the least time
// between the reads of two such groups: a new leader finds all of them at once, and the account's other calls come first.
const (
	lookEvery = 5 * time.Second
	lookShare = 500 * time.Millisecond
)

// thisCluster are the pods that podgate sees unless it watches one namespace.
const thisCluster = "this cluster"

// foreign returns which targets are at addresses that no pod of this cluster has; nil when such may be removed, because a
// record says which targets are this cluster's, or a person said so. Only those are looked up of which this process knows
// no pod.
func (r *Reconciler) foreign(ctx context.Context, p *pass) (func(gate.Target) bool, error) {
	if p.who.record != nil || confirmed(p.binding) {
		return nil, nil
	}

	foreign := map[gate.Target]bool{}
	for t := range p.history.orphans {
		here, err := r.hasPod(ctx, t)
		if err != nil {
			return nil, err
		}
		foreign[t] = !here
	}

	return func(t gate.Target) bool { return foreign[t] }, nil
}

// confirmed reports whether a person said that podgate may remove what seems to be somebody else's. A copy of the binding
// in another cluster has another UID, and nobody confirmed anything there.
func confirmed(b *binding.Binding) bool {
	return b.UID != "" && b.Annotations[v1alpha1.RemoveForeignAnnotation] == string(b.UID)
}

// hasPod reports whether a pod of this cluster, of any namespace, has a target's address, or a node is its instance.
func (r *Reconciler) hasPod(ctx context.Context, t gate.Target) (bool, error) {
	if t.Instance != "" {
		return r.nodes.hasInstance(t.Instance), nil
	}
	pods, err := index.PodsAt(ctx, r.client, "", t.Addr)
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(pods, func(pod corev1.Pod) bool { return binding.Has(&pod, t.Port) }), nil
}

// noticed is how long a group's load balancer goes on calling a target healthy whose pod died, at most.
func noticed(group balancer.Group) time.Duration {
	return max(group.HealthCheckInterval*time.Duration(group.UnhealthyThreshold+1)+gate.Lag, 30*time.Second)
}

// looksAgain returns how often to read the group, since a target that is held as somebody else's may be that of a pod
// which died while podgate was away, and its load balancer is about to say so; zero when that is not to be expected.
func (r *Reconciler) looksAgain(p *pass) time.Duration {
	return r.states.looks(p.binding.Key(), slices.ContainsFunc(p.plan.Held, func(h membership.Held) bool {
		return h.Guard == membership.GuardForeign && r.now().Before(p.history.orphans[h.Target].Add(noticed(p.group)))
	}))
}

// foreigners returns which of the targets that a plan holds are held as somebody else's.
func foreigners(held []membership.Held) []gate.Target {
	var foreign []gate.Target
	for _, h := range held {
		if h.Guard == membership.GuardForeign {
			foreign = append(foreign, h.Target)
		}
	}
	return foreign
}

// foreignMessage says what is held as somebody else's, and the ways out of that.
func (r *reporter) foreignMessage(b *binding.Binding, held []gate.Target) string {
	if len(held) == 0 {
		return ""
	}

	what := fmt.Sprintf("%s of the group, such as %s, are at addresses that no pod of %s has and do not fail their checks, so podgate does not remove them", plural.Count(len(held), "target"), held[0], r.sees)
	if len(held) == 1 {
		what = fmt.Sprintf("1 target of the group, %s, is at an address that no pod of %s has and does not fail its checks, so podgate does not remove it", held[0], r.sees)
	}

	switch ofNodes := held[0].Instance != ""; {
	case ofNodes && len(held) == 1:
		what = fmt.Sprintf("1 target of the group, %s, is an instance that no node of this cluster is and does not fail its checks, so podgate does not remove it", held[0])
	case ofNodes:
		what = fmt.Sprintf("%s of the group, such as %s, are instances that no node of this cluster is and do not fail their checks, so podgate does not remove them", plural.Count(len(held), "target"), held[0])
	}

	share := "If clusters share the group, set spec.multiClusterTargetGroup in each of them."
	if !b.OfLBC {
		share = "If clusters share the group, give each one a group of its own: only a TargetGroupBinding can share one, by spec.multiClusterTargetGroup."
	}

	return fmt.Sprintf("%s: %s, another controller or a person may have registered what is there. %s If podgate is to remove what no pod here serves, annotate this binding with %s=%s. Otherwise deregister it by hand.",
		what, r.others(), share, v1alpha1.RemoveForeignAnnotation, b.UID)
}

// nobody says, after "no", that no pod has a target's address, or that no node is its instance.
func (r *reporter) nobody(t gate.Target, address, instance string) string {
	if t.Instance != "" {
		return fmt.Sprintf("node of this cluster is %s", instance)
	}
	return fmt.Sprintf("pod of %s has %s", r.sees, address)
}

// others are whose pods podgate does not see, and that may be in a group all the same.
func (r *reporter) others() string {
	if r.sees == thisCluster {
		return "another cluster"
	}
	return "another namespace or cluster"
}
