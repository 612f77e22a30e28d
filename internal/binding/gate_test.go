// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package binding

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
)

func TestBindingsOfOneNameHaveTwoGates(t *testing.T) {
	var pod corev1.Pod
	for _, g := range []corev1.PodConditionType{"target-health.elbv2.k8s.aws/web", "example.com/web", "targets.podgate.dev/web"} {
		pod.Spec.ReadinessGates = append(pod.Spec.ReadinessGates, corev1.PodReadinessGate{ConditionType: g})
	}

	cases := map[string]struct {
		binding string
		own     bool
	}{
		"target-health.elbv2.k8s.aws/web": {binding: "web"},
		"targets.podgate.dev/web":         {binding: "targets.podgate.dev/web", own: true},
	}

	for gate, want := range cases {
		name, ok := OfGate(gate)
		if name != want.binding || !ok || GateType(name) != gate || !HasGate(&pod, gate) {
			t.Errorf("%s is the gate of %q, %t, whose gate is %s", gate, name, ok, GateType(name))
		}
		if a, object := adapterOf(name); (a == &targetBindings) != want.own || want.own && object != "web" {
			t.Errorf("%q passes for the %s %q", name, a.name, object)
		}
	}

	if name, ok := OfGate("example.com/web"); ok {
		t.Errorf("somebody else's gate is that of %q", name)
	}
	if HasGate(&pod, "example.com/other") {
		t.Error("the pod has a gate that it does not have")
	}
}
