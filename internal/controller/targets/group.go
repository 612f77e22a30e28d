// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package targets

import (
	"context"
	"errors"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/lbc"
)

// resolve finds a binding's group, from memory when it was found a short while ago. A
// new leader, and one that the API leaves alone, goes by what was published on the
// binding: a deregistration must not wait for a description, nor for those of a
// thousand other groups.
func (r *Reconciler) resolve(ctx context.Context, b *binding.Binding) (balancer.Group, error) {
	key := b.Key()
	known := r.states.get(key).service.resolved

	gone := errors.Is(r.observer.View(known.group.Ref).Err, balancer.ErrNotFound)
	same := b.Ref.Group == "" || b.Ref.Group == known.group.Ref.Group

	// A binding that was made again begins with its first generation, too, so the settings are compared.
	wanted := b.Wanted()
	same = same && wanted.Settings == known.group.Settings
	if known.generation == b.Generation && same && r.now().Sub(known.at) < known.lasts() && !gone {
		return known.group, nil
	}

	// Where the settings are the manifest's, it may be younger than what was published.
	if g, ok := b.Published(); ok && known.at.IsZero() && !r.drivers.Of(b.Ref.Provider).ManifestDecides {
		// Asked about at a random time of the span, so that take-over makes no burst.
		known = resolved{generation: b.Generation, group: g, again: r.counts(b, g)}
		known.at = r.now().Add(-r.random(known.lasts()))
		r.remember(key, known)
		return g, nil
	}

	wanted.Before = r.before(b, known)
	group, err := r.provider.Resolve(ctx, wanted)
	if err != nil {
		if g, ok := b.Published(); ok && r.standsIn(g, err) {
			g.Caveat = known.group.Caveat
			r.remember(key, resolved{generation: b.Generation, at: r.now(), group: g, again: soon(err)})
			return g, nil
		}
		r.remember(key, resolved{at: r.now(), group: balancer.Group{Name: wanted.Before}})
		return balancer.Group{}, fmt.Errorf("resolve target group: %w", err)
	}

	known = resolved{generation: b.Generation, again: r.counts(b, group)}
	if group.Unfinished {
		known.again, group.Unfinished = readyAgain, false
	}
	group.Settings = wanted.Settings
	known.group = group
	known.at = r.now().Add(-r.random(known.lasts() / 5))
	r.remember(key, known)

	return group, nil
}

// before returns the name with which a binding's group was found before: as it was published, or is remembered where nothing
// could be published; empty when the binding names another group now, or none was found.
func (r *Reconciler) before(b *binding.Binding, known resolved) string {
	if g, ok := b.Published(); ok {
		return g.Name
	}
	if r.drivers.Of(b.Ref.Provider).GoesBy(known.group, b.GroupName) {
		return known.group.Name
	}
	return ""
}

// lookedUp is how long the driver of a binding's group lets count what was found; 0 when it does not say.
func (r *Reconciler) lookedUp(b *binding.Binding) time.Duration {
	if counts := r.drivers.Of(b.Ref.Provider).ResolveAgain; counts != nil {
		return counts(b.Wanted())
	}
	return 0
}

// counts is how long what was found of a binding's group counts; 0 for as long as its type says. Nobody observes nodes that
// are left alone.
func (r *Reconciler) counts(b *binding.Binding, g balancer.Group) time.Duration {
	if g.OfNodes() && !r.ofNodes(b, g) {
		return unservedAgain
	}
	return r.lookedUp(b)
}

// remember keeps what was found out about a binding's group.
func (r *Reconciler) remember(key types.NamespacedName, what resolved) {
	r.states.update(key, func(s *state) { s.service.resolved = what })
}

// standsIn reports whether what was published of a group counts when a look-up failed: the error has to say nothing about
// the group itself. While the load balancer makes groups in the place of one that is gone, that one does not count.
func (r *Reconciler) standsIn(published balancer.Group, err error) bool {
	replaced := errors.Is(err, balancer.ErrNotReady) && errors.Is(r.observer.View(published.Ref).Err, balancer.ErrNotFound)
	return transient(err) && !replaced
}

