// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package elbv2

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	smithy "github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"

	podaws "github.com/podgate/podgate/internal/aws"
	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/gate"
)

// group is a target group in memory whose refusals a test chooses.
type group struct {
	api
	members map[string]bool
	calls   []int // targets in each call
	refuse  func(call int, ids []string) error
}

func (g *group) change(in []types.TargetDescription, member bool) error {
	var ids []string
	for _, target := range in {
		ids = append(ids, fmt.Sprintf("%s:%d", *target.Id, *target.Port))
	}

	g.calls = append(g.calls, len(ids))
	if g.refuse != nil {
		if err := g.refuse(len(g.calls), ids); err != nil {
			return err
		}
	}

	for _, id := range ids {
		g.members[id] = member
	}

	return nil
}

func (g *group) RegisterTargets(_ context.Context, in *elb.RegisterTargetsInput, _ ...func(*elb.Options)) (*elb.RegisterTargetsOutput, error) {
	return &elb.RegisterTargetsOutput{}, g.change(in.Targets, true)
}

func (g *group) DeregisterTargets(_ context.Context, in *elb.DeregisterTargetsInput, _ ...func(*elb.Options)) (*elb.DeregisterTargetsOutput, error) {
	return &elb.DeregisterTargetsOutput{}, g.change(in.Targets, false)
}

func apiError(code string) error {
	return &smithy.GenericAPIError{Code: code, Message: "no"}
}

// refuseAny refuses a call that holds one of bad.
func refuseAny(code string, bad ...gate.Target) func(int, []string) error {
	return func(_ int, ids []string) error {
		for _, target := range bad {
			if slices.Contains(ids, target.String()) {
				return apiError(code)
			}
		}
		return nil
	}
}

// refuseCall refuses the nth call.
func refuseCall(n int, code string) func(int, []string) error {
	return func(call int, _ []string) error {
		if call == n {
			return apiError(code)
		}
		return nil
	}
}

func TestChangeNamesWhatFailed(t *testing.T) {
	all := targets(t, 450)
	tests := []struct {
		reason string
		refuse func(int, []string) error
		n      int
		failed []gate.Target
		want   error // nil with failed targets: transient
	}{
		{"batches of 200", nil, 450, nil, nil},
		{"an outage during one batch spares the others", refuseCall(2, "InternalFailure"), 450, all[200:400], nil},
		{"throttling stops the rest, it would only be throttled too", refuseCall(2, "Throttling"), 450, all[200:450], balancer.ErrThrottled},
		{"a refusal of credentials stops the rest", refuseCall(2, "AccessDenied"), 450, all[200:450], balancer.ErrDenied},
		{"a missing group stops all", refuseCall(1, "TargetGroupNotFound"), 450, all, balancer.ErrNotFound},
		{"a target that has no room", refuseCall(1, "TooManyTargets"), 1, all[:1], balancer.ErrQuota},
		{"one bad target in a full batch blocks nobody", refuseAny("InvalidTarget", all[77]), 200, all[77:78], balancer.ErrInvalid},
		{"a bad target in each batch", refuseAny("ValidationError", all[0], all[449]), 450, []gate.Target{all[0], all[449]}, balancer.ErrInvalid},
		{"a target that is registered too often blocks nobody", refuseAny("TooManyRegistrationsForTargetId", all[3]), 10, all[3:4], balancer.ErrQuota},
		{"one bad target alone", refuseAny("InvalidTarget", all[0]), 1, all[:1], balancer.ErrInvalid},
	}

	for _, tc := range tests {
		t.Run(tc.reason, func(t *testing.T) {
			g := &group{members: map[string]bool{}, refuse: tc.refuse}
			err := fake(g).Register(t.Context(), balancer.Group{Ref: testRef}, all[:tc.n], nil)
			failed := failedTargets(err, all[:tc.n])
			byAddress := func(a, b gate.Target) int { return a.Addr.Compare(b.Addr) }
			slices.SortFunc(failed, byAddress)

			if diff := cmp.Diff(names(tc.failed), names(failed)); diff != "" {
				t.Errorf("failed (-want +got):\n%s", diff)
			}

			if tc.want != nil && !errors.Is(err, tc.want) {
				t.Errorf("got %v, want %v", err, tc.want)
			}

			for _, target := range all[:tc.n] {
				if g.members[target.String()] == slices.Contains(tc.failed, target) {
					t.Errorf("%s: registered is %t", target, g.members[target.String()])
				}
			}
		})
	}
}

// failedTargets reads an error as callers do.
func failedTargets(err error, all []gate.Target) []gate.Target {
	var partial *balancer.PartialError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &partial):
		return partial.Failed
	}
	return slices.Clone(all)
}

func names(targets []gate.Target) []string {
	out := make([]string, len(targets))
	for i, target := range targets {
		out[i] = target.String()
	}
	return out
}

