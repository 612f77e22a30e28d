// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package apiserver_test runs the webhook and its certificate against a real API server,
// two replicas behind one address. It is a package of its own so that the webhook's other
// tests, its fuzzing and its benchmark start none.
package apiserver_test

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/internal/certificate"
)

func TestAPIServer(t *testing.T) {
	a := startAPIServer(t)
	a.must(t, a.Create(t.Context(), &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: a.namespace, Name: "web"},
		Spec:       corev1.ServiceSpec{Selector: map[string]string{"app": "web"}, Ports: []corev1.ServicePort{{Port: 80}}},
	}))

	a.must(t, a.Create(t.Context(), &elbv2.TargetGroupBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: a.namespace, Name: "web-tg"},
		Spec: elbv2.TargetGroupBindingSpec{
			TargetGroupName: "web", TargetType: new(elbv2.TargetTypeIP),
			ServiceRef: elbv2.ServiceReference{Name: "web", Port: intstr.FromInt32(80)},
		},
	}))

	want := []string{"example.com/mine", "target-health.elbv2.k8s.aws/web-tg"}
	tries := 0
	a.eventually(t, "caches have the binding", func(ctx context.Context) bool {
		tries++
		gates, err := a.createPod(ctx, fmt.Sprint("first-", tries), "web")
		return err == nil && slices.Equal(gates, want)
	})

	t.Run("OthersUntouched", func(t *testing.T) {
		gates, err := a.createPod(t.Context(), "other", "other")
		if legacy := []string{"target-health.alb.ingress.k8s.aws/i_s_80", "example.com/mine"}; err != nil || !slices.Equal(gates, legacy) {
			t.Errorf("gates of a pod that no binding claims: want %q, got %q, error %v", legacy, gates, err)
		}
	})

	t.Run("ExcludedNamespaces", a.testExcluded)
	t.Run("OptOut", a.testOptOut)
	t.Run("DeletedBinding", a.testDeletedBinding)
	t.Run("ServiceWithoutSelector", a.testSelectorless)
	t.Run("Reinvoked", a.testReinvoked)
	t.Run("Labels", a.testLabels)
	t.Run("Adaptive", a.testAdaptive)
	t.Run("InjectionSurvivesApply", a.testApplied)
	t.Run("InjectionByOwner", a.testOwners)
	t.Run("BundleRepaired", func(t *testing.T) { a.testRepair(t) })
	t.Run("RotationUnderLoad", func(t *testing.T) { a.testRotation(t, want) })
	t.Run("OfferedSecret", a.testOffered)
	t.Run("NoFailures", func(t *testing.T) {
		for i, registry := range a.registries {
			if n := sum(t, registry, "podgate_webhook_certificate_failures_total"); n != 0 {
				t.Errorf("replica %d: lost races are not failures, got %v", i, n)
				a.troubles.Range(func(trouble, _ any) bool { t.Log(trouble); return true })
			}
		}
	})
}

// testRepair: a caBundle that somebody blanks is put back, whatever else he edits.
func (a *apiserver) testRepair(t *testing.T) {
	before := a.bundle(t.Context())
	for i := range 20 {
		a.must(t, a.edit(t.Context(), func(c *admissionv1.MutatingWebhookConfiguration) {
			c.Webhooks[0].ClientConfig.CABundle = nil
			c.Webhooks[0].ObjectSelector = &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{
				{Key: "round", Operator: metav1.LabelSelectorOpNotIn, Values: []string{fmt.Sprint(i)}},
			}}
		}))
	}

	a.eventually(t, "caBundle is back", func(ctx context.Context) bool { return string(a.bundle(ctx)) == string(before) })
	var c admissionv1.MutatingWebhookConfiguration
	a.must(t, a.Get(t.Context(), client.ObjectKey{Name: certificate.ConfigurationName}, &c))

	if got := c.Webhooks[0].ObjectSelector; got == nil || len(got.MatchExpressions) != 1 || got.MatchExpressions[0].Values[0] != "19" {
		t.Errorf("the selector edited by hand was lost: %+v", got)
	}

	a.eventually(t, "the API server trusts the webhook again", func(ctx context.Context) bool {
		_, err := a.createPod(ctx, fmt.Sprint("repaired-", time.Now().UnixNano()), "web")
		return err == nil
	})
}

// testRotation creates pods, a thousand at least, through rotations of the pair and of its
// authority. Every one is created and has its gate.
func (a *apiserver) testRotation(t *testing.T, want []string) {
	var created atomic.Int64
	var enough atomic.Bool
	var group errgroup.Group
	const workers, atLeast = 4, 1000
	for w := range workers {
		group.Go(func() error {
			for i := 0; !enough.Load() || i < atLeast/workers; i++ {
				gates, err := a.createPod(t.Context(), fmt.Sprintf("load-%d-%d", w, i), "web")
				if err != nil {
					return fmt.Errorf("pod %d of worker %d: %w", i, w, err)
				}
				if !slices.Equal(gates, want) {
					return fmt.Errorf("gates of pod %d of worker %d: want %q, got %q", i, w, want, gates)
				}
				created.Add(1)
			}
			return nil
		})
	}

	a.rotate(t, certificate.RotateServing)
	a.rotate(t, certificate.RotateCA)
	a.rotate(t, certificate.RotateCA)
	a.must(t, a.Delete(t.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: ownNamespace, Name: certificate.SecretName}}))
	a.eventually(t, "the Secret is made anew", func(ctx context.Context) bool {
		return a.Get(ctx, client.ObjectKey{Namespace: ownNamespace, Name: certificate.SecretName}, &corev1.Secret{}) == nil
	})

	a.rotate(t, certificate.RotateServing)
	enough.Store(true)

	if err := group.Wait(); err != nil {
		t.Error(err)
	}

	t.Logf("%d pods created through four rotations", created.Load())
	for _, reason := range []string{"AuthorityCreated", "CertificateIssued", "AuthorityRetired"} {
		if !a.events.has(reason) {
			t.Errorf("no event %s", reason)
		}
	}
}

func sum(t *testing.T, registry *prometheus.Registry, name string) float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}

	var total float64
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == name {
				total += m.GetCounter().GetValue()
			}
		}
	}

	return total
}
