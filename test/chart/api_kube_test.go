// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package chart

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/podgate/podgate/api/gwc"
	"github.com/podgate/podgate/internal/kubetest"
	"github.com/podgate/podgate/test/env"
)

var shared *rest.Config

func TestMain(m *testing.M) {
	ctrllog.SetLogger(logr.Discard())
	kubetest.Main(m, func(cfg *rest.Config) { shared = cfg })
}

// connect gives a client that refuses fields which the API server does not know.
func connect(t *testing.T) client.Client {
	t.Helper()
	c, err := kubetest.Client(shared)
	if err != nil {
		t.Fatal(err)
	}
	return client.WithFieldValidation(c, metav1.FieldValidationStrict)
}

// namespace makes a namespace if it is not there; nothing takes it away, as no controller runs.
func namespace(t *testing.T, c client.Client, name string, labels map[string]string) {
	t.Helper()
	if err := client.IgnoreAlreadyExists(c.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}})); err != nil {
		t.Fatal(err)
	}
}

// Whatever is chosen, the API server takes every object as it is, with no field that it
// does not know.
func TestEveryChoiceIsValid(t *testing.T) {
	c := connect(t)
	foreignKinds(t, c)

	for _, name := range []string{"podgate-system", "shop"} {
		namespace(t, c, name, nil)
	}

	cases := map[string][]string{
		"Self":        {},
		"CertManager": {"--set", "certificates.mode=cert-manager"},
		"Issuer":      {"--set", "certificates.mode=cert-manager,certificates.certManager.secretName=tls,certificates.certManager.issuerRef.name=ca,certificates.certManager.issuerRef.kind=ClusterIssuer"},
		"Provided":    {"--set", "certificates.mode=provided"},
		"Namespaced":  {"--set", "watchNamespace=shop"},
		"LatticeOnly": {"--set", "targetGroupBindings=absent"},
		"Monitored":   {"--set", "serviceMonitor.enabled=true,serviceMonitor.labels.release=prom,prometheusRule.enabled=true,grafanaDashboard.enabled=true"},
		"Closed": {"--set", "networkPolicy.enabled=true", "--set-json",
			`networkPolicy={"metricsFrom":[{"namespaceSelector":{"matchLabels":{"kubernetes.io/metadata.name":"monitoring"}}}],"egress":[{"ports":[{"port":443}]}]}`},
		"Placed": {"--set", "nodeSelector.disk=ssd,priorityClassName=system-cluster-critical,image.tag=v1,imagePullSecrets[0].name=registry,region=eu-west-1,logVerbosity=1",
			"--set-json", `tolerations=[{"key":"critical","operator":"Exists"}]`,
			"--set-json", `affinity={"nodeAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":{"nodeSelectorTerms":[{"matchExpressions":[{"key":"arch","operator":"Exists"}]}]}}}`,
			"--set-json", `podAnnotations={"a":"b"}`, "--set-json", `podLabels={"c":"d"}`, "--set-json", `env=[{"name":"AWS_REGION","value":"eu-west-1"}]`,
			"--set-json", `extraArgs=["--workers=8"]`, "--set-json", `serviceAccount.annotations={"eks.amazonaws.com/role-arn":"arn:aws:iam::123456789012:role/podgate"}`},
		"Selective": {"--set", "podMutatorWebhookConfig.failurePolicy=Fail,objectSelector.matchLabels.tier=web", "--set-json", `webhookNamespaceSelectors=[{"key":"team","operator":"In","values":["a","b"]}]`},
		"Bare":      {"--set", "crds.enabled=false,podDisruptionBudget.enabled=false,admissionPolicies.podStatus=false,admissionPolicies.approvals=false,cleanUp.enabled=false,topologySpreadConstraints=null,resources=null"},
	}

	for name, args := range cases {
		t.Run(name, func(t *testing.T) {
			for _, u := range render(t, args...) {
				apply := client.ApplyConfigurationFromUnstructured(u.DeepCopy())
				if err := c.Apply(t.Context(), apply, client.FieldOwner("test"), client.ForceOwnership, client.DryRunAll); err != nil {
					t.Errorf("%s %s: %v", u.GetKind(), u.GetName(), err)
				}
			}
		})
	}
}

