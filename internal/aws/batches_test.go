// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package aws

import (
	"errors"
	"fmt"
	"net/netip"
	"testing"

	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/gate"
)

// TestDeliverTellsTheGravest: of several causes the one is told that concerns more targets, and what only has to be waited for
// hides no other. Whatever is told, nothing more is sent once each call would be refused.
func TestDeliverTellsTheGravest(t *testing.T) {
	failure := func(kind error) error { return &balancer.CallError{Op: "register", Kind: kind} }
	busy, denied, invalid := failure(balancer.ErrNotReady), failure(balancer.ErrDenied), failure(balancer.ErrInvalid)
	full, unknown := failure(balancer.ErrQuota), failure(nil)

	for _, tc := range []struct {
		reason string
		// answers are those to the calls, of one target each, as far as they are made.
		answers []error
		want    error
		calls   int
	}{
		{"all is well", []error{nil, nil, nil}, nil, 3},
		{"a group at work is not asked again", []error{busy}, busy, 1},
		{"it hides no target that is refused", []error{invalid, busy}, invalid, 2},
		{"nor what nobody knows", []error{unknown, busy}, unknown, 2},
		{"a target that is refused stops nothing", []error{invalid, nil, nil}, invalid, 3},
		{"the first is told", []error{invalid, unknown, invalid}, invalid, 3},
		{"what concerns all is told", []error{invalid, denied}, denied, 2},
		{"so is a full group", []error{invalid, full}, full, 2},
	} {
		calls := 0
		b := Batches{Size: 1, OfOne: func(err error) bool { return errors.Is(err, balancer.ErrInvalid) }, Full: func(err error) bool { return errors.Is(err, balancer.ErrQuota) }}
		b.Send = func([]gate.Target, bool) error {
			calls++
			return tc.answers[calls-1]
		}

		targets := make([]gate.Target, 3)
		for i := range targets {
			targets[i] = gate.Target{Addr: netip.AddrFrom4([4]byte{10, 0, 0, byte(i)}), Port: 80}
		}
		err := b.Deliver(targets)
		if partial := (*balancer.PartialError)(nil); errors.As(err, &partial) {
			err = partial.Err
		}
		if !errors.Is(err, tc.want) || calls != tc.calls {
			t.Errorf("%s: got %v after %d calls", tc.reason, err, calls)
		}
	}
}

// TestDeliverStopsInPieces: a batch that is refused for one target is halved, and no longer once a call shows that each
// would be refused. The target is told, and not the group that is at work.
func TestDeliverStopsInPieces(t *testing.T) {
	invalid, busy := &balancer.CallError{Kind: balancer.ErrInvalid}, &balancer.CallError{Kind: balancer.ErrNotReady}
	calls := 0
	b := Batches{Size: 4, OfOne: func(err error) bool { return errors.Is(err, balancer.ErrInvalid) }, Full: func(error) bool { return false }}
	b.Send = func(targets []gate.Target, _ bool) error {
		if calls++; len(targets) == 4 {
			return invalid
		}
		return busy
	}
	if err := b.Deliver(make([]gate.Target, 8)); !errors.Is(err, balancer.ErrInvalid) || calls != 2 {
		t.Errorf("got %v after %d calls", err, calls)
	}
}

// TestGraver: the order of two causes does not matter, but for those that are equally grave.
func TestGraver(t *testing.T) {
	b := Batches{Full: func(err error) bool { return errors.Is(err, balancer.ErrQuota) }}
	cause := func(kind error) error { return &balancer.CallError{Kind: kind, Text: fmt.Sprint(kind)} }
	ascending := []error{nil, cause(balancer.ErrNotReady), cause(balancer.ErrInvalid), cause(balancer.ErrQuota), cause(balancer.ErrThrottled)}
	for i, less := range ascending {
		for _, more := range ascending[i+1:] {
			if !errors.Is(b.Graver(less, more), more) || !errors.Is(b.Graver(more, less), more) {
				t.Errorf("%v hides %v", less, more)
			}
		}
	}
	if first := cause(balancer.ErrInvalid); !errors.Is(b.Graver(first, cause(nil)), first) {
		t.Error("the second of two that are equally grave is told")
	}
}
