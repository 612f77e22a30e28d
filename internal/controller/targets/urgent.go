// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package targets

import (
	"context"
	"slices"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/gate"
	"github.com/podgate/podgate/internal/lbc"
	"github.com/podgate/podgate/internal/membership"
)

// Urgent deregisters the targets of a binding's terminating pods in the place of a
// leader that is silent, and returns how many. It goes by what the leader published on
// the binding and by the pods alone, asks the load balancer nothing and writes nothing
// to the cluster. While no other pod of the binding is Ready it leaves those that may
// serve to the next leader, until they have only the time to drain left. Calling
// it again changes nothing, nor does it when the leader is alive after all.
func (r *Reconciler) Urgent(ctx context.Context, key types.NamespacedName) (int, error) {
	b, err := binding.Get(ctx, r.client, key)
	if err != nil {
		return 0, client.IgnoreNotFound(err)
	}

	group, ok, err := r.led(ctx, b)
	if err != nil || !ok {
		return 0, err
	}

	who, err := r.population(ctx, b, group, nil, nil, nil)
	if err != nil {
		return 0, err
	}

	// Nobody read the group: the pods alone say which is the last that serves.
	need := b.Need()
	in := membership.Input{Now: r.now(), Members: who.members, Drain: need.Time(), Routed: need.Routed()}
	plan := membership.Make(in)
	targets := slices.DeleteFunc(plan.Urgent, func(t gate.Target) bool { return r.registrar.pending.removed(group.Ref, t) })
	err = r.registrar.deregister(ctx, group, targets, who)
	return len(targets) - len(failed(err, targets)), err
}

// led returns the group of a binding that the leader serves, as it published it.
func (r *Reconciler) led(ctx context.Context, b *binding.Binding) (balancer.Group, bool, error) {
	if b.External || !b.DeletionTimestamp.IsZero() || !r.lbc.Owners.Serves(b) || !controllerutil.ContainsFinalizer(b.Object, v1alpha1.Finalizer) {
		return balancer.Group{}, false, nil
	}

	whose, err := r.lbc.Owners.Of(ctx, b)
	if err != nil || whose != lbc.OwnedByPodgate {
		return balancer.Group{}, false, err
	}

	group, ok := b.Published()
	if v, err := r.notAllowed(ctx, b, group.Ref); v != nil || err != nil {
		return balancer.Group{}, false, err
	}

	if !ok || r.unfit(ctx, b, group) != nil || r.ofNodes(b, group) && !r.nodes.known() {
		return balancer.Group{}, false, nil
	}

	return group, true, nil
}
