// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package elbv2

import (
	"slices"
	"time"

	api "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/podgate/podgate/sim/awssim/wire"
)

// decreasesPerDay is how often a reservation may be made smaller in a day.
const decreasesPerDay = 2

// capacity is what is reserved for a load balancer. It has no effect on the data path.
type capacity struct {
	units     int32 // 0: nothing is reserved
	modified  *time.Time
	decreases []time.Time // of the last day
}

// remaining is how many decreases are left today.
func (r *capacity) remaining(day time.Duration) int32 {
	r.decreases = slices.DeleteFunc(r.decreases, func(at time.Time) bool { return time.Since(at) > day })
	return int32(decreasesPerDay - len(r.decreases))
}

func (s *Service) describeCapacityReservation(c *Call, in *api.DescribeCapacityReservationInput) (*api.DescribeCapacityReservationOutput, error) {
	b, err := s.balancer(c, in.LoadBalancerArn)
	if err != nil {
		return nil, err
	}

	out := &api.DescribeCapacityReservationOutput{
		CapacityReservationState:  []types.ZonalCapacityReservationState{},
		DecreaseRequestsRemaining: new(b.capacity.remaining(s.clock.Scaled(24 * time.Hour))),
		LastModifiedTime:          b.capacity.modified,
	}
	if b.capacity.units == 0 {
		return out, nil
	}

	// What is reserved is there at once, in equal parts.
	out.MinimumLoadBalancerCapacity = &types.MinimumLoadBalancerCapacity{CapacityUnits: new(b.capacity.units)}
	for _, zone := range b.view.AvailabilityZones {
		out.CapacityReservationState = append(out.CapacityReservationState, types.ZonalCapacityReservationState{
			AvailabilityZone:       zone.ZoneName,
			EffectiveCapacityUnits: new(float64(b.capacity.units) / float64(len(b.view.AvailabilityZones))),
			State:                  &types.CapacityReservationStatus{Code: types.CapacityReservationStateEnumProvisioned},
		})
	}

	return out, nil
}

func (s *Service) modifyCapacityReservation(c *Call, in *api.ModifyCapacityReservationInput) (*api.ModifyCapacityReservationOutput, error) {
	b, err := s.balancer(c, in.LoadBalancerArn)
	if err != nil {
		return nil, err
	}

	var units int32
	if wanted := in.MinimumLoadBalancerCapacity; wanted != nil && wanted.CapacityUnits != nil {
		units = *wanted.CapacityUnits
	}

	reset := in.ResetCapacityReservation != nil && *in.ResetCapacityReservation
	if reset == (units != 0) || units < 0 {
		return nil, wire.Failed("InvalidConfigurationRequest", "You must specify either a minimum capacity that is positive or its reset")
	}

	if units < b.capacity.units {
		if b.capacity.remaining(s.clock.Scaled(24*time.Hour)) <= 0 {
			return nil, wire.Failed("CapacityDecreaseRequestsLimitExceeded", "The daily limit of capacity decreases has been reached for load balancer '%s'", b.arn())
		}
		b.capacity.decreases = append(b.capacity.decreases, time.Now())
	}

	b.capacity.units, b.capacity.modified = units, new(time.Now())
	now, err := s.describeCapacityReservation(c, &api.DescribeCapacityReservationInput{LoadBalancerArn: in.LoadBalancerArn})
	if err != nil {
		return nil, err
	}

	return &api.ModifyCapacityReservationOutput{
		CapacityReservationState: now.CapacityReservationState, DecreaseRequestsRemaining: now.DecreaseRequestsRemaining,
		LastModifiedTime: now.LastModifiedTime, MinimumLoadBalancerCapacity: now.MinimumLoadBalancerCapacity,
	}, nil
}