// podgate's pods are admitted where only restricted ones are.
func TestPodsAreRestricted(t *testing.T) {
	c := connect(t)
	namespace(t, c, "restricted", map[string]string{"pod-security.kubernetes.io/enforce": "restricted"})
	m := render(t)
	var d appsv1.Deployment
	var j batchv1.Job
	convert(t, m.OfKind("Deployment")[0], &d)
	convert(t, m.OfKind("Job")[0], &j)

	for name, template := range map[string]corev1.PodTemplateSpec{"controller": d.Spec.Template, "clean-up": j.Spec.Template} {
		pod := &corev1.Pod{ObjectMeta: template.ObjectMeta, Spec: template.Spec}
		pod.Namespace, pod.Name = "restricted", name
		if err := c.Create(t.Context(), pod, client.DryRunAll); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}

	bare := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "restricted", Name: "bare"}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "a", Image: "a"}}}}
	if err := c.Create(t.Context(), bare, client.DryRunAll); err == nil {
		t.Error("the API server admits anything: the test shows nothing")
	}
}

// Upgrades and roll-backs leave alone what podgate and people write into the webhook's
// configuration, and an upgrade brings the new definitions.
func TestUpgradeKeepsWhatOthersWrote(t *testing.T) {
	c := connect(t)
	namespace(t, c, "podgate-system", nil)
	kubeconfig := kubetest.Kubeconfig(t, shared)
	helm := func(args ...string) {
		t.Helper()
		if out, err := kubetest.Helm(t, append(args, "--kubeconfig", kubeconfig, "--namespace", "podgate-system", "--no-hooks")...); err != nil {
			t.Fatalf("helm %v: %v\n%s", args, err, out)
		}
	}

	// kubetest has the definitions without Helm's marks.
	helm("install", "podgate", kubetest.Chart(), "--set", "region=eu-west-1", "--take-ownership")
	t.Cleanup(func() {
		_, _ = kubetest.Helm(noCancel{t}, "uninstall", "podgate", "--kubeconfig", kubeconfig, "--namespace", "podgate-system", "--no-hooks")
	})

	crd := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition"}}
	crd.SetName("targetbindings.podgate.dev")
	columns := []string{"spec", "versions"}
	get(t, c, crd)
	installed := field(t, crd.Object, columns...)
	older := crd.DeepCopy()
	older.Object["spec"].(map[string]any)["versions"].([]any)[0].(map[string]any)["additionalPrinterColumns"] = []any{}

	if err := c.Update(t.Context(), older); err != nil {
		t.Fatal(err)
	}

	bundle := authority(t)
	edited := &metav1.LabelSelector{MatchLabels: map[string]string{"elbv2.k8s.aws/pod-readiness-gate-inject": "enabled"}}
	var now admissionv1.MutatingWebhookConfiguration
	now.Name = "podgate-webhook"
	get(t, c, &now)

	for i := range now.Webhooks {
		now.Webhooks[i].ClientConfig.CABundle = bundle
	}

	now.Webhooks[0].ObjectSelector = edited
	ofGWC := slices.IndexFunc(now.Webhooks, func(w admissionv1.MutatingWebhook) bool { return w.Name == gwc.Webhook })
	editedToo := &metav1.LabelSelector{MatchLabels: map[string]string{gwc.InjectLabel: gwc.InjectEnabled}}
	now.Webhooks[ofGWC].ObjectSelector = editedToo
	if err := c.Update(t.Context(), &now); err != nil {
		t.Fatal(err)
	}

	for _, step := range [][]string{
		{"upgrade", "podgate", kubetest.Chart(), "--set", "region=eu-west-1"},
		{"upgrade", "podgate", kubetest.Chart(), "--set", "region=eu-west-1,podMutatorWebhookConfig.timeoutSeconds=7"},
		{"rollback", "podgate", "1"},
	} {
		helm(step...)
		var after admissionv1.MutatingWebhookConfiguration
		after.Name = now.Name
		get(t, c, &after)

		for _, w := range after.Webhooks {
			if !bytes.Equal(w.ClientConfig.CABundle, bundle) {
				t.Errorf("%v: caBundle of %s is %q", step, w.Name, w.ClientConfig.CABundle)
			}
		}

		if diff := cmp.Diff(edited, after.Webhooks[0].ObjectSelector); diff != "" {
			t.Errorf("%v: the selector edited by hand: -want, +got:\n%s", step, diff)
		}

		if diff := cmp.Diff(editedToo, after.Webhooks[ofGWC].ObjectSelector); diff != "" {
			t.Errorf("%v: the selector of %s edited by hand: -want, +got:\n%s", step, gwc.Webhook, diff)
		}

		get(t, c, crd)
		if diff := cmp.Diff(installed, field(t, crd.Object, columns...)); diff != "" {
			t.Errorf("%v: the definition is an older one: -want, +got:\n%s", step, diff)
		}

		if n := policies(t, c); n != 2 {
			t.Errorf("%v: %d admission policies", step, n)
		}
	}

	helm("uninstall", "podgate")
	get(t, c, crd) // kept, and with it all bindings
	if n := policies(t, c); n != 0 {
		t.Errorf("%d admission policies are left", n)
	}
}

