// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package awssim

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/vpclattice"
	"github.com/aws/aws-sdk-go-v2/service/vpclattice/types"
	"github.com/google/go-cmp/cmp"

	"github.com/podgate/podgate/sim/awssim/lattice"
)

// Each error arrives as the type that the SDK has for it, with what it must say.
func TestLatticeErrorFaults(t *testing.T) {
	cases := map[string]struct {
		reason string
		fail   APIError
		check  func(error) bool
	}{
		"Quota": {reason: "402 names the quota", fail: APIError{Code: "ServiceQuotaExceededException", Members: map[string]any{"quotaCode": "L-1", "resourceType": "TARGET_GROUP", "serviceCode": "vpc-lattice"}}, check: func(err error) bool {
			var typed *types.ServiceQuotaExceededException
			return errors.As(err, &typed) && *typed.QuotaCode == "L-1"
		}},
		"Conflict": {reason: "409 in progress", fail: APIError{Code: "ConflictException", Message: "status: CREATE_IN_PROGRESS."}, check: func(err error) bool {
			var typed *types.ConflictException
			return errors.As(err, &typed) && strings.Contains(*typed.Message, "CREATE_IN_PROGRESS")
		}},
		"Throttling": {reason: "429 says when to come again", fail: APIError{Code: "ThrottlingException", RetryAfterSeconds: 7}, check: func(err error) bool {
			var typed *types.ThrottlingException
			return errors.As(err, &typed) && aws.ToInt32(typed.RetryAfterSeconds) == 7
		}},
		"Renamed": {reason: "the name that ELBv2 has for it", fail: APIError{Code: "Throttling", Message: "Rate exceeded"}, check: func(err error) bool {
			var typed *types.ThrottlingException
			return errors.As(err, &typed)
		}},
		"Internal": {reason: "500", fail: APIError{Code: "InternalServerException", Message: "try again"}, check: func(err error) bool {
			var typed *types.InternalServerException
			return errors.As(err, &typed)
		}},
		"Denied": {reason: "403 with the text of the service", fail: APIError{Code: "AccessDenied"}, check: func(err error) bool {
			var typed *types.AccessDeniedException
			return errors.As(err, &typed) && strings.Contains(*typed.Message, "vpc-lattice:RegisterTargets on resource: arn:aws:vpc-lattice:")
		}},
		"NotFound": {reason: "404", fail: APIError{Code: "ResourceNotFoundException"}, check: func(err error) bool {
			var typed *types.ResourceNotFoundException
			return errors.As(err, &typed)
		}},
		"Invalid": {reason: "400", fail: APIError{Code: "ValidationException"}, check: func(err error) bool {
			var typed *types.ValidationException
			return errors.As(err, &typed) && typed.Reason != ""
		}},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			inBubble(t, Config{}, func(e *env) {
				group := e.latticeGroup("web")
				e.fault(Fault{Service: "vpc-lattice", Operation: "RegisterTargets", TargetGroupARN: *group.Arn, Count: 1, Error: &tc.fail})
				in := &vpclattice.RegisterTargetsInput{TargetGroupIdentifier: group.Id, Targets: latticeTargets(Target{ID: "10.0.0.1"})}
				if _, err := e.lattice.RegisterTargets(e.Context(), in); !tc.check(err) {
					t.Errorf("%s: got %v", tc.reason, err)
				}
				if got := e.latticeStates(group.Id); len(got) != 0 {
					t.Errorf("the call took effect: %v", got)
				}
				does(e, e.lattice.RegisterTargets)(in)
			})
		})
	}
}

// A fault of one service does not strike the operation of the same name in another.
func TestFaultsOfOneService(t *testing.T) {
	inBubble(t, Config{}, func(e *env) {
		e.fault(Fault{Service: "vpc-lattice", Operation: "RegisterTargets", Error: &APIError{Code: "Throttling"}})
		e.register(e.group("web"), Target{ID: "10.0.0.1", Port: 80})
	})
}

