// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package targets

import (
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/disruption"
	"github.com/podgate/podgate/internal/gate"
)

// doomed is a world in which pod 1 is on node a, and 2 and 3 on node b, all of them Ready.
func doomed(t *testing.T) *world {
	w := newWorld(t)
	w.serve(1, 2, 3)
	for name, pod := range w.pods {
		pod.Spec.NodeName = map[bool]string{true: "a", false: "b"}[name == "web-1"]
		pod.Status.Conditions = append(pod.Status.Conditions, corev1.PodCondition{Type: corev1.PodReady, Status: corev1.ConditionTrue})
	}
	return w
}

// node tells the controller of a node as it is now, and gives the bindings that it woke.
func (w *world) node(name string, taints ...corev1.Taint) []types.NamespacedName {
	return w.nodeEvent(func(h toolscache.ResourceEventHandler, slim any) { h.OnUpdate(nil, slim) }, &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: corev1.NodeSpec{Taints: taints}})
}

func (w *world) nodeEvent(event func(toolscache.ResourceEventHandler, any), node *corev1.Node) []types.NamespacedName {
	w.t.Helper()
	var woken []types.NamespacedName
	slim, err := disruption.Slim(node)
	if err != nil {
		w.t.Fatal(err)
	}
	event(w.FollowNodes(w.t.Context(), func(key types.NamespacedName) { woken = append(woken, key) }), slim)
	return slices.Compact(woken)
}

func taint(key string) corev1.Taint {
	return corev1.Taint{Key: key, Effect: corev1.TaintEffectNoSchedule}
}

// TestLaw5NodesEndTheirPods: a pod on a node that is out of service or shuts down is deregistered
// though nobody has deleted it, and so is one that is being evicted.
func TestLaw5NodesEndTheirPods(t *testing.T) {
	ends := map[string]func(*world) []types.NamespacedName{
		"out of service": func(w *world) []types.NamespacedName { return w.node("a", taint(corev1.TaintNodeOutOfService)) },
		"shutting down": func(w *world) []types.NamespacedName {
			return w.nodeEvent(func(h toolscache.ResourceEventHandler, slim any) { h.OnAdd(slim, true) }, &corev1.Node{
				ObjectMeta: metav1.ObjectMeta{Name: "a"},
				Status:     corev1.NodeStatus{Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionFalse, Message: "node is shutting down"}}},
			})
		},
		"evicted": func(w *world) []types.NamespacedName {
			before := w.pods["web-1"].DeepCopy()
			w.pods["web-1"].Status.Conditions = append(w.pods["web-1"].Status.Conditions, corev1.PodCondition{Type: corev1.DisruptionTarget, Status: corev1.ConditionTrue})
			if !w.relevant(before, w.pods["web-1"]) {
				return nil
			}
			return []types.NamespacedName{web}
		},
	}

	for what, end := range ends {
		w := doomed(t)
		if woken := end(w); !slices.Equal(woken, []types.NamespacedName{web}) {
			t.Errorf("%s: want the binding woken, got %v", what, woken)
		}
		w.reconcile()
		if got := w.made(); got != "deregister 1" {
			t.Errorf("%s: want its pod removed, got %q", what, got)
		}
		w.due = w.clock
		if w.let(10 * time.Minute); len(w.calls) > 0 {
			t.Errorf("%s: it comes back: %q", what, w.made())
		}
	}
}

// TestNodeThatShutDown: it falls silent in the end, and comes back Ready.
func TestNodeThatShutDown(t *testing.T) {
	w := doomed(t)
	says := func(status corev1.ConditionStatus, message string) string {
		w.nodeEvent(func(h toolscache.ResourceEventHandler, slim any) { h.OnUpdate(nil, slim) }, &corev1.Node{
			ObjectMeta: metav1.ObjectMeta{Name: "a"},
			Status:     corev1.NodeStatus{Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: status, Message: message}}},
		})
		w.reconcile()
		return w.made()
	}

	for _, step := range []struct {
		status        corev1.ConditionStatus
		message, want string
	}{
		{corev1.ConditionFalse, "node is shutting down", "deregister 1"},
		{corev1.ConditionUnknown, "Kubelet stopped posting node status.", ""},
		{corev1.ConditionTrue, "kubelet is posting ready status", "register 1"},
		{corev1.ConditionUnknown, "Kubelet stopped posting node status.", ""},
	} {
		if got := says(step.status, step.message); got != step.want {
			t.Errorf("%s: want %q, got %q", step.message, step.want, got)
		}
	}
}

