// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package awssim

import (
	"time"

	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

// Profile is how fast one kind of load balancer moves. Durations are of
// simulated time. docs/awssim.md says where each number comes from.
type Profile struct {
	// RegistrationDelay is from registration to the first health check
	// (Elb.RegistrationInProgress).
	RegistrationDelay time.Duration
	// InitialHealthyChecks is how many passed checks make a new target
	// healthy; 0 means the group's healthy threshold.
	InitialHealthyChecks int
	// RoutableDelay is from "healthy" in the API to the first request.
	RoutableDelay time.Duration
	// UnhealthyRoutingDelay is from "unhealthy" in the API to the last
	// ordinary request.
	UnhealthyRoutingDelay time.Duration
	// DrainRoutingDelay is from "draining" in the API to the last new request
	// or connection.
	DrainRoutingDelay time.Duration
}

// DefaultALB is an Application Load Balancer: it was seen to send ordinary
// requests for 17 s after "draining" appeared (aws-load-balancer-controller
// #2366); one passed check makes a new target healthy (ALB guide). The delays
// of 1 s are assumptions: one log shows 2.2 s from registered to healthy.
func DefaultALB() *Profile {
	return &Profile{
		RegistrationDelay:    time.Second,
		InitialHealthyChecks: 1,
		RoutableDelay:        time.Second,
		DrainRoutingDelay:    17 * time.Second,
	}
}

// DefaultNLB is a Network Load Balancer: registration took 70 to 300 s before
// the first check, new connections arrived about 120 s after deregistration
// (both aws-load-balancer-controller #1834 and #2366).
func DefaultNLB() *Profile {
	return &Profile{
		RegistrationDelay:    90 * time.Second,
		InitialHealthyChecks: 1,
		RoutableDelay:        time.Second,
		DrainRoutingDelay:    120 * time.Second,
	}
}

// profile is the profile of a group: the forced one, or its protocol's.
func (s *Sim) profile(g *targetGroup) *Profile {
	switch s.cfg.Profile {
	case "alb":
		return s.cfg.ALB
	case "nlb":
		return s.cfg.NLB
	}
	if g.http() || g.view.TargetType == types.TargetTypeEnumLambda {
		return s.cfg.ALB
	}
	return s.cfg.NLB
}
