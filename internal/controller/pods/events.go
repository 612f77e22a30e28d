// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package pods

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/gate"
	"github.com/podgate/podgate/internal/observe/checks"
)

// report makes an event of what people may not expect.
func (r *Reconciler) report(e *evaluation, c corev1.PodCondition) {
	old := binding.Condition(e.pod, c.Type)
	if g, ofChecks := e.gates[c.Type]; ofChecks {
		r.reportChecks(e, g, old, c)
	}

	switch c.Reason {
	case v1alpha1.ReasonNoBinding, v1alpha1.ReasonBindingNotReady, v1alpha1.ReasonNotObserved, v1alpha1.ReasonTrackFloor, v1alpha1.ReasonOverridden, v1alpha1.ReasonCheckNotAllowed:
	default:
		return
	}
	if old != nil && old.Reason == c.Reason && old.Status == c.Status {
		return
	}
	r.recorder.Eventf(e.pod, nil, corev1.EventTypeWarning, c.Reason, "Gate", "Readiness gate %s: %s", c.Type, c.Message)
}

// reportChecks reports that checks opened a gate, or that they closed it under Track, on the pod and on the ReadinessGate.
func (r *Reconciler) reportChecks(e *evaluation, g checks.Gate, old *corev1.PodCondition, c corev1.PodCondition) {
	wasOpen := old != nil && old.Status == corev1.ConditionTrue
	kind, message := corev1.EventTypeNormal, "the checks pass, and it is open"

	switch {
	case !wasOpen && c.Status == corev1.ConditionTrue && c.Reason == v1alpha1.ReasonChecksPassed:
	case !wasOpen && c.Status == corev1.ConditionTrue && c.Reason == v1alpha1.ReasonApproved:
		message = "it was approved, and is open"
	case wasOpen && c.Status == corev1.ConditionFalse && c.Reason == v1alpha1.ReasonCheckFailed:
		kind, message = corev1.EventTypeWarning, "it was open, and is closed, since the checks fail: "+c.Message
	default:
		return
	}
	if !r.checkEvents.allow(e.key.Namespace, kind, r.now()) {
		return
	}

	r.recorder.Eventf(e.pod, nil, kind, c.Reason, "Gate", "Readiness gate %s: %s", c.Type, message)

	// Without the pod, and without a version of the gate, the recorder counts those of all pods in one event.
	gate := &v1alpha1.ReadinessGate{ObjectMeta: metav1.ObjectMeta{Namespace: g.Namespace, Name: g.Name, UID: g.UID}}
	r.recorder.Eventf(gate, nil, kind, c.Reason, "Gate", "The gate of a pod, such as %s: %s", e.key.Name, message)
}

// lateGate is a gate whose time-out has passed, and what follows by its policy.
type lateGate struct {
	gate string
	// binding is what metrics call the source whose policy it is.
	binding string
	answer  gate.Answer
	message string
}

// reportLate reports that a gate timed out, on the pod and on what made it: pods come and go.
func (r *Reconciler) reportLate(e *evaluation, l lateGate) {
	r.metrics.timeouts.WithLabelValues(e.key.Namespace, l.binding, string(l.answer)).Inc()
	r.recorder.Eventf(e.pod, nil, corev1.EventTypeWarning, v1alpha1.ReasonGateTimedOut, "Gate", "Readiness gate %s: %s", l.gate, l.message)
	if owner := binding.Owner(e.pod); owner != nil {
		r.recorder.Eventf(owner, e.pod, corev1.EventTypeWarning, v1alpha1.ReasonGateTimedOut, "Gate", "Pod %s, readiness gate %s: %s", e.pod.Name, l.gate, l.message)
	}
}
