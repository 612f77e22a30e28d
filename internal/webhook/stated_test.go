// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/injection"
)

// applied is the metadata of a pod that kubectl apply creates of a manifest with this spec.
func applied(spec string) string {
	return `{"labels":{"app":"web"},"annotations":{"kubectl.kubernetes.io/last-applied-configuration":` + strconv.Quote(`{"kind":"Pod","spec":`+spec+`}`) + `}}`
}

// owned is that of one that a server-side apply creates, which owns these fields of the spec.
func owned(fields string) string {
	return `{"labels":{"app":"web"},"managedFields":[{"operation":"Apply","fieldsV1":{"f:spec":` + fields + `}}]}`
}

// TestStated: of a pod that is applied by itself, what its manifest states is known.
func TestStated(t *testing.T) {
	cases := map[string]struct {
		reason, metadata string
		want             injection.Stated
	}{
		"Created":         {reason: "Nobody applies it again.", metadata: `{}`},
		"Nothing":         {reason: "The default grace period becomes kubectl's own with server-side apply.", metadata: applied(`{"containers":[{"name":"a"}]}`), want: injection.Stated{Applied: true, End: true}},
		"Gates":           {reason: "A list of its own.", metadata: applied(`{"readinessGates":[{"conditionType":"a/b"}]}`), want: injection.Stated{Applied: true, Gates: true, End: true}},
		"NoGates":         {reason: "An empty list is applied as one.", metadata: applied(`{"readinessGates":[]}`), want: injection.Stated{Applied: true, Gates: true, End: true}},
		"NullGates":       {reason: "Null takes the list away.", metadata: applied(`{"readinessGates":null}`), want: injection.Stated{Applied: true, Gates: true, End: true}},
		"Unreadable":      {reason: "What cannot be read may state anything.", metadata: applied(`{`), want: injection.Stated{Applied: true, Gates: true, End: true}},
		"ServerSide":      {reason: "The fields that the apply owns.", metadata: owned(`{"f:readinessGates":{},"f:terminationGracePeriodSeconds":{},"f:containers":{}}`), want: injection.Stated{Applied: true, Gates: true, End: true}},
		"ServerSideNone":  {reason: "It owns neither.", metadata: owned(`{"f:containers":{"k:{\"name\":\"a\"}":{".":{},"f:lifecycle":{"f:postStart":{}}}}}`), want: injection.Stated{Applied: true}},
		"ServerSideNull":  {reason: "Null is owned, too.", metadata: owned(`{"f:containers":{"k:{\"name\":\"a\"}":{"f:lifecycle":{}}}}`), want: injection.Stated{Applied: true, End: true}},
		"ServerSideOdd":   {reason: "What cannot be read may state anything.", metadata: owned(`[]`), want: injection.Stated{Applied: true, Gates: true, End: true}},
		"Update":          {reason: "A client that only creates owns all of it, defaults included.", metadata: strings.Replace(owned(`{"f:readinessGates":{}}`), "Apply", "Update", 1)},
		"Helm":            {reason: "Helm 3 compares with a manifest that it keeps.", metadata: `{"annotations":{"meta.helm.sh/release-name":"r"}}`, want: injection.Stated{Applied: true, End: true}},
		"HelmServerSide":  {reason: "Helm 4 applies, so its manifest is known.", metadata: strings.Replace(owned(`{"f:containers":{}}`), `{"labels"`, `{"annotations":{"meta.helm.sh/release-name":"r"},"labels"`, 1), want: injection.Stated{Applied: true}},
		"Controlled":      {reason: "A template carries what it was copied from.", metadata: strings.Replace(applied(`{"readinessGates":[]}`), `{"labels"`, `{"ownerReferences":[{"controller":true}],"labels"`, 1)},
		"OwnedOnly":       {reason: "An owner that is no controller makes no other pod.", metadata: strings.Replace(applied(`{"readinessGates":[]}`), `{"labels"`, `{"ownerReferences":[{}],"labels"`, 1), want: injection.Stated{Applied: true, Gates: true, End: true}},
		"AppliedByObject": {reason: "A controller may apply its pods.", metadata: strings.Replace(owned(`{"f:readinessGates":{}}`), `{"labels"`, `{"ownerReferences":[{"controller":true}],"labels"`, 1), want: injection.Stated{Applied: true, Gates: true}},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			p, err := decodePod([]byte(`{"metadata":` + tc.metadata + `,"spec":{}}`))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, p.stated()); diff != "" {
				t.Errorf("%s\nstated: -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

// TestStatedIsLeftAlone: what a bare pod's manifest states stays, and an annotation tells what the pod goes without.
func TestStatedIsLeftAlone(t *testing.T) {
	h := newHandler(t, &world{
		services: []corev1.Service{service("shop", "web", map[string]string{"app": "web"})},
		bindings: []elbv2.TargetGroupBinding{annotated(typed(bindingTo("shop", "web-tg", "web"), elbv2.TargetTypeIP), v1alpha1.DrainTimeAnnotation, "55s")},
	}, Options{Serves: binding.OwnAll.Serves, Registerer: prometheus.NewRegistry(), Log: logr.Discard()})

	const spec = `{"containers":[{"name":"a"}],"readinessGates":[{"conditionType":"a/b"},{"conditionType":"target-health.alb.ingress.k8s.aws/i_web_80"}],"terminationGracePeriodSeconds":60}`
	pod := fmt.Sprintf(`{"metadata":%s,"spec":%s}`, applied(spec), spec)
	gates := strings.Replace(pod, `"annotations":{`, `"annotations":{"podgate.dev/left-out":"readinessGates",`, 1)
	both := strings.Replace(pod, `"annotations":{`, `"annotations":{"podgate.dev/left-out":"readinessGates,preStop",`, 1)

	for range 2 { // The second time it is asked again.
		pod = admit(t, h, "shop", pod)
		if diff := diffJSON(t, gates, pod); diff != "" {
			t.Errorf("gates: -want, +got:\n%s", diff)
		}
	}

	for range 2 {
		pod = admitHooks(t, h, pod)
		if diff := diffJSON(t, both, pod); diff != "" {
			t.Errorf("hooks: -want, +got:\n%s", diff)
		}
	}
}

// TestUnstatedIsAdded: a bare pod whose manifest says nothing of gates and of its end gets both.
func TestUnstatedIsAdded(t *testing.T) {
	h := adaptiveHandler(t, helper)
	const spec = `{"containers":[{"name":"a"}]}`
	pod := admit(t, h, "shop", fmt.Sprintf(`{"metadata":%s,"spec":%s}`, owned(`{"f:containers":{}}`), spec))
	if !strings.Contains(pod, elbv2.GateType("web-tg")) {
		t.Errorf("no gate: %s", pod)
	}

	p, raw := hooked(t, h, pod)
	if l := p.Spec.Containers[0].Lifecycle; l == nil || l.PreStop.Sleep == nil || l.PreStop.Sleep.Seconds != 45 || len(p.Spec.Volumes) != 0 {
		t.Errorf("want a sleep, which needs nothing else of the pod: %s", raw)
	}
	if strings.Contains(raw, v1alpha1.LeftOutAnnotation) {
		t.Errorf("nothing was left out: %s", raw)
	}
}

// TestStaticPod: a kubelet heeds nothing that the API server says of a pod that it runs from a file.
func TestStaticPod(t *testing.T) {
	pod := `{"metadata":{"labels":{"app":"web"},"annotations":{"kubernetes.io/config.mirror":"x"}},"spec":{"containers":[{"name":"a"}]}}`
	h := adaptiveHandler(t, helper)
	if got := admitHooks(t, h, admit(t, h, "shop", pod)); got != pod {
		t.Errorf("it became %s", got)
	}
}

// TestEncodedAnew: another webhook whose library does not know a field drops it. What podgate added before is added again.
func TestEncodedAnew(t *testing.T) {
	h := newHandler(t, &world{
		services: []corev1.Service{service("shop", "web", map[string]string{"app": "web"})},
		bindings: []elbv2.TargetGroupBinding{annotated(typed(bindingTo("shop", "web-tg", "web"), elbv2.TargetTypeIP), v1alpha1.DrainTimeAnnotation, "45s")},
	}, Options{Serves: binding.OwnAll.Serves, Registerer: prometheus.NewRegistry(), Log: logr.Discard()})

	const hook = `"lifecycle":{"preStop":{"sleep":{"seconds":45}}}`
	want := admitHooks(t, h, `{"metadata":{"labels":{"app":"web"}},"spec":{"containers":[{"name":"a"}]}}`)
	for name, left := range map[string]string{"Handler": `"lifecycle":{"preStop":{}}`, "Hook": `"lifecycle":{}`, "Lifecycle": `"image":"i"`} {
		dropped := strings.Replace(want, hook, left, 1)
		got := strings.Replace(admitHooks(t, h, dropped), `"image":"i",`, "", 1)
		if diff := diffJSON(t, want, got); dropped == want || diff != "" {
			t.Errorf("%s: -want, +got:\n%s", name, diff)
		}
	}
}
