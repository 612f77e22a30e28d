// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package chart

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/yaml"

	"github.com/podgate/podgate/internal/certificate"
	"github.com/podgate/podgate/internal/kubetest"
	"github.com/podgate/podgate/test/env"
)

func script(t *testing.T, name string, args ...string) []byte {
	t.Helper()
	kubetest.Reads(t, filepath.Join(kubetest.Root(), "scripts"))
	kubetest.Tool(t, "helm", "helm.sh/helm/v3/cmd/helm")
	out, err := exec.CommandContext(t.Context(), filepath.Join(kubetest.Root(), "scripts", name), args...).Output()
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return out
}

// The Secret that the script makes can be served, and API servers trust it.
func TestGenWebhookSecret(t *testing.T) {
	var s corev1.Secret
	if err := yaml.UnmarshalStrict(script(t, "gen-webhook-secret.sh", "shop", "mine"), &s); err != nil {
		t.Fatal(err)
	}

	if s.Namespace != "shop" || s.Name != "mine" || s.Type != corev1.SecretTypeTLS {
		t.Errorf("made Secret %s/%s of type %s", s.Namespace, s.Name, s.Type)
	}

	pair, err := tls.X509KeyPair(s.Data["tls.crt"], s.Data["tls.key"])
	if err != nil {
		t.Fatal(err)
	}

	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(s.Data["ca.crt"]) {
		t.Fatal("ca.crt holds no certificate")
	}

	for _, name := range certificate.DNSNames("shop") {
		if _, err := pair.Leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: name}); err != nil {
			t.Errorf("verify for %s: %v", name, err)
		}
	}
}

// TestGenWebhookSecretAgain: with the authority kept, API servers need to learn nothing when the certificate is renewed.
func TestGenWebhookSecretAgain(t *testing.T) {
	folder := t.TempDir()
	var first, again corev1.Secret
	for _, s := range []*corev1.Secret{&first, &again} {
		if err := yaml.UnmarshalStrict(script(t, "gen-webhook-secret.sh", "shop", "mine", folder), s); err != nil {
			t.Fatal(err)
		}
	}

	if len(first.Data["ca.crt"]) == 0 || !bytes.Equal(first.Data["ca.crt"], again.Data["ca.crt"]) {
		t.Error("the authority is another one")
	}

	if bytes.Equal(first.Data["tls.crt"], again.Data["tls.crt"]) {
		t.Error("the certificate is the same")
	}

	pair, err := tls.X509KeyPair(again.Data["tls.crt"], again.Data["tls.key"])
	if err != nil {
		t.Fatal(err)
	}

	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(first.Data["ca.crt"])

	if _, err := pair.Leaf.Verify(x509.VerifyOptions{Roots: roots}); err != nil {
		t.Error(err)
	}
}

// What the other script prints has podgate serve that Secret, which it may read and not write.
func TestPatchDeployYAML(t *testing.T) {
	m, err := env.ParseManifest(script(t, "patch-deploy-yaml.sh", "--set", "region=eu-west-1"))
	if err != nil {
		t.Fatal(err)
	}

	var role rbacv1.Role
	convert(t, m.OfKind("Role")[0], &role)
	allowed := false
	for _, r := range role.Rules {
		if !slices.Contains(r.Resources, "secrets") {
			continue
		}
		allowed = slices.Equal(r.ResourceNames, []string{"webhook-cert"})
		for _, verb := range r.Verbs {
			if verb != "get" && verb != "list" && verb != "watch" {
				t.Errorf("podgate may %s Secrets %q", verb, r.ResourceNames)
			}
		}
	}

	args, _ := container(t, m.OfKind("Deployment")[0])["args"].([]any)
	if secrets := m.OfKind("Secret"); len(secrets) != 1 || secrets[0].GetName() != "webhook-cert" || !allowed || !slices.Contains(args, any("--webhook-certificate-secret=webhook-cert")) {
		t.Errorf("Secrets %v, may read it %t, flags %q", secrets, allowed, args)
	}
}
