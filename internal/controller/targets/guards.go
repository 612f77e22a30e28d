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
	// nodes is the message where nodes are targets.
	nodes string
	// kind is the event's.
	kind string
}

var heldBy = map[membership.Guard]held{
	// Its message has numbers: foreignMessage.
	membership.GuardForeign: {v1alpha1.ReasonForeignTargets, "", "", corev1.EventTypeWarning},
	membership.GuardFloor: {
		v1alpha1.ReasonHeldAtFloor, "Pods are not ready and their targets stay registered: all of them while no other serves, else half of what served within a minute. Find out why their containers are not ready, or which gate of another controller is closed.",
		"Nodes are not Ready and their targets stay registered: all of them while no other serves, else half of what served within a minute. Find out why the nodes are not Ready.",
		corev1.EventTypeWarning,
	},
	membership.GuardAbsence: {
		v1alpha1.ReasonHeldWhileAbsent, "The Service, its port or all its pods are missing, and running targets stay registered until that has lasted (--absence-grace). Restore what is missing if they are to stay.",
		"The Service, its node port or all nodes that spec.nodeSelector selects are missing, and running targets stay registered until that has lasted (--absence-grace). Restore what is missing if they are to stay.",
		corev1.EventTypeWarning,
	},
	membership.GuardReplacement: {
		v1alpha1.ReasonHeldUntilReplaced, "Running targets that the Service no longer selects stay registered until all pods that it selects are healthy. After a minute they go by halves, if some are. Find out why the others are not.",
		"Targets of nodes that are no longer selected, or at another port, stay registered until all nodes that are selected are healthy. After a minute they go by halves, if some are. Find out why the others are not.",
		corev1.EventTypeNormal,
	},
	membership.GuardLastServing: {
		v1alpha1.ReasonHeldAsLastServing, "A deleted pod's target stays registered as the last that serves, until another is healthy or the pod has just the time left that it needs to drain.",
		"The target of a node that is gone, or is being removed, stays registered as the last that serves, until another is healthy.",
		corev1.EventTypeNormal,
	},
}

// guards reports what a plan holds and why.
func (r *reporter) guards(b *binding.Binding, svc *corev1.Service, plan membership.Plan) {
	if r.undecided(b, plan) {
		return // What the binding says stands.
	}

	foreign, guarded := foreigners(plan.Held), 0
	for _, h := range plan.Held {
		if h.Guard != "" && h.Guard != membership.GuardForeign {
			guarded++
		}
	}

	r.states.report(b, func(known *reported) { known.foreign = r.foreignMessage(b, foreign) })
	r.metrics.held.WithLabelValues(b.Namespace, b.Key().Name).Set(float64(guarded))
	r.metrics.foreign.WithLabelValues(b.Namespace, b.Key().Name).Set(float64(len(foreign)))
	for _, g := range r.guardEvents(b, svc, plan.Guards()) {
		r.metrics.activations.WithLabelValues(string(g)).Inc()
	}
}

// undecided reports whether this process is about to find out whose targets are that another one held as somebody else's.
func (r *reporter) undecided(b *binding.Binding, plan membership.Plan) bool {
	var known bool
	r.states.report(b, func(r *reported) { known = r.guardsKnown })
	said := guardsOf(meta.FindStatusCondition(*b.Conditions, v1alpha1.ConditionTargetsHeld))
	return !known && slices.Contains(said, membership.GuardForeign) && len(foreigners(plan.Held)) == 0 &&
		slices.ContainsFunc(plan.Held, func(h membership.Held) bool { return h.Guard == "" })
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
		r.guardEvent(b, svc, g, held{v1alpha1.ReasonNothingHeld, heldBy[g].reason + " no longer applies to any target.", "", corev1.EventTypeNormal})
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
	switch {
	case g != membership.GuardForeign && b.Group().OfNodes():
		return heldBy[g].nodes
	case g != membership.GuardForeign:
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

	return guardsOf(meta.FindStatusCondition(*b.Conditions, v1alpha1.ConditionTargetsHeld))
}

// guardsOf returns the guards that a condition says keep targets: the first by its reason, and others by what it says of them.
func guardsOf(c *metav1.Condition) []membership.Guard {
	if c == nil || c.Status != metav1.ConditionTrue {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(membership.Guards), func(g membership.Guard) bool {
		says := func(text string) bool { return text != "" && strings.Contains(c.Message, text) }
		return c.Reason != heldBy[g].reason && !says(heldBy[g].message) && !says(heldBy[g].nodes)
	})
}

// running returns those guards that keep running targets.
func running(guards []membership.Guard) []membership.Guard {
	return without(guards, []membership.Guard{membership.GuardForeign})
}

// setCondition takes a condition in, and reports whether anything changed. That which says what is held gets the time at which
// the last guard of running targets ceased, even if it stays true for what is somebody else's: the next leader goes by it.
func (r *reporter) setCondition(b *binding.Binding, c metav1.Condition) bool {
	guarded := len(running(guardsOf(meta.FindStatusCondition(*b.Conditions, c.Type)))) > 0
	c.LastTransitionTime = metav1.NewTime(r.now()) // Counts where the status changes.
	changed := meta.SetStatusCondition(b.Conditions, c)

	if now := meta.FindStatusCondition(*b.Conditions, c.Type); guarded && len(running(guardsOf(now))) == 0 {
		now.LastTransitionTime = metav1.NewTime(r.now())
	}
	return changed
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
