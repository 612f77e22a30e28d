// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package binding

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// Bindings are of several kinds, and one of each may have the same name. Everywhere in podgate
// a TargetGroupBinding goes by its own name and a TargetBinding by its gate, such as
// targets.podgate.dev/web: a name that no object can have.

// GateType is the condition type of a binding's own gate.
func GateType(name string) string {
	a, object := adapterOf(name)
	return a.gate + object
}

// OfGate is the name of the binding whose own gate a condition type is; false when it is
// no binding's.
func OfGate(conditionType string) (name string, ok bool) {
	for _, a := range adapters {
		if object, ok := strings.CutPrefix(conditionType, a.gate); ok {
			return a.prefix + object, true
		}
	}
	return "", false
}

// Named renders a binding's name for people, as its owner knows the object.
func Named(name string) string {
	a, object := adapterOf(name)
	return fmt.Sprintf("%s %q", a.name, object)
}

// HasGate reports whether a pod carries a binding's own gate.
func HasGate(pod *corev1.Pod, name string) bool {
	gate := corev1.PodConditionType(GateType(name))
	return slices.ContainsFunc(pod.Spec.ReadinessGates, func(g corev1.PodReadinessGate) bool { return g.ConditionType == gate })
}
