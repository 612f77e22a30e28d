// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package drain says how long a pod must go on serving after its deletion has begun, so
// that it ends only when its load balancer sends it nothing any more. It is pure, and it
// refuses to be optimistic: of a load balancer that is not known the slowest counts. It knows
// no load balancer and no kind of binding.
package drain

import (
	"fmt"
	"time"
)

// What a drain consists of.
const (
	// Deregister is the longest from a pod's deletion until its deregistration is accepted,
	// when the leader dies at the same moment and a standby has to notice.
	Deregister = 5 * time.Second
	// MaxInFlight bounds what is waited for requests that began last. The application's own
	// grace period, which stays as it was, comes after it.
	MaxInFlight = 30 * time.Second
	// MinTime and MaxTime bound what an annotation may ask for.
	MinTime = time.Second
	MaxTime = time.Hour
)

// Need is what a target needs after its deregistration was accepted.
type Need struct {
	// Routing is for how long the load balancer may still begin requests there.
	Routing time.Duration
	// InFlight is for how long the last of them may take.
	InFlight time.Duration
}

// Slowest is what a target needs at a load balancer of which nothing is known: as much as at
// the slowest that podgate has met.
var Slowest = Need{Routing: 2 * time.Minute, InFlight: MaxInFlight}

// Time is how long a pod serves on after its deletion has begun.
func (n Need) Time() time.Duration { return Deregister + n.Routing + n.InFlight }

// Routed is for how long of that it may get new requests; those that began last have the rest.
func (n Need) Routed() time.Duration { return Deregister + n.Routing }

// within is a need whose time somebody has set.
func (n Need) within(all time.Duration) Need {
	after := max(all-Deregister, 0)
	routing := min(n.Routing, after)
	return Need{Routing: routing, InFlight: after - routing}
}

// Parse reads the annotation by which a binding's owner says how long its pods serve on.
func Parse(value string) (time.Duration, error) {
	d, err := time.ParseDuration(value)
	if err != nil || d < MinTime || d > MaxTime {
		return 0, fmt.Errorf("not a duration from %s to %s such as 45s", MinTime, MaxTime)
	}
	return d, nil
}
