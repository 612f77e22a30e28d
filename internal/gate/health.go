// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package gate

import "github.com/podgate/podgate/api/v1alpha1"

// State is what a load balancer says of a target; its driver maps its own states onto these.
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
	// Unused means not registered, or in a group or zone that no load balancer uses.
	Unused
	// Draining means that it was deregistered and in-flight requests may still finish.
	Draining
	// Unavailable means that the load balancer has no health to tell (checks disabled, or its own trouble).
	Unavailable
)

var stateNames = [...]string{"unknown", "initial", "healthy", "unhealthy", "unhealthy.draining", "unused", "draining", "unavailable"}

// stateReasons are the reasons of states that a load balancer does not explain.
var stateReasons = [...]string{"Unknown", "Initial", "Healthy", "Unhealthy", "UnhealthyDraining", "Unused", "Draining", "Unavailable"}

// String is the state's name in messages.
func (s State) String() string { return stateNames[s.known()] }

// known is the state, Unknown where this version has none of that number.
func (s State) known() State {
	if uint(s) >= uint(len(stateNames)) { // A negative one is larger than all.
		return Unknown
	}
	return s
}

// Health is one observation of one target.
type Health struct {
	State State
	// Reason is the load balancer's code in CamelCase, for machines. It is none of podgate's own
	// reasons; of a healthy target it is empty, or one that the catalog has for open gates.
	Reason string
	// Description is the load balancer's sentence for people; empty when healthy without a reason.
	Description string
	// Own: the reason is the load balancer's own state or trouble, not the target's.
	Own bool
	// NotInUse: the target is Unused because no load balancer uses its group, or its zone.
	NotInUse bool
	// Connections are those of a target that is draining, requests that wait for one
	// included; 0, too, where the load balancer does not tell.
	Connections int
}

// Leaving reports whether the target was deregistered and is only still listed.
func (h Health) Leaving() bool { return h.State == Draining }

// Failing reports whether the load balancer says that the target fails its health
// checks. The load balancer's own trouble is not the target's, and neither is anything
// that says less.
func (h Health) Failing() bool {
	return (h.State == Unhealthy || h.State == UnhealthyDraining) && !h.Own
}

// opens is the condition of a gate that a healthy target opens.
func (h Health) opens() Condition {
	if _, known := v1alpha1.Explain(v1alpha1.OnOpenGate, h.Reason); !known {
		return Condition{Status: StatusTrue, Reason: v1alpha1.ReasonHealthy}
	}
	return Condition{StatusTrue, h.Reason, h.Description}
}

// reason is the load balancer's, or the state's name where it gives none.
func (h Health) reason() string {
	if h.Reason != "" {
		return h.Reason
	}
	return stateReasons[h.State.known()]
}
