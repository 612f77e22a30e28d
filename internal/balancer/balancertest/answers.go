// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package balancertest

import (
	"context"

	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/gate"
)

// Answers is a provider that gives every call the same error, or none: what the tests of a decorator decorate.
// Something is always due.
type Answers struct{ Err error }

var (
	_ balancer.Provider = Answers{}
	_ balancer.Tender   = Answers{}
)

// Health implements balancer.Reporter.
func (a Answers) Health(context.Context, balancer.Group) (map[gate.Target]gate.Health, error) {
	return nil, a.Err
}

// Register implements balancer.Registrar.
func (a Answers) Register(context.Context, balancer.Group, []gate.Target, balancer.Pods) error {
	return a.Err
}

// Deregister implements balancer.Registrar.
func (a Answers) Deregister(context.Context, balancer.Group, []gate.Target) error { return a.Err }

// Resolve implements balancer.Resolver.
func (a Answers) Resolve(context.Context, balancer.Group) (balancer.Group, error) {
	return balancer.Group{}, a.Err
}

// Due implements balancer.Tender.
func (a Answers) Due(balancer.Group) bool { return true }

// Tend implements balancer.Tender.
func (a Answers) Tend(context.Context, balancer.Group) error { return a.Err }
