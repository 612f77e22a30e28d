// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package gate

import "strings"

// State is what a load balancer says of a target. The names are ELBv2's; other
// providers map theirs onto them.
type State int

// The states of a target.
const (
	// Unknown means that nothing was observed, or something this version does not know.
	Unknown State = iota
	// Initial means registered, not yet checked often enough.
	Initial
	// Healthy means that the load balancer sends it traffic.
	Healthy
	// Unhealthy means that its health checks fail.
	Unhealthy
	// UnhealthyDraining means unhealthy with connections being closed (NLB).
	UnhealthyDraining
	// Unused means not registered, or in a group that no load balancer uses.
	Unused
	// Draining means that it was deregistered and in-flight requests may still finish.
	Draining
	// Unavailable means that the load balancer has no health to tell (checks disabled, or its own trouble).
	Unavailable
)

var stateNames = [...]string{"unknown", "initial", "healthy", "unhealthy", "unhealthy.draining", "unused", "draining", "unavailable"}

// String is the state as the ELBv2 API spells it.
func (s State) String() string {
	if s < 0 || int(s) >= len(stateNames) {
		return stateNames[Unknown]
	}
	return stateNames[s]
}

// Health is one observation of one target.
type Health struct {
	State State
	// Reason is the load balancer's code, such as Elb.InitialHealthChecking; empty when healthy.
	Reason string
	// Description is the load balancer's sentence for people; empty when healthy.
	Description string
	// Connections are those of a target that is draining, requests that wait for one
	// included; 0, too, where the load balancer does not tell.
	Connections int
}

// Leaving tells whether the target was deregistered and only its row is still there.
func (h Health) Leaving() bool { return h.State == Draining }

// Failing tells whether the load balancer says that the target fails its health
// checks. Its own trouble, which its reason tells (Elb.InternalError), is not the
// target's, and neither is anything that says less.
func (h Health) Failing() bool {
	return (h.State == Unhealthy || h.State == UnhealthyDraining) && !strings.HasPrefix(h.Reason, "Elb.")
}
