// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podgate/podgate/sim/awssim"
	"github.com/podgate/podgate/test/env"
)

// Where the chart and helm are.
const (
	chartFolder = "charts/podgate"
	helmBinary  = "bin/helm"
)

// TestChart installs podgate by its chart, and upgrades it while an application is rolled
// out under load. Then it edits the webhook's selectors by hand, restarts podgate and
// rotates its authority. Pods are created during all that. At last it uninstalls podgate
// in the middle of a rollout that waits for gates.
func TestChart(t *testing.T) {
	w := simulate(t, scaled())
	w.removeManifest()
	// The waits of a rotation are shortened, as in TestCertificateRotation.
	values := map[string]any{"env": w.variables(), "extraArgs": []string{"--webhook-ca-propagation=8s", "--webhook-ca-overlap=15s"}}
	w.helm("install", values, "--create-namespace", "--wait")
	s := w.deploy(quick(), targetGroup())

	sum := s.underLoad(func() {
		s.app.Image = imageV2
		s.apply()
		t.Run("Upgraded", func(t *testing.T) {
			w.in(t).wire(application(), targetGroup()).createPods(200, func() {
				values["podAnnotations"] = map[string]string{"example.com/revision": "2"}
				values["podMutatorWebhookConfig"] = map[string]any{"timeoutSeconds": 6}
				w.helm("upgrade", values, "--wait")
				w.waitPodgateAlone()
			})
		})
		s.waitComplete()
	})
	if got := versions(sum); got["v1"] == 0 || got["v2"] == 0 {
		t.Errorf("answers by version: %v, want some of v1 and of v2", got)
	}

	t.Run("Edited", func(t *testing.T) {
		edited := w.in(t).wire(application(), targetGroup())
		edited.createPods(200, func() { edited.editAndRotate(edited.app.Name) })
	})

	s.assertOpenStayedOpen()

	s.stall()
	w.helm("uninstall", nil)
	w.assertNothingLeft(values)
	// The pods that waited are Ready, those that are made from now on have no gate.
	s.must(w.cluster.WaitDeployment(w.ctx, s.app.Namespace, s.app.Name))
}

// editAndRotate edits the selectors of the webhook as the documentation of other
// controllers says, and asserts that they are the same after a restart of podgate and a
// rotation of its authority.
func (w *world) editAndRotate(app string) {
	w.t.Helper()
	c, err := w.configuration(w.ctx)
	w.must(err)
	edited := c.DeepCopy()
	first := &edited.Webhooks[0]
	first.ObjectSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"app.kubernetes.io/name": app}}
	first.NamespaceSelector.MatchExpressions = append(first.NamespaceSelector.MatchExpressions,
		metav1.LabelSelectorRequirement{Key: "example.com/team", Operator: metav1.LabelSelectorOpDoesNotExist})
	w.must(w.cluster.Patch(w.ctx, edited, client.MergeFromWithOptions(c, client.MergeFromWithOptimisticLock{})))
	authority := w.trusted()[0]

	w.restartPodgate()
	w.waitPodgateAlone()
	w.rotate("ca")
	w.eventually("another authority to be the only one", func(ctx context.Context) (bool, error) {
		now, err := w.configuration(ctx)
		if err != nil {
			return false, err
		}
		bundle, err := bundleOf(now)
		return len(bundle) == 1 && !bundle[0].Equal(authority), err
	})

	after, err := w.configuration(w.ctx)
	w.must(err)

	if diff := cmp.Diff(withoutBundles(edited), withoutBundles(after)); diff != "" {
		w.t.Errorf("the webhook's entries changed beside caBundle; -edited, +after:\n%s", diff)
	}
}

func withoutBundles(c *admissionv1.MutatingWebhookConfiguration) []admissionv1.MutatingWebhook {
	entries := c.DeepCopy().Webhooks
	for i := range entries {
		entries[i].ClientConfig.CABundle = nil
	}
	return entries
}

// stall begins a rollout whose new pods never become healthy, and waits until one of them
// is held by its gate alone.
func (s *service) stall() {
	s.t.Helper()
	s.must(s.sim.SetHealth(s.ctx, s.lb.TargetGroupARN, nil, awssim.Script{State: "unhealthy", Reason: "Target.Timeout"}))
	s.app.Image = imageV1
	s.apply()
	s.eventually("a pod that waits for its gate", func(ctx context.Context) (bool, error) {
		histories, err := s.gates.histories()
		for _, steps := range histories {
			if last := steps[len(steps)-1]; last.Status == "False" && last.Reason == "Target.Timeout" {
				return true, err
			}
		}
		return false, err
	})
}

