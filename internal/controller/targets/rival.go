// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package targets

import (
	"context"
	"fmt"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/binding"
)

// rivals lists the other bindings that claim the same, may do so, and are not being deleted.
func (r *Reconciler) rivals(ctx context.Context, b *binding.Binding, claim string) ([]*binding.Binding, error) {
	all, err := binding.Claiming(ctx, r.client, claim)
	if err != nil {
		return nil, err
	}

	var found []*binding.Binding
	for _, o := range all {
		if o.UID == b.UID || o.External || !o.DeletionTimestamp.IsZero() {
			continue
		}
		refused, err := r.refuses(ctx, o.Namespace, claim)
		if err != nil {
			return nil, err
		}
		if refused == "" {
			found = append(found, o)
		}
	}

	return found, nil
}

// rival finds the oldest other binding that claims a binding's group, or a part of it;
// nil when there is none.
func (r *Reconciler) rival(ctx context.Context, b *binding.Binding, ref balancer.Ref) (oldest *binding.Binding, claim string, err error) {
	for _, c := range b.Claims(ref.Group) {
		rivals, err := r.rivals(ctx, b, c)
		if err != nil {
			return nil, "", err
		}
		for _, o := range rivals {
			if oldest == nil || older(o, oldest) {
				oldest, claim = o, c
			}
		}
	}
	return oldest, claim, nil
}

// refused says that an older binding claims a binding's group, or a part of it, so that
// this one is not served; nil when none does.
func (r *Reconciler) refused(ctx context.Context, b *binding.Binding, ref balancer.Ref) *verdict {
	other, claim, err := r.rival(ctx, b, ref)
	switch {
	case err != nil:
		return &verdict{reason: v1alpha1.ReasonLoadBalancerUnavailable, message: "The bindings of this cluster cannot be listed; it is tried again."}
	case other == nil || !older(other, b):
		return nil
	}
	if overlap := r.drivers.Of(ref.Provider).Overlap; overlap != nil {
		return &verdict{reason: v1alpha1.ReasonGroupBoundTwice, message: overlap(other.Namespace+"/"+other.Name, claim)}
	}
	return &verdict{reason: v1alpha1.ReasonGroupBoundTwice, message: fmt.Sprintf("Binding %s/%s is older and names the same target group, so this one is not served: delete one of them.", other.Namespace, other.Name)}
}

// rest is a binding without the parts of its group that others claim, who see to the targets
// there; nil when nothing is left.
func (r *Reconciler) rest(ctx context.Context, b *binding.Binding) (*binding.Binding, error) {
	if len(b.Parts) == 0 {
		return b, nil
	}

	var left []string
	for _, part := range b.Parts {
		rivals, err := r.rivals(ctx, b, part)
		if err != nil {
			return nil, err
		}
		if len(rivals) == 0 {
			left = append(left, part)
		}
	}

	if len(left) == 0 {
		return nil, nil
	}

	return b.Only(left), nil
}

func older(a, b *binding.Binding) bool {
	if a.CreationTimestamp.Equal(&b.CreationTimestamp) {
		return a.UID < b.UID
	}
	return a.CreationTimestamp.Before(&b.CreationTimestamp)
}