func TestLatticeTargetFaults(t *testing.T) {
	inBubble(t, Config{}, func(e *env) {
		group := e.latticeUsed()
		e.script(*group, Script{Outcomes: []string{"pass"}})
		one, two := Target{ID: "10.0.0.1", Port: 80}, Target{ID: "10.0.0.2", Port: 80}
		e.fault(Fault{Operation: "RegisterTargets", Count: 1, FailTargets: []Target{two}})
		if out := e.latticeRegister(group, one, two); len(out.Successful) != 1 || len(out.Unsuccessful) != 1 || *out.Unsuccessful[0].Id != two.ID {
			t.Errorf("registered %d, refused %d", len(out.Successful), len(out.Unsuccessful))
		}

		e.fault(Fault{Operation: "RegisterTargets", Count: 1, LoseTargets: []Target{two}})
		e.latticeRegister(group, two)
		if diff := cmp.Diff(map[Target]string{one: "INITIAL"}, e.latticeStates(group)); diff != "" {
			t.Errorf("what was lost: -want, +got:\n%s", diff)
		}

		e.fault(Fault{Operation: "DeregisterTargets", Count: 1, FailTargets: []Target{one}})
		if out := e.latticeDeregister(group, one); len(out.Unsuccessful) != 1 {
			t.Errorf("deregistered %+v", out)
		}
		if err := e.sim.LoseTarget(*group, one); err != nil {
			t.Error(err)
		}
		if got := e.latticeStates(group); len(got) != 0 {
			t.Errorf("the service forgot it, and lists %v", got)
		}
	})
}

// A list can be from a while ago: of targets as they were then, and of those that are gone meanwhile.
func TestLatticeLag(t *testing.T) {
	inBubble(t, Config{}, func(e *env) {
		group := e.latticeUsed()
		e.script(*group, Script{Outcomes: []string{"pass"}})
		one, two := Target{ID: "10.0.0.1", Port: 80}, Target{ID: "10.0.0.2", Port: 80}
		e.latticeRegister(group, one)
		time.Sleep(10 * time.Second)
		if err := e.sim.LoseTarget(*group, one); err != nil {
			t.Error(err)
		}
		e.latticeRegister(group, two)
		time.Sleep(5 * time.Second)

		for lag, want := range map[float64]map[Target]string{0: {two: "HEALTHY"}, 4: {two: "INITIAL"}, 6: {one: "HEALTHY"}, 14: {one: "INITIAL"}, 16: {}} {
			if lag > 0 {
				e.fault(Fault{Operation: "ListTargets", Count: 1, LagSeconds: lag})
			}
			if diff := cmp.Diff(want, e.latticeStates(group)); diff != "" {
				t.Errorf("%g s ago: -want, +got:\n%s", lag, diff)
			}
		}
	})
}

// What is made in the background can fail, and has to be deleted.
func TestLatticeFailsLater(t *testing.T) {
	inBubble(t, Config{Lattice: Lattice{CreateDelay: time.Second, DeleteDelay: time.Second}}, func(e *env) {
		e.fault(Fault{Operation: "CreateTargetGroup", Count: 1, FailLater: true})
		group := e.latticeGroup("web")
		get := func(want types.TargetGroupStatus) {
			t.Helper()
			time.Sleep(time.Second + time.Millisecond)
			got := does(e, e.lattice.GetTargetGroup)(&vpclattice.GetTargetGroupInput{TargetGroupIdentifier: group.Id})
			if got.Status != want || aws.ToString(got.FailureMessage) == "" {
				t.Errorf("the group is %s (%v), want %s", got.Status, got.FailureMessage, want)
			}
		}

		get(types.TargetGroupStatusCreateFailed)
		refuses(e, e.lattice.RegisterTargets, "it is of no use", "ConflictException", &vpclattice.RegisterTargetsInput{TargetGroupIdentifier: group.Id, Targets: latticeTargets(Target{ID: "10.0.0.1"})})
		e.fault(Fault{Operation: "DeleteTargetGroup", Count: 1, FailLater: true})
		drop := &vpclattice.DeleteTargetGroupInput{TargetGroupIdentifier: group.Id}
		does(e, e.lattice.DeleteTargetGroup)(drop)
		get(types.TargetGroupStatusDeleteFailed)
		does(e, e.lattice.DeleteTargetGroup)(drop)
		time.Sleep(time.Second + time.Millisecond)
		e.latticeGroup("web")
	})
}

