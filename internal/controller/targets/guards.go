// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package targets

import (
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/membership"
)

// guards are what the guards of running targets are set to.
type guards struct {
	// absenceGrace is how long a Service, a port or all pods must be missing before running targets go.
	absenceGrace time.Duration
	// floor is how many running targets of a group stay while pods that should serve do not; 1 when 0.
	floor int
}

// held is how a guard is reported.
type held struct {
	reason, message string
	// kind is the event's.
	kind string
}

var heldBy = map[membership.Guard]held{
	// Its message has numbers: foreignMessage.
	membership.GuardForeign: {v1alpha1.ReasonForeignTargets, "", corev1.EventTypeWarning},
	membership.GuardFloor: {
		v1alpha1.ReasonHeldAtFloor, "Pods are not ready and their targets stay registered: all of them while no other serves, else half of what served within a minute. Find out why their containers are not ready, or which gate of another controller is closed.",
		corev1.EventTypeWarning,
	},
	membership.GuardAbsence: {
		v1alpha1.ReasonHeldWhileAbsent, "The Service, its port or all its pods are missing, and running targets stay registered until that has lasted (--absence-grace). Restore what is missing if they are to stay.",
		corev1.EventTypeWarning,
	},
	membership.GuardReplacement: {
		v1alpha1.ReasonHeldUntilReplaced, "Running targets that the Service no longer selects stay registered until all pods that it selects are healthy. After a minute they go by halves, if some are. Find out why the others are not.",
		corev1.EventTypeNormal,
	},
	membership.GuardLastServing: {
		v1alpha1.ReasonHeldAsLastServing, "A deleted pod's target stays registered as the last that serves, until another is healthy or the pod has just the time left that it needs to drain.",
		corev1.EventTypeNormal,
	},
}

// guards reports what a plan holds and why.
func (r *reporter) guards(b *binding.Binding, svc *corev1.Service, plan membership.Plan) {
	foreign, guarded := foreigners(plan.Held), 0
	for _, h := range plan.Held {
		if h.Guard != "" && h.Guard != membership.GuardForeign {
			guarded++
		}
	}

	r.states.report(b, func(known *reported) { known.foreign = foreignMessage(b, foreign) })
	r.metrics.held.WithLabelValues(b.Namespace, b.Key().Name).Set(float64(guarded))
	r.metrics.foreign.WithLabelValues(b.Namespace, b.Key().Name).Set(float64(len(foreign)))
	for _, g := range r.guardEvents(b, svc, plan.Guards()) {
		r.metrics.activations.WithLabelValues(string(g)).Inc()
	}
}

// guardEvents reports on the binding and its Service, once each, which guards begin and which cease to
// keep targets. It returns those that begin.
func (r *reporter) guardEvents(b *binding.Binding, svc *corev1.Service, now []membership.Guard) []membership.Guard {
	before := r.replaceGuards(b, now)
	begun, ended := without(now, before), without(before, now)

	for _, g := range begun {
		what := heldBy[g]
		what.message = r.heldMessage(b, g)
		r.guardEvent(b, svc, g, what)
	}

	for _, g := range ended {
		r.guardEvent(b, svc, g, held{v1alpha1.ReasonNothingHeld, heldBy[g].reason + " no longer applies to any target.", corev1.EventTypeNormal})
	}

	return begun
}

func (r *reporter) guardEvent(b *binding.Binding, svc *corev1.Service, g membership.Guard, what held) {
	if svc == nil {
		r.recorder.Eventf(b.Object, nil, what.kind, what.reason, string(g), "%s", what.message)
		return
	}

	// People look at both.
	r.recorder.Eventf(b.Object, svc, what.kind, what.reason, string(g), "%s", what.message)
	r.recorder.Eventf(svc, b.Object, what.kind, what.reason, string(g), "%s", what.message)
}

// heldMessage says what a guard keeps of a binding's targets.
func (r *reporter) heldMessage(b *binding.Binding, g membership.Guard) string {
	if g != membership.GuardForeign {
		return heldBy[g].message
	}
	var message string
	r.states.report(b, func(known *reported) { message = known.foreign })
	return message
}

// replaceGuards remembers which guards keep targets of a binding, and returns those that did before;
// of an earlier process's only what the condition says is known.
func (r *reporter) replaceGuards(b *binding.Binding, now []membership.Guard) []membership.Guard {
	var before reported
	r.states.report(b, func(known *reported) {
		before = *known
		known.guards, known.guardsKnown = now, true
	})
	if before.guardsKnown {
		return before.guards
	}

	c := meta.FindStatusCondition(*b.Conditions, v1alpha1.ConditionTargetsHeld)
	return slices.DeleteFunc(slices.Clone(membership.Guards), func(g membership.Guard) bool {
		return c == nil || c.Reason != heldBy[g].reason
	})
}

// forgetGuards forgets the guards of a binding that podgate does not serve.
func (r *reporter) forgetGuards(b *binding.Binding) {
	r.states.report(b, func(known *reported) { known.guards, known.guardsKnown, known.foreign = nil, false, "" })
}

// heldCondition returns the condition that says what is held; none when that is not known, or nothing ever was.
func (r *reporter) heldCondition(b *binding.Binding) []metav1.Condition {
	var guards []membership.Guard
	var known bool
	r.states.report(b, func(r *reported) { guards, known = r.guards, r.guardsKnown })

	if len(guards) > 0 {
		var messages []string
		for _, g := range guards {
			messages = append(messages, r.heldMessage(b, g))
		}
		return []metav1.Condition{{Type: v1alpha1.ConditionTargetsHeld, Status: metav1.ConditionTrue, Reason: heldBy[guards[0]].reason, Message: strings.Join(messages, " ")}}
	}

	if !known || meta.FindStatusCondition(*b.Conditions, v1alpha1.ConditionTargetsHeld) == nil {
		return nil
	}

	return []metav1.Condition{{Type: v1alpha1.ConditionTargetsHeld, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonNothingHeld, Message: "Every target that should go has gone."}}
}

// without returns the guards of a list that another does not have.
func without(all, but []membership.Guard) []membership.Guard {
	return slices.DeleteFunc(slices.Clone(all), func(g membership.Guard) bool { return slices.Contains(but, g) })
}
