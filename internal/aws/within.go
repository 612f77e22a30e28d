// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package aws

import "context"

// Charge says what a call is, for a budget and for metrics.
type Charge struct {
	// Service is the service's name in permissions, such as ec2, and Operation is AWS's name of the operation.
	Service, Operation string
	// Changes reports whether the call changes something.
	Changes bool
}

// Within makes a call when a budget has room for it. Where it is nil there is no budget.
type Within func(ctx context.Context, charge Charge, call func(context.Context) error) error

// Make makes a call within the budget.
func (w Within) Make(ctx context.Context, charge Charge, call func(context.Context) error) error {
	if w == nil {
		return call(ctx)
	}
	return w(ctx, charge, call)
}
