// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package elbv2

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/balancer/elbv2/traits"
	"github.com/podgate/podgate/internal/gate"
)

// BatchSize is how many targets one call carries.
const BatchSize = traits.BatchSize

// maxExtraCalls bounds the search for the targets that the API refuses in a batch:
// enough to find a few among BatchSize, and few enough not to eat the budget of
// other groups when it refuses all.
const maxExtraCalls = 32

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
	return p.change(ref, opRegister, targets, func(c connection, batch []types.TargetDescription) error {
		_, err := call(ctx, p, c, opRegister, ref.Group, c.api.RegisterTargets,
			&elb.RegisterTargetsInput{TargetGroupArn: aws.String(ref.Group), Targets: batch})
		return err
	})
}

// Deregister implements provider.Registrar; its errors are like Register's.
func (p *Provider) Deregister(ctx context.Context, g balancer.Group, targets []gate.Target) error {
	ref := g.Ref
	return p.change(ref, opDeregister, targets, func(c connection, batch []types.TargetDescription) error {
		_, err := call(ctx, p, c, opDeregister, ref.Group, c.api.DeregisterTargets,
			&elb.DeregisterTargetsInput{TargetGroupArn: aws.String(ref.Group), Targets: batch})
		return err
	})
}

type sendFunc func(connection, []types.TargetDescription) error

func (p *Provider) change(ref balancer.Ref, op string, targets []gate.Target, send sendFunc) error {
	if err := p.checkARN(op, ref); err != nil {
		return err
	}

	c := p.connection(ref)
	var failed []gate.Target
	var cause error
	for batch := range slices.Chunk(targets, BatchSize) {
		if concernsAll(cause) || isFull(cause) {
			failed = append(failed, batch...)
			continue
		}
		refused, err := sendBatch(batch, func(piece []gate.Target, zone *string) error { return send(c, describe(piece, zone)) })
		failed = append(failed, refused...)
		cause = graver(cause, err)
	}

	if len(failed) == 0 {
		return nil
	}
	if len(failed) == len(targets) {
		return cause
	}

	return &balancer.PartialError{Failed: failed, Err: cause}
}

// sendBatch sends a batch in one call. When the API refuses it for a target in it,
// the batch is halved until the culprits are alone, so that they block nobody else;
// when it refuses more targets than the group has room for, until those that fit are in.
// It gives the targets that were not handled and the gravest cause.
func sendBatch(batch []gate.Target, send func([]gate.Target, *string) error) (failed []gate.Target, cause error) {
	d := delivery{send: send, whole: len(batch), room: len(batch), extra: maxExtraCalls}
	for pieces := [][]gate.Target{batch}; len(pieces) > 0; {
		cut := d.deliver(pieces[0])
		pieces = append(pieces[1:], cut...)
	}
	return d.failed, d.cause
}

// delivery is a batch that is on its way.
type delivery struct {
	send func([]gate.Target, *string) error
	// whole is how many targets the batch has, room for how many the group has room at most, and extra how many more
	// calls may be made than one.
	whole, room, extra int
	// failed are the targets that were not handled, and cause is the gravest reason.
	failed []gate.Target
	cause  error
}

// deliver sends a piece of the batch. It returns what is to be tried in its place, if anything.
func (d *delivery) deliver(piece []gate.Target) [][]gate.Target {
	// The next call would be refused, too, whatever is in it.
	if concernsAll(d.cause) || d.room == 0 {
		d.failed = append(d.failed, piece...)
		return nil
	}

	if len(piece) > d.room {
		return halves(piece)
	}

	err := d.try(piece)
	if err == nil {
		d.room -= len(piece)
		return nil
	}

	d.cause = graver(d.cause, err)
	if isFull(err) {
		d.room = len(piece) - 1
	}

	// It was not refused for one of them, or that one is found, or the calls are used up.
	if !concernsOne(err) && !isFull(err) || len(piece) == 1 || d.extra < 2 {
		d.failed = append(d.failed, piece...)
		return nil
	}

	// Should the extra calls not suffice, the next attempt tries other neighbours.
	if len(piece) == d.whole {
		piece = slices.Clone(piece)
		rand.Shuffle(len(piece), func(i, j int) { piece[i], piece[j] = piece[j], piece[i] })
	}

	d.extra -= 2
	return halves(piece)
}

// try makes the call, and another one where a zone may be all that is missing. That is so for
// the whole batch or for one target, so it is not tried with every piece.
func (d *delivery) try(piece []gate.Target) error {
	err := d.send(piece, nil)
	if mayLackZone(err) && (len(piece) == 1 || len(piece) == d.whole) && d.send(piece, aws.String(allZones)) == nil {
		return nil
	}
	return err
}

func halves(piece []gate.Target) [][]gate.Target {
	half := len(piece) / 2
	return [][]gate.Target{piece[:half], piece[half:]}
}

// graver is the cause that concerns more targets: one that concerns all, then a full
// group, then the first.
func graver(first, second error) error {
	if first == nil || concernsAll(second) || isFull(second) && !concernsAll(first) {
		return second
	}
	return first
}

// isFull reports whether the API refused a batch because the group has no room for all of
// it. It registers all of a batch or nothing.
func isFull(err error) bool {
	var failed *balancer.CallError
	return errors.As(err, &failed) && failed.Code == codeTooManyTargets
}

// concernsAll reports whether the next call would fail for the same reason.
func concernsAll(err error) bool {
	for _, kind := range []error{balancer.ErrThrottled, balancer.ErrDenied, balancer.ErrNotFound, context.Canceled, context.DeadlineExceeded} {
		if errors.Is(err, kind) {
			return true
		}
	}
	return false
}

// concernsOne reports whether the API may have refused a batch for one target in it.
func concernsOne(err error) bool {
	var failed *balancer.CallError
	if !errors.As(err, &failed) || errors.Is(err, balancer.ErrDenied) {
		return false // such as STS refusing a role with one of these codes
	}
	return failed.Code == codeInvalidTarget || failed.Code == codeValidationError || failed.Code == codeTooManyRegistrations
}

// mayLackZone reports whether the API may have refused targets because they are
// outside the group's VPC and name no zone. Trying again with one is cheaper than
// knowing the VPC, which takes permissions of another service.
func mayLackZone(err error) bool {
	var failed *balancer.CallError
	return errors.As(err, &failed) && errors.Is(err, balancer.ErrInvalid) && failed.Code == codeValidationError
}

func describe(targets []gate.Target, zone *string) []types.TargetDescription {
	out := make([]types.TargetDescription, len(targets))
	for i, t := range targets {
		out[i] = types.TargetDescription{Id: aws.String(t.Addr.String()), Port: aws.Int32(t.Port), AvailabilityZone: zone}
	}
	return out
}
