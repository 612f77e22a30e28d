// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/podgate/podgate/api/v1alpha1"
)

// TestResolve: scripts get what is asked about a pod as it is asked, and people read it in a line.
func TestResolve(t *testing.T) {
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web", UID: "u-1", Labels: map[string]string{"release": "r1"}}}
	pod.Status.PodIPs = []corev1.PodIP{{IP: "2001:db8::1"}}
	port := intstr.FromString("http")

	for name, tc := range map[string]struct {
		check v1alpha1.Check
		want  CheckReport
	}{
		"Query": {v1alpha1.Check{Prometheus: &v1alpha1.PrometheusCheck{Server: "main", Query: "errors{\n  pod=\"$(pod.name)\"}", Expression: "value < 1"}},
			CheckReport{Asks: `errors{ pod="web"} at Prometheus server main, value < 1, every 15s`, Resolved: "errors{\n  pod=\"web\"}"}},
		"Plain":    {v1alpha1.Check{Prometheus: &v1alpha1.PrometheusCheck{Server: "main", Query: "up", Expression: "value < 1"}}, CheckReport{Asks: `up at Prometheus server main, value < 1, every 15s`, Resolved: "up"}},
		"URL":      {v1alpha1.Check{HTTP: &v1alpha1.HTTPCheck{URL: "https://reg.example.com/$(pod.uid)?at=$(pod.ip)"}}, CheckReport{Asks: "GET https://reg.example.com/u-1?at=2001%3Adb8%3A%3A1, every 5s", Resolved: "https://reg.example.com/u-1?at=2001%3Adb8%3A%3A1"}},
		"Path":     {v1alpha1.Check{HTTP: &v1alpha1.HTTPCheck{Port: &port, Path: "/warm?pod=$(pod.name)"}}, CheckReport{Asks: "GET /warm?pod=web at port http, every 5s", Resolved: "/warm?pod=web"}},
		"NoPath":   {v1alpha1.Check{HTTP: &v1alpha1.HTTPCheck{Port: &port}}, CheckReport{Asks: "GET / at port http, every 5s", Resolved: "/"}},
		"Resource": {v1alpha1.Check{Resource: &v1alpha1.ResourceCheck{Kind: "Job", Name: "migrate-$(pod.labels['release'])", Expression: "true"}}, CheckReport{Asks: "Job migrate-r1, true", Resolved: "migrate-r1"}},
		"TCP":      {v1alpha1.Check{TCP: &v1alpha1.TCPCheck{Port: &port}}, CheckReport{Asks: "a connection to port http, every 5s"}},
		"NoLabel": {v1alpha1.Check{Resource: &v1alpha1.ResourceCheck{Kind: "Job", Name: "migrate-$(pod.labels['track'])", Expression: "true"}},
			CheckReport{Asks: "Job migrate-$(pod.labels['track']), true", Unresolved: true}},
		"NoNode": {v1alpha1.Check{HTTP: &v1alpha1.HTTPCheck{Port: &port, Headers: []v1alpha1.HTTPHeader{{Name: "Node", Value: "$(pod.node)"}, {Name: "Pod", Value: "$(pod.name)"}}}},
			CheckReport{Asks: "GET / at port http, every 5s", Unresolved: true}},
	} {
		got := CheckReport{Asks: question(&tc.check)}
		before := tc.check.DeepCopy()
		got.resolve(&tc.check, pod)
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%s: -want, +got:\n%s", name, diff)
		}
		if diff := cmp.Diff(before, &tc.check); diff != "" {
			t.Errorf("%s: the check itself is changed:\n%s", name, diff)
		}
	}
}

// TestNextWithoutAnswer: what to do about a check without an answer is about what it asks. Only where it asks over the network that may be
// a network policy.
func TestNextWithoutAnswer(t *testing.T) {
	x := &explanation{pod: &corev1.Pod{Status: corev1.PodStatus{Conditions: []corev1.PodCondition{{Type: corev1.ContainersReady, Status: corev1.ConditionTrue}}}}}
	all := []v1alpha1.Check{
		{Name: "port", TCP: &v1alpha1.TCPCheck{}}, {Name: "errors", Prometheus: &v1alpha1.PrometheusCheck{}},
		{Name: "migrated", Resource: &v1alpha1.ResourceCheck{}}, {Name: "device", Pod: &v1alpha1.PodCheck{}},
	}
	for message, says := range map[string]string{
		"port: timed out":                     "network policy",
		"gone: timed out":                     "network policy",
		"errors: no series for this pod":      "Prometheus server",
		"migrated: object not found":          "object is there",
		"device: the expression could not be": "has()",
	} {
		g := &GateReport{Type: "checks.podgate.dev/warm", Status: "Unknown", Reason: v1alpha1.ReasonCheckNoAnswer, Message: message}
		if got := x.nextOfChecks(g, &ReadinessGateReport{Status: "True"}, all); !strings.Contains(got, says) {
			t.Errorf("%s: %q, want something about %s", message, got, says)
		}
	}
}
