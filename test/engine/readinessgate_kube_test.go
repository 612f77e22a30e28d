// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"net/http"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/kubetest"
)

// fullReadinessGate names a field of each kind of check, and all fields but those that exclude each other.
const fullReadinessGate = `
selector: {matchLabels: {app: web}}
match: Any
checks:
- name: warm
  periodSeconds: 5
  timeoutSeconds: 2
  initialDelaySeconds: 10
  successThreshold: 2
  http:
    port: http
    scheme: HTTPS
    path: /warm?pod=$(pod.name)
    host: warm.example.com
    method: HEAD
    headers: [{name: X-Check, value: $(pod.uid)}]
    ipFamily: ipv4
    tls: {serverName: warm.example.com, verify: None}
    expression: response.status == 204
- name: registered
  http: {url: "https://registry.example.com:8443/v1/instances/$(pod.name)?of=$(pod.labels['app'])"}
- name: tcp
  tcp: {port: 5432, ipFamily: ipv6}
- name: grpc
  grpc: {port: 9000, service: shop.Cart, tls: {}}
- name: errors
  prometheus: {server: main, query: "up", expression: "value >= 0.99"}
- name: migrated
  resource: {apiVersion: batch/v1, kind: Job, name: "migrate-$(pod.labels['release'])", serviceAccountName: reader, expression: "object.status.succeeded > 0"}
- name: device
  pod: {expression: "pod.status.phase == 'Running'"}
- name: release
  manual: {}
gate: {mode: Latch, timeoutSeconds: 900, onTimeout: Open}
dryRun: true
`

