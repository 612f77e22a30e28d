// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package timeline is what is known of a workload's rollouts: a lane for each pod, with its stages, its conditions and
// gates, and what events told of it. A Recorder folds objects in as they are read or watched. What nobody remembers is
// marked as not known. The package asks nobody and reads no clock; package draw makes pictures of it.
package timeline

import (
	"fmt"
	"time"

	"github.com/podgate/podgate/internal/plural"
)

// Knowledge says how much is known of a moment or a span.
type Knowledge string

// What there is of knowledge.
const (
	// Unknown: nothing is remembered.
	Unknown Knowledge = ""
	// Exact: it was seen, or an object says when, to a second.
	Exact Knowledge = "exact"
	// Bounded: a moment lies between two times. Of a span the status is known, and the reason only for a part of it.
	Bounded Knowledge = "bounded"
	// Pending: it has not happened.
	Pending Knowledge = "pending"
)

// Moment is when something happened.
type Moment struct {
	// Known is empty where nothing is remembered.
	Known Knowledge `json:"known,omitempty"`
	// At is when it happened; of a bounded moment, when it had happened at the latest.
	At time.Time `json:"at,omitzero"`
	// After is when a bounded moment had not happened yet.
	After time.Time `json:"after,omitzero"`
}

// Happened reports whether it has happened, for all that is known.
func (m Moment) Happened() bool { return m.Known == Exact || m.Known == Bounded }

// Stage is one in the life of a pod.
type Stage string

// The stages. ContainersReady and Ready are when a pod became so the last time.
const (
	Created         Stage = "created"
	Scheduled       Stage = "scheduled"
	ContainersReady Stage = "containersReady"
	Registered      Stage = "registered"
	Healthy         Stage = "healthy"
	Ready           Stage = "ready"
	Terminating     Stage = "terminating"
	Drained         Stage = "drained"
	Stopped         Stage = "stopped"
	Gone            Stage = "gone"
)

// Stages are all, in their order.
func Stages() []Stage {
	return []Stage{Created, Scheduled, ContainersReady, Registered, Healthy, Ready, Terminating, Drained, Stopped, Gone}
}

// Span is what a condition or a target said over a time.
type Span struct {
	From time.Time `json:"from"`
	// To is absent while it lasts.
	To time.Time `json:"to,omitzero"`
	// Status is True, False or Unknown of a condition, and the state of a target; empty before anybody said anything.
	Status  string `json:"status,omitempty"`
	Reason  string `json:"reason,omitempty"`
	Message string `json:"message,omitempty"`
	// Known is empty where nobody remembers what was said.
	Known Knowledge `json:"known,omitempty"`
}

// Until is when the span ends, or the time that is given while it lasts.
func (s Span) Until(now time.Time) time.Time {
	if s.To.IsZero() {
		return now
	}
	return s.To
}

// Kind is who decides about a gate.
type Kind string

// The kinds.
const (
	ByLoadBalancer Kind = "loadBalancer"
	ByChecks       Kind = "checks"
	ByOthers       Kind = "others"
)

// Track is a condition, a gate or a target over time.
type Track struct {
	// Type is the condition type; of a target that of its gate.
	Type string `json:"type"`
	// Kind is a gate's.
	Kind  Kind   `json:"kind,omitempty"`
	Spans []Span `json:"spans"`
	// Omitted is how many spans there were before the first, of which only the newest are kept.
	Omitted int `json:"omitted,omitempty"`
}

// At is the span of a time; false before the first.
func (t *Track) At(at time.Time) (Span, bool) {
	for i := len(t.Spans) - 1; i >= 0; i-- {
		if s := t.Spans[i]; !s.From.After(at) {
			return s, s.To.IsZero() || at.Before(s.To)
		}
	}
	return Span{}, false
}

// Last is the newest span; zero where there is none.
func (t *Track) Last() Span {
	if len(t.Spans) == 0 {
		return Span{}
	}
	return t.Spans[len(t.Spans)-1]
}

// The states of a target.
const (
	TargetInitial   = "initial"
	TargetHealthy   = "healthy"
	TargetUnhealthy = "unhealthy"
	TargetDraining  = "draining"
)

