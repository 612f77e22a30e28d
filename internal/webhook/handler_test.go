// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"
	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/gwc"
	"github.com/podgate/podgate/internal/binding"
	gatekinds "github.com/podgate/podgate/internal/gates"
	"github.com/podgate/podgate/internal/gates/gatestest"
	"github.com/podgate/podgate/internal/injection"
	"github.com/podgate/podgate/internal/webhook/profile"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// ask sends a body to the handler's path for gates.
func ask(h http.Handler, body string) *httptest.ResponseRecorder {
	return askAt(h, profile.GatesPath, body)
}

func askAt(h http.Handler, path, body string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, path+"?timeout=5s", strings.NewReader(body)))
	return w
}

// creation is the review of a pod's creation in a namespace.
func creation(namespace, pod string) string {
	return fmt.Sprintf(`{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"u1",
		"resource":{"group":"","version":"v1","resource":"pods"},"namespace":%q,"operation":"CREATE","object":%s}}`, namespace, pod)
}

// admit gives the pod as it is after the handler's answer about gates.
func admit(t *testing.T, h http.Handler, namespace, pod string) string {
	t.Helper()
	return admitAt(t, h, profile.GatesPath, namespace, pod)
}

// admitHooks gives it after the answer about hooks.
func admitHooks(t *testing.T, h http.Handler, pod string) string {
	t.Helper()
	return admitAt(t, h, profile.DrainPath, "shop", pod)
}

func admitAt(t *testing.T, h http.Handler, path, namespace, pod string) string {
	t.Helper()
	w := askAt(h, path, creation(namespace, pod))
	if w.Code != http.StatusOK {
		t.Fatalf("status %d: %s", w.Code, w.Body)
	}

	var got admissionv1.AdmissionReview
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}

	if got.APIVersion != "admission.k8s.io/v1" || got.Kind != "AdmissionReview" || got.Response == nil || got.Response.UID != "u1" {
		t.Fatalf("not an answer to the review u1: %s", w.Body)
	}

	if !got.Response.Allowed {
		t.Fatalf("pod was denied: %s", w.Body)
	}

	if len(got.Response.Patch) == 0 {
		return pod
	}

	if got.Response.PatchType == nil || *got.Response.PatchType != admissionv1.PatchTypeJSONPatch {
		t.Fatalf("patch without type JSONPatch: %s", w.Body)
	}

	p, err := jsonpatch.DecodePatch(got.Response.Patch)
	if err != nil {
		t.Fatal(err)
	}

	out, err := p.Apply([]byte(pod))
	if err != nil {
		t.Fatalf("patch %s does not apply to %s: %v", got.Response.Patch, pod, err)
	}

	return string(out)
}