// The API server refuses what podgate could not serve, and says what to write instead.
func TestReadinessGateIsValidated(t *testing.T) {
	kube, err := kubetest.Client(shared.cfg)
	if err != nil {
		t.Fatal(err)
	}
	strict := client.WithFieldValidation(kube, metav1.FieldValidationStrict)
	namespace := kubetest.Namespace(t, kube, nil)

	tests := []struct {
		reason, spec string
		says         string // empty: taken
	}{
		{"every field", fullReadinessGate, ""},
		{"the least", `checks: [{name: warm, http: {port: 8080}}]`, ""},
		{"no check", `checks: []`, "spec.checks"},
		{"nine checks", `checks: [` + strings.Repeat(`{name: a, tcp: {port: 1}},`, 9) + `]`, "spec.checks"},
		{"a name twice", `checks: [{name: a, tcp: {port: 1}}, {name: a, tcp: {port: 2}}]`, "Duplicate value"},
		{"a name that is no label", `checks: [{name: A_b, tcp: {port: 1}}]`, "spec.checks[0].name"},
		{"no kind", `checks: [{name: a}]`, "name exactly one kind of check"},
		{"two kinds", `checks: [{name: a, tcp: {port: 1}, manual: {}}]`, "name exactly one kind of check"},
		{"an empty selector", `{selector: {}, checks: [{name: a, tcp: {port: 1}}]}`, "an empty selector would gate every pod of the namespace"},
		{"a period of nothing", `checks: [{name: a, periodSeconds: 0, tcp: {port: 1}}]`, "periodSeconds"},
		{"a period of what is followed", `checks: [{name: a, periodSeconds: 5, pod: {expression: "true"}}]`, "periodSeconds is for checks that ask"},
		{"a time-out of hours", `checks: [{name: a, timeoutSeconds: 61, tcp: {port: 1}}]`, "timeoutSeconds"},

		{"a port and a URL", `checks: [{name: a, http: {port: 1, url: "http://a/"}}]`, "name port, for a request to the pod itself, or url"},
		{"neither port nor URL", `checks: [{name: a, http: {path: /}}]`, "name port, for a request to the pod itself, or url"},
		{"port 0", `checks: [{name: a, http: {port: 0}}]`, "must be a port number from 1 to 65535"},
		{"a port's name that none can have", `checks: [{name: a, http: {port: "80"}}]`, "must be a port number from 1 to 65535"},
		{"a path of a URL", `checks: [{name: a, http: {url: "http://a/", path: /b}}]`, "scheme, path, host and ipFamily are for a request to the pod's port"},
		{"a variable as the host", `checks: [{name: a, http: {url: "http://$(pod.name).example.com/"}}]`, "$(...) only after the host"},
		{"a variable as the port", `checks: [{name: a, http: {url: "http://a:$(pod.name)/"}}]`, "$(...) only after the host"},
		{"a user", `checks: [{name: a, http: {url: "http://me:secret@a/"}}]`, "without user and fragment"},
		{"another scheme", `checks: [{name: a, http: {url: "file:///etc/passwd"}}]`, "must be an http or https URL"},
		{"a URL in two lines", `checks: [{name: a, http: {url: "http://a/\nHost: b"}}]`, "must be an http or https URL"},
		{"a path in two lines", `checks: [{name: a, http: {port: 1, path: "/\r\nHost: b"}}]`, "path"},
		{"another method", `checks: [{name: a, http: {port: 1, method: POST}}]`, "method"},
		{"the host as a header", `checks: [{name: a, http: {port: 1, headers: [{name: hOsT, value: b}]}}]`, "set the field host instead of the header"},
		{"a header in two lines", `checks: [{name: a, http: {port: 1, headers: [{name: "a\n", value: b}]}}]`, "headers"},
		{"TLS without HTTPS", `checks: [{name: a, http: {port: 1, tls: {}}}]`, "tls is for HTTPS"},
		{"TLS of a URL", `checks: [{name: a, http: {url: "https://a/", tls: {verify: None}}}]`, ""},
		{"a long expression", `checks: [{name: a, pod: {expression: "` + strings.Repeat("t", 1025) + `"}}]`, "expression"},

		{"an address without a port", `checks: [{name: a, tcp: {address: db.shop.svc}}]`, "address"},
		{"an address with a variable", `checks: [{name: a, tcp: {address: "$(pod.name):80"}}]`, "address"},
		{"a port and an address of gRPC", `checks: [{name: a, grpc: {port: 1, address: "a:1"}}]`, "name port, for a call to the pod itself, or address"},
		{"a family of an address", `checks: [{name: a, tcp: {address: "a:1", ipFamily: ipv6}}]`, "ipFamily is for a connection to the pod's port"},

		{"a query without a server", `checks: [{name: a, prometheus: {query: up, expression: "true"}}]`, "server"},
		{"a label that is none", `checks: [{name: a, prometheus: {server: main, query: up, podLabel: "a-b", expression: "true"}}]`, "podLabel"},
		{"an object without an account", `checks: [{name: a, resource: {apiVersion: v1, kind: ConfigMap, name: a, expression: "true"}}]`, "serviceAccountName"},
		{"an object by name and selector", `checks: [{name: a, resource: {apiVersion: v1, kind: ConfigMap, name: a, selector: {}, serviceAccountName: a, expression: "true"}}]`, "name the object by name, or objects by selector"},
		{"a Secret", `checks: [{name: a, resource: {apiVersion: v1, kind: Secret, name: a, serviceAccountName: a, expression: "true"}}]`, "Secrets cannot be asked about"},
		{"a subresource", `checks: [{name: a, resource: {apiVersion: v1, kind: Pod/log, name: a, serviceAccountName: a, expression: "true"}}]`, "kind"},

		{"opening after no time-out", `{checks: [{name: a, tcp: {port: 1}}], gate: {onTimeout: Open}}`, "onTimeout: Open needs timeoutSeconds"},
		{"a floor of nothing", `{checks: [{name: a, tcp: {port: 1}}], gate: {trackFloor: 0%}}`, "trackFloor"},

		{"to track ports", `{gate: {mode: Track}, checks: [{name: a, tcp: {port: 1}}, {name: b, http: {port: 1}}, {name: c, grpc: {port: 1}}, {name: d, pod: {expression: "true"}}]}`, ""},
		{"to track series of pods", `{gate: {mode: Track}, checks: [{name: a, prometheus: {server: main, query: up, expression: "true"}}]}`, ""},
		{"to track a query for each pod", `{gate: {mode: Track}, checks: [{name: a, prometheus: {server: main, podLabel: "", query: "up{pod=\"$(pod.name)\"}", expression: "true"}}]}`, ""},
		{"to track a URL for each pod", `{gate: {mode: Track}, checks: [{name: a, http: {url: "http://a/$(pod.name)"}}]}`, ""},
		{"to track approvals of pods", `{gate: {mode: Track}, checks: [{name: a, manual: {scope: Pod}}]}`, ""},
		{"to track a URL of all", `{gate: {mode: Track}, checks: [{name: a, tcp: {port: 1}}, {name: b, http: {url: "http://a/"}}]}`, "mode Track needs checks that answer for each pod by itself"},
		{"to track an address", `{gate: {mode: Track}, checks: [{name: a, tcp: {address: "a:1"}}]}`, "mode Track needs checks that answer for each pod by itself"},
		{"to track a value of all", `{gate: {mode: Track}, checks: [{name: a, prometheus: {server: main, podLabel: "", query: up, expression: "true"}}]}`, "mode Track needs checks that answer for each pod by itself"},
		{"to track an object", `{gate: {mode: Track}, checks: [{name: a, resource: {apiVersion: v1, kind: ConfigMap, name: a, serviceAccountName: a, expression: "true"}}]}`, "mode Track needs checks that answer for each pod by itself"},
		{"to track approvals of revisions", `{gate: {mode: Track}, checks: [{name: a, manual: {}}]}`, "mode Track needs checks that answer for each pod by itself"},
	}

	for _, tc := range tests {
		t.Run(tc.reason, func(t *testing.T) {
			err := strict.Create(t.Context(), readinessGateOf(t, namespace, "warm", tc.spec), client.DryRunAll)
			if tc.says == "" && err != nil || tc.says != "" && (err == nil || !strings.Contains(err.Error(), tc.says)) {
				t.Errorf("got %v, want a word of %q", err, tc.says)
			}
		})
	}

	t.Run("a name that makes no gate", func(t *testing.T) {
		err := kube.Create(t.Context(), readinessGateOf(t, namespace, strings.Repeat("n", 64), tests[1].spec), client.DryRunAll)
		if err == nil || !strings.Contains(err.Error(), "at most 63 characters") {
			t.Errorf("got %v", err)
		}
	})
}

