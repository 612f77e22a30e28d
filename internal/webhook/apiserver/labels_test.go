// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver_test

import (
	"fmt"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/gwc"
	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/injection"
	"github.com/podgate/podgate/internal/kubetest"
)

// testLabels: labels of namespaces and pods decide, in every combination, whether a pod
// gets gates and whether it gets hooks, and the API server accepts what podgate adds.
func (a *apiserver) testLabels(t *testing.T) {
	enabled, disabled := "enabled", "disabled"
	cases := map[string]struct {
		reason         string
		namespace, pod map[string]string
		gated, drained bool
		// lattice: the pod gets the gate that has a label of its own.
		lattice bool
	}{
		"None":            {reason: "Without a label podgate is not asked."},
		"Compatible":      {reason: "The label of AWS Load Balancer Controller's users.", namespace: map[string]string{elbv2.InjectLabel: enabled}, gated: true},
		"Lattice":         {reason: "The label of AWS Gateway API Controller's users.", namespace: map[string]string{gwc.InjectLabel: enabled}, lattice: true},
		"LatticeToo":      {reason: "Each label asks for its own.", namespace: map[string]string{elbv2.InjectLabel: enabled, gwc.InjectLabel: enabled}, gated: true, lattice: true},
		"LatticeOff":      {reason: "It says so.", namespace: map[string]string{gwc.InjectLabel: disabled}},
		"Own":             {reason: "podgate's own label asks for all.", namespace: map[string]string{v1alpha1.InjectLabel: enabled}, gated: true, lattice: true},
		"Both":            {reason: "So it does beside another.", namespace: map[string]string{elbv2.InjectLabel: enabled, v1alpha1.InjectLabel: enabled}, gated: true, lattice: true},
		"OwnAndLattice":   {reason: "Beside whichever.", namespace: map[string]string{gwc.InjectLabel: enabled, v1alpha1.InjectLabel: enabled}, gated: true, lattice: true},
		"Pod":             {reason: "One pod alone.", pod: map[string]string{v1alpha1.InjectLabel: enabled}, gated: true, lattice: true},
		"PodAndLattice":   {reason: "One pod alone asks for all, whatever the others get.", namespace: map[string]string{gwc.InjectLabel: enabled}, pod: map[string]string{v1alpha1.InjectLabel: enabled}, gated: true, lattice: true},
		"OptOut":          {reason: "One pod not.", namespace: map[string]string{elbv2.InjectLabel: enabled, v1alpha1.InjectLabel: enabled}, pod: map[string]string{v1alpha1.InjectLabel: disabled}},
		"Drain":           {reason: "Hooks alone.", namespace: map[string]string{v1alpha1.DrainLabel: enabled}, drained: true},
		"DrainPod":        {reason: "Hooks of one pod.", pod: map[string]string{v1alpha1.DrainLabel: enabled}, drained: true},
		"DrainOptOut":     {reason: "Hooks, but not of this one.", namespace: map[string]string{v1alpha1.DrainLabel: enabled}, pod: map[string]string{v1alpha1.DrainLabel: disabled}},
		"GatesAndDrain":   {reason: "Gates and hooks.", namespace: map[string]string{elbv2.InjectLabel: enabled, v1alpha1.DrainLabel: enabled}, gated: true, drained: true},
		"DrainNotGates":   {reason: "Opting out of gates leaves the hooks.", namespace: map[string]string{elbv2.InjectLabel: enabled, v1alpha1.DrainLabel: enabled}, pod: map[string]string{v1alpha1.InjectLabel: disabled}, drained: true},
		"DisabledNothing": {reason: "Another value asks for nothing.", namespace: map[string]string{elbv2.InjectLabel: "true", v1alpha1.DrainLabel: "yes"}},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			namespace := kubetest.Namespace(t, a.Client, tc.namespace)
			a.must(t, a.Create(t.Context(), &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "default"}}))
			a.must(t, a.Create(t.Context(), &corev1.Service{
				ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "web"},
				Spec:       corev1.ServiceSpec{Selector: map[string]string{"app": "web"}, Ports: []corev1.ServicePort{{Port: 80}}},
			}))

			a.must(t, a.Create(t.Context(), &elbv2.TargetGroupBinding{
				ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "web-tg", Annotations: map[string]string{v1alpha1.DrainTimeAnnotation: "20s"}},
				Spec: elbv2.TargetGroupBindingSpec{
					TargetGroupName: "web", TargetType: new(elbv2.TargetTypeIP),
					ServiceRef: elbv2.ServiceReference{Name: "web", Port: intstr.FromInt32(80)},
				},
			}))

			// Caches follow; a pod with both labels of its own shows when they have.
			var probe corev1.Pod
			for try := 0; len(probe.Spec.ReadinessGates) == 0 || probe.Spec.Containers[0].Lifecycle == nil; try++ {
				if try > 1000 {
					t.Fatal("caches do not know the binding")
				}
				probe = labelled(namespace, fmt.Sprint("probe-", try), map[string]string{v1alpha1.InjectLabel: enabled, v1alpha1.DrainLabel: enabled})
				a.must(t, a.Create(t.Context(), &probe))
			}

			pod := labelled(namespace, "pod", tc.pod)
			a.must(t, a.Create(t.Context(), &pod))

			for gate, want := range map[string]bool{elbv2.GateType("web-tg"): tc.gated, gwc.Gate: tc.lattice} {
				if gated := slices.ContainsFunc(pod.Spec.ReadinessGates, func(g corev1.PodReadinessGate) bool { return string(g.ConditionType) == gate }); gated != want {
					t.Errorf("%s\ngate %s: want %t, got %t", tc.reason, gate, want, gated)
				}
			}

			hook := pod.Spec.Containers[0].Lifecycle
			if drained := hook != nil && hook.PreStop.Sleep.Seconds == 20 && *pod.Spec.TerminationGracePeriodSeconds == 50; drained != tc.drained {
				t.Errorf("%s\ndrained: want %t, got %+v and a grace period of %d s", tc.reason, tc.drained, hook, *pod.Spec.TerminationGracePeriodSeconds)
			}
		})
	}
}

// latticeGate is a kind whose gate has a label of its own: every pod that is a target gets it.
type latticeGate struct{}

func (latticeGate) Owns(conditionType string) bool { return conditionType == gwc.Gate }

func (latticeGate) Wanted(pod injection.Pod, c injection.Candidates) map[string]injection.Cause {
	wanted := map[string]injection.Cause{}
	for _, b := range c.Claiming(pod) {
		wanted[gwc.Gate] = injection.Cause{Binding: b}
	}
	return wanted
}

// labelled is a pod of the application with more labels.
func labelled(namespace, name string, labels map[string]string) corev1.Pod {
	all := map[string]string{"app": "web"}
	for k, v := range labels {
		all[k] = v
	}
	return corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: all},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "none"}}},
	}
}