// TestLaw7OneTooManyHoldsNoOther: AWS registers all targets of a call or none; those that
// the group has room for are registered whatever the others do.
func TestLaw7OneTooManyHoldsNoOther(t *testing.T) {
	all := targets(t, 2*BatchSize)
	tests := []struct {
		reason string
		room   int
		bad    []gate.Target
		n      int
		want   int // registered
		calls  int // at most
	}{
		{"two are to join, one may, as in a rolling update at the quota", 1, nil, 2, 1, 2},
		{"an odd number", 2, nil, 3, 2, 3},
		{"nothing fits: found in few calls", 0, nil, BatchSize, 0, 9},
		{"the smallest room", 1, nil, BatchSize, 1, 9},
		{"all but one", BatchSize - 1, nil, BatchSize, BatchSize - 1, 9},
		{"a room that is no power of two", 77, nil, BatchSize, 77, 9},
		{"a second batch is not even sent to a group that the first one filled", 150, nil, 2 * BatchSize, 150, 9},
		{"the first batch fits, the second does not", 250, nil, 2 * BatchSize, 250, 10},
		{"a bad one takes nobody's room", 2, all[:1], 3, 2, 5},
	}

	for _, tc := range tests {
		t.Run(tc.reason, func(t *testing.T) {
			g := &group{members: map[string]bool{}}
			g.refuse = func(_ int, ids []string) error {
				if len(g.members)+len(ids) > tc.room {
					return apiError("TooManyTargets")
				}
				return refuseAny("InvalidTarget", tc.bad...)(0, ids)
			}

			err := fake(g).Register(t.Context(), balancer.Group{Ref: testRef}, all[:tc.n], nil)
			if !errors.Is(err, balancer.ErrQuota) {
				t.Errorf("got %v, want it to say that the group is full", err)
			}

			if len(g.members) != tc.want || len(failedTargets(err, all[:tc.n])) != tc.n-tc.want {
				t.Errorf("%d of %d targets are registered and %d named as failed, want %d", len(g.members), tc.n, len(failedTargets(err, all[:tc.n])), tc.want)
			}

			if len(g.calls) > tc.calls {
				t.Errorf("%d calls of %v targets, want %d at most", len(g.calls), g.calls, tc.calls)
			}
		})
	}
}

func TestChangeIsFrugalWhenAllAreRefused(t *testing.T) {
	all := targets(t, BatchSize)
	g := &group{members: map[string]bool{}, refuse: func(int, []string) error { return apiError("InvalidTarget") }}
	err := fake(g).Register(t.Context(), balancer.Group{Ref: testRef}, all, nil)
	if !errors.Is(err, balancer.ErrInvalid) || errors.As(err, new(*balancer.PartialError)) {
		t.Errorf("got %v", err)
	}
	if len(g.calls) > 1+podaws.MaxExtraCalls {
		t.Errorf("%d calls", len(g.calls))
	}
}

// More bad targets than one attempt can single out must not block the others for
// ever, although each attempt is given the rest in the same order.
func TestChangeGetsThereWithManyBadTargets(t *testing.T) {
	all := targets(t, BatchSize)
	bad := []gate.Target{}
	for i := 0; i < len(all); i += 10 {
		bad = append(bad, all[i])
	}

	g := &group{members: map[string]bool{}, refuse: refuseAny("InvalidTarget", bad...)}
	rest := all
	for range 1000 {
		rest = failedTargets(fake(g).Register(t.Context(), balancer.Group{Ref: testRef}, rest, nil), rest)
		slices.SortFunc(rest, func(a, b gate.Target) int { return a.Addr.Compare(b.Addr) })
		if len(rest) == len(bad) {
			break
		}
	}

	if diff := cmp.Diff(names(bad), names(rest)); diff != "" {
		t.Errorf("still not registered (-want +got):\n%s", diff)
	}
}

func TestChangeSendsBatches(t *testing.T) {
	g := &group{members: map[string]bool{}}
	p := fake(g)
	if err := p.Register(t.Context(), balancer.Group{Ref: testRef}, targets(t, 450), nil); err != nil {
		t.Fatal(err)
	}

	if err := p.Deregister(t.Context(), balancer.Group{Ref: testRef}, targets(t, 201)); err != nil {
		t.Fatal(err)
	}

	if err := errors.Join(p.Register(t.Context(), balancer.Group{Ref: testRef}, nil, nil), p.Deregister(t.Context(), balancer.Group{Ref: testRef}, nil)); err != nil {
		t.Fatal(err)
	}

	if diff := cmp.Diff([]int{200, 200, 50, 200, 1}, g.calls); diff != "" {
		t.Errorf("targets in each call (-want +got):\n%s", diff)
	}
}

func TestChangeAfterTheContextEnded(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	g := &group{members: map[string]bool{}, refuse: func(call int, _ []string) error {
		if call < 2 {
			return nil
		}
		cancel()
		return ctx.Err()
	}}

	all := targets(t, 450)
	err := fake(g).Register(ctx, balancer.Group{Ref: testRef}, all, nil)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}

	if diff := cmp.Diff(names(all[200:]), names(failedTargets(err, all))); diff != "" {
		t.Errorf("failed (-want +got):\n%s", diff)
	}

	if len(g.calls) != 2 {
		t.Errorf("%d calls after the context ended", len(g.calls)-2)
	}
}

func TestRegisterOnTheWire(t *testing.T) {
	w := serve(t, always(result("RegisterTargets", "")))
	six := targets(t, 1)
	six[0].Addr = six[0].Addr.Next()
	v6, err := gate.ParseTarget("2001:db8::1", 443)
	if err != nil {
		t.Fatal(err)
	}

	if err := New(config(t, w.URL), testRegion).Register(t.Context(), balancer.Group{Ref: testRef}, append(six, v6), nil); err != nil {
		t.Fatal(err)
	}

	form := w.asked[0]
	for key, want := range map[string]string{
		"Action": "RegisterTargets", "TargetGroupArn": testARN,
		"Targets.member.1.Id": "10.0.0.2", "Targets.member.1.Port": "8080",
		"Targets.member.2.Id": "2001:db8::1", "Targets.member.2.Port": "443", "Targets.member.3.Id": "",
	} {
		if got := form.Get(key); got != want {
			t.Errorf("%s: got %q, want %q", key, got, want)
		}
	}
}