// What the API server fills in is what the documentation calls the default.
func TestReadinessGateDefaults(t *testing.T) {
	kube, err := kubetest.Client(shared.cfg)
	if err != nil {
		t.Fatal(err)
	}
	namespace := kubetest.Namespace(t, kube, nil)
	if err := kube.Create(t.Context(), readinessGateOf(t, namespace, "warm", `checks: [{name: warm, http: {port: 80}}, {name: errors, prometheus: {server: main, query: up, expression: "true"}}, {name: all, prometheus: {server: main, query: up, podLabel: "", expression: "true"}}, {name: release, manual: {}}]`)); err != nil {
		t.Fatal(err)
	}

	var gates v1alpha1.ReadinessGateList
	if err := kube.List(t.Context(), &gates, client.InNamespace(namespace), client.MatchingFields{"spec.gate.mode": "Latch", "spec.dryRun": "false"}); err != nil {
		t.Fatal(err)
	}
	if len(gates.Items) != 1 {
		t.Fatalf("%d gates are found by their mode and dryRun, want 1", len(gates.Items))
	}

	s := gates.Items[0].Spec
	if s.Match != v1alpha1.MatchAll || s.Gate != (v1alpha1.CheckPolicy{Mode: "Latch", TrackAfterSeconds: 30, TrackFloor: "50%", OnTimeout: "Hold"}) {
		t.Errorf("match %s, gate %+v", s.Match, s.Gate)
	}
	if c := s.Checks[0]; c.SuccessThreshold != 1 || c.HTTP.Method != "GET" || c.Period().String() != "5s" || c.Timeout().String() != "2s" {
		t.Errorf("http: %+v, period %s, time-out %s", c, c.Period(), c.Timeout())
	}
	if c := s.Checks[1]; *c.Prometheus.PodLabel != "pod" || *c.Prometheus.NamespaceLabel != "namespace" || c.Prometheus.WindowSeconds != 60 || c.Period().String() != "15s" || c.Timeout().String() != "10s" {
		t.Errorf("prometheus: %+v, period %s, time-out %s", c.Prometheus, c.Period(), c.Timeout())
	}
	if label := *s.Checks[2].Prometheus.PodLabel; label != "" {
		t.Errorf("the empty label became %q", label)
	}
	if c := s.Checks[3]; c.Manual.Scope != v1alpha1.ApprovalRevision || c.Manual.Initially != v1alpha1.InitiallyClosed || c.Period() != 0 {
		t.Errorf("manual: %+v, period %s", c.Manual, c.Period())
	}
}

