// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/gwc"
	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/drain"
	"github.com/podgate/podgate/internal/injection"
	"github.com/podgate/podgate/internal/webhook/profile"
)

func TestLabelFor(t *testing.T) {
	for name, tc := range map[string]struct {
		reason  string
		missing []string
		want    string
	}{
		"Own":   {reason: "Who has a HAProxy need not know of AWS.", missing: []string{"targets.podgate.dev/web"}, want: "podgate.dev/inject"},
		"LBC":   {reason: "Its label goes with its kind.", missing: []string{"target-health.elbv2.k8s.aws/web"}, want: "elbv2.k8s.aws/pod-readiness-gate-inject"},
		"Mixed": {reason: "Either asks for both.", missing: []string{"target-health.elbv2.k8s.aws/web", "targets.podgate.dev/web"}, want: "elbv2.k8s.aws/pod-readiness-gate-inject"},
		"All":   {reason: "podgate's alone asks for both.", missing: []string{"target-health.elbv2.k8s.aws/web", gwc.Gate}, want: "podgate.dev/inject"},
		"None":  {reason: "The gates may be in the template already.", want: "elbv2.k8s.aws/pod-readiness-gate-inject"},
	} {
		if got := labelFor(tc.missing); got != tc.want {
			t.Errorf("%s: %s Got %s, want %s", name, tc.reason, got, tc.want)
		}
	}
}

// TestUncovered: whoever asks in vain for a gate is told whose fault it is: the label's, the selectors', or the switch's.
func TestUncovered(t *testing.T) {
	const lbc = "target-health.elbv2.k8s.aws/web"
	switched := func(env ...corev1.EnvVar) *appsv1.Deployment {
		d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: "podgate-system", Name: "podgate"}}
		d.Spec.Template.Spec.Containers = []corev1.Container{{Name: "podgate", Env: env}}
		return d
	}
	off, on := switched(corev1.EnvVar{Name: "WEBHOOK_ENABLED", Value: "false"}), switched(corev1.EnvVar{Name: "WEBHOOK_ENABLED", Value: "true"})
	elsewhere := switched(corev1.EnvVar{Name: "WEBHOOK_ENABLED", ValueFrom: &corev1.EnvVarSource{}})

	for name, tc := range map[string]struct {
		labels     []string
		deployment *appsv1.Deployment
		gates      []string
		unasked    int
		reason     string
		says       string
	}{
		"Asked":         {labels: []string{gwc.InjectLabel}, deployment: on, gates: []string{gwc.Gate}},
		"Elsewhere":     {labels: []string{gwc.InjectLabel}, deployment: elsewhere, gates: []string{gwc.Gate}},
		"NotSeen":       {labels: []string{gwc.InjectLabel}, gates: []string{gwc.Gate}},
		"Off":           {labels: []string{gwc.InjectLabel}, deployment: off, gates: []string{gwc.Gate}, unasked: 1, reason: "EntrySwitchedOff", says: "WEBHOOK_ENABLED"},
		"OffByDefault":  {labels: []string{gwc.InjectLabel}, deployment: switched(), gates: []string{gwc.Gate}, unasked: 1, reason: "EntrySwitchedOff", says: "WEBHOOK_ENABLED"},
		"OffAndOwn":     {labels: []string{gwc.InjectLabel, v1alpha1.InjectLabel}, deployment: off, gates: []string{gwc.Gate}},
		"AnothersLabel": {labels: []string{elbv2.InjectLabel}, deployment: on, gates: []string{gwc.Gate, lbc}, unasked: 1, reason: "LabelMissing", says: "neither its namespace has the label " + gwc.InjectLabel + "=enabled or podgate.dev/inject=enabled, nor the pod the latter"},
		"NoLabel":       {deployment: off, gates: []string{gwc.Gate, lbc}, unasked: 2, reason: "LabelMissing", says: "neither its namespace nor the pod has the label podgate.dev/inject=enabled"},
	} {
		t.Run(name, func(t *testing.T) {
			ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop", Labels: map[string]string{}}}
			for _, label := range tc.labels {
				ns.Labels[label] = "enabled"
			}
			objects := []client.Object{ns}
			if tc.deployment != nil {
				objects = append(objects, tc.deployment)
			}

			r, in := offline(t, objects), &Installation{Namespace: "podgate-system", configured: true}
			unasked, covered, err := in.unasked(t.Context(), r, "shop", nil, tc.gates, new(gaps))
			if err != nil || len(unasked) != tc.unasked || covered != (tc.unasked == 0) {
				t.Fatalf("%q are not asked for, covered %t, %v; want %d", unasked, covered, err, tc.unasked)
			}
			if tc.unasked == 0 {
				return
			}
			if reason, message := in.uncovered(t.Context(), r, "shop", nil, unasked); reason != tc.reason || !strings.Contains(message, tc.says) {
				t.Errorf("got %s, %s; want %s, with %q", reason, message, tc.reason, tc.says)
			}
		})
	}
}