// assertNothingLeft asserts that of all that the chart renders only the definitions are
// left, and that nothing of podgate's own holds a binding.
func (w *world) assertNothingLeft(values map[string]any) {
	w.t.Helper()
	m, err := env.ParseManifest(w.helm("template", values))
	w.must(err)
	own := unstructured.UnstructuredList{Items: []unstructured.Unstructured{
		{Object: map[string]any{"apiVersion": "v1", "kind": "Secret", "metadata": map[string]any{"namespace": podgateNamespace, "name": "podgate-webhook-cert"}}},
		{Object: map[string]any{"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": map[string]any{"namespace": podgateNamespace, "name": "podgate-leader"}}},
	}}

	for i := range own.Items {
		m = append(m, &own.Items[i])
	}

	for _, u := range m {
		kept := u.GetKind() == "CustomResourceDefinition"
		err := w.cluster.Get(w.ctx, client.ObjectKeyFromObject(u), u.DeepCopy())
		if client.IgnoreNotFound(err) != nil {
			w.t.Fatal(err)
		}
		if apierrors.IsNotFound(err) == kept {
			w.t.Errorf("%s %s: there is %t, want %t", u.GetKind(), u.GetName(), !apierrors.IsNotFound(err), kept)
		}
	}

	var bindings unstructured.UnstructuredList
	bindings.SetGroupVersionKind(schema.GroupVersionKind{Group: "elbv2.k8s.aws", Version: "v1beta1", Kind: "TargetGroupBindingList"})
	w.must(w.cluster.List(w.ctx, &bindings))

	if len(bindings.Items) == 0 {
		w.t.Error("the bindings went with podgate")
	}

	for _, b := range bindings.Items {
		if len(b.GetFinalizers()) > 0 {
			w.t.Errorf("binding %s is held by %q", b.GetName(), b.GetFinalizers())
		}
	}
}

// removeManifest takes away what another test installed, all but the definitions and the namespace.
func (w *world) removeManifest() {
	w.t.Helper()
	m, err := env.ReadManifest(manifestFile)
	w.must(err)

	for _, u := range m {
		if u.GetKind() == "CustomResourceDefinition" || u.GetKind() == "Namespace" {
			continue
		}
		w.must(client.IgnoreNotFound(w.cluster.Delete(w.ctx, u, client.PropagationPolicy(metav1.DeletePropagationForeground))))
	}

	w.eventually("podgate to be gone", func(ctx context.Context) (bool, error) {
		pods, err := w.podgatePods(ctx)
		return len(pods) == 0, err
	})
}

// variables are the environment as a Deployment has them.
func (w *world) variables() []map[string]string {
	var all []map[string]string
	for name, value := range w.environment() {
		all = append(all, map[string]string{"name": name, "value": value})
	}
	return all
}

// helm runs helm on podgate's release, with values where it takes any.
func (w *world) helm(do string, values map[string]any, flags ...string) []byte {
	w.t.Helper()
	args := []string{do, "podgate"}
	if values != nil {
		file := filepath.Join(w.t.TempDir(), "values.json")
		raw, err := json.Marshal(values)
		w.must(err)
		w.must(os.WriteFile(file, raw, 0o600))
		args = append(args, chartFolder, "--values", file)
	}

	if do == "install" {
		// The definitions of a manifest that another test applied have no mark of Helm's.
		args = append(args, "--take-ownership")
	}

	if do == "template" {
		args = append(args, "--kube-version", "1.37.0")
	}

	cmd := exec.CommandContext(w.ctx, helmBinary, append(append(args, "--namespace", podgateNamespace), flags...)...)
	home := w.t.TempDir()
	cmd.Env = append(os.Environ(), "HELM_CACHE_HOME="+home, "HELM_CONFIG_HOME="+home, "HELM_DATA_HOME="+home)
	var problem strings.Builder
	cmd.Stderr = &problem
	out, err := cmd.Output()
	if err != nil {
		w.t.Fatalf("helm %s: %v\n%s", do, err, problem.String())
	}

	return out
}
