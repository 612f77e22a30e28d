// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package binding

import (
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/gwc"
	"github.com/podgate/podgate/api/v1alpha1"
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

// TestGate: new pods get a binding's own gate, or the one that all groups of its load balancer share; the binding's name
// does not matter then, and no TargetGroupBinding shares one.
func TestGate(t *testing.T) {
	long := strings.Repeat("a", 64)
	sharing := func(name string) *Binding {
		b := &v1alpha1.TargetBinding{ObjectMeta: metav1.ObjectMeta{Name: name}}
		b.Spec.Lattice = &v1alpha1.Lattice{TargetGroupName: "web"}
		return OfOwn(b)
	}
	for name, tc := range map[string]struct {
		binding      *Binding
		gate         string
		shared, long bool
	}{
		"TargetGroupBinding": {binding: Of(&elbv2.TargetGroupBinding{ObjectMeta: metav1.ObjectMeta{Name: "web"}}), gate: "target-health.elbv2.k8s.aws/web"},
		"TargetBinding":      {binding: OfOwn(&v1alpha1.TargetBinding{ObjectMeta: metav1.ObjectMeta{Name: "web"}}), gate: "targets.podgate.dev/web"},
		"long name":          {binding: OfOwn(&v1alpha1.TargetBinding{ObjectMeta: metav1.ObjectMeta{Name: long}}), gate: "targets.podgate.dev/" + long, long: true},
		"shared":             {binding: sharing("web"), gate: gwc.Gate, shared: true},
		"shared, long name":  {binding: sharing(long), gate: gwc.Gate, shared: true},
	} {
		b := tc.binding
		if b.Gate() != tc.gate || b.SharesGate() != tc.shared || SharedGate(tc.gate) != tc.shared || b.NameTooLong() != tc.long {
			t.Errorf("%s: gate %s, shared %t, too long %t", name, b.Gate(), b.SharesGate(), b.NameTooLong())
		}
		if tc.shared && !slices.Contains(SharedBy(b.Key().Name), tc.gate) {
			t.Errorf("%s: it may share %q", name, SharedBy(b.Key().Name))
		}
	}
	if may := SharedBy("web"); len(may) != 0 {
		t.Errorf("a TargetGroupBinding may share %q", may)
	}
}