// TestSwitchedOffEntryRefuses: an entry that is off and refuses pods all the same is trouble.
func TestSwitchedOffEntryRefuses(t *testing.T) {
	entry := func(name, path string, policy admissionv1.FailurePolicyType) admissionv1.MutatingWebhook {
		return admissionv1.MutatingWebhook{
			Name: name, FailurePolicy: &policy,
			ClientConfig: admissionv1.WebhookClientConfig{Service: &admissionv1.ServiceReference{Namespace: "podgate-system", Path: &path}},
		}
	}

	for name, tc := range map[string]struct {
		value  string
		policy admissionv1.FailurePolicyType
		want   int
	}{
		"Off":        {"false", admissionv1.Fail, 1},
		"OffIgnored": {"false", admissionv1.Ignore, 0},
		"On":         {"true", admissionv1.Fail, 0},
	} {
		d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: "podgate-system", Name: "podgate"}}
		d.Spec.Template.Spec.Containers = []corev1.Container{{Name: "podgate", Env: []corev1.EnvVar{{Name: "WEBHOOK_ENABLED", Value: tc.value}}}}
		in := &Installation{Namespace: "podgate-system", configured: true, configuration: &admissionv1.MutatingWebhookConfiguration{Webhooks: []admissionv1.MutatingWebhook{
			entry("mpod.elbv2.k8s.aws", profile.GatesPath, admissionv1.Fail), entry(gwc.Webhook, profile.GatePath(gwc.Gate), tc.policy),
		}}}
		if err := in.refuses(t.Context(), offline(t, []client.Object{d})); err != nil {
			t.Fatal(err)
		}
		if len(in.Trouble) != tc.want || tc.want > 0 && !strings.Contains(in.Trouble[0], gwc.Webhook) {
			t.Errorf("%s: trouble %q, want %d about %s", name, in.Trouble, tc.want, gwc.Webhook)
		}
	}
}

// TestUnhooked: nobody is told to set a label that is there.
func TestUnhooked(t *testing.T) {
	asks := map[string]string{"podgate.dev/drain": "enabled"}
	hookless := injection.Shortfall{Need: 55, Hook: 55, Grace: 25, Stop: drain.Stop{Container: "web", Grace: 30}, Renewed: &injection.Shortfall{}}
	for name, tc := range map[string]struct {
		installed bool
		labels    map[string]string
		want      string
	}{
		"NotInstalled":      {labels: asks, want: "install podgate"},
		"LeftOutBySelector": {installed: true, labels: asks, want: "the selectors in MutatingWebhookConfiguration podgate-webhook leave this pod out"},
		"NotLabelled":       {installed: true, want: "or the pod template needs the label podgate.dev/drain=enabled"},
	} {
		ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop", Labels: tc.labels}}
		in := &Installation{configured: tc.installed}
		if got := in.unhooked(t.Context(), offline(t, []client.Object{ns}), "shop", nil, hookless); !strings.Contains(got, tc.want) {
			t.Errorf("%s: got %q, want %q in it", name, got, tc.want)
		}
	}
}
