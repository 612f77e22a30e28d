// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package lattice

import (
	"context"
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/vpclattice"
	"github.com/aws/aws-sdk-go-v2/service/vpclattice/types"
	"github.com/google/go-cmp/cmp"

	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/gate"
	"github.com/podgate/podgate/sim/awssim"
	"github.com/podgate/podgate/sim/awssim/lattice"
)

func TestChangeSendsBatches(t *testing.T) {
	s := simulate(t, awssim.Config{})
	group := s.newGroup(t)
	all := s.newTargets(t, 250)
	s.register(t, group, all...)
	if err := s.provider.Deregister(t.Context(), group, all[:101]); err != nil {
		t.Fatal(err)
	}

	var sizes []int
	for _, c := range s.Calls(0) {
		if len(c.Targets) > 0 {
			sizes = append(sizes, len(c.Targets))
		}
	}
	if diff := cmp.Diff([]int{100, 100, 50, 100, 1}, sizes); diff != "" {
		t.Errorf("targets in each call (-want +got):\n%s", diff)
	}
}

// refuser answers registrations with failures.
type refuser struct {
	api
	unsuccessful []types.TargetFailure
}

func (r refuser) RegisterTargets(context.Context, *vpclattice.RegisterTargetsInput, ...func(*vpclattice.Options)) (*vpclattice.RegisterTargetsOutput, error) {
	return &vpclattice.RegisterTargetsOutput{Unsuccessful: r.unsuccessful}, nil
}

// TestFailureCodes: what a single target's failure means, its own code says.
func TestFailureCodes(t *testing.T) {
	failure := func(id, code string) types.TargetFailure {
		return types.TargetFailure{Id: &id, Port: aws.Int32(80), FailureCode: &code, FailureMessage: aws.String("no")}
	}
	tests := []struct {
		reason string
		failed []types.TargetFailure
		want   error
		names  []string // nil: the call failed as a whole
		says   string
	}{
		{"an address of the wrong family", []types.TargetFailure{failure("10.0.0.1", "UnsupportedTarget")}, balancer.ErrInvalid, []string{"10.0.0.1:80"}, "UnsupportedTarget: target 10.0.0.1:80: no"},
		{"a full group", []types.TargetFailure{failure("10.0.0.1", "ServiceQuotaExceededException")}, balancer.ErrQuota, []string{"10.0.0.1:80"}, "target 10.0.0.1:80: no"},
		{"what concerns more says why", []types.TargetFailure{failure("10.0.0.1", "UnsupportedTarget"), failure("10.0.0.2", "ThrottlingException")}, balancer.ErrThrottled, []string{"10.0.0.1:80", "10.0.0.2:80"}, "target 10.0.0.2:80"},
		{"what is only waited for hides nothing", []types.TargetFailure{failure("10.0.0.1", "UnsupportedTarget"), failure("10.0.0.2", "ConflictException")}, balancer.ErrInvalid, []string{"10.0.0.1:80", "10.0.0.2:80"}, "target 10.0.0.1:80"},
		{"in whichever order", []types.TargetFailure{failure("10.0.0.1", "ConflictException"), failure("10.0.0.2", "Surprise"), failure("10.0.0.3", "ConflictException")}, nil, nil, "target 10.0.0.2:80"},
		{"a refusal neither", []types.TargetFailure{failure("10.0.0.1", "AccessDeniedException"), failure("10.0.0.2", "ConflictException")}, balancer.ErrDenied, []string{"10.0.0.1:80", "10.0.0.2:80"}, "target 10.0.0.1:80"},
		{"it is told where nothing else is wrong", []types.TargetFailure{failure("10.0.0.1", "ConflictException")}, balancer.ErrNotReady, []string{"10.0.0.1:80"}, "target 10.0.0.1:80"},
		{"a code from the future may pass", []types.TargetFailure{failure("10.0.0.1", "Surprise")}, nil, []string{"10.0.0.1:80"}, "Surprise"},
		{"without a port", []types.TargetFailure{{Id: aws.String("10.0.0.1"), FailureCode: aws.String("UnsupportedTarget")}}, balancer.ErrInvalid, []string{"10.0.0.1:80"}, "UnsupportedTarget"},
		{"somebody else's", []types.TargetFailure{failure("10.9.9.9", "UnsupportedTarget")}, nil, nil, "the answer makes no sense"},
	}

	batch := []gate.Target{at("10.0.0.1"), at("10.0.0.2"), at("10.0.0.3")}
	for _, tc := range tests {
		t.Run(tc.reason, func(t *testing.T) {
			err := fake(refuser{unsuccessful: tc.failed}).Register(t.Context(), testGroup, batch, nil)
			checkKind(t, err, tc.want)
			says(t, err, tc.says)
			var partial *balancer.PartialError
			var got []string
			if errors.As(err, &partial) {
				for _, target := range partial.Failed {
					got = append(got, target.String())
				}
			}
			if diff := cmp.Diff(tc.names, got); diff != "" {
				t.Errorf("failed (-want +got):\n%s", diff)
			}
		})
	}
}

