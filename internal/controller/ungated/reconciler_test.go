// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package ungated

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/gwc"
	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/controller/ungated/ungatedtest"
	"github.com/podgate/podgate/internal/webhook/profile"
)

// world is a cluster and the leader that inspects its pods.
type world struct {
	*ungatedtest.Cluster
	*Reconciler
	events *events.FakeRecorder
}

func newWorld(t *testing.T) *world {
	w := &world{Cluster: ungatedtest.New(t)}
	w.start()
	return w
}

// start starts the process again.
func (w *world) start() {
	w.Helper()
	w.events = events.NewFakeRecorder(100_000)
	inspector := &Inspector{Serves: binding.OwnAll.Serves, Configuration: "podgate-webhook"}

	r, err := NewReconciler(inspector, Options{Recorder: w.events, Now: w.Now})
	if err != nil {
		w.Fatal(err)
	}

	w.Reconciler = r
}

// judge has pods reconciled, and returns the events that were made.
func (w *world) judge(names ...string) []string {
	w.Helper()
	cache := w.Cache()
	w.inspector.Reader, w.inspector.Asked = cache, cache

	for _, name := range names {
		namespace := "shop"
		if o := w.Objects[name]; o != nil {
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

// missing is the gauge's value for a reason.
func (w *world) missing(reason string) float64 {
	return testutil.ToFloat64(w.Reconciler.missing.Gauge.WithLabelValues("shop", reason))
}

// TestTold: a pod without a gate is told once, and so is its owner; the gauge counts
// those that should have one for as long as they lack it.
func TestTold(t *testing.T) {
	w := newWorld(t)
	w.Pod("web-1")
	said := w.judge("web-1", "web-1")
	if len(said) != 2 || !strings.HasPrefix(said[0], "Normal NoGate Pods of this ReplicaSet have no readiness gate: no binding refers to Service") || !strings.HasPrefix(said[1], "Normal NoGate No readiness gate") {
		t.Fatalf("no binding: want it told once to the owner and the pod, got %q", said)
	}

	if n := testutil.CollectAndCount(w.Reconciler.missing.Gauge); n != 0 {
		t.Errorf("a pod for which there is no gate is counted as one that lacks it: %d series", n)
	}

	w.Clock = w.Clock.Add(24 * time.Hour)
	w.Bind()
	said = w.judge("web-1")
	if len(said) != 2 || !strings.Contains(said[1], `Warning GateMissing No readiness gate target-health.elbv2.k8s.aws/web-tg: TargetGroupBinding "web-tg" was not there before the pod.`) {
		t.Fatalf("the binding came later: got %q", said)
	}

	w.Pod("web-2").CreationTimestamp = metav1.NewTime(ungatedtest.Noon)
	if said := w.judge("web-2"); len(said) != 1 {
		t.Errorf("another pod of the owner: want only the pod told, got %q", said)
	}

	if n := w.missing("BindingCreatedLater"); n != 2 {
		t.Errorf("%v pods counted, want 2", n)
	}

	w.Objects["web-1"].(*corev1.Pod).Status.Phase = corev1.PodSucceeded
	delete(w.Objects, "web-2")

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
		"Unlabelled": {reason: "The namespace does not ask for gates.", change: func(w *world, _ *corev1.Pod) { w.Objects["namespace"].SetLabels(nil) }},
		"OwnLabel": {reason: "podgate's own label asks for the same.", want: 2, change: func(w *world, _ *corev1.Pod) {
			w.Objects["namespace"].SetLabels(map[string]string{v1alpha1.InjectLabel: "enabled"})
		}},
		"PodAsks": {reason: "A pod may ask by itself.", want: 2, change: func(w *world, pod *corev1.Pod) {
			w.Objects["namespace"].SetLabels(nil)
			pod.Labels[v1alpha1.InjectLabel] = "enabled"
		}},
		"AnothersLabel": {reason: "It asks for another controller's gate.", change: func(w *world, _ *corev1.Pod) {
			w.Objects["namespace"].SetLabels(map[string]string{gwc.InjectLabel: "enabled"})
			w.Configure()
		}},
		"SwitchedOff": {reason: "The webhook changes nothing there.", change: func(w *world, _ *corev1.Pod) { w.inspector.Off = []string{profile.GatesPath} }},
		"Disabled":    {reason: "Nor does it here.", change: func(w *world, _ *corev1.Pod) { w.Objects["namespace"].GetLabels()[elbv2.InjectLabel] = "disabled" }},
		"System": {reason: "The webhook is never asked there, as its manifest says.", change: func(w *world, _ *corev1.Pod) {
			for _, o := range w.Objects {
				if o.GetNamespace() == "shop" {
					o.SetNamespace("kube-system")
				}
			}
			w.Objects["namespace"].SetName("kube-system")
			w.Objects["namespace"].GetLabels()["kubernetes.io/metadata.name"] = "kube-system"
			w.Configure()
		}},
		"Configured": {reason: "The manifest has the webhook asked about this one.", change: func(w *world, _ *corev1.Pod) { w.Configure() }, want: 2},
		"ConfiguredPodAsks": {reason: "The manifest has an entry for pods that ask by themselves.", want: 2, change: func(w *world, pod *corev1.Pod) {
			w.Objects["namespace"].SetLabels(nil)
			pod.Labels[v1alpha1.InjectLabel] = "enabled"
			w.Configure()
		}},
		"DrainOnly": {reason: "A drain is no gate.", change: func(w *world, _ *corev1.Pod) {
			w.Objects["namespace"].SetLabels(map[string]string{"podgate.dev/drain": "enabled"})
			w.Configure()
		}},
		"LeftOut": {reason: "Whoever wrote the object selector knows of it.", change: func(w *world, _ *corev1.Pod) {
			w.Configure().ObjectSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"gated": "yes"}}
		}},
		"TakenIn": {reason: "It selects this one.", change: func(w *world, _ *corev1.Pod) {
			w.Configure().ObjectSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}}
		}, want: 2},
		"EveryNamespace": {reason: "Somebody wants gates in all of them.", change: func(w *world, _ *corev1.Pod) {
			w.Objects["namespace"].SetLabels(nil)
			w.Configure().NamespaceSelector = nil
		}, want: 2},
		"Terminating": {reason: "It is too late.", change: func(_ *world, pod *corev1.Pod) { pod.DeletionTimestamp = new(metav1.NewTime(ungatedtest.Noon)) }},
		"Job": {reason: "Nobody expects it behind a load balancer.", change: func(_ *world, pod *corev1.Pod) {
			pod.Labels, pod.OwnerReferences[0].APIVersion, pod.OwnerReferences[0].Kind = nil, "batch/v1", "Job"
		}},
		"JobThatServes": {reason: "Somebody does: it declares the port.", change: func(_ *world, pod *corev1.Pod) {
			pod.OwnerReferences[0].APIVersion, pod.OwnerReferences[0].Kind = "batch/v1", "Job"
			pod.Spec.Containers = []corev1.Container{{Name: "web", Ports: []corev1.ContainerPort{{ContainerPort: 8080}}}}
		}, want: 2},
		"JobWithService": {reason: "Charts give migration Jobs the labels of the pods that serve.", change: func(_ *world, pod *corev1.Pod) {
			pod.OwnerReferences[0].APIVersion, pod.OwnerReferences[0].Kind = "batch/v1", "Job"
		}},
		"Alone": {reason: "A pod without an owner is told.", change: func(_ *world, pod *corev1.Pod) { pod.OwnerReferences = nil }, want: 1},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.Bind()
			pod := w.Pod("web-1")
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
	w.Pod("old")
	w.Bind()
	w.Clock = ungatedtest.Noon.Add(time.Hour)
	w.Pod("new")
	w.start()

	if said := w.judge("old", "new"); len(said) != 2 || !strings.Contains(said[0], "Pods of this ReplicaSet") || !strings.Contains(said[1], "GateMissing No readiness gate") {
		t.Errorf("want the new pod and its owner told, got %q", said)
	}

	if n := w.missing("BindingCreatedLater") + w.missing("NotInjected"); n != 2 {
		t.Errorf("%v pods counted, want 2", n)
	}

	delete(w.Objects, "binding")
	if said := w.judge("old"); !slices.ContainsFunc(said, func(s string) bool { return strings.Contains(s, "NoGate No readiness gate") }) {
		t.Errorf("the binding is gone: want the old pod told, got %q", said)
	}

	w.Clock = w.Clock.Add(starting)
	delete(w.Objects["service"].(*corev1.Service).Spec.Selector, "app")
	w.Pod("moved").CreationTimestamp = metav1.NewTime(ungatedtest.Noon.Add(-time.Hour))

	if said := w.judge("moved"); len(said) != 2 {
		t.Errorf("an old pod that lacks a gate since now: want it told, got %q", said)
	}
}

// TestNoStorm: ten thousand pods that lack a gate for one cause make few events; their
// owner is told, and the gauge has them all.
func TestNoStorm(t *testing.T) {
	w := newWorld(t)
	w.Bind()
	var names []string
	for i := range 10_000 {
		names = append(names, fmt.Sprintf("web-%d", i))
		w.Pod(names[i])
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

	w.Clock = w.Clock.Add(time.Hour)
	if said := w.judge(names...); len(said) != 0 {
		t.Errorf("told again: %d events", len(said))
	}
}