func TestHandler(t *testing.T) {
	h := newHandler(t, &world{
		services: []corev1.Service{
			service("shop", "web", map[string]string{"app": "web"}),
			service("shop", "all", map[string]string{"team": "shop", "app": "web"}),
			service("shop", "any", nil),
			service("shop", "node", map[string]string{"app": "node"}),
			service("shop", "late", map[string]string{"app": "late"}),
			service("shop", "odd", map[string]string{"app": "odd"}),
			service("other", "web", map[string]string{"app": "web"}),
		},
		bindings: []elbv2.TargetGroupBinding{
			typed(bindingTo("shop", "web-tg", "web"), elbv2.TargetTypeIP),
			published(bindingTo("shop", "all-tg", "all"), `{"arn":"arn","targetType":"ip"}`),
			bindingTo("shop", "any-tg", "any"),
			deleted(typed(bindingTo("shop", "web-leaving", "web"), elbv2.TargetTypeIP)),
			bindingTo("shop", "missing-tg", "missing"),
			typed(published(bindingTo("shop", "node-tg", "node"), `{"arn":"arn","targetType":"ip"}`), elbv2.TargetTypeInstance),
			published(bindingTo("shop", "late-tg", "late"), `{"arn":"arn","targetType":"instance"}`),
			published(bindingTo("shop", "odd-tg", "odd"), `{"arn":`),
			typed(bindingTo("other", "other-tg", "web"), elbv2.TargetTypeIP),
		},
	}, Options{Serves: binding.OwnAll.Serves, Registerer: prometheus.NewRegistry(), Log: logr.Discard()})

	cases := map[string]struct{ reason, namespace, pod, want string }{
		"Absent": {
			reason: "A pod without readiness gates gets the list.",
			pod:    `{"metadata":{"labels":{"app":"web"}},"spec":{"containers":[]}}`,
			want:   `{"metadata":{"labels":{"app":"web"}},"spec":{"containers":[],"readinessGates":[{"conditionType":"target-health.elbv2.k8s.aws/web-tg"}]}}`,
		},
		"EmptyList": {
			reason: "An empty list is as good as none.",
			pod:    `{"metadata":{"labels":{"app":"web"}},"spec":{"readinessGates":[]}}`,
			want:   `{"metadata":{"labels":{"app":"web"}},"spec":{"readinessGates":[{"conditionType":"target-health.elbv2.k8s.aws/web-tg"}]}}`,
		},
		"Null": {
			reason: "So is null.",
			pod:    `{"metadata":{"labels":{"app":"web"}},"spec":{"readinessGates":null}}`,
			want:   `{"metadata":{"labels":{"app":"web"}},"spec":{"readinessGates":[{"conditionType":"target-health.elbv2.k8s.aws/web-tg"}]}}`,
		},
		"Several": {
			reason: "One gate for each binding, those of Services found by another label included; gates of others stay first.",
			pod:    `{"metadata":{"labels":{"app":"web","team":"shop"}},"spec":{"readinessGates":[{"conditionType":"example.com/a"}]}}`,
			want: `{"metadata":{"labels":{"app":"web","team":"shop"}},"spec":{"readinessGates":[{"conditionType":"example.com/a"},
				{"conditionType":"target-health.elbv2.k8s.aws/all-tg"},{"conditionType":"target-health.elbv2.k8s.aws/web-tg"}]}}`,
		},
		"Reinvoked": {
			reason: "A pod that has its gate is left alone.",
			pod:    `{"metadata":{"labels":{"app":"web"}},"spec":{"readinessGates":[{"conditionType":"target-health.elbv2.k8s.aws/web-tg"}]}}`,
			want:   `{"metadata":{"labels":{"app":"web"}},"spec":{"readinessGates":[{"conditionType":"target-health.elbv2.k8s.aws/web-tg"}]}}`,
		},
		"Legacy": {
			reason: "All legacy gates go, wherever they stand, and the others keep their order.",
			pod: `{"metadata":{"labels":{"app":"web"}},"spec":{"readinessGates":[{"conditionType":"target-health.alb.ingress.k8s.aws/i_web_80"},
				{"conditionType":"example.com/a"},{"conditionType":"target-health.alb.ingress.k8s.aws/i_web_81"},{"conditionType":"example.com/b"}]}}`,
			want: `{"metadata":{"labels":{"app":"web"}},"spec":{"readinessGates":[{"conditionType":"example.com/a"},{"conditionType":"example.com/b"},
				{"conditionType":"target-health.elbv2.k8s.aws/web-tg"}]}}`,
		},
		"OnlyLegacy": {
			reason: "A list that holds nothing but a legacy gate ends with the new one.",
			pod:    `{"metadata":{"labels":{"app":"web"}},"spec":{"readinessGates":[{"conditionType":"target-health.alb.ingress.k8s.aws/i_web_80"}]}}`,
			want:   `{"metadata":{"labels":{"app":"web"}},"spec":{"readinessGates":[{"conditionType":"target-health.elbv2.k8s.aws/web-tg"}]}}`,
		},
		"Instance": {
			reason: "The manifest's target type wins over what was published.",
			pod:    `{"metadata":{"labels":{"app":"node"}},"spec":{}}`,
			want:   `{"metadata":{"labels":{"app":"node"}},"spec":{}}`,
		},
		"PublishedInstance": {
			reason: "A manifest that leaves the target type out has the group's.",
			pod:    `{"metadata":{"labels":{"app":"late"}},"spec":{}}`,
			want:   `{"metadata":{"labels":{"app":"late"}},"spec":{}}`,
		},
		"PublishedGarbage": {
			reason: "What cannot be read is not known, and the pod is gated.",
			pod:    `{"metadata":{"labels":{"app":"odd"}},"spec":{}}`,
			want:   `{"metadata":{"labels":{"app":"odd"}},"spec":{"readinessGates":[{"conditionType":"target-health.elbv2.k8s.aws/odd-tg"}]}}`,
		},
		"RequestsNamespace": {
			reason:    "The review's namespace counts: a pod from a ReplicaSet may carry none, and none overrules it.",
			namespace: "other",
			pod:       `{"metadata":{"namespace":"shop","labels":{"app":"web"}},"spec":{}}`,
			want:      `{"metadata":{"namespace":"shop","labels":{"app":"web"}},"spec":{"readinessGates":[{"conditionType":"target-health.elbv2.k8s.aws/other-tg"}]}}`,
		},
		"OptedOut": {
			reason: "The pod's label opts out.",
			pod:    `{"metadata":{"labels":{"app":"web","podgate.dev/inject":"disabled"}},"spec":{}}`,
			want:   `{"metadata":{"labels":{"app":"web","podgate.dev/inject":"disabled"}},"spec":{}}`,
		},
		"NoLabels": {
			reason: "A pod without labels is selected by nothing.",
			pod:    `{"metadata":{},"spec":{}}`,
			want:   `{"metadata":{},"spec":{}}`,
		},
		"CaseOfNames": {
			reason: "Field names are case-sensitive, as they are to the API server.",
			pod:    `{"metadata":{"labels":{"app":"web"}},"spec":{"ReadinessGates":[{"conditionType":"x"}]}}`,
			want:   `{"metadata":{"labels":{"app":"web"}},"spec":{"ReadinessGates":[{"conditionType":"x"}],"readinessGates":[{"conditionType":"target-health.elbv2.k8s.aws/web-tg"}]}}`,
		},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			namespace := tc.namespace
			if namespace == "" {
				namespace = "shop"
			}
			if diff := diffJSON(t, tc.want, admit(t, h, namespace, tc.pod)); diff != "" {
				t.Errorf("%s\npod: -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestHandlerPassesOtherRequests(t *testing.T) {
	h := newHandler(t, webWorld(), Options{Serves: binding.OwnAll.Serves, Registerer: prometheus.NewRegistry(), Log: logr.Discard()})
	pod := `{"metadata":{"labels":{"app":"web"}},"spec":{}}`
	for name, change := range map[string][2]string{
		"Update":      {`"operation":"CREATE"`, `"operation":"UPDATE"`},
		"SubResource": {`"operation":"CREATE"`, `"operation":"CREATE","subResource":"binding"`},
		"OtherKind":   {`"resource":"pods"`, `"resource":"services"`},
		"OtherGroup":  {`"group":""`, `"group":"example.com"`},
		"Deletion":    {`"operation":"CREATE","object":` + pod, `"operation":"DELETE","object":null`},
	} {
		t.Run(name, func(t *testing.T) {
			body := strings.Replace(creation("shop", pod), change[0], change[1], 1)
			w := ask(h, body)
			if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `"allowed":true`) || strings.Contains(w.Body.String(), "patch") {
				t.Errorf("want it allowed unchanged, got %d %s", w.Code, w.Body)
			}
		})
	}
}

func TestHandlerDisabled(t *testing.T) {
	reg := prometheus.NewRegistry()
	h := newHandler(t, webWorld(), Options{Disabled: true, Serves: binding.OwnAll.Serves, Registerer: reg, Log: logr.Discard()})
	pod := `{"metadata":{"labels":{"app":"web"}},"spec":{}}`
	if got := admit(t, h, "shop", pod); got != pod {
		t.Errorf("want the pod unchanged, got %s", got)
	}
	if got := testutil.ToFloat64(h.metrics.requests.WithLabelValues("gates", "disabled")); got != 1 {
		t.Errorf("requests counted as disabled: want 1, got %v", got)
	}
}

// ownLabelled is a kind whose gate has a label, and so a path, of its own.
type ownLabelled struct{ gatestest.Toy }

func (ownLabelled) Owns(conditionType string) bool { return conditionType == gwc.Gate }

func (ownLabelled) Wanted(pod injection.Pod, c injection.Candidates) map[string]injection.Cause {
	wanted := map[string]injection.Cause{}
	for _, b := range c.Claiming(pod) {
		wanted[gwc.Gate] = injection.Cause{Binding: b}
	}
	return wanted
}

// TestHandlerAddsWhatIsAskedFor: the label of one controller gives a pod no gate of another's, podgate's own gives it all, and
// what is switched off gives it none.
func TestHandlerAddsWhatIsAskedFor(t *testing.T) {
	const web = "target-health.elbv2.k8s.aws/web-tg"
	own := profile.GatePath(gwc.Gate)
	for name, tc := range map[string]struct {
		path string
		off  []string
		want []string
	}{
		"LBCsLabel":        {path: profile.GatesPath, want: []string{web}},
		"OwnLabel":         {path: own, want: []string{gwc.Gate}},
		"PodgatesLabel":    {path: profile.AllGatesPath, want: []string{gwc.Gate, web}},
		"SwitchedOff":      {path: own, off: []string{own}},
		"OthersStayOn":     {path: profile.GatesPath, off: []string{own}, want: []string{web}},
		"PodgatesStaysAll": {path: profile.AllGatesPath, off: []string{own}, want: []string{gwc.Gate, web}},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHandler(t, webWorld(), Options{
				Off: tc.off, Serves: binding.OwnAll.Serves, Kinds: append(gatekinds.Kinds{gatekinds.OfBindings{}}, ownLabelled{}).AtAdmission(),
				Registerer: prometheus.NewRegistry(), Log: logr.Discard(),
			})

			var got struct {
				Spec struct {
					ReadinessGates []corev1.PodReadinessGate `json:"readinessGates"`
				} `json:"spec"`
			}
			if err := json.Unmarshal([]byte(admitAt(t, h, tc.path, "shop", `{"metadata":{"labels":{"app":"web"}},"spec":{}}`)), &got); err != nil {
				t.Fatal(err)
			}

			var gates []string
			for _, g := range got.Spec.ReadinessGates {
				gates = append(gates, string(g.ConditionType))
			}
			if !slices.Equal(gates, tc.want) {
				t.Errorf("want gates %q, got %q", tc.want, gates)
			}

			if got := testutil.ToFloat64(h.metrics.requests.WithLabelValues("gates", "disabled")); (got == 1) != (tc.want == nil) {
				t.Errorf("%v requests are counted as disabled", got)
			}
		})
	}
}

