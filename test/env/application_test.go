// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package env

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
)

func testApp() App {
	return App{
		Namespace: "demo", Name: "web", Gated: true, TargetGroupARN: "arn:aws:x", Image: "podgate.dev/app:v1",
		Replicas: 5, MaxSurge: "25%", MaxUnavailable: "1", PrestopSeconds: 40, GracePeriodSeconds: 70, Env: map[string]string{"START_DELAY": "2"},
		RoleARN: "arn:aws:iam::1:role/web", ReadinessPath: "/healthz",
	}
}

func render(t *testing.T, a App) (Manifest, *appsv1.Deployment) {
	t.Helper()
	m, err := a.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	var d appsv1.Deployment
	// Strict, so that a misspelt field does not pass unnoticed.
	err = runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(m.OfKind("Deployment")[0].Object, &d, true)
	if err != nil {
		t.Fatal(err)
	}
	return m, &d
}

func TestApplicationIsRendered(t *testing.T) {
	m, d := render(t, testApp())
	if got := m.OfKind("Namespace")[0].GetLabels()["elbv2.k8s.aws/pod-readiness-gate-inject"]; got != "enabled" {
		t.Errorf("namespace label %q, want enabled", got)
	}

	if len(m.OfKind("TargetGroupBinding")) != 1 || len(m.OfKind("Service")) != 1 {
		t.Errorf("want one binding and one Service, got %d objects", len(m))
	}

	role, _, err := unstructured.NestedString(m.OfKind("TargetGroupBinding")[0].Object, "spec", "iamRoleArnToAssume")
	if err != nil || role != "arn:aws:iam::1:role/web" {
		t.Errorf("role %q (%v), want the application's", role, err)
	}

	pod := d.Spec.Template.Spec
	if probe := pod.Containers[0].ReadinessProbe; probe == nil || probe.HTTPGet.Path != "/healthz" {
		t.Errorf("readiness probe %v, want one of /healthz", probe)
	}

	if *pod.TerminationGracePeriodSeconds != 70 || *d.Spec.Replicas != 5 {
		t.Errorf("grace period %d, replicas %d; want 70, 5", *pod.TerminationGracePeriodSeconds, *d.Spec.Replicas)
	}

	u := d.Spec.Strategy.RollingUpdate
	if u.MaxSurge.String() != "25%" || u.MaxUnavailable.IntVal != 1 {
		t.Errorf("surge %s, unavailable %s; want 25%%, 1", u.MaxSurge, u.MaxUnavailable)
	}

	if diff := cmp.Diff([]string{"/bin/sleep", "40"}, pod.Containers[0].Lifecycle.PreStop.Exec.Command); diff != "" {
		t.Errorf("preStop (-want +got):\n%s", diff)
	}

	if diff := cmp.Diff([]corev1.EnvVar{{Name: "START_DELAY", Value: "2"}}, pod.Containers[0].Env); diff != "" {
		t.Errorf("environment (-want +got):\n%s", diff)
	}
}

func TestApplicationWithoutExtras(t *testing.T) {
	a := testApp()
	a.Gated, a.TargetGroupARN, a.PrestopSeconds, a.GracePeriodSeconds, a.Env, a.RoleARN, a.ReadinessPath = false, "", 0, 0, nil, "", ""
	m, d := render(t, a)
	if labels := m.OfKind("Namespace")[0].GetLabels(); len(labels) > 0 {
		t.Errorf("an ungated namespace has labels %v", labels)
	}

	if len(m.OfKind("TargetGroupBinding")) != 0 {
		t.Error("a binding without a target group")
	}

	pod := d.Spec.Template.Spec
	if pod.TerminationGracePeriodSeconds != nil || pod.Containers[0].Lifecycle != nil || pod.Containers[0].Env != nil || pod.Containers[0].ReadinessProbe != nil {
		t.Errorf("want neither grace period, hook, probe nor environment, got %+v", pod)
	}
}

