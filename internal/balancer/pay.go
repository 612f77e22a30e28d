// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package balancer

import "context"

// payer is the context's key of what WithPayer was given.
type payer struct{}

// WithPayer has pay called before each call to a load balancer's API that a driver makes with the context. How many there
// are only the driver knows, as it goes: a list has pages, and a group is looked for before it is asked about. pay returns
// when the call may be made, or an error instead of the call.
func WithPayer(ctx context.Context, pay func(context.Context) error) context.Context {
	return context.WithValue(ctx, payer{}, pay)
}

// Pay returns when the next call to a load balancer's API may be made with the context: at once where nobody keeps a budget.
func Pay(ctx context.Context) error {
	if pay, kept := ctx.Value(payer{}).(func(context.Context) error); kept {
		return pay(ctx)
	}
	return nil
}
