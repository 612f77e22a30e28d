// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/podgate/podgate/sim/awssim/wire"
)

// Fault is something that goes wrong with calls of the API. The first five
// fields say with which calls, Count and DurationSeconds for how long (neither:
// until it is removed), the rest what.
type Fault struct {
	// ID is what the answer says, from Set.Add.
	ID string `json:"id,omitempty"`

	Service        string `json:"service,omitempty"`        // acm, elasticloadbalancing, ec2, sts or vpc-lattice; empty: all
	Operation      string `json:"operation,omitempty"`      // empty or "*": every one
	TargetGroupARN string `json:"targetGroupArn,omitempty"` // calls about that group only
	AccessKeyID    string `json:"accessKeyId,omitempty"`    // calls with that key only
	RoleARN        string `json:"roleArn,omitempty"`        // of sts:AssumeRole

	Count           int     `json:"count,omitempty"`           // after so many calls it is over
	DurationSeconds float64 `json:"durationSeconds,omitempty"` // or after that time

	// Error is answered. Without a status it is 400, for AccessDenied 403.
	Error *wire.APIError `json:"error,omitempty"`
	// Applied makes the operation take effect first: before the time that it is
	// late, and in spite of Error or Drop.
	Applied bool `json:"applied,omitempty"`
	// LatencySeconds passes before the operation takes effect.
	LatencySeconds float64 `json:"latencySeconds,omitempty"`
	// Truncate cuts the answer off in its middle and closes the connection.
	// The operation has taken effect.
	Truncate bool `json:"truncate,omitempty"`
	// Drop closes the connection without any answer.
	Drop bool `json:"drop,omitempty"`
	// LagSeconds makes DescribeTargetHealth and ListTargets answer from that long ago, and so do the other describing calls
	// of ELBv2, but from no time before the fault. Its other calls do not find load balancers, listeners and rules that
	// are younger, nor delete target groups that were in use since.
	// All calls of EC2 see what was true that long ago.
	LagSeconds float64 `json:"lagSeconds,omitempty"`
	// Lose makes RegisterTargets answer 200 and register nothing, or all but
	// LoseTargets if there are any.
	Lose        bool     `json:"lose,omitempty"`
	LoseTargets []Target `json:"loseTargets,omitempty"`
	// FailTargets makes RegisterTargets and DeregisterTargets of VPC Lattice
	// answer 200 and name these targets among the unsuccessful ones.
	FailTargets []Target `json:"failTargets,omitempty"`
	// FailLater makes what a call of VPC Lattice begins end badly: in
	// CREATE_FAILED, UPDATE_FAILED or DELETE_FAILED. A new load balancer of ELBv2 ends in failed.
	FailLater bool `json:"failLater,omitempty"`

	expires time.Time
}

// Effect is what all faults together do to one call.
type Effect struct {
	Failure  *wire.APIError
	Applied  bool
	Latency  time.Duration
	Truncate bool
	Drop     bool
	Lag      time.Duration
	// FailLater makes what the call begins end badly.
	FailLater bool

	lose   bool
	lost   []Target
	failed []Target
}

// Loses reports whether registering k comes to nothing.
func (e Effect) Loses(k Target) bool { return e.lose || slices.Contains(e.lost, k) }

// Fails reports whether registering or deregistering k is unsuccessful.
func (e Effect) Fails(k Target) bool { return slices.Contains(e.failed, k) }

// Set is the faults that are in force. Its methods are safe for concurrent use.
type Set struct {
	scaled func(time.Duration) time.Duration

	mu   sync.Mutex
	next int
	list []*Fault
}

// NewSet returns a set without faults. scaled turns simulated time into real time.
func NewSet(scaled func(time.Duration) time.Duration) *Set { return &Set{scaled: scaled} }

// Add puts a fault in force and returns its id. known reports whether an
// operation exists.
func (s *Set) Add(f Fault, known func(operation string) bool) (string, error) {
	if f.Count < 0 || f.DurationSeconds < 0 || f.LatencySeconds < 0 || f.LagSeconds < 0 {
		return "", fmt.Errorf("add fault: a count or time is negative")
	}
	if f.Error == nil && !f.Truncate && !f.Drop && !f.Lose && !f.FailLater &&
		f.LatencySeconds == 0 && f.LagSeconds == 0 && len(f.LoseTargets) == 0 && len(f.FailTargets) == 0 {
		return "", fmt.Errorf("add fault: it does nothing: wants error, latencySeconds, truncate, drop, lagSeconds, lose, loseTargets, failTargets or failLater")
	}
	if f.Operation != "" && f.Operation != "*" && !known(f.Operation) {
		return "", fmt.Errorf("add fault: no operation %q", f.Operation)
	}
	if f.Error != nil && f.Error.Code == "" {
		return "", fmt.Errorf("add fault: its error has no code")
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	s.next++
	f.ID = fmt.Sprintf("fault-%d", s.next)
	if f.DurationSeconds > 0 {
		f.expires = time.Now().Add(s.scaled(secondsOf(f.DurationSeconds)))
	}

	s.list = append(s.list, &f)
	return f.ID, nil
}

// List returns what is in force, with what is left of the counts.
func (s *Set) List() []Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expire()
	list := []Fault{}
	for _, f := range s.list {
		list = append(list, *f)
	}
	return list
}

// Remove ends the fault with that id, or all when id is empty.
func (s *Set) Remove(id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := len(s.list)
	s.list = slices.DeleteFunc(s.list, func(f *Fault) bool { return id == "" || f.ID == id })
	if id != "" && len(s.list) == before {
		return fmt.Errorf("remove fault: none has id %q", id)
	}
	return nil
}

func (s *Set) expire() {
	now := time.Now()
	s.list = slices.DeleteFunc(s.list, func(f *Fault) bool { return !f.expires.IsZero() && !now.Before(f.expires) })
}

// On returns what the faults in force do to a call, and uses up their counts.
func (s *Set) On(c Call) Effect {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expire()

	var e Effect
	s.list = slices.DeleteFunc(s.list, func(f *Fault) bool {
		if !f.matches(c) {
			return false
		}
		e.add(f, s.scaled)
		if f.Count == 0 {
			return false
		}
		f.Count--
		return f.Count == 0
	})

	return e
}

func (f *Fault) matches(c Call) bool {
	return (f.Service == "" || f.Service == c.Service) &&
		(f.Operation == "" || f.Operation == "*" || f.Operation == c.Operation) &&
		(f.TargetGroupARN == "" || f.TargetGroupARN == c.TargetGroupARN) &&
		(f.AccessKeyID == "" || f.AccessKeyID == c.AccessKeyID) &&
		(f.RoleARN == "" || f.RoleARN == c.RoleARN)
}

func (e *Effect) add(f *Fault, scaled func(time.Duration) time.Duration) {
	if e.Failure == nil && f.Error != nil {
		e.Failure = f.Error
	}
	e.Applied = e.Applied || f.Applied
	e.Latency += scaled(secondsOf(f.LatencySeconds))
	e.Truncate = e.Truncate || f.Truncate
	e.Drop = e.Drop || f.Drop
	e.Lag = max(e.Lag, secondsOf(f.LagSeconds))
	e.lose = e.lose || f.Lose
	e.lost = append(e.lost, f.LoseTargets...)
	e.failed = append(e.failed, f.FailTargets...)
	e.FailLater = e.FailLater || f.FailLater
}

func secondsOf(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
