// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package balancertest

import (
	"context"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/gate"
)

var compareTargets = cmp.Comparer(func(a, b gate.Target) bool { return a == b })

func (h Harness) health(t *testing.T, group balancer.Group) map[gate.Target]gate.Health {
	t.Helper()
	healths, err := h.Provider.Health(t.Context(), group)
	if err != nil {
		t.Fatalf("health: %v", err)
	}
	return healths
}

func (h Harness) register(t *testing.T, group balancer.Group, targets ...gate.Target) {
	t.Helper()
	if err := h.Provider.Register(t.Context(), group, targets, nil); err != nil {
		t.Fatalf("register: %v", err)
	}
}

func (h Harness) registerFor(t *testing.T, group balancer.Group, target gate.Target, pod balancer.Pod) {
	t.Helper()
	if err := h.Provider.Register(t.Context(), group, []gate.Target{target}, balancer.Pods{target: pod}); err != nil {
		t.Fatalf("register: %v", err)
	}
}

func (h Harness) deregister(t *testing.T, group balancer.Group, targets ...gate.Target) {
	t.Helper()
	if err := h.Provider.Deregister(t.Context(), group, targets); err != nil {
		t.Fatalf("deregister: %v", err)
	}
}

// eventually asks until the answer is as wanted, and looks after the group as the observer does.
func (h Harness) eventually(t *testing.T, group balancer.Group, what string, wanted func(map[gate.Target]gate.Health) bool) {
	t.Helper()
	deadline := time.Now().Add(Patience)
	for {
		healths := h.health(t, group)
		if wanted(healths) {
			return
		}
		if balancer.Due(h.Provider, group) {
			if err := balancer.Tend(t.Context(), h.Provider, group); err != nil {
				t.Fatalf("tend: %v", err)
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("after %s not yet: %s; the group is %v", Patience, what, healths)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func (h Harness) eventuallyState(t *testing.T, group balancer.Group, target gate.Target, want gate.State) {
	t.Helper()
	h.eventually(t, group, target.String()+" is "+want.String(), func(healths map[gate.Target]gate.Health) bool {
		return healths[target].State == want
	})
}

func (h Harness) eventuallyListed(t *testing.T, group balancer.Group, targets ...gate.Target) {
	t.Helper()
	h.eventually(t, group, "all targets are listed", func(healths map[gate.Target]gate.Health) bool {
		for _, target := range targets {
			if got, listed := healths[target]; !listed || got.Leaving() {
				return false
			}
		}
		return true
	})
}

// eventuallyGone waits until a target is draining or not listed.
func (h Harness) eventuallyGone(t *testing.T, group balancer.Group, target gate.Target) {
	t.Helper()
	h.eventually(t, group, target.String()+" is draining or gone", func(healths map[gate.Target]gate.Health) bool {
		got, listed := healths[target]
		return !listed || got.Leaving()
	})
}

// errors makes every call once and gives its error by its name. An answer that comes
// with an error is an error too: complete or nothing.
func (h Harness) errors(ctx context.Context, group balancer.Group, target gate.Target) map[string]error {
	return map[string]error{
		"health":             nothingElse(h.Provider.Health(ctx, group)),
		"resolve identifier": nothingElse(h.Provider.Resolve(ctx, group)),
		"resolve name":       nothingElse(h.Provider.Resolve(ctx, unidentified(group))),
		"register":           h.Provider.Register(ctx, group, []gate.Target{target}, nil),
		"deregister":         h.Provider.Deregister(ctx, group, []gate.Target{target}),
	}
}

// unidentified is a group as a binding gives it that knows its name only.
func unidentified(group balancer.Group) balancer.Group {
	group.Ref.Group = ""
	return group
}

func nothingElse[T any](answer T, err error) error {
	if err != nil && !reflect.ValueOf(&answer).Elem().IsZero() {
		return &partialAnswerError{err: err}
	}
	return err
}

// partialAnswerError hides what err is, so that no check takes it for correct.
type partialAnswerError struct{ err error }

func (e *partialAnswerError) Error() string { return "an answer came along with: " + e.err.Error() }

func second[T any](_ T, err error) error { return err }
