// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package targets

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/gate"
	"github.com/podgate/podgate/internal/gates"
	"github.com/podgate/podgate/internal/lbc"
	"github.com/podgate/podgate/internal/membership"
	"github.com/podgate/podgate/internal/observe"
	"github.com/podgate/podgate/internal/plural"
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

	rest, err := r.empty(ctx, b)
	if err != nil {
		return r.notEmptied(ctx, b, known.Group, err)
	}

	// A gate that other bindings feed, too, waits on for those.
	waiting, err := r.kinds.ToRelease(ctx, gates.Cluster{Reader: r.client, Registry: r.registry}, key)
	if err != nil {
		return reconcile.Result{}, err
	}
	if len(waiting) > 0 {
		return reconcile.Result{RequeueAfter: releasePoll}, nil
	}

	// Who looks after the drains goes with the binding, so it stays until they are done; and until it is known whether
	// what still serves died a moment ago.
	if rest.takes > 0 && r.now().Before(r.states.emptying(key, r.now()).Add(rest.takes)) {
		return reconcile.Result{RequeueAfter: rest.poll}, nil
	}

	if err := r.lbc.Records.Delete(ctx, b); err != nil {
		return reconcile.Result{}, err
	}

	if err := r.removeFinalizers(ctx, b, lbc.Finalizers(whose)...); err != nil {
		return reconcile.Result{}, err
	}

	r.leaves(ctx, b, rest.foreign)
	r.forget(key)
	return reconcile.Result{}, nil
}

// notEmptied reports that a deleted binding's targets could not be deregistered.
func (r *Reconciler) notEmptied(ctx context.Context, b *binding.Binding, group balancer.Group, err error) (reconcile.Result, error) {
	v := r.verdictOf(err, b.Ref.Provider, groupName(b))
	v.message = sentence(v.message) + fmt.Sprintf(" The binding stays until its targets are deregistered; to give that up, remove its finalizer %s.", v1alpha1.Finalizer)

	if r.terminating(ctx, b, group) {
		err = press(err)
	}
	return r.retry(ctx, b, v, err)
}

// terminating reports whether a pod of a binding is being deleted, whose target has to go soon.
func (r *Reconciler) terminating(ctx context.Context, b *binding.Binding, group balancer.Group) bool {
	who, err := r.population(ctx, b, group, nil, nil, nil)
	return err == nil && slices.ContainsFunc(who.members, func(m membership.Member) bool { return m.Terminating })
}

// neverReached reports whether nothing can be registered in a binding's group because it
// never answered, as when the binding names sockets that do not exist: waiting for an
// answer would hold the binding forever.
func (r *Reconciler) neverReached(b *binding.Binding) bool {
	return r.drivers.Of(b.Ref.Provider).EmptyUntilReached && !b.EverPublished()
}

// empty deregisters what a deleted binding registered. It asks the load balancer
// again: what is remembered may be of another time.
func (r *Reconciler) empty(ctx context.Context, b *binding.Binding) (remains, error) {
	if b.External {
		return remains{}, nil
	}

	own, group, err := r.left(ctx, b)
	if err != nil || own == nil {
		return remains{}, err
	}

	r.keepObserved(b, group)

	begun := r.now()
	shown, err := r.provider.Health(ctx, group)
	if errors.Is(err, balancer.ErrNotFound) {
		return remains{}, nil
	}
	if err != nil {
		return remains{}, fmt.Errorf("read target group: %w", err)
	}

	// What was registered a moment ago may not be shown yet, and nobody would look again.
	targets := r.registrar.pending.overlay(group.Ref, observe.Snapshot{Started: begun, Targets: shown})
	who, err := r.population(ctx, own, group, targets, r.lbc.Records.Load(ctx, own), r.states.get(b.Key()).service.history)
	if err != nil {
		return remains{}, err
	}

	removed, foreign, err := r.toEmpty(ctx, b, who, targets)
	if err != nil {
		return remains{}, err
	}

	// What leaves comes first: looking after drains gives way to all other calls.
	err = together(r.registrar.deregister(ctx, group, removed, who), who.record.Err())
	return r.remaining(ctx, b.Key(), group, len(shown) > 0, foreign), err
}

