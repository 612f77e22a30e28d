// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package uninstall

import (
	"slices"
	"testing"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podgate/podgate/api/v1alpha1"
)

// TestIngressesAreLetGo: an Ingress can be deleted when podgate is gone, and another controller's finalizer stays.
func TestIngressesAreLetGo(t *testing.T) {
	c := installed(t)
	backend := &networkingv1.IngressBackend{Service: &networkingv1.IngressServiceBackend{Name: "web", Port: networkingv1.ServiceBackendPort{Number: 80}}}
	ing := &networkingv1.Ingress{
		ObjectMeta: metav1.ObjectMeta{Namespace: c.ns, Name: "web", Finalizers: []string{v1alpha1.IngressFinalizer, "example.com/other"}},
		Spec:       networkingv1.IngressSpec{DefaultBackend: backend},
	}
	c.create(ing)
	ended := make(chan struct{})
	go func() { defer close(ended); c.stopWhenTold(t.Context(), func() {}) }()

	if err := Run(t.Context(), c.options()); err != nil {
		t.Fatal(err)
	}
	<-ended
	if err := c.Get(t.Context(), client.ObjectKeyFromObject(ing), ing); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(ing.Finalizers, []string{"example.com/other"}) {
		t.Errorf("finalizers %q", ing.Finalizers)
	}
}
