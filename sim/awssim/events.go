// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package awssim

import "fmt"

// AddFault puts a fault in force and returns its id.
func (s *Sim) AddFault(f Fault) (string, error) {
	return s.faults.Add(f, func(operation string) bool {
		_, known := s.operations[operation]
		return known
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

// LoseTarget makes a target vanish from its group, on both clocks at once, as
// if the service had forgotten it.
func (s *Sim) LoseTarget(groupARN string, target Target) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.groups[groupARN]
	if g == nil || g.rows[target] == nil {
		return fmt.Errorf("lose target: %s:%d is not in target group %q", target.ID, target.Port, groupARN)
	}
	s.remove(g, g.rows[target], "Fault.Lost")
	return nil
}
