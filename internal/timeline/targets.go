// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package timeline

import (
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/balancer/traits"
)

// target adds what the gates of load balancers tell of the pod's targets, with the stages that follow from it. A gate repeats
// what the load balancer says until it opens, and says nothing of the drain.
func (l *Lane) target(to time.Time) {
	first := true
	for _, g := range l.Gates {
		if g.Kind != ByLoadBalancer {
			continue
		}
		t := Track{Type: g.Type}
		for _, s := range g.Spans {
			t.tell(s)
		}
		l.drains(&t, to)
		l.Targets = append(l.Targets, t)
		l.reached(t, first)
		first = false
	}
}

// tell adds what a span of a gate says of its target.
func (t *Track) tell(gate Span) {
	state, known := stateOf(gate)
	s := Span{From: gate.From, To: gate.To, Status: state, Reason: gate.Reason, Message: gate.Message, Known: known}
	if n := len(t.Spans); n > 0 && t.Spans[n-1].Status == state && t.Spans[n-1].Reason == s.Reason && t.Spans[n-1].Known == known {
		t.Spans[n-1].To = s.To
		return
	}
	t.Spans = append(t.Spans, s)
}

// stateOf is the state of a target by what its gate says; empty for one that is not registered, or of which nothing is known.
func stateOf(gate Span) (string, Knowledge) {
	open := gate.Status == string(corev1.ConditionTrue)
	switch {
	case gate.Known == Unknown:
		return "", Unknown
	case open && (gate.Reason == v1alpha1.ReasonHealthy || gate.Reason == v1alpha1.ReasonHealthCheckUnavailable):
		// An open gate does not follow what becomes of the target.
		return TargetHealthy, Bounded
	case open || !traits.All().Reported(gate.Reason):
		return "", Unknown
	case traits.All().Unregistered(gate.Reason):
		return "", gate.Known
	case strings.Contains(gate.Reason, "Draining") || strings.Contains(gate.Reason, "Deregistration"):
		return TargetDraining, gate.Known
	case strings.Contains(gate.Reason, "Initial") || strings.Contains(gate.Reason, "Registration"):
		return TargetInitial, gate.Known
	}
	return TargetUnhealthy, gate.Known
}

// drains lets a target drain from the pod's deletion on, for as long as the pod is there: nobody says for how long it does.
func (l *Lane) drains(t *Track, to time.Time) {
	at := l.Stages[Terminating]
	if !at.Happened() || at.At.After(to) {
		return
	}

	served := false
	for i := range t.Spans {
		s := &t.Spans[i]
		served = served || s.Status != ""
		if s.Until(to).After(at.At) && s.From.Before(at.At) {
			s.To = at.At
		}
	}
	for n := len(t.Spans); n > 0 && !t.Spans[n-1].From.Before(at.At); n-- {
		t.Spans = t.Spans[:n-1]
	}
	if !served {
		return
	}

	s := Span{From: at.At, Status: TargetDraining}
	for _, stage := range []Stage{Stopped, Gone} {
		if m := l.Stages[stage]; m.Happened() && s.To.IsZero() {
			s.To = cmpTime(m.After, m.At)
		}
	}
	t.Spans = append(t.Spans, s)
}

// reached puts the stages Registered, Healthy and Drained to what the targets say. With several targets the last counts.
func (l *Lane) reached(t Track, first bool) {
	registered, healthy := Moment{Known: Pending}, Moment{Known: Pending}
	for i, s := range t.Spans {
		if s.Status == "" || s.Status == TargetDraining {
			continue
		}

		at := Moment{Known: Exact, At: s.From}
		if i > 0 && t.Spans[i-1].Known == Unknown {
			at = Moment{Known: Bounded, After: l.Stages[Created].At, At: s.From}
		}
		if !registered.Happened() {
			registered = at
		}
		if s.Status == TargetHealthy && !healthy.Happened() {
			healthy = Moment{Known: Exact, At: s.From}
		}
	}

	drained := Moment{Known: Pending}
	if l.Stages[Terminating].Happened() {
		drained = Moment{}
	}

	l.Stages[Drained] = drained
	if first || later(registered, l.Stages[Registered]) {
		l.Stages[Registered] = registered
	}
	if first || later(healthy, l.Stages[Healthy]) {
		l.Stages[Healthy] = healthy
	}
}

// later reports whether a moment is after another: what is pending is after all.
func later(a, b Moment) bool {
	if a.Happened() && b.Happened() {
		return a.At.After(b.At)
	}
	return !a.Happened() && b.Happened()
}
