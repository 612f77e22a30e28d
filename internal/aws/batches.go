// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package aws

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"

	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/gate"
)

// MaxExtraCalls bounds the search for the targets that an API refuses in a batch: enough to
// find a few, and few enough not to eat the budget of other groups when it refuses all.
const MaxExtraCalls = 32

// Batches are how a service takes the targets of a call that changes a group.
type Batches struct {
	// Size is how many targets one call carries at most.
	Size int
	// Send makes the call; whole says that these are all targets of a batch. Its error may be a
	// *balancer.PartialError.
	Send func(targets []gate.Target, whole bool) error
	// OfOne reports whether the API may have refused all targets of a call for one of them, and
	// Full whether it did so because the group has no room for all.
	OfOne, Full func(error) bool
}

// Deliver sends targets in batches. One that the API refuses blocks no other. The error is a
// *balancer.PartialError, or the cause itself when no target at all was handled.
func (b Batches) Deliver(targets []gate.Target) error {
	var failed []gate.Target
	var cause error
	over := false
	for batch := range slices.Chunk(targets, b.Size) {
		if over || cause != nil && b.Full(cause) {
			failed = append(failed, batch...)
			continue
		}
		d := b.deliver(batch)
		failed = append(failed, d.failed...)
		cause, over = b.Graver(cause, d.cause), d.over
	}

	if len(failed) == 0 {
		return nil
	}
	if len(failed) == len(targets) {
		return cause
	}

	return &balancer.PartialError{Failed: failed, Err: cause}
}

// deliver sends a batch in one call. When the API refuses it for a target in it,
// the batch is halved until the culprits are alone, so that they block nobody else;
// when it refuses more targets than the group has room for, until those that fit are in.
// What it returns has the targets that were not handled and the gravest cause.
func (b Batches) deliver(batch []gate.Target) delivery {
	d := delivery{Batches: b, whole: len(batch), room: len(batch), extra: MaxExtraCalls}
	for pieces := [][]gate.Target{batch}; len(pieces) > 0; {
		cut := d.deliver(pieces[0])
		pieces = append(pieces[1:], cut...)
	}
	return d
}

// delivery is a batch that is on its way.
type delivery struct {
	Batches
	// whole is how many targets the batch has, room for how many the group has room at most, and extra how many more
	// calls may be made than one.
	whole, room, extra int
	// failed are the targets that were not handled, and cause is the gravest reason.
	failed []gate.Target
	cause  error
	// over: the next call would be refused, too, whatever is in it.
	over bool
}

// deliver sends a piece of the batch. It returns what is to be tried in its place, if anything.
func (d *delivery) deliver(piece []gate.Target) [][]gate.Target {
	if d.over || d.room == 0 {
		d.failed = append(d.failed, piece...)
		return nil
	}

	if len(piece) > d.room {
		return halves(piece)
	}

	err := d.Send(piece, len(piece) == d.whole)
	var partial *balancer.PartialError
	switch {
	case err == nil:
		d.room -= len(piece)
		return nil
	case errors.As(err, &partial):
		d.room -= len(piece) - len(partial.Failed)
		d.failed = append(d.failed, partial.Failed...)
		d.fail(partial.Err)
		return nil
	}

	d.fail(err)
	if d.Full(err) {
		d.room = len(piece) - 1
	}

	// It was not refused for one of them, or that one is found, or the calls are used up.
	if !d.OfOne(err) && !d.Full(err) || len(piece) == 1 || d.extra < 2 {
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

// fail notes why targets were not handled.
func (d *delivery) fail(err error) {
	d.cause = d.Graver(d.cause, err)
	d.over = d.over || concernsAll(err)
}

func halves(piece []gate.Target) [][]gate.Target {
	half := len(piece) / 2
	return [][]gate.Target{piece[:half], piece[half:]}
}

// Graver is the one of two causes that is to be told. It is the one that concerns more targets: one that concerns all,
// then a full group, then the first. What only has to be waited for ends by itself, and hides no other.
func (b Batches) Graver(first, second error) error {
	switch {
	case second == nil:
		return first
	case first == nil:
		return second
	case errors.Is(first, balancer.ErrNotReady):
		return second
	case errors.Is(second, balancer.ErrNotReady):
		return first
	case concernsAll(second) || b.Full(second) && !concernsAll(first):
		return second
	}
	return first
}

// concernsAll reports whether the next call would fail for the same reason.
func concernsAll(err error) bool {
	for _, kind := range []error{balancer.ErrThrottled, balancer.ErrDenied, balancer.ErrNotFound, balancer.ErrNotReady, context.Canceled, context.DeadlineExceeded} {
		if errors.Is(err, kind) {
			return true
		}
	}
	return false
}
