// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package injection

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/internal/binding"
)

const (
	prefix = "target-health.elbv2.k8s.aws/"
	legacy = "target-health.alb.ingress.k8s.aws/"
)

func TestGates(t *testing.T) {
	web := service("web", map[string]string{"app": "web"}, time.Time{})
	labels := map[string]string{"app": "web", "version": "v2"}
	ip := func(name, service string) *binding.Binding { return bound(name, service, ip) }

	long63, long64 := strings.Repeat("a", 63), strings.Repeat("a", 64)

	cases := map[string]struct {
		reason   string
		pod      Pod
		services []corev1.Service
		bindings []*binding.Binding
		want     Plan
	}{
		"Selected": {
			reason:   "A binding of ip targets whose Service selects the pod gives it a gate.",
			pod:      Pod{Labels: labels},
			services: []corev1.Service{web},
			bindings: []*binding.Binding{ip("web", "web")},
			want:     Plan{Add: []string{prefix + "web"}},
		},
		"JobThatDoesNotServe": {
			reason:   "Nothing would open the gate of a Job's pod that has no such port.",
			pod:      Pod{Labels: labels, Hooks: Hooks{OfJob: true}},
			services: []corev1.Service{serving(web)},
			bindings: []*binding.Binding{bound("web", "web", port80)},
		},
		"JobThatServes": {
			reason:   "One that declares the port is a target like any other.",
			pod:      Pod{Labels: labels, Hooks: Hooks{OfJob: true}, Ports: []corev1.ContainerPort{{ContainerPort: 8080}}},
			services: []corev1.Service{serving(web)},
			bindings: []*binding.Binding{bound("web", "web", port80)},
			want:     Plan{Add: []string{prefix + "web"}},
		},
		"NotSelected": {
			reason:   "Another application's pod gets no gate.",
			pod:      Pod{Labels: map[string]string{"app": "other"}},
			services: []corev1.Service{web},
			bindings: []*binding.Binding{ip("web", "web")},
		},
		"PartlySelected": {
			reason:   "Every pair of the selector must match.",
			pod:      Pod{Labels: labels},
			services: []corev1.Service{service("web", map[string]string{"app": "web", "tier": "front"}, time.Time{})},
			bindings: []*binding.Binding{ip("web", "web")},
		},
		"EmptyValueIsNotAbsent": {
			reason:   "A selector that asks for an empty value does not match a pod without the label.",
			pod:      Pod{Labels: labels},
			services: []corev1.Service{service("web", map[string]string{"tier": ""}, time.Time{})},
			bindings: []*binding.Binding{ip("web", "web")},
		},
		"NoSelector": {
			reason:   "A Service without selector selects nothing.",
			pod:      Pod{Labels: labels},
			services: []corev1.Service{service("web", nil, time.Time{}), service("api", map[string]string{}, time.Time{})},
			bindings: []*binding.Binding{ip("web", "web"), ip("api", "api")},
		},
		"ServiceWithoutBinding": {
			reason:   "A Service alone asks for no gate.",
			pod:      Pod{Labels: labels},
			services: []corev1.Service{web},
		},
		"BindingWithoutService": {
			reason:   "A binding to a Service that does not exist gates nobody.",
			pod:      Pod{Labels: labels},
			bindings: []*binding.Binding{ip("web", "web")},
		},
		"Instance": {
			reason:   "Instance groups have no pod targets and so no gates.",
			pod:      Pod{Labels: labels},
			services: []corev1.Service{web},
			bindings: []*binding.Binding{bound("web", "web", typed(elbv2.TargetTypeInstance))},
		},
		"Lambda": {
			reason:   "Nor has a group of a type that podgate may not even know: only ip targets are pods.",
			pod:      Pod{Labels: labels},
			services: []corev1.Service{web},
			bindings: []*binding.Binding{bound("fn", "web", typed("lambda")), bound("chained", "web", typed("alb"))},
		},
		"UnknownType": {
			reason:   "While the target type is not resolved the pod is gated: a gate cannot be added later.",
			pod:      Pod{Labels: labels},
			services: []corev1.Service{web},
			bindings: []*binding.Binding{bound("web", "web")},
			want:     Plan{Add: []string{prefix + "web"}},
		},
		"Deleting": {
			reason:   "A binding that is being deleted would never open its gate.",
			pod:      Pod{Labels: labels},
			services: []corev1.Service{web},
			bindings: []*binding.Binding{bound("web", "web", typed(elbv2.TargetTypeIP), deleting)},
		},
		"TooLong": {
			reason:   "The API server refuses a pod with a gate whose name part is longer than 63 characters.",
			pod:      Pod{Labels: labels},
			services: []corev1.Service{web},
			bindings: []*binding.Binding{ip(long64, "web"), ip(long63, "web")},
			want:     Plan{Add: []string{prefix + long63}},
		},
		"Several": {
			reason: "Bindings of one or more selecting Services all count, in an order that does not depend on the cache's.",
			pod:    Pod{Labels: labels},
			services: []corev1.Service{
				service("canary", map[string]string{"version": "v2"}, time.Time{}), web,
			},
			bindings: []*binding.Binding{ip("c", "web"), ip("a", "canary"), ip("b", "web")},
			want:     Plan{Add: []string{prefix + "a", prefix + "b", prefix + "c"}},
		},
		"Present": {
			reason:   "A gate that the pod has is not added again; the missing one is.",
			pod:      Pod{Labels: labels, Gates: []string{prefix + "a"}},
			services: []corev1.Service{web},
			bindings: []*binding.Binding{ip("a", "web"), ip("b", "web")},
			want:     Plan{Add: []string{prefix + "b"}},
		},
		"Foreign": {
			reason:   "Gates that nobody here knows, or of bindings that are gone, are the user's and stay.",
			pod:      Pod{Labels: labels, Gates: []string{"example.com/ready", prefix + "gone"}},
			services: []corev1.Service{web},
			bindings: []*binding.Binding{ip("a", "web")},
			want:     Plan{Add: []string{prefix + "a"}},
		},
		"LegacyReplaced": {
			reason:   "Legacy gates go when a new gate takes their place.",
			pod:      Pod{Labels: labels, Gates: []string{legacy + "i_web_80", "example.com/ready", legacy + "i_web_443"}},
			services: []corev1.Service{web},
			bindings: []*binding.Binding{ip("a", "web")},
			want:     Plan{Add: []string{prefix + "a"}, Remove: []int{0, 2}},
		},
		"LegacyBesidePresent": {
			reason:   "A gate that already stands takes a legacy gate's place as well.",
			pod:      Pod{Labels: labels, Gates: []string{prefix + "a", legacy + "i_web_80"}},
			services: []corev1.Service{web},
			bindings: []*binding.Binding{ip("a", "web")},
			want:     Plan{Remove: []int{1}},
		},
		"LegacyKept": {
			reason: "Where no new gate is added, a legacy gate is the only one the pod has.",
			pod:    Pod{Labels: labels, Gates: []string{legacy + "i_web_80"}},
		},
		"LegacyKeptBesideStale": {
			reason:   "A hand-written gate of a binding that does not claim the pod replaces nothing.",
			pod:      Pod{Labels: labels, Gates: []string{prefix + "gone", legacy + "i_web_80"}},
			services: []corev1.Service{web},
		},
		"OptedOut": {
			reason:   "The pod's label keeps podgate away, legacy gates included.",
			pod:      Pod{Labels: map[string]string{"app": "web", "podgate.dev/inject": "disabled"}, Gates: []string{legacy + "i_web_80"}},
			services: []corev1.Service{web},
			bindings: []*binding.Binding{ip("a", "web")},
		},
		"OptOutOtherValue": {
			reason:   "Only the value disabled opts out.",
			pod:      Pod{Labels: map[string]string{"app": "web", "podgate.dev/inject": "enabled"}},
			services: []corev1.Service{web},
			bindings: []*binding.Binding{ip("a", "web")},
			want:     Plan{Add: []string{prefix + "a"}},
		},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			candidates := Candidates{Services: tc.services, Bindings: tc.bindings}
			got := Gates(tc.pod, candidates)
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Fatalf("%s\nGates: -want, +got:\n%s", tc.reason, diff)
			}
			then := tc.pod
			then.Gates = apply(tc.pod.Gates, got)
			again := Gates(then, candidates)
			if !again.Empty() {
				t.Errorf("Gates after its plan was applied: want nothing more to do, got %+v", again)
			}
		})
	}
}

// TestEmpty: a plan that adds or removes changes something.
func TestEmpty(t *testing.T) {
	if !(Plan{}).Empty() || (Plan{Add: []string{"a"}}).Empty() || (Plan{Remove: []int{0}}).Empty() {
		t.Error("only the plan that neither adds nor removes is empty")
	}
}

// apply does to a list of gates what a plan says.
func apply(gates []string, p Plan) []string {
	var out []string
	for i, g := range gates {
		if !slices.Contains(p.Remove, i) {
			out = append(out, g)
		}
	}
	return append(out, p.Add...)
}
