// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package ungated

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/injection"
)

// tell makes an event, unless there were too many, and reports whether it did.
func (r *Reconciler) tell(object runtime.Object, f injection.Finding, opening string) bool {
	if !r.limit.AllowN(r.now(), 1) {
		return false
	}
	kind, reason := corev1.EventTypeNormal, v1alpha1.ReasonNoGate
	if len(f.Missing) > 0 {
		kind, reason = corev1.EventTypeWarning, v1alpha1.ReasonGateMissing
		opening = strings.Replace(opening, "readiness gate", "readiness gate "+strings.Join(f.Missing, ", "), 1)
	}
	r.recorder.Eventf(object, nil, kind, reason, "Inject", "%s%s", opening, f.Words())
	return true
}
