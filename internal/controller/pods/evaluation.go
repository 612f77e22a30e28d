// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package pods

import (
	"net/netip"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/controller/podgauge"
	"github.com/podgate/podgate/internal/gate"
	"github.com/podgate/podgate/internal/gates"
	"github.com/podgate/podgate/internal/observe"
	"github.com/podgate/podgate/internal/observe/checks"
	"github.com/podgate/podgate/internal/override"
)

// evaluation gathers what follows for one pod.
type evaluation struct {
	pod       *corev1.Pod
	key       types.NamespacedName
	now       time.Time
	seen      *remembered
	proven    proven
	overrides override.Record

	conditions []corev1.PodCondition
	// groups are the target groups of a condition's gate, for metrics.
	groups map[corev1.PodConditionType][]string
	// gates are the ReadinessGates of conditions, of those that have one.
	gates map[corev1.PodConditionType]checks.Gate
	// interests are those of all gates of the pod.
	interests []observe.Interest
	// waiting and orphans are the label values of the pod's share in the gauges.
	waiting, orphans []podgauge.Series
	recheck          time.Duration
	// late are the gates that timed out just now, by the policy that applies.
	late []lateGate
	// heldBy and freeSince are what others answers, once it was asked.
	asked     bool
	heldBy    string
	freeSince time.Time
}

// others returns which gates of other controllers keep the pod from requests, for people, and when
// the last of them opened. It is the same for all of the pod's gates.
func (e *evaluation) others(kinds gates.Kinds) (heldBy string, freeSince time.Time) {
	if !e.asked {
		e.asked, e.heldBy, e.freeSince = true, strings.Join(kinds.HeldBy(e.pod), ", "), kinds.FreeSince(e.pod)
	}
	return e.heldBy, e.freeSince
}

// facts are what is known of the pod and of what was recorded for one of its gates.
func (e *evaluation) facts(gateType string) gate.Pod {
	facts := gate.Pod{
		ClosedAt: e.proven.Closed[gateType], TimedOut: e.proven.TimedOut[gateType],
		Override: e.overrides.Gate(gateType),
	}
	if c := binding.Condition(e.pod, corev1.ContainersReady); c != nil {
		facts.ContainersReady = c.Status == corev1.ConditionTrue
		facts.ContainersReadySince = c.LastTransitionTime.Time
	}
	return facts
}

// note keeps a decision about a gate with these sources, to be written.
func (e *evaluation) note(gateType string, sources []gates.Source, current gate.Condition, d gate.Decision) {
	reported := e.proven.TimedOut[gateType]
	e.timed(lateGate{gate: gateType, binding: label(gateType, sources[d.By]), message: d.Condition.Message}, current, d, reported)
	if e.yields(gateType, current, d.Condition, d.TimedOut && !reported) {
		d.Condition, d.ClosedAt = current, e.proven.Closed[gateType]
	}

	if d.Condition.Status != "" {
		e.record(gateType, sources, d)
	}

	e.again(d.Recheck)
	if e.waits(d) { // An open gate stays so, whatever becomes of other pods, and looking at them all costs the more the more there are.
		for _, s := range sources {
			e.again(s.Recheck)
		}
	}

	e.gauge(gateType, sources, d)
	if d.Condition == current || d.Condition.Status == "" {
		return
	}

	c := corev1.PodCondition{
		Type: corev1.PodConditionType(gateType), Status: corev1.ConditionStatus(d.Condition.Status),
		Reason: d.Condition.Reason, Message: d.Condition.Message, LastTransitionTime: metav1.NewTime(e.now),
	}
	// The time is that of the last change of the status, not of its reason.
	if old := binding.Condition(e.pod, c.Type); old != nil && old.Status == c.Status && !old.LastTransitionTime.IsZero() {
		c.LastTransitionTime = old.LastTransitionTime
	}
	e.conditions = append(e.conditions, c)

	if e.groups == nil {
		e.groups, e.gates = map[corev1.PodConditionType][]string{}, map[corev1.PodConditionType]checks.Gate{}
	}
	for _, s := range sources {
		if g, ofChecks := s.Subject.(checks.Gate); ofChecks {
			e.gates[c.Type] = g
		}
		if s.Subject != nil {
			e.groups[c.Type] = append(e.groups[c.Type], s.Subject.String())
		}
	}
}

