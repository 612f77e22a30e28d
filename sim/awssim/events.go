// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package awssim

import (
	"slices"

	"github.com/podgate/podgate/sim/awssim/lattice"
)

// AddFault puts a fault in force and returns its id.
func (s *Sim) AddFault(f Fault) (string, error) {
	if f.LagSeconds > 0 {
		s.elb.Remember()
	}
	return s.faults.Add(f, func(operation string) bool {
		return slices.Contains(slices.Concat(Operations(), EC2Operations(), ACMOperations(), LatticeOperations()), operation)
	})
}

// Faults returns what is in force, with what is left of the counts.
func (s *Sim) Faults() []Fault { return s.faults.List() }

// RemoveFaults ends the fault with that id, or all when id is empty.
func (s *Sim) RemoveFaults(id string) error { return s.faults.Remove(id) }

// Calls returns the calls with a sequence number above since, oldest first.
func (s *Sim) Calls(since int64) []Call { return s.record.Calls(since) }

// Transitions returns the transitions with a sequence number above since,
// oldest first. Calls and transitions share one sequence.
func (s *Sim) Transitions(since int64) []Transition { return s.record.Transitions(since) }

// Failures returns the requests that load balancers failed to have answered, with a
// sequence number above since, in the order in which they ended. They share the
// sequence of calls and transitions.
func (s *Sim) Failures(since int64) []Failure { return s.record.Failures(since) }

// SetHealth scripts the health of a target, registered or not, or of a whole
// group when target is nil. A target's own script goes before its group's.
func (s *Sim) SetHealth(groupARN string, target *Target, script Script) error {
	if lattice.Owns(groupARN) {
		return s.lattice.SetHealth(groupARN, target, script)
	}
	return s.elb.SetHealth(groupARN, target, script)
}

// ClearHealth takes back what SetHealth said; real checks start again.
func (s *Sim) ClearHealth(groupARN string, target *Target) error {
	if lattice.Owns(groupARN) {
		return s.lattice.ClearHealth(groupARN, target)
	}
	return s.elb.ClearHealth(groupARN, target)
}

// LoseTarget makes a target vanish from its group, on both clocks at once, as
// if the service had forgotten it.
func (s *Sim) LoseTarget(groupARN string, target Target) error {
	if lattice.Owns(groupARN) {
		return s.lattice.LoseTarget(groupARN, target)
	}
	return s.elb.LoseTarget(groupARN, target)
}

// SetInstances adds or changes the addresses of instances; one without an
// address is stopped, and unused with reason Target.InvalidState.
func (s *Sim) SetInstances(addresses map[string]string) {
	s.elb.SetInstances(addresses)
	_ = s.ec2.Follow(addresses) // it fails only where no subnet could have them
}

// PlaceInstances adds or replaces instances. Those that run have their address in the data path too. It is an error if
// one is in no subnet or has a state that there is not.
func (s *Sim) PlaceInstances(list ...Instance) error {
	if err := s.ec2.SetInstances(list...); err != nil {
		return err
	}
	s.elb.SetInstances(s.ec2.Addresses())
	return nil
}

// SetVPC adds a network, or replaces one with its subnets and route tables.
func (s *Sim) SetVPC(v VPC) error { return s.ec2.SetVPC(v) }

// Listeners returns all listeners of all load balancers.
func (s *Sim) Listeners() []ListenerInfo { return s.elb.Listeners() }

// Hosts are the names of load balancers and the addresses that they resolve to.
func (s *Sim) Hosts() []Host { return s.elb.Hosts() }

// ListenerAddress is the address that a listener of a load balancer really
// has; empty when it has none.
func (s *Sim) ListenerAddress(listenerARN string) string { return s.elb.ListenerAddress(listenerARN) }

// ServiceNetworks returns the ports at which the service networks of VPC Lattice answer.
func (s *Sim) ServiceNetworks() []lattice.FrontInfo { return s.lattice.Fronts() }
