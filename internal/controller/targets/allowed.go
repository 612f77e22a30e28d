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

// notAllowed says that a binding names what bindings of its namespace may not name; nil
// when it may. An error means that nobody knows, and then nothing may be done.
func (r *Reconciler) notAllowed(ctx context.Context, b *binding.Binding, ref balancer.Ref) (*verdict, error) {
	refused, err := r.refuses(ctx, b.Namespace, b.Names(ref)...)
	if err != nil || refused == "" {
		return nil, err
	}
	return &verdict{reason: v1alpha1.ReasonNotAllowed, message: fmt.Sprintf("Bindings of namespace %q may not name %s, so it is neither read nor changed. Ask the podgate administrator to allow it with --allow-targets and namespace labels.", b.Namespace, refused)}, nil
}

// refuses returns the first thing that bindings of a namespace may not name; empty when there is none.
func (r *Reconciler) refuses(ctx context.Context, namespace string, things ...string) (string, error) {
	if r.allowed == nil || len(things) == 0 {
		return "", nil
	}
	refused, err := r.allowed(ctx, namespace, things)
	if err != nil {
		return "", fmt.Errorf("find out what namespace %s may name: %w", namespace, err)
	}
	return refused, nil
}
