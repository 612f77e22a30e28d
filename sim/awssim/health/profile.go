// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package health

import (
	"cmp"
	"fmt"
	"time"
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

// Profiles are the profiles of a simulator. The zero value has the defaults.
type Profiles struct {
	// Profile forces one profile, alb or nlb, on every target group. By
	// default (auto) the group's protocol decides.
	Profile string
	// ALB and NLB are the timings of the two profiles. Default DefaultALB and
	// DefaultNLB.
	ALB, NLB *Profile
}

// WithDefaults fills in what is not given, or returns what is wrong.
func (p Profiles) WithDefaults() (Profiles, error) {
	p.Profile = cmp.Or(p.Profile, "auto")
	if p.ALB == nil {
		p.ALB = DefaultALB()
	}

	if p.NLB == nil {
		p.NLB = DefaultNLB()
	}

	switch p.Profile {
	case "auto", "alb", "nlb":
		return p, nil
	}

	return p, fmt.Errorf("profile %q: must be auto, alb or nlb", p.Profile)
}

// For is the profile of a group: the forced one, or that of the load balancer which can use the group.
func (p Profiles) For(application bool) *Profile {
	if p.Profile == "alb" || p.Profile == "auto" && application {
		return p.ALB
	}
	return p.NLB
}
