// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package target

import (
	"context"
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/provider"
)

// found makes a binding's settings known to its provider and finds its group.
func (r *Reconciler) found(ctx context.Context, b *binding.Binding) (provider.Group, error) {
	if err := r.ready(ctx, b); err != nil {
		return provider.Group{}, err
	}
	return r.resolve(ctx, b)
}

// ready makes the settings of a group known to its provider: those of the oldest
// binding, when two name the same group.
func (r *Reconciler) ready(ctx context.Context, b *binding.Binding) error {
	if b.Ref.Provider == provider.ELBv2 {
		return nil
	}
	other, err := r.claimant(ctx, b, b.Ref)
	if err != nil {
		return err
	}
	if other != nil && older(other, b) {
		b = other
	}
	return r.prepare(b)
}

// resolve finds a binding's group, from memory when it was found a short while ago. A
// new leader, and one that the API leaves alone, goes by what was published on the
// binding: a deregistration must not wait for a description, nor for those of a
// thousand other groups.
func (r *Reconciler) resolve(ctx context.Context, b *binding.Binding) (provider.Group, error) {
	key := b.Key()
	r.mu.Lock()
	known := r.resolved[key]
	r.mu.Unlock()
	gone := errors.Is(r.observer.View(known.group.Ref).Err, provider.ErrNotFound)
	if known.generation == b.Generation && r.now().Sub(known.at) < known.lasts() && !gone {
		return known.group, nil
	}
	if g, ok := b.Published(); ok && known.at.IsZero() {
		// Asked about at a random time of the span, so that take-over makes no burst.
		known = resolved{generation: b.Generation, group: g}
		known.at = r.now().Add(-r.random(known.lasts()))
		r.remember(key, known)
		return g, nil
	}
	group, err := r.provider.Resolve(ctx, b.Ref, b.GroupName)
	if err != nil {
		if g, ok := b.Published(); ok && transient(err) {
			r.remember(key, resolved{generation: b.Generation, at: r.now().Add(resolveSoon - resolved{group: g}.lasts()), group: g})
			return g, nil
		}
		r.remember(key, resolved{at: r.now()})
		return provider.Group{}, fmt.Errorf("resolve target group: %w", err)
	}
	known = resolved{generation: b.Generation, group: group}
	known.at = r.now().Add(-r.random(known.lasts() / 5))
	r.remember(key, known)
	return group, nil
}

func (r *Reconciler) remember(key types.NamespacedName, what resolved) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.resolved[key] = what
}

// transient tells whether an error says nothing about the group itself.
func transient(err error) bool {
	return !errors.Is(err, provider.ErrNotFound) && !errors.Is(err, provider.ErrInvalid) && !errors.Is(err, provider.ErrDenied)
}

// publish writes what the webhook and the next leader must know about the group on
// the binding: in the status of podgate's own kind, in an annotation of another.
func (r *Reconciler) publish(ctx context.Context, b *binding.Binding, g provider.Group) error {
	before := b.Copy()
	changed, err := b.Publish(g)
	if err != nil || !changed {
		return err
	}
	patch := client.MergeFrom(before.Object)
	if b.Own() != nil {
		err = r.client.Status().Patch(ctx, b.Object, patch)
	} else {
		err = r.client.Patch(ctx, b.Object, patch)
	}
	if err != nil {
		return fmt.Errorf("publish target group: %w", err)
	}
	return nil
}

// unfit says why a resolved group cannot be served; nil when it can.
func (r *Reconciler) unfit(ctx context.Context, b *binding.Binding, g provider.Group) *verdict {
	if t := b.TargetType; t != "" && t != g.TargetType {
		return &verdict{ReasonTypeMismatch, fmt.Sprintf("spec.targetType is %q but the target group's targets are of type %q: make a binding without it, or with the group's type.", t, g.TargetType)}
	}
	if f := b.IPAddressType; f != "" && g.IPAddressType != "" && f != g.IPAddressType {
		return &verdict{ReasonTypeMismatch, fmt.Sprintf("spec.ipAddressType is %q but the target group's is %q: correct the binding.", f, g.IPAddressType)}
	}
	switch g.TargetType {
	case string(elbv2.TargetTypeIP):
	case string(elbv2.TargetTypeInstance):
		return &verdict{ReasonInstanceTargets, "The target group's targets are instances: podgate leaves them alone and pods get no gate. Use a target group of type ip to gate pods."}
	default:
		return &verdict{ReasonUnservedTargets, fmt.Sprintf("The target group's targets are of type %q, which podgate does not serve: use a target group of type ip.", g.TargetType)}
	}
	other, err := r.claimant(ctx, b, g.Ref)
	if err != nil {
		return &verdict{ReasonUnavailable, "The bindings of this cluster cannot be listed; it is tried again."}
	}
	if other != nil && older(other, b) {
		return &verdict{ReasonBoundTwice, fmt.Sprintf("Binding %s/%s is older and names the same target group, so this one is not served: delete one of them.", other.Namespace, other.Name)}
	}
	return nil
}

// claimant finds the oldest other binding whose targets podgate registers in the same
// group, and that is not being deleted; nil when there is none.
func (r *Reconciler) claimant(ctx context.Context, b *binding.Binding, ref provider.Ref) (*binding.Binding, error) {
	if b.Shared || b.External {
		return nil, nil
	}
	bindings, err := binding.OfGroup(ctx, r.client, ref.Group)
	if err != nil {
		return nil, err
	}
	var found *binding.Binding
	for _, o := range bindings {
		if o.UID == b.UID || o.External || !o.DeletionTimestamp.IsZero() {
			continue
		}
		if found == nil || older(o, found) {
			found = o
		}
	}
	return found, nil
}

func older(a, b *binding.Binding) bool {
	if a.CreationTimestamp.Equal(&b.CreationTimestamp) {
		return a.UID < b.UID
	}
	return a.CreationTimestamp.Before(&b.CreationTimestamp)
}