// readinessGateOf is a ReadinessGate as a person writes it: what is not in the text is not in the object.
func readinessGateOf(t *testing.T, namespace, name, spec string) *unstructured.Unstructured {
	t.Helper()
	var fields map[string]any
	if err := yaml.UnmarshalStrict([]byte(spec), &fields); err != nil {
		t.Fatal(err)
	}
	u := &unstructured.Unstructured{Object: map[string]any{"spec": fields}}
	u.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("ReadinessGate"))
	u.SetNamespace(namespace)
	u.SetName(name)
	return u
}

// TestReadinessGateStatus: the object says how many pods wait and what its check says of them, and whether it can be served at all.
func TestReadinessGateStatus(t *testing.T) {
	c := newCluster(t)
	s := c.withServers()
	c.start()
	s.says("10.0.0.1", http.StatusOK)
	g := c.warm(nil)
	c.carrier("web-0", "10.0.0.1", warmGate)
	c.carrier("web-1", "10.0.0.2", warmGate)
	status := func() v1alpha1.ReadinessGateStatus {
		if err := c.kube.Get(c.Context(), client.ObjectKeyFromObject(g), g); err != nil {
			c.Fatal(err)
		}
		return g.Status
	}
	ready := func(status metav1.ConditionStatus, reason string) func() bool {
		return func() bool {
			now := meta.FindStatusCondition(g.Status.Conditions, v1alpha1.ConditionReady)
			return now != nil && now.Status == status && now.Reason == reason && now.ObservedGeneration == g.Generation
		}
	}

	c.eventually("counts", func() bool {
		now := status()
		return now.Pods != nil && *now.Pods == v1alpha1.GatedPods{Gated: 2, Open: 1, Waiting: 1} && ready("True", v1alpha1.ReasonServing)() &&
			len(now.Checks) == 1 && now.Checks[0].Failing == 1 && now.Checks[0].Problem == "HTTP status 503"
	})

	// What cannot be served says so, and new pods go without its gate.
	c.edit(g, func(g *v1alpha1.ReadinessGate) {
		g.Spec.Checks[0] = v1alpha1.Check{Name: "wrong", Pod: &v1alpha1.PodCheck{Expression: "pod.status.("}}
	})
	c.eventually("cannot be served", func() bool {
		status()
		return ready("False", v1alpha1.ReasonInvalidSpec)()
	})
	if m := meta.FindStatusCondition(g.Status.Conditions, v1alpha1.ConditionReady).Message; !strings.HasPrefix(m, "check wrong: expression: ") {
		t.Errorf("it says %q", m)
	}

	// A check of the pod itself opens by what the pod says.
	c.edit(g, func(g *v1alpha1.ReadinessGate) {
		g.Spec.Checks[0] = v1alpha1.Check{Name: "node", Pod: &v1alpha1.PodCheck{Expression: "pod.spec.nodeName == 'node'"}}
	})
	c.eventually("opens by the pod", func() bool { return c.warmGate("web-1").Status == corev1.ConditionTrue })
	c.eventually("counts again", func() bool {
		now := status()
		return ready("True", v1alpha1.ReasonServing)() && *now.Pods == v1alpha1.GatedPods{Gated: 2, Open: 2} && len(now.Checks) == 0
	})
}
