// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package ungated

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/yaml"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/index/indextest"
)

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

// world is a cluster of the namespace shop, and the leader's clock.
type world struct {
	*testing.T
	*Reconciler
	events  *events.FakeRecorder
	clock   time.Time
	objects map[string]client.Object
}

func newWorld(t *testing.T) *world {
	w := &world{T: t, clock: noon, objects: map[string]client.Object{}}
	w.start()
	ns := namespaceOf()
	ns.Name, ns.Labels = "shop", map[string]string{elbv2.InjectLabel: elbv2.InjectEnabled}
	w.objects["namespace"] = ns
	w.objects["service"] = &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web", CreationTimestamp: metav1.NewTime(noon.Add(-24 * time.Hour))},
		Spec:       corev1.ServiceSpec{Selector: map[string]string{"app": "web"}},
	}
	return w
}

// start makes the process anew.
func (w *world) start() {
	w.events = events.NewFakeRecorder(100_000)
	w.Reconciler = newReconciler(Options{Serves: binding.OwnAll.Serves, Recorder: w.events, Configuration: "podgate-webhook", Path: "/mutate-v1-pod", DrainPath: "/mutate-v1-pod-drain"}, func() time.Time { return w.clock })
}

// pod makes a pod of the ReplicaSet web.
func (w *world) pod(name string) *corev1.Pod {
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
		Namespace: "shop", Name: name, UID: types.UID("uid-" + name), Labels: map[string]string{"app": "web"}, CreationTimestamp: metav1.NewTime(w.clock),
		OwnerReferences: []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "web", UID: "uid-of-web", Controller: new(true)}},
	}}
	w.objects[name] = pod
	return pod
}

// bind makes a binding of the Service.
func (w *world) bind() {
	w.objects["binding"] = &elbv2.TargetGroupBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web-tg", CreationTimestamp: metav1.NewTime(w.clock)},
		Spec:       elbv2.TargetGroupBindingSpec{TargetType: new(elbv2.TargetTypeIP), ServiceRef: elbv2.ServiceReference{Name: "web"}},
	}
}

// configure installs the webhook's manifest and gives its entry.
func (w *world) configure() *admissionv1.MutatingWebhook {
	raw, err := os.ReadFile("../../../config/podgate/templates/webhook.yaml")
	if err != nil {
		w.Fatal(err)
	}
	c := &admissionv1.MutatingWebhookConfiguration{}
	if err := yaml.UnmarshalStrict(raw, c); err != nil {
		w.Fatal(err)
	}
	w.objects["configuration"] = c
	return &c.Webhooks[0]
}

// judge has pods reconciled, and gives the events that were made.
func (w *world) judge(names ...string) []string {
	w.Helper()
	reader, err := indextest.New(w.Context(), w.all()...)
	if err != nil {
		w.Fatal(err)
	}

	w.reader, w.asked = reader, reader
	for _, name := range names {
		namespace := "shop"
		if o := w.objects[name]; o != nil {
			namespace = o.GetNamespace()
		}
		if _, err := w.Reconcile(w.Context(), reconcile.Request{NamespacedName: types.NamespacedName{Namespace: namespace, Name: name}}); err != nil {
			w.Fatal(err)
		}
	}

	var said []string
	for len(w.events.Events) > 0 {
		said = append(said, <-w.events.Events)
	}

	return said
}

func (w *world) all() []client.Object {
	var all []client.Object
	for _, o := range w.objects {
		all = append(all, o)
	}
	return all
}

// missing is the gauge's value for a reason.
func (w *world) missing(reason string) float64 {
	return testutil.ToFloat64(w.Reconciler.missing.Gauge.WithLabelValues("shop", reason))
}

