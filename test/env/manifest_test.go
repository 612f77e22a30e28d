// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package env

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

const controllerManifest = `
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingWebhookConfiguration
metadata: {name: hook}
---
# a comment alone
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: controller}
spec:
  template:
    spec:
      containers:
      - name: one
        env:
        - {name: KEEP, value: "1"}
        - {name: AWS_REGION, value: old}
        - name: POD
          valueFrom: {fieldRef: {fieldPath: metadata.name}}
      - name: two
---
apiVersion: v1
kind: List
items:
- {apiVersion: v1, kind: Namespace, metadata: {name: system}}
- {apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: crd}}
`

func TestManifestIsOrderedForApplying(t *testing.T) {
	m, err := ParseManifest([]byte(controllerManifest))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, u := range m {
		got = append(got, u.GetKind())
	}
	want := []string{"CustomResourceDefinition", "Namespace", "Deployment", "MutatingWebhookConfiguration"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("kinds (-want +got):\n%s", diff)
	}
}

func TestSetEnvReachesEveryContainer(t *testing.T) {
	m, err := ParseManifest([]byte(controllerManifest))
	if err != nil {
		t.Fatal(err)
	}

	if err := m.SetEnv(map[string]string{"AWS_REGION": "new", "AWS_ENDPOINT_URL": "http://x"}); err != nil {
		t.Fatal(err)
	}

	containers, _, err := unstructured.NestedSlice(m.OfKind("Deployment")[0].Object, "spec", "template", "spec", "containers")
	if err != nil {
		t.Fatal(err)
	}

	added := []any{
		map[string]any{"name": "AWS_ENDPOINT_URL", "value": "http://x"},
		map[string]any{"name": "AWS_REGION", "value": "new"},
	}

	want := []any{
		map[string]any{"name": "one", "env": append([]any{
			map[string]any{"name": "KEEP", "value": "1"},
			map[string]any{"name": "POD", "valueFrom": map[string]any{"fieldRef": map[string]any{"fieldPath": "metadata.name"}}},
		}, added...)},
		map[string]any{"name": "two", "env": added},
	}
	if diff := cmp.Diff(want, containers); diff != "" {
		t.Errorf("containers (-want +got):\n%s", diff)
	}
}

func TestABrokenManifestIsAnError(t *testing.T) {
	if _, err := ParseManifest([]byte("kind: [")); err == nil {
		t.Error("want an error")
	}
}

func TestAddArgsReachesEveryContainer(t *testing.T) {
	m, err := ParseManifest([]byte(controllerManifest))
	if err != nil {
		t.Fatal(err)
	}

	for _, args := range [][]string{{"--first"}, nil, {"--second=a b"}} {
		if err := m.AddArgs(args); err != nil {
			t.Fatal(err)
		}
	}

	containers, _, err := unstructured.NestedSlice(m.OfKind("Deployment")[0].Object, "spec", "template", "spec", "containers")
	if err != nil {
		t.Fatal(err)
	}
	for _, each := range containers {
		if diff := cmp.Diff([]any{"--first", "--second=a b"}, each.(map[string]any)["args"]); diff != "" {
			t.Errorf("arguments (-want +got):\n%s", diff)
		}
	}
}
