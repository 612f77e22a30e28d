// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package binding

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/v1alpha1"
)

// Bindings are of two kinds, and one of each may have the same name. Everywhere in podgate
// a TargetGroupBinding goes by its own name and a TargetBinding by its gate, such as
// targets.podgate.dev/web: a name that no object can have.

// GateType is the condition type of a binding's own gate.
func GateType(name string) string {
	if strings.HasPrefix(name, v1alpha1.GatePrefix) {
		return name
	}
	return elbv2.GateType(name)
}

// OfGate is the name of the binding whose own gate a condition type is; false when it is
// no binding's.
func OfGate(conditionType string) (name string, ok bool) {
	if strings.HasPrefix(conditionType, v1alpha1.GatePrefix) {
		return conditionType, true
	}
	return strings.CutPrefix(conditionType, elbv2.GatePrefix)
}

// OwnName reports whether a binding's name is that of a TargetBinding, and returns the object's.
func OwnName(name string) (object string, own bool) {
	return strings.CutPrefix(name, v1alpha1.GatePrefix)
}

// HasGate reports whether a pod carries a binding's own gate.
func HasGate(pod *corev1.Pod, name string) bool {
	gate := corev1.PodConditionType(GateType(name))
	return slices.ContainsFunc(pod.Spec.ReadinessGates, func(g corev1.PodReadinessGate) bool { return g.ConditionType == gate })
}
