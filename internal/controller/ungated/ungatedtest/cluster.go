// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package ungatedtest is a small cluster for tests of pods that lack a gate: a labelled namespace, a Service, and
// what a test adds. It holds objects only, and runs nothing.
package ungatedtest

import (
	"os"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/internal/index/indextest"
)

// Noon is when a cluster's clock begins.
var Noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

// Cluster is a cluster of the namespace shop, and its clock.
type Cluster struct {
	*testing.T
	// Clock is the time of the leader and of what is created.
	Clock time.Time
	// Objects are what exists, by any name.
	Objects map[string]client.Object
}

// New makes a cluster with the namespace, as "namespace", and the Service web, as "service".
func New(t *testing.T) *Cluster {
	c := &Cluster{T: t, Clock: Noon, Objects: map[string]client.Object{}}

	ns := &metav1.PartialObjectMetadata{}
	ns.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Namespace"))
	ns.Name, ns.Labels = "shop", map[string]string{elbv2.InjectLabel: elbv2.InjectEnabled}
	c.Objects["namespace"] = ns

	c.Objects["service"] = &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web", CreationTimestamp: metav1.NewTime(Noon.Add(-24 * time.Hour))},
		Spec:       corev1.ServiceSpec{Selector: map[string]string{"app": "web"}, Ports: []corev1.ServicePort{{Port: 80, TargetPort: intstr.FromInt32(8080)}}},
	}

	return c
}

// Now is the clock.
func (c *Cluster) Now() time.Time { return c.Clock }

// Pod makes a pod of the ReplicaSet web.
func (c *Cluster) Pod(name string) *corev1.Pod {
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
		Namespace: "shop", Name: name, UID: types.UID("uid-" + name), Labels: map[string]string{"app": "web"}, CreationTimestamp: metav1.NewTime(c.Clock),
		OwnerReferences: []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "web", UID: "uid-of-web", Controller: new(true)}},
	}}
	c.Objects[name] = pod
	return pod
}

// Bind makes the binding web-tg of the Service, as "binding".
func (c *Cluster) Bind() *elbv2.TargetGroupBinding {
	b := &elbv2.TargetGroupBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web-tg", CreationTimestamp: metav1.NewTime(c.Clock)},
		Spec:       elbv2.TargetGroupBindingSpec{TargetType: new(elbv2.TargetTypeIP), ServiceRef: elbv2.ServiceReference{Name: "web", Port: intstr.FromInt32(80)}},
	}
	c.Objects["binding"] = b
	return b
}

// Configure installs the webhook's manifest, as "configuration", and returns its entry for gates. The working
// directory is that of a package next to package ungated.
func (c *Cluster) Configure() *admissionv1.MutatingWebhook {
	raw, err := os.ReadFile("../../../config/podgate/templates/webhook.yaml")
	if err != nil {
		c.Fatal(err)
	}

	configuration := &admissionv1.MutatingWebhookConfiguration{}
	if err := yaml.UnmarshalStrict(raw, configuration); err != nil {
		c.Fatal(err)
	}

	c.Objects["configuration"] = configuration
	return &configuration.Webhooks[0]
}

// Cache is a cache of what exists now.
func (c *Cluster) Cache() *indextest.Cache {
	c.Helper()
	var all []client.Object
	for _, o := range c.Objects {
		all = append(all, o)
	}

	cache, err := indextest.New(c.Context(), all...)
	if err != nil {
		c.Fatal(err)
	}

	return cache
}