// TestTold: a pod without a gate is told once, and so is its owner; the gauge counts
// those that should have one for as long as they lack it.
func TestTold(t *testing.T) {
	w := newWorld(t)
	w.pod("web-1")
	said := w.judge("web-1", "web-1")
	if len(said) != 2 || !strings.HasPrefix(said[0], "Normal NoGate Pods of this ReplicaSet have no readiness gate: no binding refers to Service") || !strings.HasPrefix(said[1], "Normal NoGate No readiness gate") {
		t.Fatalf("no binding: want it told once to the owner and the pod, got %q", said)
	}

	if n := testutil.CollectAndCount(w.Reconciler.missing.Gauge); n != 0 {
		t.Errorf("a pod for which there is no gate is counted as one that lacks it: %d series", n)
	}

	w.clock = w.clock.Add(24 * time.Hour)
	w.bind()
	said = w.judge("web-1")
	if len(said) != 2 || !strings.Contains(said[1], `Warning GateMissing No readiness gate target-health.elbv2.k8s.aws/web-tg: TargetGroupBinding "web-tg" was not there before the pod.`) {
		t.Fatalf("the binding came later: got %q", said)
	}

	w.pod("web-2").CreationTimestamp = metav1.NewTime(noon)
	if said := w.judge("web-2"); len(said) != 1 {
		t.Errorf("another pod of the owner: want only the pod told, got %q", said)
	}

	if n := w.missing("BindingCreatedLater"); n != 2 {
		t.Errorf("%v pods counted, want 2", n)
	}

	w.objects["web-1"].(*corev1.Pod).Status.Phase = corev1.PodSucceeded
	delete(w.objects, "web-2")

	if said := w.judge("web-1", "web-2"); len(said) != 0 {
		t.Errorf("told of pods that are gone: %q", said)
	}

	if n := testutil.CollectAndCount(w.Reconciler.missing.Gauge); n != 0 || len(w.ungated.pods)+len(w.ungated.owners) != 0 {
		t.Errorf("the pods are gone: %d series, %d notes, %d owners", n, len(w.ungated.pods), len(w.ungated.owners))
	}
}

// TestSilent: who wants no gate, has one, or was not asked about is not told anything.
func TestSilent(t *testing.T) {
	cases := map[string]struct {
		reason string
		change func(w *world, pod *corev1.Pod)
		want   int // events
	}{
		"Lacks":    {reason: "This one is told, and its owner.", change: func(*world, *corev1.Pod) {}, want: 2},
		"OptedOut": {reason: "It said so.", change: func(_ *world, pod *corev1.Pod) { pod.Labels[v1alpha1.InjectLabel] = v1alpha1.InjectDisabled }},
		"Gated": {reason: "It has its gate.", change: func(_ *world, pod *corev1.Pod) {
			pod.Spec.ReadinessGates = []corev1.PodReadinessGate{{ConditionType: "target-health.elbv2.k8s.aws/web-tg"}}
		}},
		"Unlabelled": {reason: "The namespace does not ask for gates.", change: func(w *world, _ *corev1.Pod) { w.objects["namespace"].SetLabels(nil) }},
		"OwnLabel": {reason: "podgate's own label asks for the same.", want: 2, change: func(w *world, _ *corev1.Pod) {
			w.objects["namespace"].SetLabels(map[string]string{v1alpha1.InjectLabel: "enabled"})
		}},
		"PodAsks": {reason: "A pod may ask by itself.", want: 2, change: func(w *world, pod *corev1.Pod) {
			w.objects["namespace"].SetLabels(nil)
			pod.Labels[v1alpha1.InjectLabel] = "enabled"
		}},
		"Disabled": {reason: "Nor does it here.", change: func(w *world, _ *corev1.Pod) { w.objects["namespace"].GetLabels()[elbv2.InjectLabel] = "disabled" }},
		"System": {reason: "The webhook is never asked there, as its manifest says.", change: func(w *world, _ *corev1.Pod) {
			for _, o := range w.objects {
				if o.GetNamespace() == "shop" {
					o.SetNamespace("kube-system")
				}
			}
			w.objects["namespace"].SetName("kube-system")
			w.objects["namespace"].GetLabels()["kubernetes.io/metadata.name"] = "kube-system"
			w.configure()
		}},
		"Configured": {reason: "The manifest has the webhook asked about this one.", change: func(w *world, _ *corev1.Pod) { w.configure() }, want: 2},
		"ConfiguredPodAsks": {reason: "The manifest has an entry for pods that ask by themselves.", want: 2, change: func(w *world, pod *corev1.Pod) {
			w.objects["namespace"].SetLabels(nil)
			pod.Labels[v1alpha1.InjectLabel] = "enabled"
			w.configure()
		}},
		"DrainOnly": {reason: "A drain is no gate.", change: func(w *world, _ *corev1.Pod) {
			w.objects["namespace"].SetLabels(map[string]string{"podgate.dev/drain": "enabled"})
			w.configure()
		}},
		"LeftOut": {reason: "Whoever wrote the object selector knows of it.", change: func(w *world, _ *corev1.Pod) {
			w.configure().ObjectSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"gated": "yes"}}
		}},
		"TakenIn": {reason: "It selects this one.", change: func(w *world, _ *corev1.Pod) {
			w.configure().ObjectSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}}
		}, want: 2},
		"EveryNamespace": {reason: "Somebody wants gates in all of them.", change: func(w *world, _ *corev1.Pod) {
			w.objects["namespace"].SetLabels(nil)
			w.configure().NamespaceSelector = nil
		}, want: 2},
		"Terminating": {reason: "It is too late.", change: func(_ *world, pod *corev1.Pod) { pod.DeletionTimestamp = new(metav1.NewTime(noon)) }},
		"Job": {reason: "Nobody expects it behind a load balancer.", change: func(_ *world, pod *corev1.Pod) {
			pod.Labels, pod.OwnerReferences[0].Kind = nil, "Job"
		}},
		"JobWithService": {reason: "Somebody does.", change: func(_ *world, pod *corev1.Pod) { pod.OwnerReferences[0].Kind = "Job" }, want: 2},
		"Alone":          {reason: "A pod without an owner is told.", change: func(_ *world, pod *corev1.Pod) { pod.OwnerReferences = nil }, want: 1},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.bind()
			pod := w.pod("web-1")
			tc.change(w, pod)
			if said := w.judge("web-1"); len(said) != tc.want {
				t.Errorf("%s\nwant %d events, got %q", tc.reason, tc.want, said)
			}
		})
	}
}

