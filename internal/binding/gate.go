// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package binding

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/podgate/podgate/internal/balancer/traits"
)

// Bindings are of several kinds, and one of each may have the same name. Everywhere in podgate
// a TargetGroupBinding goes by its own name and a TargetBinding by its own gate, such as
// targets.podgate.dev/web: a name that no object can have. It does so even if its pods carry
// a gate that it shares with other bindings.

// sharedGates are the gates that a pod has for all of its groups of a kind of load balancer.
var sharedGates = traits.All().Gates()

// Gate is the condition type of the gate that new pods get for the binding: its own, or the one
// that all groups of its load balancer share.
func (b *Binding) Gate() string {
	if shared := b.sharedGate(); shared != "" {
		return shared
	}
	return GateType(b.Key().Name)
}

func (b *Binding) sharedGate() string { return traits.All().Of(b.Ref.Provider).Gate }

// SharesGate reports whether the binding's gate is that of other bindings, too.
func (b *Binding) SharesGate() bool { return b.sharedGate() != "" }

// SharedGate reports whether a condition type is a gate that bindings share.
func SharedGate(conditionType string) bool { return slices.Contains(sharedGates, conditionType) }

// IsGate reports whether a condition type is a gate of bindings, of one alone or of several.
func IsGate(conditionType string) bool {
	_, owned := OfGate(conditionType)
	return owned || SharedGate(conditionType)
}

// SharedBy lists the gates that a binding may share with others, by its name alone.
func SharedBy(name string) []string {
	if a, _ := adapterOf(name); a.ownGates {
		return nil
	}
	return sharedGates
}

// GateType is the condition type of a binding's own gate, which pods may carry although the
// binding has a shared one: somebody wrote it into their manifest.
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

// HasGate reports whether a pod carries a gate.
func HasGate(pod *corev1.Pod, conditionType string) bool {
	return slices.Contains(pod.Spec.ReadinessGates, corev1.PodReadinessGate{ConditionType: corev1.PodConditionType(conditionType)})
}
