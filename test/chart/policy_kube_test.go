// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package chart

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/podgate/podgate/internal/kubetest"
)

// What docs/failure-policy.md recommends does what it says, whether it is set by values or by hand: while nobody answers
// the webhook, as here, pods with the label are refused, and all others are created. And it tells what an upgrade undoes.
func TestRecommendedFailurePolicy(t *testing.T) {
	c := connect(t)
	kubeconfig := kubetest.Kubeconfig(t, shared)
	helm := func(args ...string) {
		t.Helper()
		if out, err := kubetest.Helm(t, append(args, "--kubeconfig", kubeconfig, "--namespace", "podgate-system", "--no-hooks")...); err != nil {
			t.Fatalf("helm %v: %v\n%s", args, err, out)
		}
	}

	values := filepath.Join(t.TempDir(), "values.yaml")
	if err := os.WriteFile(values, []byte(documented(t, "failure-policy.md", "podMutatorWebhookConfig:")), 0o600); err != nil {
		t.Fatal(err)
	}

	const asks = "elbv2.k8s.aws/pod-readiness-gate-inject"
	namespace(t, c, "podgate-system", nil)
	namespace(t, c, "gated", map[string]string{asks: "enabled"})
	helm("install", "podgate", kubetest.Chart(), "--take-ownership")
	t.Cleanup(func() {
		_, _ = kubetest.Helm(noCancel{t}, "uninstall", "podgate", "--kubeconfig", kubeconfig, "--namespace", "podgate-system", "--no-hooks")
	})

	// Created for a dry run, as webhooks without side effects are asked then, too.
	refused := func(labels map[string]string) bool {
		t.Helper()
		pod := &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Namespace: "gated", Name: "web", Labels: labels},
			Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "web", Image: "web"}}},
		}

		err := c.Create(t.Context(), pod, client.DryRunAll)
		if err == nil {
			return false
		}

		if !apierrors.IsInternalError(err) || !strings.Contains(err.Error(), `failed calling webhook "mpod.elbv2.k8s.aws"`) {
			t.Fatal(err)
		}

		return true
	}

	// expect waits until the API server goes by the configuration as it is now.
	expect := func(when string, labels map[string]string, want bool) {
		t.Helper()
		err := wait.PollUntilContextTimeout(t.Context(), 50*time.Millisecond, time.Minute, true, func(context.Context) (bool, error) { return refused(labels) == want, nil })
		if err != nil {
			t.Errorf("%s: a pod with the labels %v is refused: %t, want %t", when, labels, !want, want)
		}
	}

	labelled := map[string]string{asks: "enabled"}

	expect("as installed", labelled, false)
	helm("upgrade", "podgate", kubetest.Chart(), "--values", values)
	byValues := entries(t, c)
	expect("by values", labelled, true)

	if refused(nil) {
		t.Error("by values: a pod without the label is refused")
	}

	helm("upgrade", "podgate", kubetest.Chart(), "--reset-values")
	expect("with default values again", labelled, false)
	patch, err := yaml.YAMLToJSON([]byte(documented(t, "failure-policy.md", "webhooks:")))
	if err != nil {
		t.Fatal(err)
	}

	configuration := &admissionv1.MutatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: "podgate-webhook"}}
	if err := c.Patch(t.Context(), configuration, client.RawPatch(types.StrategicMergePatchType, patch)); err != nil {
		t.Fatal(err)
	}

	if diff := cmp.Diff(byValues, entries(t, c)); diff != "" {
		t.Errorf("entries by values (-) and by hand (+):\n%s", diff)
	}

	expect("by hand", labelled, true)
	if refused(nil) {
		t.Error("by hand: a pod without the label is refused")
	}

	helm("upgrade", "podgate", kubetest.Chart(), "--set", "logVerbosity=1")
	for name, e := range entries(t, c) {
		if want := byValues[name].ObjectSelector; *e.FailurePolicy != admissionv1.Ignore || !cmp.Equal(want, e.ObjectSelector) {
			t.Errorf("after an upgrade %s has the policy %s and the selector %v, want Ignore and %v", name, *e.FailurePolicy, e.ObjectSelector, want)
		}
	}
}

// documented gives the YAML block of a page that begins like this.
func documented(t *testing.T, page, begin string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(kubetest.Root(), "docs", page))
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile("(?s)```yaml\n(" + regexp.QuoteMeta(begin) + ".*?)```").FindSubmatch(text)
	if m == nil {
		t.Fatalf("docs/%s has no YAML that begins with %q", page, begin)
	}
	return string(m[1])
}

// entries are those of the webhook's configuration, by name.
func entries(t *testing.T, c client.Client) map[string]admissionv1.MutatingWebhook {
	t.Helper()
	configuration := &admissionv1.MutatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: "podgate-webhook"}}
	get(t, c, configuration)
	found := map[string]admissionv1.MutatingWebhook{}
	for _, w := range configuration.Webhooks {
		found[w.Name] = w
	}
	return found
}
