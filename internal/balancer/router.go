// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package balancer

import (
	"context"
	"fmt"

	"github.com/podgate/podgate/internal/gate"
)

// Router hands every call to the provider of the group that it is about. It changes no answer.
type Router map[Kind]Provider

var (
	_ Provider = Router(nil)
	_ Tender   = Router(nil)
)

// Health implements Reporter.
func (r Router) Health(ctx context.Context, g Group) (map[gate.Target]gate.Health, error) {
	p, err := r.of(g.Ref)
	if err != nil {
		return nil, err
	}
	return p.Health(ctx, g)
}

// Register implements Registrar.
func (r Router) Register(ctx context.Context, g Group, targets []gate.Target, pods Pods) error {
	p, err := r.of(g.Ref)
	if err != nil {
		return err
	}
	return p.Register(ctx, g, targets, pods)
}

// Deregister implements Registrar.
func (r Router) Deregister(ctx context.Context, g Group, targets []gate.Target) error {
	p, err := r.of(g.Ref)
	if err != nil {
		return err
	}
	return p.Deregister(ctx, g, targets)
}

// Resolve implements Resolver.
func (r Router) Resolve(ctx context.Context, wanted Group) (Group, error) {
	p, err := r.of(wanted.Ref)
	if err != nil {
		return Group{}, err
	}
	return p.Resolve(ctx, wanted)
}

// Due implements Tender. About a group of no known driver it is true, so that Tend says what is wrong.
func (r Router) Due(g Group) bool {
	p, err := r.of(g.Ref)
	return err != nil || Due(p, g)
}

// Tend implements Tender; drivers that are none have nothing to look after.
func (r Router) Tend(ctx context.Context, g Group) error {
	p, err := r.of(g.Ref)
	if err != nil {
		return err
	}
	return Tend(ctx, p, g)
}

func (r Router) of(ref Ref) (Provider, error) {
	if p, ok := r[ref.Provider]; ok {
		return p, nil
	}
	if ref.Provider == "" {
		return nil, fmt.Errorf("%w: podgate does not know whose group %q is", ErrInvalid, ref.Group)
	}
	return nil, fmt.Errorf("%w: podgate has no provider %q", ErrInvalid, ref.Provider)
}
