// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package awssim

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/podgate/podgate/sim/awssim/wire"
)

// Fault is something that goes wrong with calls of the API. The first four
// fields say with which calls, Count and DurationSeconds for how long (neither:
// until it is removed), the rest what.
type Fault struct {
	// ID is given by AddFault.
	ID string `json:"id,omitempty"`

	Operation      string `json:"operation,omitempty"` // empty or "*": every one, of both services
	TargetGroupARN string `json:"targetGroupArn,omitempty"`
	AccessKeyID    string `json:"accessKeyId,omitempty"`
	RoleARN        string `json:"roleArn,omitempty"` // of sts:AssumeRole

	Count           int     `json:"count,omitempty"`
	DurationSeconds float64 `json:"durationSeconds,omitempty"`

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
	// LagSeconds makes DescribeTargetHealth answer from that long ago.
	LagSeconds float64 `json:"lagSeconds,omitempty"`
	// Lose makes RegisterTargets answer 200 and register nothing, or all but
	// LoseTargets if there are any.
	Lose        bool     `json:"lose,omitempty"`
	LoseTargets []Target `json:"loseTargets,omitempty"`

	expires time.Time
}

// effect is what all faults together do to one call.
type effect struct {
	failure  *wire.APIError
	applied  bool
	latency  time.Duration
	truncate bool
	drop     bool
	lag      time.Duration
	lose     bool
	lost     []Target
}

// loses says whether registering k comes to nothing.
func (e effect) loses(k Target) bool { return e.lose || slices.Contains(e.lost, k) }

type faultSet struct {
	mu   sync.Mutex
	next int
	list []*Fault
}

// AddFault puts a fault in force and returns its id.
func (s *Sim) AddFault(f Fault) (string, error) {
	if f.Count < 0 || f.DurationSeconds < 0 || f.LatencySeconds < 0 || f.LagSeconds < 0 {
		return "", fmt.Errorf("add fault: a count or time is negative")
	}
	if f.Error == nil && !f.Truncate && !f.Drop && !f.Lose && f.LatencySeconds == 0 && f.LagSeconds == 0 && len(f.LoseTargets) == 0 {
		return "", fmt.Errorf("add fault: it does nothing: wants error, latencySeconds, truncate, drop, lagSeconds, lose or loseTargets")
	}
	if _, known := s.operations[f.Operation]; f.Operation != "" && f.Operation != "*" && !known {
		return "", fmt.Errorf("add fault: no operation %q", f.Operation)
	}
	if f.Error != nil && f.Error.Code == "" {
		return "", fmt.Errorf("add fault: its error has no code")
	}
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	s.faults.next++
	f.ID = fmt.Sprintf("fault-%d", s.faults.next)
	if f.DurationSeconds > 0 {
		f.expires = time.Now().Add(s.scaled(secondsOf(f.DurationSeconds)))
	}
	s.faults.list = append(s.faults.list, &f)
	return f.ID, nil
}

// Faults returns what is in force, with what is left of the counts.
func (s *Sim) Faults() []Fault {
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	s.faults.expire()
	list := []Fault{}
	for _, f := range s.faults.list {
		list = append(list, *f)
	}
	return list
}

// RemoveFaults ends the fault with that id, or all when id is empty.
func (s *Sim) RemoveFaults(id string) error {
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	before := len(s.faults.list)
	s.faults.list = slices.DeleteFunc(s.faults.list, func(f *Fault) bool { return id == "" || f.ID == id })
	if id != "" && len(s.faults.list) == before {
		return fmt.Errorf("remove fault: none has id %q", id)
	}
	return nil
}

func (f *faultSet) expire() {
	now := time.Now()
	f.list = slices.DeleteFunc(f.list, func(f *Fault) bool { return !f.expires.IsZero() && !now.Before(f.expires) })
}

// effectOn is what the faults in force do to a call; it uses up their counts.
func (f *faultSet) effectOn(c Call, scaled func(time.Duration) time.Duration) effect {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.expire()
	var e effect
	f.list = slices.DeleteFunc(f.list, func(f *Fault) bool {
		if !f.matches(c) {
			return false
		}
		e.add(f, scaled)
		if f.Count == 0 {
			return false
		}
		f.Count--
		return f.Count == 0
	})
	return e
}

func (f *Fault) matches(c Call) bool {
	return (f.Operation == "" || f.Operation == "*" || f.Operation == c.Operation) &&
		(f.TargetGroupARN == "" || f.TargetGroupARN == c.TargetGroupARN) &&
		(f.AccessKeyID == "" || f.AccessKeyID == c.AccessKeyID) &&
		(f.RoleARN == "" || f.RoleARN == c.RoleARN)
}

func (e *effect) add(f *Fault, scaled func(time.Duration) time.Duration) {
	if e.failure == nil && f.Error != nil {
		e.failure = f.Error
	}
	e.applied = e.applied || f.Applied
	e.latency += scaled(secondsOf(f.LatencySeconds))
	e.truncate = e.truncate || f.Truncate
	e.drop = e.drop || f.Drop
	e.lag = max(e.lag, secondsOf(f.LagSeconds))
	e.lose = e.lose || f.Lose
	e.lost = append(e.lost, f.LoseTargets...)
}

func secondsOf(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

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