// TestApplicationBehindNodes: its Service has node ports, and its binding is of nodes.
func TestApplicationBehindNodes(t *testing.T) {
	for local, want := range map[bool][2]string{false: {"NodePort", ""}, true: {"LoadBalancer", "Local"}} {
		a := testApp()
		a.Nodes, a.Local = true, local
		m, _ := render(t, a)
		spec := func(kind, field string) string {
			value, _, err := unstructured.NestedString(m.OfKind(kind)[0].Object, "spec", field)
			if err != nil {
				t.Fatal(err)
			}
			return value
		}
		if got := [2]string{spec("Service", "type"), spec("Service", "externalTrafficPolicy")}; got != want || spec("TargetGroupBinding", "targetType") != "instance" {
			t.Errorf("the Service is of type and policy %q, want %q, and the binding of %s", got, want, spec("TargetGroupBinding", "targetType"))
		}
	}
}

// TestApplicationWithChecks: podgate's own label asks for the gates of load balancers and of checks.
func TestApplicationWithChecks(t *testing.T) {
	a := testApp()
	a.Checks = "{selector: {matchLabels: {app.kubernetes.io/name: web}}, checks: [{name: warm, http: {port: http, path: /warm}}]}"
	m, _ := render(t, a)
	if diff := cmp.Diff(map[string]string{"podgate.dev/inject": "enabled"}, m.OfKind("Namespace")[0].GetLabels()); diff != "" {
		t.Errorf("labels of the namespace (-want +got):\n%s", diff)
	}

	gate := m.OfKind("ReadinessGate")[0]
	checks, _, err := unstructured.NestedSlice(gate.Object, "spec", "checks")
	if err != nil || len(checks) != 1 || "checks.podgate.dev/"+gate.GetName() != CheckGate {
		t.Errorf("%s has the checks %v (%v), want one, and the gate %s", gate.GetName(), checks, err, CheckGate)
	}

	lb := corev1.PodReadinessGate{ConditionType: gateType}
	check := corev1.PodReadinessGate{ConditionType: CheckGate}
	for _, c := range []struct {
		reason string
		gates  []corev1.PodReadinessGate
		want   bool
	}{
		{"none", nil, false},
		{"the load balancer's alone", []corev1.PodReadinessGate{lb}, false},
		{"the checks' alone", []corev1.PodReadinessGate{check}, false},
		{"both", []corev1.PodReadinessGate{check, lb}, true},
	} {
		if got := a.injected(seen(func(p *corev1.Pod) { p.Spec.ReadinessGates = c.gates })); got != c.want {
			t.Errorf("%s: injected %t, want %t", c.reason, got, c.want)
		}
	}
}

func TestCompleteDeployment(t *testing.T) {
	five := int32(5)
	done := appsv1.DeploymentStatus{ObservedGeneration: 2, Replicas: 5, UpdatedReplicas: 5, AvailableReplicas: 5}
	cases := []struct {
		reason string
		change func(*appsv1.DeploymentStatus)
		want   bool
	}{
		{"all is as asked for", func(*appsv1.DeploymentStatus) {}, true},
		{"the controller has not seen the update", func(s *appsv1.DeploymentStatus) { s.ObservedGeneration = 1 }, false},
		{"pods of the old version are left", func(s *appsv1.DeploymentStatus) { s.Replicas = 6 }, false},
		{"pods of the new version are missing", func(s *appsv1.DeploymentStatus) { s.UpdatedReplicas = 4 }, false},
		{"pods are not available", func(s *appsv1.DeploymentStatus) { s.AvailableReplicas = 4 }, false},
	}

	for _, c := range cases {
		d := &appsv1.Deployment{Spec: appsv1.DeploymentSpec{Replicas: &five}, Status: done}
		d.Generation = 2
		c.change(&d.Status)
		if got := Complete(d); got != c.want {
			t.Errorf("%s: complete %t, want %t", c.reason, got, c.want)
		}
	}
}