// yields reports whether a gate is left as it is because another controller sets it, too: podgate then
// only opens it, and otherwise writes what a person ordered. Each would write over the other forever. Of
// what that controller says without a message managed fields need not tell whose it is; late has one more to say.
func (e *evaluation) yields(gateType string, current, next gate.Condition, late bool) bool {
	if !gates.OthersSet(gateType) || current.Status == "" || next.Status == gate.StatusTrue || next.Reason == v1alpha1.ReasonOverridden {
		return false
	}
	same := current.Message == "" && current.Status == next.Status && current.Reason == next.Reason
	return same && !late || gates.OtherWriter(e.pod, gateType) != ""
}

// waits reports whether the pod would be Ready but for the gate.
func (e *evaluation) waits(d gate.Decision) bool {
	return d.Condition.Status != gate.StatusTrue && binding.IsTrue(e.pod, corev1.ContainersReady)
}

// again has the pod looked at again after a while; 0 is no reason to.
func (e *evaluation) again(wait time.Duration) {
	if wait > 0 && (e.recheck == 0 || wait < e.recheck) {
		e.recheck = wait
	}
}

// record keeps what is to be recorded on the pod beside its condition. A source that the
// gate no longer has keeps nothing: it would have to be proven anew.
func (e *evaluation) record(gateType string, sources []gates.Source, d gate.Decision) {
	e.proven.drop(gateType)
	for i, s := range sources {
		var addr netip.Addr
		if i < len(d.Proven) {
			addr = d.Proven[i]
		}
		e.proven.set(gateType, s.Name, addr)
	}

	e.proven.closed(gateType, d.ClosedAt)
	e.proven.timedOut(gateType, d.TimedOut)
	e.proven.waits(gateType, waitedFor(sources, d.Condition))
}

// waitedFor lists the names of the sources that a gate waits for while it is closed. The only source of a gate has no name.
func waitedFor(sources []gates.Source, c gate.Condition) []string {
	if c.Status == gate.StatusTrue {
		return nil
	}

	var names []string
	for _, s := range sources {
		switch s.Claim {
		case gate.Claimed, gate.Unresolved, gate.Unclaimed:
			if s.Name != "" {
				names = append(names, s.Name)
			}
		}
	}
	return names
}

// gauge counts the gate where a pod waits at it, and the sources that do not claim the pod.
func (e *evaluation) gauge(gateType string, sources []gates.Source, d gate.Decision) {
	for _, s := range sources {
		if s.Claim == gate.Unclaimed {
			e.orphans = append(e.orphans, podgauge.Series{e.key.Namespace, label(gateType, s)})
		}
	}

	if e.waits(d) {
		e.waiting = append(e.waiting, podgauge.Series{e.key.Namespace, label(gateType, sources[d.By]), d.Condition.Reason})
	}
}

// label is what metrics call the binding of a source; a gate without any goes by its type.
func label(gateType string, s gates.Source) string {
	if s.Owner.Name == "" {
		return gateType
	}
	return s.Owner.Name
}

// timed keeps that a gate's time-out has just passed, unless that was reported before.
func (e *evaluation) timed(l lateGate, current gate.Condition, d gate.Decision, reported bool) {
	switch {
	case d.Condition.Reason == v1alpha1.ReasonTimedOut && d.Condition.Status != current.Status:
		l.answer = gate.Open
	case d.TimedOut && !reported:
		l.answer = gate.Hold
	default:
		return
	}
	e.late = append(e.late, l)
}

// condition is a gate's on the pod; its zero value when there is none.
func condition(pod *corev1.Pod, gateType string) gate.Condition {
	c := binding.Condition(pod, corev1.PodConditionType(gateType))
	if c == nil {
		return gate.Condition{}
	}
	return gate.Condition{Status: gate.Status(c.Status), Reason: c.Reason, Message: c.Message}
}