func TestHandlerCounts(t *testing.T) {
	reg := prometheus.NewRegistry()
	h := newHandler(t, webWorld(), Options{Serves: binding.OwnAll.Serves, Registerer: reg, Log: logr.Discard()})
	admit(t, h, "shop", `{"metadata":{"labels":{"app":"web"}},"spec":{}}`)
	admit(t, h, "shop", `{"metadata":{"labels":{"app":"other"}},"spec":{}}`)
	admitHooks(t, h, `{"metadata":{"labels":{"app":"web"}},"spec":{"containers":[{},{}]}}`)
	ask(h, "garbage")
	want := `
# HELP podgate_webhook_gates_injected_total Readiness gates added to pods, dry runs and reinvocations included.
# TYPE podgate_webhook_gates_injected_total counter
podgate_webhook_gates_injected_total 1
# HELP podgate_webhook_hooks_injected_total preStop hooks added to containers, dry runs and reinvocations included.
# TYPE podgate_webhook_hooks_injected_total counter
podgate_webhook_hooks_injected_total 2
# HELP podgate_webhook_requests_total Admission reviews, by what is injected (gates, hooks) and outcome (patched, unchanged, disabled, not_ready, malformed, error). The last three were answered with HTTP 500, so the failure policy decided: with Ignore such pods have no gate.
# TYPE podgate_webhook_requests_total counter
podgate_webhook_requests_total{injected="gates",outcome="disabled"} 0
podgate_webhook_requests_total{injected="gates",outcome="error"} 0
podgate_webhook_requests_total{injected="gates",outcome="malformed"} 1
podgate_webhook_requests_total{injected="gates",outcome="not_ready"} 0
podgate_webhook_requests_total{injected="gates",outcome="patched"} 1
podgate_webhook_requests_total{injected="gates",outcome="unchanged"} 1
podgate_webhook_requests_total{injected="hooks",outcome="disabled"} 0
podgate_webhook_requests_total{injected="hooks",outcome="error"} 0
podgate_webhook_requests_total{injected="hooks",outcome="malformed"} 0
podgate_webhook_requests_total{injected="hooks",outcome="not_ready"} 0
podgate_webhook_requests_total{injected="hooks",outcome="patched"} 1
podgate_webhook_requests_total{injected="hooks",outcome="unchanged"} 0
`
	if err := testutil.GatherAndCompare(reg, strings.NewReader(want), "podgate_webhook_gates_injected_total", "podgate_webhook_hooks_injected_total", "podgate_webhook_requests_total"); err != nil {
		t.Error(err)
	}

	if n, err := testutil.GatherAndCount(reg, "podgate_webhook_request_duration_seconds"); err != nil || n != 1 {
		t.Errorf("want a duration histogram, got %d series, error %v", n, err)
	}

	if _, err := New(nil, nil, Options{Serves: binding.OwnAll.Serves, Registerer: reg}); err == nil {
		t.Error("want an error when the metrics are registered already")
	}
}

