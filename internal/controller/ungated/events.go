// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package ungated

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/podgate/podgate/internal/injection"
)

// Reasons of the events.
const (
	// ReasonGateMissing: the pod should carry a gate and does not; a Warning.
	ReasonGateMissing = "GateMissing"
	// ReasonNoGate: there is no gate for the pod.
	ReasonNoGate = "NoGate"
	// ReasonDrainTooShort: the pod ends before its load balancers let go of it; a Warning.
	ReasonDrainTooShort = "DrainTooShort"
)

// tell makes an event, unless there were too many, and tells whether it did.
func (r *Reconciler) tell(object runtime.Object, f injection.Finding, opening string) bool {
	if !r.limit.AllowN(r.now(), 1) {
		return false
	}
	kind, reason := corev1.EventTypeNormal, ReasonNoGate
	if len(f.Missing) > 0 {
		kind, reason = corev1.EventTypeWarning, ReasonGateMissing
		opening = strings.Replace(opening, "readiness gate", "readiness gate "+strings.Join(f.Missing, ", "), 1)
	}
	r.recorder.Eventf(object, nil, kind, reason, "Inject", "%s%s", opening, f.Words())
	return true
}
