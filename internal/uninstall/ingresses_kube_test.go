// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package uninstall

import (
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
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
	ours, theirs := balanced(c.ns, "ours"), balanced(c.ns, "theirs")
	ours.Annotations = map[string]string{v1alpha1.StacksAnnotation: c.ns + "/ours"}
	c.create(ours)
	c.create(theirs)
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

	// A Service has the same finalizer of either controller.
	for svc, left := range map[*corev1.Service]int{ours: 0, theirs: 1} {
		if err := c.Get(t.Context(), client.ObjectKeyFromObject(svc), svc); err != nil {
			t.Fatal(err)
		}
		if len(svc.Finalizers) != left {
			t.Errorf("Service %s has the finalizers %q", svc.Name, svc.Finalizers)
		}
	}
}

// balanced is a Service with the finalizer of those that have a load balancer.
func balanced(namespace, name string) *corev1.Service {
	return &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Finalizers: []string{elbv2.LBCServiceFinalizer}},
		Spec:       corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 80}}},
	}
}
