// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/podgate/podgate/test/env"
	"github.com/podgate/podgate/test/experiment/report"
)

// typed reads the one object of a kind, and refuses fields that the kind does not have.
func typed[T any](t *testing.T, m env.Manifest, kind string) *T {
	t.Helper()
	all := m.OfKind(kind)
	if len(all) != 1 {
		t.Fatalf("%d objects of kind %s", len(all), kind)
	}
	var o T
	if err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(all[0].Object, &o, true); err != nil {
		t.Fatalf("%s: %v", kind, err)
	}
	return &o
}

// TestGame: what each run applies is the application with its Ingress, and what the run is about.
func TestGame(t *testing.T) {
	o := options{
		profile: profileIngress, replicas: 5, maxSurge: "25%", maxUnavailable: "25%", oldImage: "app:v1", prestop: 40, gracePeriod: 70, deregistrationDelay: 30,
		healthCheck: env.HealthCheck{Path: "/healthz", Interval: 5, Timeout: 2, Healthy: 2, Unhealthy: 2},
	}
	for run, want := range map[string]struct {
		targets       string
		labels, gates int
		prestop       string
		grace         int64
	}{
		report.Instance:     {targets: "instance"},
		report.Ungated:      {targets: "ip"},
		report.GatedPrestop: {targets: "ip", labels: 1, gates: 1, prestop: "40", grace: 70},
		report.Drain:        {targets: "ip", labels: 2},
	} {
		t.Run(run, func(t *testing.T) {
			app := newExperiment(o, nil).application(run)
			m, err := app.Manifest()
			if err != nil {
				t.Fatal(err)
			}
			ns, svc, ing, d := typed[corev1.Namespace](t, m, "Namespace"), typed[corev1.Service](t, m, "Service"), typed[networkingv1.Ingress](t, m, "Ingress"), typed[appsv1.Deployment](t, m, "Deployment")

			if ns.Name != app.Namespace || len(ns.Labels) != want.labels {
				t.Errorf("namespace %s with the labels %v, want %d", ns.Name, ns.Labels, want.labels)
			}
			if got := ing.Annotations["alb.ingress.kubernetes.io/target-type"]; got != want.targets || ing.Name != app.Ingress {
				t.Errorf("Ingress %s has targets of type %q, want %q", ing.Name, got, want.targets)
			}
			if got := ing.Annotations["alb.ingress.kubernetes.io/target-group-attributes"]; got != "deregistration_delay.timeout_seconds=30" {
				t.Errorf("attributes %q", got)
			}

			backend := ing.Spec.Rules[0].HTTP.Paths[0].Backend.Service
			if backend.Name != svc.Name || backend.Port.Number != svc.Spec.Ports[0].Port || svc.Spec.Type != corev1.ServiceTypeNodePort {
				t.Errorf("the Ingress names %+v, and the Service is %s of type %s with port %d", backend, svc.Name, svc.Spec.Type, svc.Spec.Ports[0].Port)
			}

			pod := d.Spec.Template
			if pod.Labels["app"] != svc.Spec.Selector["app"] || pod.Labels["app"] != app.Labels["app"] || d.Name != app.Name {
				t.Errorf("Deployment %s has pods with %v, the Service selects %v, and trial pods have %v", d.Name, pod.Labels, svc.Spec.Selector, app.Labels)
			}
			if svc.Spec.Ports[0].TargetPort.IntVal != pod.Spec.Containers[0].Ports[0].ContainerPort {
				t.Error("the Service leads to a port that the pods do not have")
			}

			gate := corev1.PodConditionType(fmt.Sprintf("target-health.alb.ingress.k8s.aws/%s_%s_%d", ing.Name, backend.Name, backend.Port.Number))
			if got := pod.Spec.ReadinessGates; len(got) != want.gates || len(got) > 0 && got[0].ConditionType != gate {
				t.Errorf("gates %v, want %d of type %s", got, want.gates, gate)
			}
			prestop := ""
			if l := pod.Spec.Containers[0].Lifecycle; l != nil {
				prestop = l.PreStop.Exec.Command[1]
			}
			grace := int64(0)
			if g := pod.Spec.TerminationGracePeriodSeconds; g != nil {
				grace = *g
			}
			if prestop != want.prestop || grace != want.grace {
				t.Errorf("a preStop hook of %q s in a grace period of %d s, want %q and %d", prestop, grace, want.prestop, want.grace)
			}
		})
	}
}
