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
		"Stated": {
			reason: "Its manifest has a list, and the webhook said so; that a binding came later as well does not matter.",
			pod:    Pod{Labels: labels, Gates: []string{"example.com/ready"}, Created: noon, Stated: Stated{Gates: true}}, services: []corev1.Service{web}, bindings: with(created(after)),
			want: Finding{Reason: v1alpha1.ReasonGatesStated, Missing: missing, Service: "web", Binding: "a", Since: noon},
		},
		"Static": {
			reason: "Its kubelet heeds a file.",
			pod:    Pod{Labels: labels, Created: noon, Static: true}, services: []corev1.Service{web}, bindings: []*binding.Binding{bound("a")},
			want: Finding{Reason: v1alpha1.ReasonStaticPod, Service: "web", Binding: "a", Since: noon},
		},
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
			if said := strings.Contains(got.Words(binding.Maker{}), "in the same second"); said != tc.want.Tied {
				t.Errorf("%s\nit says %q", tc.reason, got.Words(binding.Maker{}))
			}
			if _, known := v1alpha1.Explain(v1alpha1.OnNoGate, got.Reason); !known && !got.Empty() {
				t.Errorf("%s is not in the catalog", got.Reason)
			}
			open := tc.pod
			open.Stated = Stated{}
			if adds := Gates(open, candidates).Add; !cmp.Equal(adds, got.Missing) {
				t.Errorf("%s\nwhat is missing is not what would be injected: %v and %v", tc.reason, got.Missing, adds)
			}
		})
	}
}

// TestExplainNamesOneBinding: of several bindings that give the pod no gate, the first by name is
// named of those that podgate serves; one that it does not serve says least.
func TestExplainNamesOneBinding(t *testing.T) {
	labels := map[string]string{"app": "web"}
	cases := map[string]struct {
		reason   string
		bindings []*binding.Binding
		unserved string
		want     string
		why      string
	}{
		"FirstByName":   {reason: "Whatever the cache's order.", bindings: []*binding.Binding{bound("b", "web", ip, deleting), bound("a", "web", ip, deleting)}, want: "a", why: v1alpha1.ReasonBindingDeleting},
		"InOrder":       {reason: "In order as well.", bindings: []*binding.Binding{bound("a", "web", ip, deleting), bound("b", "web", ip, deleting)}, want: "a", why: v1alpha1.ReasonBindingDeleting},
		"ServedLast":    {reason: "What podgate serves says more.", bindings: []*binding.Binding{bound("a", "web", ip), bound("b", "web", ip, deleting)}, unserved: "a", want: "b", why: v1alpha1.ReasonBindingDeleting},
		"ServedFirst":   {reason: "And is not given up for what it does not serve.", bindings: []*binding.Binding{bound("b", "web", ip, deleting), bound("a", "web", ip)}, unserved: "a", want: "b", why: v1alpha1.ReasonBindingDeleting},
		"AnotherPods":   {reason: "A binding whose Service does not select the pod says nothing of it.", bindings: []*binding.Binding{bound("a", "api", ip, deleting), bound("b", "web", ip, deleting)}, want: "b", why: v1alpha1.ReasonBindingDeleting},
		"WithoutAnyOne": {reason: "The Service is named alone.", bindings: []*binding.Binding{bound("a", "api", ip)}, why: v1alpha1.ReasonNoBinding},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			f := Explain(Pod{Labels: labels}, Candidates{
				Services: []corev1.Service{service("web", labels, time.Time{}), service("api", map[string]string{"app": "api"}, time.Time{})},
				Bindings: tc.bindings, Serves: func(b *binding.Binding) bool { return b.Name != tc.unserved },
			})
			if f.Binding != tc.want || f.Reason != tc.why || f.Service != "web" {
				t.Errorf("%s\nwant %s of %q, got %+v", tc.reason, tc.why, tc.want, f)
			}
		})
	}
}

// TestExplainNotTarget: a Job's pod that does not serve lacks nothing, and is not told of bindings
// that podgate serves; of one that it does not serve it knows no more than of others.
func TestExplainNotTarget(t *testing.T) {
	labels := map[string]string{"app": "web"}
	c := Candidates{
		Services: []corev1.Service{serving(service("web", labels, time.Time{}))},
		Bindings: []*binding.Binding{bound("web", "web", ip, port80)},
	}
	job := Pod{Labels: labels, Hooks: Hooks{OfJob: true}}
	if f := Explain(job, c); !f.Empty() {
		t.Errorf("want nothing amiss, got %+v", f)
	}
	c.Serves = func(*binding.Binding) bool { return false }
	if f := Explain(job, c); f.Reason != v1alpha1.ReasonBindingNotServed {
		t.Errorf("want %s, got %+v", v1alpha1.ReasonBindingNotServed, f)
	}
}

// TestExplainUnasked: a gate that nobody asks for is neither added nor missed, and what is asked for is.
func TestExplainUnasked(t *testing.T) {
	labels := map[string]string{"app": "web"}
	c := Candidates{Services: []corev1.Service{service("web", labels, time.Time{})}, Bindings: []*binding.Binding{bound("a", "web", ip), bound("b", "web", ip)}}
	for asked, want := range map[string][]string{"a": {prefix + "a"}, "b": {prefix + "b"}, "c": nil} {
		c.Asked = func(conditionType string) bool { return conditionType == prefix+asked }
		if plan := Gates(Pod{Labels: labels}, c); !slices.Equal(plan.Add, want) {
			t.Errorf("asked for %s: got %q, want %q", asked, plan.Add, want)
		}
		if f := Explain(Pod{Labels: labels}, c); !slices.Equal(f.Missing, want) || f.Empty() != (want == nil) {
			t.Errorf("asked for %s: %q are missed for %q, want %q", asked, f.Missing, f.Reason, want)
		}
	}
}

// TestFindingWords: who lacks a gate is told that the pod must be created again, and who is to get
// none is told what to do.
func TestFindingWords(t *testing.T) {
	const created = "Gates are added only when a pod is created"
	lacking := Finding{Reason: v1alpha1.ReasonNotInjected, Missing: []string{prefix + "web"}, Service: "web", Binding: "web"}
	if got := lacking.Words(binding.Maker{}); !strings.Contains(got, created) || strings.Contains(got, "What to do") {
		t.Errorf("a pod that lacks a gate is told %q", got)
	}
	if got := (Finding{Reason: v1alpha1.ReasonNoService}).Words(binding.Maker{}); strings.Contains(got, created) || !strings.Contains(got, "What to do: ") {
		t.Errorf("a pod that is to get none is told %q", got)
	}
}
