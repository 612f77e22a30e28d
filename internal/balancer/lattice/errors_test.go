// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package lattice

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/gate"
	"github.com/podgate/podgate/sim/awssim"
)

var allKinds = []error{balancer.ErrNotFound, balancer.ErrDenied, balancer.ErrThrottled, balancer.ErrQuota, balancer.ErrInvalid, balancer.ErrNotReady}

// checkKind fails unless err is exactly of kind want; nil wants transient.
func checkKind(t *testing.T, err, want error) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	for _, kind := range allKinds {
		if got := errors.Is(err, kind); got != errors.Is(want, kind) {
			t.Errorf("%v: is %q: %t", err, kind, got)
		}
	}
}

// says fails unless what people are told of an error has a text.
func says(t *testing.T, err error, text string) {
	t.Helper()
	if !strings.Contains(balancer.Message(err), text) {
		t.Errorf("got %q, want it to say %q", balancer.Message(err), text)
	}
}

func TestErrorsByTheAPIsAnswer(t *testing.T) {
	tests := []struct {
		reason  string
		fail    awssim.APIError
		want    error
		message string
		after   time.Duration
	}{
		{reason: "the group is gone", fail: awssim.APIError{Code: "ResourceNotFoundException", Status: 404, Message: "no such group"}, want: balancer.ErrNotFound, message: "ResourceNotFoundException: no such group"},
		{reason: "a permission lacks, or the group is another account's", fail: awssim.APIError{Code: "AccessDenied"}, want: balancer.ErrDenied, message: "AccessDeniedException: the group is of account 123456789012: if podgate's is another, name a role of that account in spec.lattice.roleARN. User: "},
		{reason: "the group is full", fail: awssim.APIError{Code: "ServiceQuotaExceededException", Message: "full"}, want: balancer.ErrQuota, message: "ServiceQuotaExceededException: full"},
		{reason: "the group is at work", fail: awssim.APIError{Code: "ConflictException", Message: "status: CREATE_IN_PROGRESS."}, want: balancer.ErrNotReady, message: "status: CREATE_IN_PROGRESS."},
		{reason: "throttling", fail: awssim.APIError{Code: "ThrottlingException", Message: "Rate exceeded"}, want: balancer.ErrThrottled, message: "Rate exceeded"},
		{reason: "throttling that says for how long", fail: awssim.APIError{Code: "ThrottlingException", RetryAfterSeconds: 7}, want: balancer.ErrThrottled, after: 7 * time.Second},
		{reason: "a malformed request", fail: awssim.APIError{Code: "ValidationException", Message: "bad"}, want: balancer.ErrInvalid, message: "ValidationException: bad"},
		{reason: "an outage", fail: awssim.APIError{Code: "InternalServerException", Message: "oops", RetryAfterSeconds: 3}, message: "InternalServerException: oops", after: 3 * time.Second},
		{reason: "an unknown code may pass", fail: awssim.APIError{Code: "SurpriseException", Message: "boo"}, message: "boo"},
	}

	s := simulate(t, awssim.Config{})
	group := s.newGroup(t)
	for _, tc := range tests {
		t.Run(tc.reason, func(t *testing.T) {
			defer s.fault(t, awssim.Fault{Error: &tc.fail})()
			before := len(s.Calls(0))
			err := s.provider.Register(t.Context(), group, []gate.Target{s.newTarget(t)}, nil)
			checkKind(t, err, tc.want)
			says(t, err, tc.message)
			if got := balancer.RetryAfter(err); got != tc.after {
				t.Errorf("to be tried again after %s, want %s", got, tc.after)
			}
			if n := len(s.Calls(0)) - before; n != 1 {
				t.Errorf("asked %d times: retrying is not the provider's", n)
			}
		})
	}
}

func TestErrorKeepsTheRequestID(t *testing.T) {
	s := simulate(t, awssim.Config{})
	_, err := s.provider.Health(t.Context(), balancer.Group{Ref: balancer.Ref{Group: testARN}})
	if !strings.Contains(err.Error(), "request id ") || strings.Contains(balancer.Message(err), "request id") {
		t.Errorf("for logs: %q, for people: %q", err, balancer.Message(err))
	}
}

func TestWrongARNsAreRefusedWithoutACall(t *testing.T) {
	const role = "arn:aws:iam::210987654321:role/podgate"
	tests := []struct {
		reason string
		ref    balancer.Ref
		says   string
	}{
		{"another region's", balancer.Ref{Group: strings.Replace(testARN, "eu-test-1", "us-test-2", 1)},
			"the group is in region us-test-2, this podgate serves eu-test-1; name a group in eu-test-1, or bind this one by a TargetBinding with spec.lattice.region us-test-2"},
		{"the binding contradicts itself", balancer.Ref{Group: testARN, Region: "us-test-2"}, "the binding says region us-test-2: correct one of them"},
		{"a name", balancer.Ref{Group: "web"}, "not an ARN; a target group's looks like arn:aws:vpc-lattice:eu-test-1:123456789012:targetgroup/tg-0123456789abcdef0"},
		{"another service's", balancer.Ref{Group: "arn:aws:elasticloadbalancing:eu-test-1:123456789012:targetgroup/web/0123456789abcdef"}, `the ARN is of service "elasticloadbalancing", not of vpc-lattice`},
		{"a Lattice service's", balancer.Ref{Group: "arn:aws:vpc-lattice:eu-test-1:123456789012:service/svc-0123456789abcdef0"}, "which is not a target group"},
		{"a role of another account", balancer.Ref{Group: testARN, RoleARN: role},
			"the group is of account 123456789012, and the binding's role " + role + " is of account 210987654321: name a role of the group's account"},
	}

	s := simulate(t, awssim.Config{})
	for _, tc := range tests {
		group := balancer.Group{Ref: tc.ref}
		_, health := s.provider.Health(t.Context(), group)
		_, resolve := s.provider.Resolve(t.Context(), group)
		one := []gate.Target{s.newTarget(t)}
		for _, err := range []error{health, resolve, s.provider.Register(t.Context(), group, one, nil), s.provider.Deregister(t.Context(), group, one)} {
			checkKind(t, err, balancer.ErrInvalid)
			if !strings.Contains(err.Error(), tc.says) {
				t.Errorf("%s: got %v", tc.reason, err)
			}
		}
	}
	if n := len(s.Calls(0)); n != 0 {
		t.Errorf("asked %d times", n)
	}
}

// TestAnotherAccountsGroup: the answer says little, so the message says what to do.
func TestAnotherAccountsGroup(t *testing.T) {
	s := simulate(t, awssim.Config{})
	_, err := s.provider.Resolve(t.Context(), balancer.Group{Ref: balancer.Ref{Group: strings.Replace(testARN, "123456789012", "210987654321", 1)}})
	checkKind(t, err, balancer.ErrDenied)
	says(t, err, "the group is of account 210987654321: if podgate's is another, name a role of that account in spec.lattice.roleARN")
}
