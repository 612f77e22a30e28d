// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"sync"
	"time"
)

// Target is the identity of a target: the service keys them by id and port.
type Target struct {
	ID   string `json:"id"`
	Port int    `json:"port"`
}

// Call is one call of the API, as it was answered.
type Call struct {
	Seq             int64     `json:"seq"`
	Time            time.Time `json:"time"`
	Service         string    `json:"service"`
	Operation       string    `json:"operation"`
	AccessKeyID     string    `json:"accessKeyId,omitempty"`
	TargetGroupARN  string    `json:"targetGroupArn,omitempty"`
	RoleARN         string    `json:"roleArn,omitempty"`
	ExternalID      string    `json:"externalId,omitempty"`
	Targets         []Target  `json:"targets,omitempty"`
	HTTPStatus      int       `json:"httpStatus"` // 0: the connection was closed without an answer
	ErrorCode       string    `json:"errorCode,omitempty"`
	DurationSeconds float64   `json:"durationSeconds"`
}

// The two clocks of a target.
const (
	ClockAPI     = "api"
	ClockRouting = "routing"
)

// Transition is one change of a target on one of its clocks. On the api clock
// From and To are states of the service, or "absent"; on the routing clock they
// are none, standby (used only when the group fails open) and routable.
type Transition struct {
	Seq            int64     `json:"seq"`
	Time           time.Time `json:"time"`
	TargetGroupARN string    `json:"targetGroupArn"`
	Target         Target    `json:"target"`
	Clock          string    `json:"clock"`
	From           string    `json:"from"`
	To             string    `json:"to"`
	Reason         string    `json:"reason,omitempty"`
}

// Failure is a request that a load balancer could not have answered by a target: it
// answered itself or cut the answer off. Requests that a target answered, whatever
// their status, are no failures, and neither are connections of a network load balancer.
type Failure struct {
	Seq int64 `json:"seq"`
	// Time is when the request arrived.
	Time           time.Time `json:"time"`
	TargetGroupARN string    `json:"targetGroupArn,omitempty"` // empty: there was none to choose from
	Target         Target    `json:"target,omitzero"`          // zero: the group had none to choose from
	// HTTPStatus is the load balancer's own; 0: the answer was cut off after it had begun.
	HTTPStatus int `json:"httpStatus"`
}

// Memory is bounded: beyond these the oldest are forgotten.
const (
	maxCalls       = 20000
	maxTransitions = 50000
	maxFailures    = 50000
)

// Record keeps what happened. The zero value is ready, and its methods are safe
// for concurrent use. Calls, transitions and failures share one sequence.
type Record struct {
	mu          sync.Mutex
	seq         int64
	calls       []Call
	transitions []Transition
	failures    []Failure
}

// AddCall records a call.
func (r *Record) AddCall(c Call) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seq++
	c.Seq = r.seq
	r.calls = bounded(append(r.calls, c), maxCalls)
}

// AddTransition records a transition.
func (r *Record) AddTransition(t Transition) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seq++
	t.Seq = r.seq
	r.transitions = bounded(append(r.transitions, t), maxTransitions)
}

// AddFailure records a failure.
func (r *Record) AddFailure(f Failure) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seq++
	f.Seq = r.seq
	r.failures = bounded(append(r.failures, f), maxFailures)
}

// bounded forgets the oldest tenth of a list that is too long.
func bounded[T any](list []T, limit int) []T {
	if len(list) <= limit {
		return list
	}
	return append([]T(nil), list[limit/10:]...)
}

// Calls returns the calls with a sequence number above since, oldest first.
func (r *Record) Calls(since int64) []Call {
	return after(r, &r.calls, since, func(c Call) int64 { return c.Seq })
}

// Transitions returns the transitions with a sequence number above since,
// oldest first. Calls and transitions share one sequence.
func (r *Record) Transitions(since int64) []Transition {
	return after(r, &r.transitions, since, func(t Transition) int64 { return t.Seq })
}

// Failures returns the requests that load balancers failed to have answered, with a
// sequence number above since, in the order in which they ended. They share the
// sequence of calls and transitions.
func (r *Record) Failures(since int64) []Failure {
	return after(r, &r.failures, since, func(f Failure) int64 { return f.Seq })
}

// after returns what a list has with a sequence number above since; never nil, since it becomes a list in JSON.
func after[T any](r *Record, list *[]T, since int64, seq func(T) int64) []T {
	r.mu.Lock()
	defer r.mu.Unlock()
	found := []T{}
	for _, entry := range *list {
		if seq(entry) > since {
			found = append(found, entry)
		}
	}
	return found
}