// TestRestart: a process that has just started tells of what is new, and of what
// changes; all else was told before it, and only counts.
func TestRestart(t *testing.T) {
	w := newWorld(t)
	w.pod("old")
	w.bind()
	w.clock = noon.Add(time.Hour)
	w.pod("new")
	w.start()

	if said := w.judge("old", "new"); len(said) != 2 || !strings.Contains(said[0], "Pods of this ReplicaSet") || !strings.Contains(said[1], "GateMissing No readiness gate") {
		t.Errorf("want the new pod and its owner told, got %q", said)
	}

	if n := w.missing("BindingCreatedLater") + w.missing("NotInjected"); n != 2 {
		t.Errorf("%v pods counted, want 2", n)
	}

	delete(w.objects, "binding")
	if said := w.judge("old"); !slices.ContainsFunc(said, func(s string) bool { return strings.Contains(s, "NoGate No readiness gate") }) {
		t.Errorf("the binding is gone: want the old pod told, got %q", said)
	}

	w.clock = w.clock.Add(starting)
	delete(w.objects["service"].(*corev1.Service).Spec.Selector, "app")
	w.pod("moved").CreationTimestamp = metav1.NewTime(noon.Add(-time.Hour))

	if said := w.judge("moved"); len(said) != 2 {
		t.Errorf("an old pod that lacks a gate since now: want it told, got %q", said)
	}
}

// TestNoStorm: ten thousand pods that lack a gate for one cause make few events; their
// owner is told, and the gauge has them all.
func TestNoStorm(t *testing.T) {
	w := newWorld(t)
	w.bind()
	var names []string
	for i := range 10_000 {
		names = append(names, fmt.Sprintf("web-%d", i))
		w.pod(names[i])
	}

	said := w.judge(names...)
	if len(said) != eventsBurst {
		t.Errorf("%d events at once, want %d", len(said), eventsBurst)
	}

	if !strings.Contains(said[0], "Pods of this ReplicaSet") {
		t.Errorf("the owner was not told first: %q", said[0])
	}

	if n := w.missing("BindingCreatedLater"); n != 10_000 {
		t.Errorf("%v pods counted, want all", n)
	}

	w.clock = w.clock.Add(time.Hour)
	if said := w.judge(names...); len(said) != 0 {
		t.Errorf("told again: %d events", len(said))
	}
}