// Mark is an event.
type Mark struct {
	// At is when it was told first, Until when last where that differs, and Count how often.
	At    time.Time `json:"at"`
	Until time.Time `json:"until,omitzero"`
	Count int32     `json:"count,omitempty"`
	// Warning: it is not a normal one.
	Warning bool `json:"warning,omitempty"`
	// Object is what it is about, such as "ReplicaSet web-65b6b85bf6".
	Object  string `json:"object"`
	Reason  string `json:"reason"`
	Message string `json:"message,omitempty"`
}

// Lane is the life of a pod.
type Lane struct {
	Pod     string `json:"pod"`
	UID     string `json:"uid,omitempty"`
	Node    string `json:"node,omitempty"`
	Address string `json:"address,omitempty"`
	// Revision is the hash of its template, or empty. Old: it is an earlier one. New: it is the latest. Neither: nobody says.
	Revision string `json:"revision,omitempty"`
	Old      bool   `json:"old,omitempty"`
	New      bool   `json:"new,omitempty"`
	// Told: only events tell of the pod, which is gone. Whether it was Ready is not known.
	Told bool `json:"told,omitempty"`
	// Stages are when it came to which; those that it cannot come to are absent, such as Registered without a load balancer.
	Stages map[Stage]Moment `json:"stages"`
	// Conditions are ContainersReady and Ready.
	Conditions []Track `json:"conditions,omitempty"`
	Gates      []Track `json:"gates,omitempty"`
	// Targets are what load balancers said of it, as far as gates tell.
	Targets []Track `json:"targets,omitempty"`
	// Routed is when a load balancer sent it requests; only an experiment knows.
	Routed []Span `json:"routed,omitempty"`
	Marks  []Mark `json:"marks,omitempty"`
}

// Version is "old", "new", or empty where nobody says.
func (l *Lane) Version() string {
	switch {
	case l.Old:
		return "old"
	case l.New:
		return "new"
	}
	return ""
}

// Condition is a track of the pod's conditions; nil without one.
func (l *Lane) Condition(conditionType string) *Track {
	for i := range l.Conditions {
		if l.Conditions[i].Type == conditionType {
			return &l.Conditions[i]
		}
	}
	return nil
}

// Revision is one version of a workload's pod template.
type Revision struct {
	// Hash is what the pods' label says, and Object what the revision is kept in, such as a ReplicaSet.
	Hash   string `json:"hash"`
	Object string `json:"object,omitempty"`
	// Number is the revision's; 0 where it has none.
	Number  int64     `json:"number,omitempty"`
	Created time.Time `json:"created,omitzero"`
	Latest  bool      `json:"latest,omitempty"`
	// Again: a rollback made the latest of an earlier one. Its object is older than the rollback.
	Again bool `json:"again,omitempty"`
	// Began is when it became the latest; absent for others.
	Began Moment `json:"began,omitzero"`
}

// Workload is what makes the pods.
type Workload struct {
	Kind      string `json:"kind"`
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	// Desired, Updated and ReadyPods are its own counts; Counted is false where it has none that podgate knows.
	Counted   bool  `json:"counted"`
	Desired   int32 `json:"desired"`
	Updated   int32 `json:"updated"`
	ReadyPods int32 `json:"ready"`
	// UpdateRevision is the hash of the latest revision, where the workload says it.
	UpdateRevision string `json:"updateRevision,omitempty"`
	// Revisions are the newest first.
	Revisions []Revision `json:"revisions,omitempty"`
}

// Latest is the latest revision; false where nobody says which it is.
func (w *Workload) Latest() (Revision, bool) {
	for _, v := range w.Revisions {
		if v.Latest {
			return v, true
		}
	}
	return Revision{}, false
}

// Progress says how far a rollout is, by the workload's own counts.
func (w *Workload) Progress() string {
	return fmt.Sprintf("%s of the latest revision, %d %s Ready", plural.Part(w.Updated, w.Desired, "pod", "is", "are"), w.ReadyPods, plural.Of(w.ReadyPods, "is", "are"))
}

// Timeline is what is known of a workload from one time to another.
type Timeline struct {
	Workload Workload  `json:"workload"`
	From     time.Time `json:"from"`
	To       time.Time `json:"to"`
	// Lanes are the pods: those of earlier revisions first, those of the latest last, then by creation.
	Lanes []Lane `json:"lanes"`
	// Marks are events of the workload, its revisions and bindings.
	Marks []Mark `json:"marks,omitempty"`
	// Unknown is what could not be read, and so not be told.
	Unknown []string `json:"unknown,omitempty"`
}
