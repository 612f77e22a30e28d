// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package lattice

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/vpclattice"
	"github.com/aws/aws-sdk-go-v2/service/vpclattice/types"

	podaws "github.com/podgate/podgate/internal/aws"
	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/balancer/lattice/traits"
	"github.com/podgate/podgate/internal/gate"
	"github.com/podgate/podgate/internal/plural"
)

// BatchSize is how many targets one call carries.
const BatchSize = traits.BatchSize

const (
	opRegister   = "register targets"
	opDeregister = "deregister targets"
)

// Register implements provider.Registrar. The service knows targets by their address, so it
// takes no note of the pods. When no target at all was registered the
// error is the cause itself, not a *provider.PartialError.
func (p *Provider) Register(ctx context.Context, g balancer.Group, targets []gate.Target, _ balancer.Pods) error {
	ref := g.Ref
	return p.change(ref, opRegister, targets, func(c connection, batch []types.Target) ([]types.TargetFailure, error) {
		out, err := podaws.Call(ctx, c, opRegister, ref.Group, c.API.RegisterTargets,
			&vpclattice.RegisterTargetsInput{TargetGroupIdentifier: &ref.Group, Targets: batch})
		if err != nil {
			return nil, err
		}
		return out.Unsuccessful, nil
	})
}

// Deregister implements provider.Registrar; its errors are like Register's.
func (p *Provider) Deregister(ctx context.Context, g balancer.Group, targets []gate.Target) error {
	ref := g.Ref
	return p.change(ref, opDeregister, targets, func(c connection, batch []types.Target) ([]types.TargetFailure, error) {
		out, err := podaws.Call(ctx, c, opDeregister, ref.Group, c.API.DeregisterTargets,
			&vpclattice.DeregisterTargetsInput{TargetGroupIdentifier: &ref.Group, Targets: batch})
		if err != nil {
			return nil, err
		}
		return out.Unsuccessful, nil
	})
}

// change makes the calls of a list of targets.
func (p *Provider) change(ref balancer.Ref, op string, targets []gate.Target, send func(connection, []types.Target) ([]types.TargetFailure, error)) error {
	if len(refs(ref)) > 1 {
		return &balancer.CallError{Op: op, Subject: ref.Group, Kind: balancer.ErrInvalid,
			Text: "groups that are found by the tags of AWS Gateway API Controller are filled by that controller: name one group by its ARN to have podgate do it"}
	}
	if err := p.check(op, ref); err != nil {
		return err
	}

	c := p.sessions.Connection(ref)
	batches := podaws.Batches{Size: BatchSize, OfOne: concernsOne, Full: isFull}
	batches.Send = func(batch []gate.Target, _ bool) error {
		unsuccessful, err := send(c, describe(batch))
		if err != nil {
			return whose(err, ref)
		}
		return refused(op, ref, batch, unsuccessful, batches.Graver)
	}

	return batches.Deliver(targets)
}

// refused is the error of a call that the API answered with targets that were not successful; nil
// without any. graver picks the cause that it tells.
func refused(op string, ref balancer.Ref, batch []gate.Target, unsuccessful []types.TargetFailure, graver func(a, b error) error) error {
	var failed []gate.Target
	var cause error
	for _, f := range unsuccessful {
		for _, t := range batch {
			if !means(f, t) {
				continue
			}
			failed = append(failed, t)
			code := aws.ToString(f.FailureCode)
			cause = graver(cause, &balancer.CallError{
				Op: op, Subject: ref.Group, Code: code, Kind: kindOf(code), Text: fmt.Sprintf("target %s: %s", t, aws.ToString(f.FailureMessage)),
			})
		}
	}

	switch {
	case len(unsuccessful) == 0:
		return nil
	case len(failed) == 0:
		// Somebody failed, and nobody knows who: what was done is known by what the next read says.
		return nonsense(op, ref.Group, "%s %s not successful, and none of them was sent", plural.Count(len(unsuccessful), "target"), plural.Of(len(unsuccessful), "was", "were"))
	}
	return &balancer.PartialError{Failed: failed, Err: cause}
}

// means reports whether a failure is a target's, whose address may have another spelling and whose
// port may be left out.
func means(f types.TargetFailure, t gate.Target) bool {
	addr, err := netip.ParseAddr(aws.ToString(f.Id))
	return err == nil && addr == t.Addr && (f.Port == nil || *f.Port == t.Port)
}

func describe(targets []gate.Target) []types.Target {
	out := make([]types.Target, len(targets))
	for i, t := range targets {
		out[i] = types.Target{Id: aws.String(t.Addr.String()), Port: aws.Int32(t.Port)}
	}
	return out
}
