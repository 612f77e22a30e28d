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

// held is what people are told of a guard.
type held struct {
	reason, message string
	kind            string
}

var heldBy = map[membership.Guard]held{
	membership.GuardFloor: {
		v1alpha1.ReasonHeldAtFloor, "Pods are not ready and their targets stay registered: all of them while no other serves, else half of what served within a minute. Find out why their containers are not ready.",
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

// tellGuards reports what a plan holds and why.
func (r *Reconciler) tellGuards(b *binding.Binding, svc *corev1.Service, plan membership.Plan) {
	guarded := 0
	for _, h := range plan.Held {
		if h.Guard != "" {
			guarded++
		}
	}
	r.metrics.held.WithLabelValues(b.Namespace, b.Key().Name).Set(float64(guarded))
	for _, g := range r.report.guard(b, svc, plan.Guards()) {
		r.metrics.activations.WithLabelValues(string(g)).Inc()
	}
}

// guard tells on the binding and its Service, once each, which guards begin and end to
// keep targets, and gives those that begin.
func (r *reporter) guard(b *binding.Binding, svc *corev1.Service, now []membership.Guard) []membership.Guard {
	before := r.guarded(b, now)
	begun, ended := without(now, before), without(before, now)
	for _, g := range begun {
		r.tell(b, svc, g, heldBy[g].kind, heldBy[g].reason, heldBy[g].message)
	}
	for _, g := range ended {
		r.tell(b, svc, g, corev1.EventTypeNormal, v1alpha1.ReasonNothingHeld, heldBy[g].reason+" no longer applies to any target.")
	}
	return begun
}

func (r *reporter) tell(b *binding.Binding, svc *corev1.Service, g membership.Guard, kind, reason, message string) {
	if svc == nil {
		r.recorder.Eventf(b.Object, nil, kind, reason, string(g), "%s", message)
		return
	}
	r.recorder.Eventf(b.Object, svc, kind, reason, string(g), "%s", message)
	r.recorder.Eventf(svc, b.Object, kind, reason, string(g), "%s", message)
}

// guarded notes which guards keep targets of a binding and gives those that did before;
// of an earlier process's only what the condition says is known.
func (r *reporter) guarded(b *binding.Binding, now []membership.Guard) []membership.Guard {
	var before reported
	r.states.report(b, func(told *reported) {
		before = *told
		told.guards, told.guardsKnown = now, true
	})
	if before.guardsKnown {
		return before.guards
	}

	c := meta.FindStatusCondition(*b.Conditions, v1alpha1.ConditionTargetsHeld)
	return slices.DeleteFunc(slices.Clone(membership.Guards), func(g membership.Guard) bool {
		return c == nil || c.Reason != heldBy[g].reason
	})
}

// unguard forgets the guards of a binding that is not podgate's any more.
func (r *reporter) unguard(b *binding.Binding) {
	r.states.report(b, func(told *reported) { told.guards, told.guardsKnown = nil, false })
}

// heldCondition says what is held; nil when that is not known, or nothing was ever.
func (r *reporter) heldCondition(b *binding.Binding) []metav1.Condition {
	var guards []membership.Guard
	var known bool
	r.states.report(b, func(told *reported) { guards, known = told.guards, told.guardsKnown })

	if len(guards) > 0 {
		var messages []string
		for _, g := range guards {
			messages = append(messages, heldBy[g].message)
		}
		return []metav1.Condition{{Type: v1alpha1.ConditionTargetsHeld, Status: metav1.ConditionTrue, Reason: heldBy[guards[0]].reason, Message: strings.Join(messages, " ")}}
	}

	if !known || meta.FindStatusCondition(*b.Conditions, v1alpha1.ConditionTargetsHeld) == nil {
		return nil
	}

	return []metav1.Condition{{Type: v1alpha1.ConditionTargetsHeld, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonNothingHeld, Message: "Every target that should go has gone."}}
}

func without(all, but []membership.Guard) []membership.Guard {
	return slices.DeleteFunc(slices.Clone(all), func(g membership.Guard) bool { return slices.Contains(but, g) })
}
