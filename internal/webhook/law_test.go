// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"context"
	"errors"
	"net/http"
	"os/exec"
	"strings"
	"testing"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podgate/podgate/internal/binding"
)

// TestLaw12UnknownFieldsSurvive: the pod is never decoded and encoded again.
func TestLaw12UnknownFieldsSurvive(t *testing.T) {
	h := newHandler(t, webWorld(), Options{Serves: binding.OwnAll.Serves, Registerer: prometheus.NewRegistry(), Log: logr.Discard()})
	pod := `{"apiVersion":"v1","kind":"Pod","fromTheFuture":1,"metadata":{"labels":{"app":"web"},"futureMeta":{"a":[1,2.50,12345678901234567890]}},
		"spec":{"futureSpec":"x","containers":[{"name":"c","futureField":{"deep":null}}],
		"readinessGates":[{"conditionType":"example.com/a","futureGate":true},{"conditionType":"target-health.alb.ingress.k8s.aws/i_web_80"}]},"status":{"futureStatus":{}}}`
	want := strings.Replace(pod, `{"conditionType":"target-health.alb.ingress.k8s.aws/i_web_80"}`, `{"conditionType":"target-health.elbv2.k8s.aws/web-tg"}`, 1)
	if diff := diffJSON(t, want, admit(t, h, "shop", pod)); diff != "" {
		t.Errorf("pod after admission: -want, +got:\n%s", diff)
	}
}

// failing is a cache that cannot be read.
type failing struct{ client.Reader }

func (failing) List(context.Context, client.ObjectList, ...client.ListOption) error {
	return errors.New("cache is broken")
}

// TestLaw12TroubleIsAnError500: podgate's own trouble is left to the user's failurePolicy.
func TestLaw12TroubleIsAnError500(t *testing.T) {
	good := creation("shop", `{"metadata":{"labels":{"app":"web"}},"spec":{}}`)
	cases := map[string]struct {
		reason string
		reader client.Reader
		synced bool
		body   string
		metric string
	}{
		"NotSynced":  {reason: "A cache that is not full cannot say that a pod needs no gate.", synced: false, body: good, metric: "not_ready"},
		"ListError":  {reason: "Nor can a cache that fails.", synced: true, reader: failing{}, body: good, metric: "error"},
		"NoJSON":     {reason: "Not a review.", synced: true, body: "hello", metric: "malformed"},
		"Nothing":    {reason: "An empty body.", synced: true, body: "", metric: "malformed"},
		"NoRequest":  {reason: "A review that asks nothing.", synced: true, body: `{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview"}`, metric: "malformed"},
		"OldVersion": {reason: "A version that podgate does not speak.", synced: true, body: strings.Replace(good, "admission.k8s.io/v1", "admission.k8s.io/v1beta1", 1), metric: "malformed"},
		"NoUID":      {reason: "Nothing to answer to.", synced: true, body: strings.Replace(good, `"uid":"u1",`, "", 1), metric: "malformed"},
		"NoPod":      {reason: "A creation without its pod.", synced: true, body: strings.Replace(good, `"object"`, `"objects"`, 1), metric: "malformed"},
		"NoSpec":     {reason: "No pod is without a spec.", synced: true, body: creation("shop", `{"metadata":{}}`), metric: "malformed"},
		"OddLabels":  {reason: "Labels that are none.", synced: true, body: creation("shop", `{"metadata":{"labels":["app"]},"spec":{}}`), metric: "malformed"},
		"OddGates":   {reason: "Gates that are none.", synced: true, body: creation("shop", `{"metadata":{},"spec":{"readinessGates":"x"}}`), metric: "malformed"},
		"TooLarge":   {reason: "More than any object may be.", synced: true, body: good + strings.Repeat(" ", maxBody), metric: "malformed"},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			reg := prometheus.NewRegistry()
			h, err := New(tc.reader, func() bool { return tc.synced }, Options{Serves: binding.OwnAll.Serves, Registerer: reg, Log: logr.Discard()})
			if err != nil {
				t.Fatal(err)
			}

			if ready := h.Ready(nil) == nil; ready != tc.synced {
				t.Errorf("%s\nReady: want %t, got %t", tc.reason, tc.synced, ready)
			}

			w := ask(h, tc.body)
			if w.Code != http.StatusInternalServerError {
				t.Errorf("%s\nwant status 500, got %d: %s", tc.reason, w.Code, w.Body)
			}

			if strings.Contains(w.Body.String(), "allowed") {
				t.Errorf("%s\nwant no verdict, got %s", tc.reason, w.Body)
			}

			if got := count(t, reg, tc.metric); got != 1 {
				t.Errorf("%s\nrequests counted as %s: want 1, got %v", tc.reason, tc.metric, got)
			}
		})
	}
}