// policies counts podgate's admission policies that are bound.
func policies(t *testing.T, c client.Client) int {
	t.Helper()
	var bound admissionv1.ValidatingAdmissionPolicyBindingList
	if err := c.List(t.Context(), &bound, client.HasLabels{"app.kubernetes.io/name"}); err != nil {
		t.Fatal(err)
	}
	for _, b := range bound.Items {
		get(t, c, &admissionv1.ValidatingAdmissionPolicy{ObjectMeta: metav1.ObjectMeta{Name: b.Spec.PolicyName}})
	}
	return len(bound.Items)
}

// noCancel runs on in a test's clean-up.
type noCancel struct{ *testing.T }

func (noCancel) Context() context.Context { return context.Background() }

func get(t *testing.T, c client.Client, o client.Object) {
	t.Helper()
	if err := c.Get(t.Context(), client.ObjectKeyFromObject(o), o); err != nil {
		t.Fatal(err)
	}
}

func convert(t *testing.T, u *unstructured.Unstructured, into any) {
	t.Helper()
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, into); err != nil {
		t.Fatal(err)
	}
}

// authority is a certificate that the API server takes for a caBundle.
func authority(t *testing.T) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// foreignKinds installs stand-ins for the kinds of cert-manager and Prometheus Operator.
func foreignKinds(t *testing.T, c client.Client) {
	t.Helper()
	raw, err := os.ReadFile("testdata/foreign-crds.yaml")
	if err != nil {
		t.Fatal(err)
	}

	m, err := env.ParseManifest(raw)
	if err != nil {
		t.Fatal(err)
	}

	for _, u := range m {
		if err := c.Create(t.Context(), u); err != nil {
			t.Fatal(err)
		}
		err := wait.PollUntilContextTimeout(t.Context(), 20*time.Millisecond, time.Minute, true, func(ctx context.Context) (bool, error) {
			group, _, _ := unstructured.NestedString(u.Object, "spec", "group")
			kind, _, _ := unstructured.NestedString(u.Object, "spec", "names", "kind")
			list := &unstructured.UnstructuredList{Object: map[string]any{"apiVersion": group + "/v1", "kind": kind + "List"}}
			return c.List(ctx, list) == nil, nil
		})
		if err != nil {
			t.Fatalf("kind %s: %v", u.GetName(), err)
		}
	}
}
