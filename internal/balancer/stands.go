// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package balancer

import "context"

// standing is the context's key of what WithStands was given.
type standing struct{}

// WithStands has stands called before a call that had to wait for its turn: what was decided before the wait may be wrong
// after it. An error is returned instead of making the call.
func WithStands(ctx context.Context, stands func(context.Context) error) context.Context {
	return context.WithValue(ctx, standing{}, stands)
}

// Stands reports whether a call that had to wait is still to be made: yes where nobody can tell.
func Stands(ctx context.Context) error {
	if stands, ok := ctx.Value(standing{}).(func(context.Context) error); ok {
		return stands(ctx)
	}
	return nil
}
