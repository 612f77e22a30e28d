// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package docs

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/podgate/podgate/internal/kubetest"
)

// TestManifestsApply: each YAML block of a page that is a manifest, and each file of manifests beside the pages, is applied, as a dry run, to a real API server, which
// refuses fields that it does not know. What is a part of one has to be YAML.
func TestManifestsApply(t *testing.T) {
	c, err := kubetest.Client(shared.cfg)
	if err != nil {
		t.Fatal(err)
	}

	kubetest.DefineGateways(t, c)
	applied := 0
	for _, p := range pages(t) {
		for _, b := range p.blocks() {
			if b.language != "yaml" && b.language != "yml" {
				continue
			}

			t.Run(fmt.Sprintf("%s:%d", b.page, b.line), func(t *testing.T) {
				objects, err := b.manifests()
				if err != nil {
					t.Fatal(err)
				}
				for _, o := range objects {
					o.apply(t, c)
					applied++
				}
			})
		}
	}

	files, err := filepath.Glob(filepath.Join(kubetest.Root(), "docs", "*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			objects, err := block{page: file, text: string(text)}.manifests()
			if err != nil || len(objects) == 0 {
				t.Fatalf("%d objects: %v", len(objects), err)
			}
			for _, o := range objects {
				o.apply(t, c)
			}
		})
	}

	if applied < 5 {
		t.Errorf("%d manifests were found in all of the documentation", applied)
	}
}

// manifest is one object.
type manifest struct{ *unstructured.Unstructured }

// manifests are a block's objects; none when it is a part of one, such as values of the chart.
func (b block) manifests() ([]manifest, error) {
	var all []manifest
	documents := utilyaml.NewYAMLReader(bufio.NewReader(strings.NewReader(b.dedented())))
	for {
		raw, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, err
		}

		var content any
		if err := yaml.UnmarshalStrict(raw, &content); err != nil {
			return nil, err
		}

		fields, _ := content.(map[string]any)
		u := &unstructured.Unstructured{Object: fields}
		if u.GetAPIVersion() == "" || slices.Contains(ofTools, u.GetAPIVersion()) {
			continue
		}

		all = append(all, manifest{u})
	}
}

// ofTools are manifests that no API server is to see.
var ofTools = []string{"kustomize.config.k8s.io/v1beta1", "descheduler/v1alpha2"}

// apply applies a manifest as kubectl apply --server-side --dry-run=server does, in a namespace that is there.
func (m manifest) apply(t *testing.T, c client.Client) {
	t.Helper()
	if ns := m.GetNamespace(); ns != "" {
		for _, o := range []client.Object{
			&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: ns}},
			&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "default"}}, // pods want one
		} {
			if err := c.Create(t.Context(), o); err != nil && !apierrors.IsAlreadyExists(err) {
				t.Fatal(err)
			}
		}
	}

	name := m.GetKind() + " " + m.GetName()
	apply := client.ApplyConfigurationFromUnstructured(m.DeepCopy())
	err := client.WithFieldValidation(c, metav1.FieldValidationStrict).Apply(t.Context(), apply, client.FieldOwner("docs"), client.ForceOwnership, client.DryRunAll)
	switch {
	case meta.IsNoMatchError(err):
		t.Errorf("%s: no such kind is installed: %v", name, err)
	case err != nil:
		t.Errorf("%s: %v", name, err)
	}
}

// dedented is a block without what its list indents it by.
func (b block) dedented() string {
	lines := strings.Split(b.text, "\n")
	indent := strings.Repeat(" ", len(lines[0])-len(strings.TrimLeft(lines[0], " ")))
	for i, l := range lines {
		lines[i] = strings.TrimPrefix(l, indent)
	}
	return strings.Join(lines, "\n")
}
