// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package manager

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
)

// TestAllowedByLabels: a podgate of all namespaces goes by their labels.
func TestAllowedByLabels(t *testing.T) {
	var c Config
	if err := c.AllowTargets.Set("team=shop => arn:shop"); err != nil {
		t.Fatal(err)
	}

	var kube client.Reader = fake.NewClientBuilder().WithObjects(
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop", Labels: map[string]string{"team": "shop"}}},
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "pay"}},
	).Build()

	refuses := allowed(kube, c)
	for namespace, want := range map[string]string{"shop": "", "pay": "arn:shop"} {
		if got, err := refuses(t.Context(), namespace, []string{"arn:shop"}); err != nil || got != want {
			t.Errorf("in %s %q is refused (%v), want %q", namespace, got, err, want)
		}
	}

	if _, err := refuses(t.Context(), "gone", []string{"arn:shop"}); err == nil {
		t.Error("nobody knows the labels of a namespace that is not there")
	}
}
