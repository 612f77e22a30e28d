// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package pods

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/gate"
)

// report makes an event of what people may not expect.
func (r *Reconciler) report(e *evaluation, c corev1.PodCondition) {
	switch c.Reason {
	case v1alpha1.ReasonNoBinding, v1alpha1.ReasonBindingNotReady, v1alpha1.ReasonNotObserved, v1alpha1.ReasonTrackFloor, v1alpha1.ReasonOverridden, v1alpha1.ReasonCheckNotAllowed:
	default:
		return
	}
	if old := binding.Condition(e.pod, c.Type); old != nil && old.Reason == c.Reason && old.Status == c.Status {
		return
	}
	r.recorder.Eventf(e.pod, nil, corev1.EventTypeWarning, c.Reason, "Gate", "Readiness gate %s: %s", c.Type, c.Message)
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