// TestLaw12NotReadyBeforeItsCaches: the handler waits for a real cache.
func TestLaw12NotReadyBeforeItsCaches(t *testing.T) {
	w := webWorld()
	w.hold = make(chan struct{})
	c, start := newCache(t, w)
	synced, err := Prepare(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}

	h, err := New(c, synced, Options{Serves: binding.OwnAll.Serves, Registerer: prometheus.NewRegistry(), Log: logr.Discard()})
	if err != nil {
		t.Fatal(err)
	}

	pod := `{"metadata":{"labels":{"app":"web"}},"spec":{}}`
	start()

	if err := h.Ready(nil); err == nil {
		t.Error("ready before its caches")
	}

	if got := ask(h, creation("shop", pod)); got.Code != http.StatusInternalServerError {
		t.Errorf("before the caches: want status 500, got %d %s", got.Code, got.Body)
	}

	close(w.hold)
	if !c.WaitForCacheSync(t.Context()) {
		t.Fatal("cache did not sync")
	}

	if err := h.Ready(nil); err != nil {
		t.Errorf("not ready after its caches: %v", err)
	}

	if got := admit(t, h, "shop", pod); got == pod {
		t.Error("after the caches: want a gate, got none")
	}
}

// TestLaw12NotReadyBeforeItsPods: whether a pod is one of a Service's other pods tell, and a review must not wait for them.
func TestLaw12NotReadyBeforeItsPods(t *testing.T) {
	w := webWorld()
	w.holdPods = make(chan struct{})
	c, start := newCache(t, w)
	synced, err := Prepare(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}

	var others []toolscache.InformerSynced
	for _, o := range append(binding.Kinds(), &corev1.Service{}) {
		informer, err := c.GetInformer(t.Context(), o, cache.BlockUntilSynced(false))
		if err != nil {
			t.Fatal(err)
		}
		others = append(others, informer.HasSynced)
	}

	start()
	if !toolscache.WaitForCacheSync(t.Context().Done(), others...) {
		t.Fatal("the others did not sync")
	}
	if synced() {
		t.Error("synced without the pods")
	}

	close(w.holdPods)
	if !c.WaitForCacheSync(t.Context()) {
		t.Fatal("cache did not sync")
	}
	if !synced() {
		t.Error("not synced with the pods")
	}
}

// TestLaw12NoLoadBalancerInReach: no code that could call a load balancer is linked in. The words in which podgate
// speaks of load balancers are, and what is true of each: those call nobody.
func TestLaw12NoLoadBalancerInReach(t *testing.T) {
	const internal = "github.com/podgate/podgate/internal/"
	for _, dep := range goList(t, "-deps", ".") {
		seam := strings.HasPrefix(dep, internal+"balancer/") || strings.HasPrefix(dep, internal+"aws")
		words := dep == internal+"balancer" || seam && strings.HasSuffix(dep, "/traits")
		if strings.Contains(dep, "aws-sdk-go") || seam && !words || strings.HasPrefix(dep, internal+"observe") {
			t.Errorf("the webhook depends on %s", dep)
		}
		if !words {
			continue
		}

		for _, used := range goList(t, "-f", `{{join .Imports "\n"}}`, dep) {
			if used == "net" || strings.HasPrefix(used, "net/") || strings.HasPrefix(used, "os") || strings.HasPrefix(used, "k8s.io/") {
				t.Errorf("the words of the seam call somebody: %s uses %s", dep, used)
			}
		}
	}
}

// goList runs go list, and returns the words that it prints.
func goList(t *testing.T, args ...string) []string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", append([]string{"list"}, args...)...).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.Fields(string(out))
}

func count(t *testing.T, reg *prometheus.Registry, outcome string) float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}

	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == "podgate_webhook_requests_total" && m.GetLabel()[0].GetValue() == "gates" && m.GetLabel()[1].GetValue() == outcome {
				return m.GetCounter().GetValue()
			}
		}
	}

	return 0
}