// webWorld has one Service and one binding, in the namespace shop.
func webWorld() *world {
	return &world{
		services: []corev1.Service{service("shop", "web", map[string]string{"app": "web"})},
		bindings: []elbv2.TargetGroupBinding{typed(bindingTo("shop", "web-tg", "web"), elbv2.TargetTypeIP)},
	}
}

func diffJSON(t *testing.T, want, got string) string {
	t.Helper()
	var w, g any
	if err := json.Unmarshal([]byte(want), &w); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(got), &g); err != nil {
		t.Fatal(err)
	}
	return cmp.Diff(w, g)
}

// TestOnlyServedBindingsGate: a gate of a binding that podgate does not serve would
// never be opened by it.
func TestOnlyServedBindingsGate(t *testing.T) {
	for ownership, gated := range map[binding.Ownership]bool{binding.OwnAll: true, binding.OwnAnnotated: false, binding.OwnNone: false} {
		h := newHandler(t, webWorld(), Options{Serves: ownership.Serves, Registerer: prometheus.NewRegistry(), Log: logr.Discard()})
		pod := admit(t, h, "shop", `{"metadata":{"labels":{"app":"web"}},"spec":{}}`)
		if got := strings.Contains(pod, elbv2.GateType("web-tg")); got != gated {
			t.Errorf("--target-group-bindings=%s: gated %t, want %t", ownership, got, gated)
		}
	}
}

// TestEveryKindAddsItsGates: a pod gets the gates of all kinds, those of one that nothing
// here knows included.
func TestEveryKindAddsItsGates(t *testing.T) {
	kinds := append(gatekinds.All(), gatestest.Toy{})
	h := newHandler(t, webWorld(), Options{Serves: binding.OwnAll.Serves, Kinds: kinds.AtAdmission(), Registerer: prometheus.NewRegistry(), Log: logr.Discard()})
	for label, gated := range map[string]bool{"web": true, "other": false} {
		pod := admit(t, h, "shop", `{"metadata":{"labels":{"app":"`+label+`"}},"spec":{}}`)
		for _, gate := range []string{elbv2.GateType("web-tg"), gatestest.ToyGate} {
			if got := strings.Contains(pod, gate); got != gated {
				t.Errorf("pod of %s: gate %s %t, want %t", label, gate, got, gated)
			}
		}
	}
}