// keepObserved has the whole group of a deleted binding observed on, since its pods still drain, but as one that is being left.
func (r *Reconciler) keepObserved(b *binding.Binding, group balancer.Group) {
	if known := r.states.get(b.Key()).service.tracked; known == b.Ref && known.Group != "" {
		group.Ref, group.Settings = b.Ref, b.Wanted().Settings
		r.track(b.Key(), group, b.External)
	}
}

// remains are what a deleted binding's group still holds.
type remains struct {
	// takes is how long the binding has to stay for it at most: until drains that have to be looked after are done, and
	// until dead pods' targets have been noticed. Zero when for nothing.
	takes time.Duration
	// poll is how soon to look again meanwhile.
	poll time.Duration
	// foreign are targets that serve and that nothing shows to be this cluster's.
	foreign []gate.Target
}

// remaining returns for what a deleted binding has to stay, and looks after drains that go on only so.
func (r *Reconciler) remaining(ctx context.Context, key types.NamespacedName, group balancer.Group, holds bool, foreign []gate.Target) remains {
	rest := remains{foreign: foreign}
	if every := r.states.looks(key, len(foreign) > 0); every > 0 {
		rest.takes, rest.poll = noticed(group), every
	}

	// The next attempt looks after the drains again, so that a failure delays the binding and nothing else.
	if holds && r.drivers.Tends(group.Ref) {
		r.registrar.tend(ctx, group)
		rest.takes, rest.poll = max(rest.takes, group.DeregistrationDelay+drainSlack), drainPoll
	}

	return rest
}

// leaves reports which targets a deleted binding leaves in its group.
func (r *Reconciler) leaves(ctx context.Context, b *binding.Binding, foreign []gate.Target) {
	if len(foreign) == 0 {
		return
	}
	log.FromContext(ctx).Info("Left targets in a deleted binding's group of no known pod that do not fail their checks", "targets", len(foreign), "first", foreign[0].String())

	what := fmt.Sprintf("%s, such as %s, stay in the group of this deleted binding: no %s, and they do not fail their checks. Deregister them by hand if nobody needs them.", plural.Count(len(foreign), "target"), foreign[0], r.report.nobody(foreign[0], "their addresses", "these instances"))
	if len(foreign) == 1 {
		what = fmt.Sprintf("1 target, %s, stays in the group of this deleted binding: no %s, and it does not fail its checks. Deregister it by hand if nobody needs it.", foreign[0], r.report.nobody(foreign[0], "its address", "this instance"))
	}
	r.report.recorder.Eventf(b.Object, nil, corev1.EventTypeWarning, v1alpha1.ReasonForeignTargets, "Delete", "%s", what)
}

// drainSlack is how much longer than the group's delay a drain may take, since it goes on in steps.
const drainSlack = 10 * time.Second

// toEmpty returns the targets of a deleted binding's group that are this cluster's and still there, and those that serve
// and may be somebody else's.
func (r *Reconciler) toEmpty(ctx context.Context, b *binding.Binding, who population, targets map[gate.Target]gate.Health) (own, foreign []gate.Target, err error) {
	for t, h := range targets {
		if h.Leaving() || !who.record.Owns(t) && !who.has(t) {
			continue
		}

		theirs, err := r.theirs(ctx, b, who, t, h)
		if err != nil {
			return nil, nil, err
		}
		if theirs {
			foreign = append(foreign, t)
		} else {
			own = append(own, t)
		}
	}

	slices.SortFunc(foreign, gate.Target.Compare)
	return own, foreign, nil
}

// theirs reports whether a target in a deleted binding's group is somebody else's, by the same rule as membership's.
func (r *Reconciler) theirs(ctx context.Context, b *binding.Binding, who population, t gate.Target, h gate.Health) (bool, error) {
	known := r.states.get(b.Key()).service.history
	ours := who.has(t) || known.saw(t) || who.record != nil
	if ours || !membership.MayServe(h) || confirmed(b) {
		return false, nil
	}
	here, err := r.hasPod(ctx, t)
	return !here, err
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
	if err != nil || other != nil || !r.fills(own, group) {
		return nil, none, err
	}

	return own, group, nil
}