// Lattice has token buckets of its own, and 429.
func TestLatticeThrottling(t *testing.T) {
	inBubble(t, Config{}, func(e *env) {
		group := e.latticeGroup("web").Id
		in := &vpclattice.RegisterTargetsInput{TargetGroupIdentifier: group, Targets: latticeTargets(Target{ID: "10.0.0.1"})}
		for range 20 {
			does(e, e.lattice.RegisterTargets)(in)
		}
		_, err := e.lattice.RegisterTargets(e.Context(), in)
		var typed *types.ThrottlingException
		if !errors.As(err, &typed) {
			t.Errorf("the 21st call at once: %v", err)
		}
		e.register(e.group("web"), Target{ID: "10.0.0.1", Port: 80})
		time.Sleep(time.Second)
		does(e, e.lattice.RegisterTargets)(in)
	})
}

func TestLatticeQuotas(t *testing.T) {
	inBubble(t, Config{Lattice: Lattice{Quotas: lattice.Quotas{TargetsPerGroup: 2, Services: 1, Networks: 1, GroupsPerService: 1, VPCsPerNetwork: 1, TagsPerResource: 1}}}, func(e *env) {
		group := e.latticeGroup("web")
		e.latticeRegister(group.Id, Target{ID: "10.0.0.1"}, Target{ID: "10.0.0.2"}, Target{ID: "10.0.0.2"})
		e.latticeRegister(group.Id, Target{ID: "10.0.0.1"})
		const quota = "ServiceQuotaExceededException"
		refuses(e, e.lattice.RegisterTargets, "targets of a group", quota, &vpclattice.RegisterTargetsInput{TargetGroupIdentifier: group.Id, Targets: latticeTargets(Target{ID: "10.0.0.3"})})
		service := e.latticeService("web").Id
		refuses(e, e.lattice.CreateService, "services", quota, &vpclattice.CreateServiceInput{Name: aws.String("api")})
		refuses(e, e.lattice.CreateListener, "groups of a service", "ValidationException", &vpclattice.CreateListenerInput{
			ServiceIdentifier: service, Name: aws.String("http"), Protocol: types.ListenerProtocolHttp, DefaultAction: toGroups(weigh(group.Id, 1), weigh(e.latticeGroup("api").Id, 1)),
		})
		network := e.latticeNetwork("shop")
		refuses(e, e.lattice.CreateServiceNetwork, "networks", quota, &vpclattice.CreateServiceNetworkInput{Name: aws.String("office")})
		e.latticeEnter(network)
		refuses(e, e.lattice.CreateServiceNetworkVpcAssociation, "VPCs of a network", quota, &vpclattice.CreateServiceNetworkVpcAssociationInput{ServiceNetworkIdentifier: network, VpcIdentifier: aws.String("vpc-0a1b2c3d")})
		refuses(e, e.lattice.TagResource, "tags", "ValidationException", &vpclattice.TagResourceInput{ResourceArn: group.Arn, Tags: map[string]string{"a": "1", "b": "2"}})
	})
}

// A group appears in lists only after a while, where a test wants it so.
func TestLatticeListLag(t *testing.T) {
	inBubble(t, Config{Lattice: Lattice{ListLag: 10 * time.Second}}, func(e *env) {
		group := e.latticeGroup("web").Id
		count := func() int {
			return len(does(e, e.lattice.ListTargetGroups)(&vpclattice.ListTargetGroupsInput{}).Items)
		}
		if count() != 0 {
			t.Error("a new group is listed at once")
		}
		does(e, e.lattice.GetTargetGroup)(&vpclattice.GetTargetGroupInput{TargetGroupIdentifier: group})
		time.Sleep(10*time.Second + time.Millisecond)
		if count() != 1 {
			t.Error("a group is not listed after the lag")
		}
	})
}

// Calls are on the record, with group and targets whatever the request called them.
func TestLatticeCalls(t *testing.T) {
	inBubble(t, Config{}, func(e *env) {
		group := e.latticeGroup("web")
		e.latticeRegister(group.Id, Target{ID: "10.0.0.1"})
		calls := e.sim.Calls(0)
		last := calls[len(calls)-1]
		want := Call{Service: "vpc-lattice", Operation: "RegisterTargets", TargetGroupARN: *group.Arn, HTTPStatus: http.StatusOK, Targets: []Target{{ID: "10.0.0.1", Port: 80}}}
		last.Seq, last.Time, last.DurationSeconds, last.AccessKeyID = 0, time.Time{}, 0, ""
		if diff := cmp.Diff(want, last); diff != "" {
			t.Errorf("-want, +got:\n%s", diff)
		}
	})
}
