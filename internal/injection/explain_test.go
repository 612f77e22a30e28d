// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package injection

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/binding"
)

func TestExplain(t *testing.T) {
	noon := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	before, after := noon.Add(-time.Hour), noon.Add(time.Minute)
	labels := map[string]string{"app": "web"}
	pod := Pod{Labels: labels, Created: noon}
	web := service("web", labels, before)
	bound := func(name string, options ...func(*elbv2.TargetGroupBinding)) *binding.Binding {
		return bound(name, "web", append([]func(*elbv2.TargetGroupBinding){ip, created(before)}, options...)...)
	}

	with := func(change func(*elbv2.TargetGroupBinding)) []*binding.Binding {
		return []*binding.Binding{bound("a", change)}
	}

	gated := func(gates ...string) Pod { return Pod{Labels: labels, Gates: gates, Created: noon} }
	missing := []string{prefix + "a"}

	cases := map[string]struct {
		reason   string
		pod      Pod
		services []corev1.Service
		bindings []*binding.Binding
		unserved bool
		want     Finding
	}{
		"Gated":    {reason: "It has what it should have.", pod: gated(prefix + "a"), services: []corev1.Service{web}, bindings: []*binding.Binding{bound("a")}},
		"OptedOut": {reason: "It wants none.", pod: Pod{Labels: map[string]string{"app": "web", "podgate.dev/inject": "disabled"}, Created: noon}, services: []corev1.Service{web}, bindings: []*binding.Binding{bound("a")}},
		"ByHand":   {reason: "A gate that no binding claims is told on its condition.", pod: gated(prefix + "other")},
		"NotInjected": {
			reason: "Service and binding were there, so the webhook was not.",
			pod:    pod, services: []corev1.Service{web}, bindings: []*binding.Binding{bound("a")},
			want: Finding{Reason: v1alpha1.ReasonNotInjected, Missing: missing, Service: "web", Binding: "a", Since: noon},
		},
		"OnlyOthers": {
			reason: "Gates of others, and legacy ones, stand in for none.",
			pod:    gated("example.com/ready", legacy+"i_web_80"), services: []corev1.Service{web}, bindings: []*binding.Binding{bound("a")},
			want: Finding{Reason: v1alpha1.ReasonNotInjected, Missing: missing, Service: "web", Binding: "a", Since: noon},
		},
		"SecondBinding": {
			reason: "One of two gates is there; the other's binding came later.",
			pod:    gated(prefix + "a"), services: []corev1.Service{web}, bindings: []*binding.Binding{bound("a"), bound("b", created(after))},
			want: Finding{Reason: v1alpha1.ReasonBindingCreatedLater, Missing: []string{prefix + "b"}, Service: "web", Binding: "b", Since: after},
		},
		"BindingLater": {
			reason: "Gates are added at creation only.",
			pod:    pod, services: []corev1.Service{web}, bindings: with(created(after)),
			want: Finding{Reason: v1alpha1.ReasonBindingCreatedLater, Missing: missing, Service: "web", Binding: "a", Since: after},
		},
		"BindingInTheSameSecond": {
			reason: "It was not there before the pod, as far as times tell, and they do not tell.",
			pod:    pod, services: []corev1.Service{web}, bindings: with(created(noon)),
			want: Finding{Reason: v1alpha1.ReasonBindingCreatedLater, Missing: missing, Service: "web", Binding: "a", Since: noon, Tied: true},
		},
		"ServiceLater": {
			reason: "Nothing selected the pod.",
			pod:    pod, services: []corev1.Service{service("web", labels, after)}, bindings: []*binding.Binding{bound("a")},
			want: Finding{Reason: v1alpha1.ReasonServiceCreatedLater, Missing: missing, Service: "web", Binding: "a", Since: after},
		},
		"NoService": {
			reason: "Nothing selects the pod.",
			pod:    pod, services: []corev1.Service{service("web", map[string]string{"app": "api"}, time.Time{}), service("any", nil, time.Time{})}, bindings: []*binding.Binding{bound("a")},
			want: Finding{Reason: v1alpha1.ReasonNoService, Since: noon},
		},
		"NoBinding": {
			reason: "No group takes the Service's pods; the first of several is named.",
			pod:    pod, services: []corev1.Service{web, service("api", labels, time.Time{})},
			want: Finding{Reason: v1alpha1.ReasonNoBinding, Service: "api", Since: noon},
		},
		"Deleting": {
			reason: "Nobody would open its gate.",
			pod:    pod, services: []corev1.Service{web}, bindings: with(deleting),
			want: Finding{Reason: v1alpha1.ReasonBindingDeleting, Service: "web", Binding: "a", Since: noon},
		},
		"Unserved": {
			reason: "Nor here.",
			pod:    pod, services: []corev1.Service{web}, bindings: []*binding.Binding{bound("a")}, unserved: true,
			want: Finding{Reason: v1alpha1.ReasonBindingNotServed, Service: "web", Binding: "a", Since: noon},
		},
		"Instance": {
			reason: "Its targets are nodes.",
			pod:    pod, services: []corev1.Service{web}, bindings: with(typed(elbv2.TargetTypeInstance)),
			want: Finding{Reason: v1alpha1.ReasonInstanceTargets, Service: "web", Binding: "a", Since: noon},
		},
		"Lambda": {
			reason: "Its target is a function.",
			pod:    pod, services: []corev1.Service{web}, bindings: with(typed("lambda")),
			want: Finding{Reason: v1alpha1.ReasonInstanceTargets, Service: "web", Binding: "a", Since: noon},
		},
		"NameTooLong": {
			reason: "It makes no condition type.",
			pod:    pod, services: []corev1.Service{web}, bindings: []*binding.Binding{bound(strings.Repeat("a", 64))},
			want: Finding{Reason: v1alpha1.ReasonNameTooLong, Service: "web", Binding: strings.Repeat("a", 64), Since: noon},
		},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			candidates := Candidates{Services: tc.services, Bindings: tc.bindings, Serves: func(*binding.Binding) bool { return !tc.unserved }}
			got := Explain(tc.pod, candidates)
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Fatalf("%s\nExplain: -want, +got:\n%s", tc.reason, diff)
			}
			if said := strings.Contains(got.Words(), "in the same second"); said != tc.want.Tied {
				t.Errorf("%s\nit says %q", tc.reason, got.Words())
			}
			if _, known := v1alpha1.Explain(v1alpha1.OnNoGate, got.Reason); !known && !got.Empty() {
				t.Errorf("%s is not in the catalog", got.Reason)
			}
			if adds := Gates(tc.pod, candidates).Add; !cmp.Equal(adds, got.Missing) {
				t.Errorf("%s\nwhat is missing is not what would be injected: %v and %v", tc.reason, got.Missing, adds)
			}
		})
	}
}
