// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package gates knows which binding a readiness gate belongs to. It holds names only.
//
// Bindings are of two kinds, and one of each may have the same name. Everywhere in
// podgate a TargetGroupBinding goes by its own name and a TargetBinding by its gate,
// such as targets.podgate.dev/web: a name that no object can have.
package gates

import (
	"strings"

	corev1 "k8s.io/api/core/v1"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/v1alpha1"
)

// Type is the condition type of a binding's gate.
func Type(binding string) string {
	if strings.HasPrefix(binding, v1alpha1.GatePrefix) {
		return binding
	}
	return elbv2.GateType(binding)
}

// Binding is the binding of a gate; false when the condition type is no gate of podgate's.
func Binding(conditionType string) (string, bool) {
	if strings.HasPrefix(conditionType, v1alpha1.GatePrefix) {
		return conditionType, true
	}
	return strings.CutPrefix(conditionType, elbv2.GatePrefix)
}

// Own reports whether a binding's name is that of a TargetBinding, and gives the object's.
func Own(binding string) (name string, own bool) {
	return strings.CutPrefix(binding, v1alpha1.GatePrefix)
}

// Of lists the bindings whose gates a pod carries.
func Of(pod *corev1.Pod) []string {
	var bindings []string
	for _, g := range pod.Spec.ReadinessGates {
		if binding, ok := Binding(string(g.ConditionType)); ok {
			bindings = append(bindings, binding)
		}
	}
	return bindings
}
