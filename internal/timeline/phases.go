// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package timeline

import (
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// State is what a pod is in at a time: its stage, and whether it has fallen back.
type State string

// The states.
const (
	// IsPending has no node, IsStarting containers that are not ready yet.
	IsPending  State = "pending"
	IsStarting State = "starting"
	// IsWaiting has ready containers, and is not Ready: gates are closed.
	IsWaiting State = "waiting"
	IsReady   State = "ready"
	// IsUnready had ready containers before.
	IsUnready     State = "unready"
	IsTerminating State = "terminating"
	IsStopped     State = "stopped"
	// IsUnclear lives, and nobody remembers more.
	IsUnclear State = "unclear"
)

// States are all, in the order in which pods come to them.
func States() []State {
	return []State{IsPending, IsStarting, IsWaiting, IsUnready, IsReady, IsUnclear, IsTerminating, IsStopped}
}

// Phase is a state over a time.
type Phase struct {
	From, To time.Time
	State    State
	// Known is Exact, or Unknown where the state is what follows from later times: nobody remembers changes in between.
	Known Knowledge
}

// Phases are the pod's life until a time, without gaps.
func (l *Lane) Phases(to time.Time) []Phase {
	created := l.Stages[Created]
	begin, end := cmpTime(created.After, created.At), to
	if begin.IsZero() {
		return nil
	}
	if gone := l.Stages[Gone]; gone.Known == Exact && gone.At.Before(end) {
		end = gone.At
	} else if gone.Known == Bounded && gone.After.Before(end) {
		end = gone.After
	}

	var phases []Phase
	cuts := l.cuts(begin, end)
	for i := range len(cuts) - 1 {
		p := Phase{From: cuts[i], To: cuts[i+1]}
		p.State, p.Known = l.stateAt(p.From)
		if n := len(phases); n > 0 && phases[n-1].State == p.State && phases[n-1].Known == p.Known {
			phases[n-1].To = p.To
			continue
		}
		phases = append(phases, p)
	}
	return phases
}

// cuts are the times at which the state may change, with begin and end.
func (l *Lane) cuts(begin, end time.Time) []time.Time {
	cuts := []time.Time{begin, end}
	add := func(at time.Time) {
		if at.After(begin) && at.Before(end) {
			cuts = append(cuts, at)
		}
	}

	for _, stage := range []Stage{Scheduled, Terminating, Stopped} {
		add(l.Stages[stage].At)
	}
	for _, t := range l.Conditions {
		for _, s := range t.Spans {
			add(s.From)
		}
	}

	slices.SortFunc(cuts, time.Time.Compare)
	return slices.CompactFunc(cuts, time.Time.Equal)
}

// StateAt is what the pod was in at a time.
func (l *Lane) StateAt(at time.Time) State {
	s, _ := l.stateAt(at)
	return s
}

func (l *Lane) stateAt(at time.Time) (State, Knowledge) {
	reached := func(s Stage) bool { return l.Stages[s].Happened() && !l.Stages[s].At.After(at) }
	switch {
	case reached(Stopped):
		return IsStopped, Exact
	case reached(Terminating):
		return IsTerminating, Exact
	case l.Told && (reached(Scheduled) || l.Stages[Created].Known == Bounded):
		return IsUnclear, Unknown
	case l.Told:
		return IsPending, Exact
	}

	containers, known := l.said(corev1.ContainersReady, at)
	ready, readyKnown := l.said(corev1.PodReady, at)
	switch {
	case ready == corev1.ConditionTrue:
		return IsReady, readyKnown
	case containers == corev1.ConditionTrue:
		return IsWaiting, readyKnown
	case l.wasReady(at):
		return IsUnready, known
	case !reached(Scheduled):
		return IsPending, Exact
	}
	return IsStarting, known
}

// said is the status of a condition at a time. Where only the reason is not known, the status is.
func (l *Lane) said(conditionType corev1.PodConditionType, at time.Time) (corev1.ConditionStatus, Knowledge) {
	t := l.Condition(string(conditionType))
	if t == nil {
		return "", Exact
	}
	s, _ := t.At(at)
	if s.Known == Unknown && !s.From.IsZero() {
		return corev1.ConditionStatus(s.Status), Unknown
	}
	return corev1.ConditionStatus(s.Status), Exact
}

// wasReady reports whether the pod's containers are known to have been ready before a time.
func (l *Lane) wasReady(at time.Time) bool {
	t := l.Condition(string(corev1.ContainersReady))
	return t != nil && slices.ContainsFunc(t.Spans, func(s Span) bool {
		return s.Status == string(corev1.ConditionTrue) && s.From.Before(at)
	})
}
