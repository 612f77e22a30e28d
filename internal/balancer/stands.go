// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package balancer

import (
	"context"

	"github.com/podgate/podgate/internal/gate"
)

// standing is the context's key of what WithStands was given.
type standing struct{}

// WithStands has stands called before a change that had to wait for its turn: what was decided before the wait may be wrong
// after it. It returns of which targets the change is still to be made, perhaps of none, or an error instead of the call.
func WithStands(ctx context.Context, stands func(context.Context) ([]gate.Target, error)) context.Context {
	return context.WithValue(ctx, standing{}, stands)
}

// Stands returns those of the targets of a change that had to wait of which it is still to be made: all where nobody can tell.
func Stands(ctx context.Context, targets []gate.Target) ([]gate.Target, error) {
	if stands, ok := ctx.Value(standing{}).(func(context.Context) ([]gate.Target, error)); ok {
		return stands(ctx)
	}
	return targets, nil
}
