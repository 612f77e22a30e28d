// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package targets

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/gate"
	"github.com/podgate/podgate/internal/lbc"
	"github.com/podgate/podgate/internal/membership"
	"github.com/podgate/podgate/internal/observe"
)

// finalize deregisters a deleted binding's targets, unless another binding claims
// the group, waits until its gates are released, and lets the binding go. One that AWS
// Load Balancer Controller holds is left to it, unless that controller is gone.
func (r *Reconciler) finalize(ctx context.Context, b *binding.Binding) (reconcile.Result, error) {
	whose, err := r.lbc.Owners.Of(ctx, b)
	if err != nil {
		return reconcile.Result{}, err
	}

	held := controllerutil.ContainsFinalizer(b.Object, v1alpha1.Finalizer)
	switch {
	case !held && (whose == lbc.OwnedByPodgate || !r.lbc.Owners.Serves(b)):
		r.forget(b.Key())
		return reconcile.Result{}, nil
	case whose != lbc.OwnedByPodgate && !r.lbc.Owners.Serves(b):
		return r.letGo(ctx, b)
	case !whose.Podgates():
		return r.leaveToLBC(ctx, b, whose)
	}

	return r.end(ctx, b, whose)
}

// end empties the group of a deleted binding that is podgate's, and lets the binding go when its gates are released.
func (r *Reconciler) end(ctx context.Context, b *binding.Binding, whose lbc.Ownership) (reconcile.Result, error) {
	key := b.Key()
	known, _ := r.registry.Get(key)
	r.registry.Set(key, binding.Resolution{Group: known.Group, Trouble: "The binding is being deleted."})

	takes, err := r.empty(ctx, b)
	if err != nil {
		return r.notEmptied(ctx, b, known.Group, err)
	}

	waiting, err := binding.Waiting(ctx, r.client, key)
	if err != nil {
		return reconcile.Result{}, err
	}
	if len(waiting) > 0 {
		return reconcile.Result{RequeueAfter: releasePoll}, nil
	}

	// Who looks after the drains goes with the binding, so it stays until they are done.
	if takes > 0 && r.now().Before(r.states.history(key, b.Ref).emptying(r.now()).Add(takes)) {
		return reconcile.Result{RequeueAfter: drainPoll}, nil
	}

	if err := r.lbc.Records.Delete(ctx, b); err != nil {
		return reconcile.Result{}, err
	}

	if err := r.removeFinalizers(ctx, b, lbc.Finalizers(whose)...); err != nil {
		return reconcile.Result{}, err
	}

	r.forget(key)
	return reconcile.Result{}, nil
}

// notEmptied reports that a deleted binding's targets could not be deregistered.
func (r *Reconciler) notEmptied(ctx context.Context, b *binding.Binding, group balancer.Group, err error) (reconcile.Result, error) {
	v := r.verdictOf(err, groupName(b))
	v.message = sentence(v.message) + fmt.Sprintf(" The binding stays until its targets are deregistered; to give that up, remove its finalizer %s.", v1alpha1.Finalizer)

	if r.terminating(ctx, b, group) {
		err = press(err)
	}
	return r.retry(ctx, b, v, err)
}

// terminating reports whether a pod of a binding is being deleted, whose target has to go soon.
func (r *Reconciler) terminating(ctx context.Context, b *binding.Binding, group balancer.Group) bool {
	who, err := r.population(ctx, b, group, nil, nil)
	return err == nil && slices.ContainsFunc(who.members, func(m membership.Member) bool { return m.Terminating })
}

// neverReached reports whether nothing can be registered in a binding's group because it
// never answered, as when the binding names sockets that do not exist: waiting for an
// answer would hold the binding forever.
func (r *Reconciler) neverReached(b *binding.Binding) bool {
	return r.drivers.Of(b.Ref.Provider).EmptyUntilReached && !b.EverPublished()
}

// empty deregisters what a deleted binding registered. It asks the load balancer
// again: what is remembered may be of another time. It returns how long it takes at most
// until targets whose drain has to be looked after are gone; zero when none is left.
func (r *Reconciler) empty(ctx context.Context, b *binding.Binding) (time.Duration, error) {
	if b.External {
		return 0, nil
	}

	own, group, err := r.left(ctx, b)
	if err != nil || own == nil {
		return 0, err
	}

	// The whole group stays observed, since its pods still drain, but as one that is being left.
	if known := r.states.get(b.Key()).service.tracked; known == b.Ref && known.Group != "" {
		whole := group
		whole.Ref, whole.Settings = b.Ref, b.Wanted().Settings
		r.track(b.Key(), whole, b.External)
	}

	begun := r.now()
	targets, err := r.provider.Health(ctx, group)
	if errors.Is(err, balancer.ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read target group: %w", err)
	}

	// What was registered a moment ago may not be shown yet, and nobody would look again.
	shown := len(targets)
	targets = r.registrar.pending.overlay(group.Ref, observe.Snapshot{Started: begun, Targets: targets})
	who, err := r.population(ctx, own, group, targets, r.lbc.Records.Load(ctx, own))
	if err != nil {
		return 0, err
	}

	err = errors.Join(r.registrar.deregister(ctx, group, who.toEmpty(targets), who), who.record.Err())

	// Last, since it may wait for calls that can wait.
	return r.tend(ctx, group, shown), err
}

// drainSlack is how much longer than the group's delay a drain may take, since it goes on in steps.
const drainSlack = 10 * time.Second

// tend looks after the drains of a deleted binding's group, where they need it, and returns
// how long those of its targets take at most.
func (r *Reconciler) tend(ctx context.Context, group balancer.Group, targets int) time.Duration {
	if targets == 0 || !r.drivers.Tends(group.Ref) {
		return 0
	}

	// The next attempt looks after them again, so that a failure delays the binding and nothing else.
	if err := balancer.Tend(ctx, r.provider, group); err != nil {
		log.FromContext(ctx).V(1).Info("Looking after a target group's drains failed", "group", group.Ref.Group, "error", err.Error())
	}

	return group.DeregistrationDelay + drainSlack
}

// toEmpty returns the targets of a deleted binding's group that are this cluster's and still there.
func (w *population) toEmpty(targets map[gate.Target]gate.Health) []gate.Target {
	var found []gate.Target
	for t, h := range targets {
		if !h.Leaving() && (w.record.Owns(t) || w.pods[t] != nil) {
			found = append(found, t)
		}
	}
	return found
}

// left returns what a deleted binding still has to empty: the part of it that no other binding claims, and its group. The
// part is nil when nothing is left, because the group is gone, is not the namespace's to name, or is another's.
func (r *Reconciler) left(ctx context.Context, b *binding.Binding) (*binding.Binding, balancer.Group, error) {
	none := balancer.Group{}
	if v, err := r.notAllowed(ctx, b, b.Ref); v != nil || err != nil {
		return nil, none, err
	}

	own, err := r.rest(ctx, b)
	if own == nil || err != nil {
		return nil, none, err
	}

	group, err := r.resolve(ctx, own)
	if errors.Is(err, balancer.ErrNotFound) || errors.Is(err, balancer.ErrInvalid) || err != nil && r.neverReached(own) {
		return nil, none, nil
	}
	if err != nil {
		return nil, none, err
	}

	// A group that was found by its name is known only now.
	if v, err := r.notAllowed(ctx, own, group.Ref); v != nil || err != nil {
		return nil, none, err
	}

	other, _, err := r.rival(ctx, own, group.Ref)
	if err != nil || other != nil || !group.OfPods() {
		return nil, none, err
	}

	return own, group, nil
}
