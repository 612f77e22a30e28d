// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package elbv2

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	podaws "github.com/podgate/podgate/internal/aws"
	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/balancer/elbv2/traits"
	"github.com/podgate/podgate/internal/gate"
)

// BatchSize is how many targets one call carries.
const BatchSize = traits.BatchSize

// allZones is the zone of an address outside the group's VPC, which needs one.
const allZones = "all"

const (
	opRegister   = "register targets"
	opDeregister = "deregister targets"
)

// Register implements provider.Registrar. ELBv2 knows targets by their address, so it
// takes no note of the pods. When no target at all was registered the
// error is the cause itself, not a *provider.PartialError.
func (p *Provider) Register(ctx context.Context, g balancer.Group, targets []gate.Target, _ balancer.Pods) error {
	ref := g.Ref
	return p.change(ref, opRegister, targets, func(c podaws.Connection[api], batch []types.TargetDescription) error {
		_, err := podaws.Call(ctx, c, opRegister, ref.Group, c.API.RegisterTargets,
			&elb.RegisterTargetsInput{TargetGroupArn: aws.String(ref.Group), Targets: batch})
		return err
	})
}

// Deregister implements provider.Registrar; its errors are like Register's.
func (p *Provider) Deregister(ctx context.Context, g balancer.Group, targets []gate.Target) error {
	ref := g.Ref
	return p.change(ref, opDeregister, targets, func(c podaws.Connection[api], batch []types.TargetDescription) error {
		_, err := podaws.Call(ctx, c, opDeregister, ref.Group, c.API.DeregisterTargets,
			&elb.DeregisterTargetsInput{TargetGroupArn: aws.String(ref.Group), Targets: batch})
		return err
	})
}

type sendFunc func(podaws.Connection[api], []types.TargetDescription) error

func (p *Provider) change(ref balancer.Ref, op string, targets []gate.Target, send sendFunc) error {
	if err := p.sessions.CheckARN(op, ref, arns); err != nil {
		return err
	}

	c := p.sessions.Connection(ref)
	batches := podaws.Batches{Size: BatchSize, OfOne: concernsOne, Full: isFull}
	batches.Send = func(targets []gate.Target, whole bool) error {
		err := send(c, describe(targets, nil))

		// A zone may be all that is missing. That is so for the whole batch or for one target, so
		// it is not tried with every piece.
		if mayLackZone(err) && (len(targets) == 1 || whole) && send(c, describe(targets, aws.String(allZones))) == nil {
			return nil
		}
		return err
	}

	return batches.Deliver(targets)
}

func describe(targets []gate.Target, zone *string) []types.TargetDescription {
	out := make([]types.TargetDescription, len(targets))
	for i, t := range targets {
		out[i] = types.TargetDescription{Id: aws.String(t.ID()), Port: aws.Int32(t.Port), AvailabilityZone: zone}
	}
	return out
}