// TestOneBadTargetSuffersAlone, whether the API names it or refuses the call as a whole.
func TestOneBadTargetSuffersAlone(t *testing.T) {
	for name, whole := range map[string]bool{"named": false, "as a whole": true} {
		t.Run(name, func(t *testing.T) {
			s := simulate(t, awssim.Config{Lattice: awssim.Lattice{Assumptions: lattice.Assumptions{RefuseWholeCall: whole}}})
			group := s.newGroup(t)
			good := s.newTargets(t, 5)
			bad := gate.Target{Addr: netip.MustParseAddr("2001:db8::1"), Port: 80}
			err := s.provider.Register(t.Context(), group, append([]gate.Target{bad}, good...), nil)
			checkKind(t, err, balancer.ErrInvalid)
			var partial *balancer.PartialError
			if !errors.As(err, &partial) || len(partial.Failed) != 1 || partial.Failed[0] != bad {
				t.Errorf("got %v", err)
			}
			if got := len(s.health(t, group)); got != len(good) {
				t.Errorf("%d targets are registered, want %d", got, len(good))
			}

			err = s.provider.Register(t.Context(), group, []gate.Target{bad}, nil)
			if checkKind(t, err, balancer.ErrInvalid); errors.As(err, &partial) {
				t.Errorf("nothing at all was done, and got %v", err)
			}
		})
	}
}

func TestDeregistrationNamesWhatFailed(t *testing.T) {
	s := simulate(t, awssim.Config{})
	group := s.newGroup(t)
	all := s.newTargets(t, 3)
	s.register(t, group, all...)
	defer s.fault(t, awssim.Fault{Operation: "DeregisterTargets", FailTargets: []awssim.Target{*simulated(all[1])}})()
	err := s.provider.Deregister(t.Context(), group, all)
	var partial *balancer.PartialError
	if !errors.As(err, &partial) || len(partial.Failed) != 1 || partial.Failed[0] != all[1] {
		t.Errorf("got %v", err)
	}
}

// TestLaw7LatticeGroupIsFilled: a call that is one target too large for the quota registers those that fit.
func TestLaw7LatticeGroupIsFilled(t *testing.T) {
	s := simulate(t, awssim.Config{Lattice: awssim.Lattice{Quotas: lattice.Quotas{TargetsPerGroup: 4}}})
	group := s.newGroup(t)
	all := s.newTargets(t, 6)
	err := s.provider.Register(t.Context(), group, all, nil)
	checkKind(t, err, balancer.ErrQuota)
	if got := len(s.health(t, group)); got != 4 {
		t.Errorf("%d targets are registered, as many as fit are 4", got)
	}
	var partial *balancer.PartialError
	if !errors.As(err, &partial) || len(partial.Failed) != 2 {
		t.Errorf("got %v", err)
	}
}

// TestGroupAtWork: one that is being made or removed is nobody's mistake.
func TestGroupAtWork(t *testing.T) {
	s := simulate(t, awssim.Config{Lattice: awssim.Lattice{CreateDelay: time.Hour, DeleteDelay: time.Hour}})
	group := s.made(t, "web")
	one := []gate.Target{s.newTarget(t)}
	for _, wanted := range []balancer.Group{group, {Name: group.Name}} {
		_, err := s.provider.Resolve(t.Context(), wanted)
		checkKind(t, err, balancer.ErrNotReady)
		says(t, err, "the target group is being created")
	}
	checkKind(t, s.provider.Register(t.Context(), group, one, nil), balancer.ErrNotReady)
	checkKind(t, s.provider.Deregister(t.Context(), group, one), balancer.ErrNotReady)
}

func TestGroupThatIsBeingDeleted(t *testing.T) {
	s := simulate(t, awssim.Config{Lattice: awssim.Lattice{DeleteDelay: time.Hour}})
	group := s.made(t, "web")
	s.settled(t, group, types.TargetGroupStatusActive)
	if _, err := s.client.DeleteTargetGroup(t.Context(), &vpclattice.DeleteTargetGroupInput{TargetGroupIdentifier: &group.Ref.Group}); err != nil {
		t.Fatal(err)
	}
	for _, wanted := range []balancer.Group{group, {Name: group.Name}} {
		_, err := s.provider.Resolve(t.Context(), wanted)
		checkKind(t, err, balancer.ErrNotReady)
		says(t, err, "the target group is being deleted")
	}
}

func TestGroupThatCouldNotBeCreated(t *testing.T) {
	s := simulate(t, awssim.Config{Lattice: awssim.Lattice{CreateDelay: time.Millisecond}})
	defer s.fault(t, awssim.Fault{Operation: "CreateTargetGroup", FailLater: true})()
	group := s.made(t, "web")
	s.settled(t, group, types.TargetGroupStatusCreateFailed)
	_, err := s.provider.Resolve(t.Context(), group)
	checkKind(t, err, balancer.ErrInvalid)
	says(t, err, "could not be created: delete it and make it again. awssim: a fault made it fail")
}