// TestLaw5DeadNodesLastPodGoes: what does not run is not kept as the last that serves, but what
// only ends is.
func TestLaw5DeadNodesLastPodGoes(t *testing.T) {
	for key, want := range map[string]string{corev1.TaintNodeOutOfService: "deregister 1", "": ""} {
		w := doomed(t)
		delete(w.pods, "web-2")
		delete(w.pods, "web-3")
		w.rows = map[gate.Target]gate.Health{at(1): {State: gate.Healthy}}
		if w.node("a", taint(key)); key == "" {
			w.pods["web-1"].Status.Conditions = append(w.pods["web-1"].Status.Conditions, corev1.PodCondition{Type: corev1.DisruptionTarget, Status: corev1.ConditionTrue})
		}
		w.reconcile()
		if got := w.made(); got != want {
			t.Errorf("%q: want %q, got %q", key, want, got)
		}
	}
}

// TestLaw3AnnouncedEndIsAskedFor: pods of a node that is to be removed go on serving until they are
// deleted, unless their binding's owner wants them drained before.
func TestLaw3AnnouncedEndIsAskedFor(t *testing.T) {
	for _, key := range []string{disruption.TaintClusterAutoscaler, disruption.TaintKarpenter} {
		w := doomed(t)
		w.node("a", taint(key))

		if w.reconcile(); len(w.calls) > 0 {
			t.Fatalf("%s: nobody asked for it: %q", key, w.made())
		}

		w.bindings["web-tg"].Annotations = map[string]string{v1alpha1.DrainAtAnnotation: "Taint"}
		w.reconcile()

		if got := w.made(); got != "deregister 1" {
			t.Fatalf("%s: want its pod removed, got %q", key, got)
		}

		if w.reconcile(); len(w.calls) > 0 {
			t.Fatalf("%s: it comes back: %q", key, w.made())
		}

		w.node("b", taint(key))
		w.reconcile()

		if got := w.made(); got != "register 1" {
			t.Errorf("%s: all nodes are to go, want all pods to serve, got %q", key, got)
		}

		w.rows[at(1)] = gate.Health{State: gate.Healthy}
		if woken := w.node("a"); !slices.Equal(woken, []types.NamespacedName{web}) {
			t.Errorf("%s: taken back: want the binding woken, got %v", key, woken)
		}

		w.reconcile()
		if got := w.made(); got != "deregister 2" {
			t.Errorf("%s: one node stays after all, want one pod of the other removed, got %q", key, got)
		}
	}
}

// TestNodesThatAreGone: what a node said counts until its pods are gone, too, and not forever.
func TestNodesThatAreGone(t *testing.T) {
	w := doomed(t)
	w.node("a", taint(corev1.TaintNodeOutOfService))
	remove := func(h toolscache.ResourceEventHandler, slim any) {
		h.OnDelete(toolscache.DeletedFinalStateUnknown{Obj: slim})
	}

	w.nodeEvent(remove, &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "a"}})
	w.nodeEvent(remove, &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "b"}})
	w.reconcile()

	if got := w.made(); got != "deregister 1" {
		t.Errorf("want the pod of the node that was out of service removed, got %q", got)
	}

	w.clock = w.clock.Add(outlives + time.Second)
	w.node("c", taint(disruption.TaintKarpenter))

	if w.nodes.notice("a") != disruption.None || len(w.nodes.notices) != 1 {
		t.Errorf("nodes that are gone are remembered: %v", w.nodes.notices)
	}
}