// soon is when a group is looked up again after an attempt that found out nothing.
func soon(err error) time.Duration {
	if errors.Is(err, balancer.ErrNotReady) {
		return readyAgain
	}
	return resolveSoon
}

// transient reports whether an error says nothing about the group itself.
func transient(err error) bool {
	return !errors.Is(err, balancer.ErrNotFound) && !errors.Is(err, balancer.ErrInvalid) && !errors.Is(err, balancer.ErrDenied)
}

// publish writes what the webhook and the next leader must know about the group, and how
// long its pods should serve on, on the binding: in the status of podgate's own kind, in an annotation of another.
func (r *Reconciler) publish(ctx context.Context, b *binding.Binding, g balancer.Group) error {
	before := b.Copy()
	changed, err := b.Publish(g)
	if err != nil {
		return err
	}

	recommended, news := b.Recommend(r.drains.Latest(b.Key()))
	if !changed && !news {
		return nil
	}

	if err := b.WritePublished(ctx, r.client, client.MergeFrom(before.Object)); err != nil {
		return fmt.Errorf("publish target group: %w", err)
	}

	if news {
		r.drains.Recommended(before, b, recommended)
	}

	return nil
}

// unfit says why a resolved group cannot be served; nil when it can.
func (r *Reconciler) unfit(ctx context.Context, b *binding.Binding, g balancer.Group) *verdict {
	if t := b.TargetType; t != "" && t != g.TargetType {
		return &verdict{reason: v1alpha1.ReasonTargetTypeMismatch, message: fmt.Sprintf("spec.targetType is %q but the target group's targets are of type %q: make a binding without it, or with the group's type.", t, g.TargetType)}
	}

	if f := b.IPAddressType; f != "" && g.IPAddressType != "" && f != g.IPAddressType {
		return &verdict{reason: v1alpha1.ReasonTargetTypeMismatch, message: fmt.Sprintf("spec.ipAddressType is %q but the target group's is %q: correct the binding.", f, g.IPAddressType)}
	}

	switch {
	case g.OfPods():
	case r.ofNodes(b, g):
		if _, wrong := nodeSelector(b); wrong != nil {
			return wrong
		}
	case g.TargetType == string(elbv2.TargetTypeInstance):
		return &verdict{reason: v1alpha1.ReasonInstanceTargets, message: "The target group's targets are instances: podgate leaves them alone, and pods get no gate. Use a target group of type ip to gate pods."}
	default:
		return &verdict{reason: v1alpha1.ReasonUnservedTargetType, message: fmt.Sprintf("The target group's targets are of type %q: podgate leaves them alone, pods get no gate, and the Service's pods get no requests from this group. Use a target group of type ip to serve pods.", g.TargetType)}
	}

	return r.refused(ctx, b, g.Ref)
}

// keptOut keeps a binding from what it may not name, and tries again when nobody knows whether it may.
func (r *Reconciler) keptOut(ctx context.Context, b *binding.Binding, v *verdict, err error) (reconcile.Result, error) {
	if err != nil {
		return reconcile.Result{}, err
	}
	return r.unserved(ctx, b, balancer.Group{}, *v, nil)
}

// unserved handles a binding whose group it cannot have.
func (r *Reconciler) unserved(ctx context.Context, b *binding.Binding, group balancer.Group, v verdict, unwritten error) (reconcile.Result, error) {
	res, again := binding.Resolution{Group: group, Trouble: v.message}, unservedAgain
	if v.reason == v1alpha1.ReasonGroupBoundTwice || v.reason == v1alpha1.ReasonNotAllowed {
		res.Group, again = balancer.Group{}, lbc.Poll
		r.track(b.Key(), balancer.Group{}, false)
	}

	r.registry.Set(b.Key(), res)
	return r.written(ctx, reconcile.Result{RequeueAfter: again}, unwritten), r.report.ready(ctx, b, v)
}
