// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package ungated

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/injection"
)

// report makes an event about gates of a maker's pods, unless there were too many, and reports whether it did. The
// opening says whose gates these are.
func (r *Reconciler) report(object runtime.Object, m binding.Maker, f injection.Finding, opening string) bool {
	if !r.limit.AllowN(r.now(), 1) {
		return false
	}

	if len(f.Missing) == 0 {
		r.recorder.Eventf(object, nil, corev1.EventTypeNormal, v1alpha1.ReasonNoGate, "Inject", "%s readiness gate: %s", opening, f.Words(m))
		return true
	}

	r.recorder.Eventf(object, nil, corev1.EventTypeWarning, v1alpha1.ReasonGateMissing, "Inject", "%s readiness gate %s: %s", opening, strings.Join(f.Missing, ", "), f.Words(m))
	return true
}

// reportShort makes an event about a pod that ends too soon, and one about its owner, if it has one.
func (r *Reconciler) reportShort(pod *corev1.Pod, owner *corev1.ObjectReference, f injection.Shortfall) {
	said := binding.MakerOf(pod).Say(f.String())
	r.recorder.Eventf(pod, nil, corev1.EventTypeWarning, v1alpha1.ReasonDrainTooShort, "Drain", "%s", said)
	if owner != nil {
		r.recorder.Eventf(owner, nil, corev1.EventTypeWarning, v1alpha1.ReasonDrainTooShort, "Drain", "Pods of this %s: %s", owner.Kind, said)
	}
}
