// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package injection

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/binding"
)

// readinessGate is one for pods with the label app=web, with what the options change of it.
func readinessGate(name string, options ...func(*v1alpha1.ReadinessGate)) v1alpha1.ReadinessGate {
	g := v1alpha1.ReadinessGate{ObjectMeta: metav1.ObjectMeta{Name: name, Generation: 2}}
	g.Spec.Selector = &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}}
	for _, change := range options {
		change(&g)
	}
	return g
}

// reported has podgate say something about a generation of the gate.
func reported(generation int64, conditions ...metav1.Condition) func(*v1alpha1.ReadinessGate) {
	return func(g *v1alpha1.ReadinessGate) {
		for _, c := range conditions {
			c.ObservedGeneration = generation
			g.Status.Conditions = append(g.Status.Conditions, c)
		}
	}
}

func selecting(s *metav1.LabelSelector) func(*v1alpha1.ReadinessGate) {
	return func(g *v1alpha1.ReadinessGate) { g.Spec.Selector = s }
}

func TestGatesOfChecks(t *testing.T) {
	const warm = v1alpha1.CheckPrefix + "warm"
	ready := func(status metav1.ConditionStatus, reason string) metav1.Condition {
		return metav1.Condition{Type: v1alpha1.ConditionReady, Status: status, Reason: reason}
	}
	labels := map[string]string{"app": "web"}

	cases := map[string]struct {
		reason string
		pod    Pod
		gate   v1alpha1.ReadinessGate
		want   Plan
	}{
		"Selected":  {reason: "No Service is needed.", gate: readinessGate("warm"), want: Plan{Add: []string{warm}}},
		"Another":   {reason: "Another application's pods are not meant.", pod: Pod{Labels: map[string]string{"app": "api"}}, gate: readinessGate("warm")},
		"ByHand":    {reason: "Without a selector only pods have the gate that name it themselves.", gate: readinessGate("warm", selecting(nil))},
		"Everybody": {reason: "The definition refuses an empty selector; it is taken for none.", gate: readinessGate("warm", selecting(&metav1.LabelSelector{}))},
		"Expression": {
			reason: "Expressions are understood.",
			gate: readinessGate("warm", selecting(&metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{
				{Key: "app", Operator: metav1.LabelSelectorOpIn, Values: []string{"api", "web"}},
			}})),
			want: Plan{Add: []string{warm}},
		},
		"NoExpression": {
			reason: "The definition does not know operators.",
			gate:   readinessGate("warm", selecting(&metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "app", Operator: "Like"}}})),
		},
		"DryRun":   {reason: "A dry run holds nobody.", gate: readinessGate("warm", func(g *v1alpha1.ReadinessGate) { g.Spec.DryRun = true })},
		"Deleting": {reason: "It would be released at once.", gate: readinessGate("warm", func(g *v1alpha1.ReadinessGate) { g.DeletionTimestamp = &metav1.Time{Time: time.Unix(1, 0)} })},
		"Invalid":  {reason: "It could not open.", gate: readinessGate("warm", reported(2, ready("False", v1alpha1.ReasonInvalidSpec)))},
		"Corrected": {
			reason: "What was said of an earlier generation does not count.",
			gate:   readinessGate("warm", reported(1, ready("False", v1alpha1.ReasonInvalidSpec))), want: Plan{Add: []string{warm}},
		},
		"NotAllowed": {
			reason: "An administrator may allow it while the pod waits.",
			gate:   readinessGate("warm", reported(2, ready("False", v1alpha1.ReasonNotAllowed))), want: Plan{Add: []string{warm}},
		},
		"Valid": {
			reason: "Only a condition that is False says so.",
			gate:   readinessGate("warm", reported(2, ready("True", v1alpha1.ReasonInvalidSpec))), want: Plan{Add: []string{warm}},
		},
		"OtherCondition": {
			reason: "And only the condition Ready.",
			gate:   readinessGate("warm", reported(2, metav1.Condition{Type: "Other", Status: "False", Reason: v1alpha1.ReasonInvalidSpec}, ready("True", v1alpha1.ReasonServing))),
			want:   Plan{Add: []string{warm}},
		},
		"Present":  {reason: "It is not added twice.", pod: Pod{Labels: labels, Gates: []string{warm}}, gate: readinessGate("warm")},
		"OptedOut": {reason: "The pod's label keeps podgate away.", pod: Pod{Labels: map[string]string{"app": "web", "podgate.dev/inject": "disabled"}}, gate: readinessGate("warm")},
		"Legacy": {
			reason: "Checks take the place of no load balancer's gate.",
			pod:    Pod{Labels: labels, Gates: []string{legacy + "i_web_80"}}, gate: readinessGate("warm"), want: Plan{Add: []string{warm}},
		},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if tc.pod.Labels == nil {
				tc.pod.Labels = labels
			}
			if diff := cmp.Diff(tc.want, Gates(tc.pod, Candidates{ReadinessGates: []v1alpha1.ReadinessGate{tc.gate}})); diff != "" {
				t.Errorf("%s\n-want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

// TestGatesOfChecksAndBindings: a pod gets both, and those of checks alone only where they alone are asked for.
func TestGatesOfChecksAndBindings(t *testing.T) {
	c := Candidates{
		Services:       []corev1.Service{service("web", map[string]string{"app": "web"}, time.Time{})},
		Bindings:       []*binding.Binding{bound("web", "web", ip)},
		ReadinessGates: []v1alpha1.ReadinessGate{readinessGate("b"), readinessGate("a")},
	}
	pod := Pod{Labels: map[string]string{"app": "web"}, Gates: []string{legacy + "i_web_80"}}

	want := Plan{Add: []string{"checks.podgate.dev/a", "checks.podgate.dev/b", prefix + "web"}, Remove: []int{0}}
	if diff := cmp.Diff(want, Gates(pod, c)); diff != "" {
		t.Errorf("-want, +got:\n%s", diff)
	}

	c.Asked = func(conditionType string) bool { return conditionType == "checks.podgate.dev/a" }
	if diff := cmp.Diff(Plan{Add: []string{"checks.podgate.dev/a"}}, Gates(pod, c)); diff != "" {
		t.Errorf("-want, +got:\n%s", diff)
	}
}

func TestOwnsChecks(t *testing.T) {
	for conditionType, want := range map[string]bool{
		"checks.podgate.dev/warm": true, "checks.podgate.dev/": false, "cluster.checks.podgate.dev/warm": false, "targets.podgate.dev/warm": false,
	} {
		if got := (OfChecks{}).Owns(conditionType); got != want {
			t.Errorf("%s: %t, want %t", conditionType, got, want)
		}
	}
}

func TestExplainChecks(t *testing.T) {
	noon := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	before, after := noon.Add(-time.Hour), noon.Add(time.Minute)
	missing := []string{"checks.podgate.dev/warm"}
	at := func(t time.Time) func(*v1alpha1.ReadinessGate) {
		return func(g *v1alpha1.ReadinessGate) { g.CreationTimestamp = metav1.NewTime(t) }
	}

	cases := map[string]struct {
		gate v1alpha1.ReadinessGate
		pod  Pod
		want Finding
		says string
	}{
		"NotInjected": {
			gate: readinessGate("warm", at(before)),
			want: Finding{Reason: v1alpha1.ReasonNotInjected, Missing: missing, Gate: "warm", Since: noon}, says: "webhook did not answer",
		},
		"Later": {
			gate: readinessGate("warm", at(after)),
			want: Finding{Reason: v1alpha1.ReasonReadinessGateCreatedLater, Missing: missing, Gate: "warm", Since: after}, says: `ReadinessGate "warm" was not there before the pod.`,
		},
		"Tied": {
			gate: readinessGate("warm", at(noon)),
			want: Finding{Reason: v1alpha1.ReasonReadinessGateCreatedLater, Missing: missing, Gate: "warm", Since: noon, Tied: true}, says: `ReadinessGate "warm" was created in the same second as the pod`,
		},
		"Static": {
			gate: readinessGate("warm", at(before)), pod: Pod{Static: true},
			want: Finding{Reason: v1alpha1.ReasonStaticPod, Gate: "warm", Since: noon}, says: "a kubelet runs the pod from a file",
		},
		"Gated": {gate: readinessGate("warm", at(before)), pod: Pod{Gates: missing}},
		// No Service is missing where the pod has the gate of a check.
		"ByHand": {gate: readinessGate("other", selecting(nil)), pod: Pod{Gates: missing}},
		"DryRun": {
			gate: readinessGate("warm", at(before), func(g *v1alpha1.ReadinessGate) { g.Spec.DryRun = true }),
			want: Finding{Reason: v1alpha1.ReasonNoService, Since: noon}, says: "no Service of the namespace",
		},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			tc.pod.Labels, tc.pod.Created = map[string]string{"app": "web"}, noon
			got := Explain(tc.pod, Candidates{ReadinessGates: []v1alpha1.ReadinessGate{tc.gate}})
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("-want, +got:\n%s", diff)
			}
			if tc.says != "" && !strings.Contains(got.Why(), tc.says) {
				t.Errorf("it says %q, want %q", got.Why(), tc.says)
			}
		})
	}
}
