// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package gates

import (
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

func TestBindingsOfOneNameHaveTwoGates(t *testing.T) {
	var pod corev1.Pod
	all := []string{"target-health.elbv2.k8s.aws/web", "example.com/web", "targets.podgate.dev/web"}
	for _, g := range all {
		pod.Spec.ReadinessGates = append(pod.Spec.ReadinessGates, corev1.PodReadinessGate{ConditionType: corev1.PodConditionType(g)})
	}

	bindings := Of(&pod)
	if want := []string{"web", "targets.podgate.dev/web"}; !slices.Equal(bindings, want) {
		t.Fatalf("got %q, want %q", bindings, want)
	}

	for i, gate := range []string{all[0], all[2]} {
		if got := Type(bindings[i]); got != gate {
			t.Errorf("the gate of %q is %q, want %q", bindings[i], got, gate)
		}
	}

	if name, own := Own(bindings[1]); name != "web" || !own {
		t.Errorf("%q is %q, %t", bindings[1], name, own)
	}

	if _, own := Own(bindings[0]); own {
		t.Errorf("%q passes for a TargetBinding", bindings[0])
	}
}
