// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package pods

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/gate"
	"github.com/podgate/podgate/internal/observe"
)

// annotate states a policy on the binding.
func (w *world) annotate(name, value string) {
	if w.binding.Annotations == nil {
		w.binding.Annotations = map[string]string{}
	}
	w.binding.Annotations[name] = value
}

// failingFor is what is seen of a target that has failed its checks for a while.
func (w *world) failingFor(d time.Duration) observe.Sighting {
	s := sighting(gate.Unhealthy, "Target.Timeout", true)
	s.ReadAt, s.FailingSince = w.clock, w.clock.Add(-d)
	return s
}

// told takes the events that were made so far.
func (w *world) told() []string {
	var all []string
	for len(w.events.Events) > 0 {
		all = append(all, <-w.events.Events)
	}
	return all
}

// opened is a world whose pod's gate is open, and whose containers have been ready for an hour.
func opened(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	w.see(sighting(gate.Healthy, "", true))
	w.reconcile()
	if w.condition().Status != corev1.ConditionTrue {
		t.Fatal("the gate did not open")
	}
	w.clock = w.clock.Add(time.Hour)
	w.told()
	return w
}

// fleet makes n open pods of the world's own.
func fleet(w *world, n int) []corev1.Pod {
	var pods []corev1.Pod
	for i := range n {
		pod := *w.pod.DeepCopy()
		pod.Name, pod.UID = fmt.Sprintf("web-%d", i), ""
		pods = append(pods, pod)
	}
	return pods
}

// TestLaw9TrackFollows: with Track an open gate closes once its target has failed for
// long enough, and opens as soon as it is healthy, across restarts of podgate.
func TestLaw9TrackFollows(t *testing.T) {
	w := opened(t)
	w.annotate(v1alpha1.ModeAnnotation, "Track")
	w.siblings = fleet(w, 4)[1:]
	w.see(w.failingFor(20 * time.Second))
	res, _ := w.reconcile()
	if c := w.condition(); c.Status != corev1.ConditionTrue || res.RequeueAfter != 10*time.Second || !w.followed[ref] {
		t.Fatalf("failing for 20s: want True, looked at again in 10s and read often, got %s, %s, followed=%t", c.Status, res.RequeueAfter, w.followed[ref])
	}

	w.clock = w.clock.Add(res.RequeueAfter)
	w.see(w.failingFor(30 * time.Second))
	w.reconcile()

	if c := w.condition(); c.Status != corev1.ConditionFalse || c.Reason != "Target.Timeout" || !w.waiting[ref] {
		t.Fatalf("failing for 30s: want False with Target.Timeout, and waiting, got %s with %s", c.Status, c.Reason)
	}

	w.restart()
	w.resolve(resolution())
	w.reconcile()
	w.see(sighting(gate.Healthy, "", false))
	w.reconcile()

	if c := w.condition(); c.Status != corev1.ConditionTrue || c.Reason != "Healthy" {
		t.Errorf("healthy again: want True with Healthy, got %s with %s", c.Status, c.Reason)
	}
}

// TestLaw9TrackKeepsTheFloor: however many targets fail at once, and although no decision
// shows in the cache before the next is made, half of the gates stay open, and the last
// one does whatever the floor.
func TestLaw9TrackKeepsTheFloor(t *testing.T) {
	for _, tc := range []struct {
		floor      string
		pods, keep int
	}{{"", 10, 5}, {"", 3, 2}, {"", 1, 1}, {"20%", 10, 2}, {"4", 10, 4}, {"1%", 4, 1}, {"100", 10, 10}} {
		w := opened(t)
		w.annotate(v1alpha1.ModeAnnotation, "Track")

		if tc.floor != "" {
			w.annotate(v1alpha1.TrackFloorAnnotation, tc.floor)
		}

		w.see(w.failingFor(time.Hour))
		pods, open := fleet(w, tc.pods), 0
		for i := range pods {
			w.pod, w.siblings = pods[i].DeepCopy(), slices.Delete(slices.Clone(pods), i, i+1)
			res, err := w.Reconcile(t.Context(), reconcile.Request{NamespacedName: client.ObjectKeyFromObject(w.pod)})
			if err != nil {
				t.Fatal(err)
			}
			if w.condition().Status != corev1.ConditionTrue {
				continue
			}
			open++
			if c := w.condition(); c.Reason != v1alpha1.ReasonTrackFloor || res.RequeueAfter == 0 {
				t.Errorf("floor %q: an open gate says %s and is looked at again in %s", tc.floor, c.Reason, res.RequeueAfter)
			}
		}

		if open != tc.keep {
			t.Errorf("floor %q of %d pods whose targets all fail: %d stayed open, want %d", tc.floor, tc.pods, open, tc.keep)
		}

		if events := w.told(); len(events) != open || !strings.Contains(strings.Join(events, ""), "TrackFloor") {
			t.Errorf("floor %q: want an event for each gate that is kept open, got %d", tc.floor, len(events))
		}
	}
}

// TestLaw9TrackFloorIsOfServedPods: a pod that the Service no longer selects, as
// after a switch of its selector, serves nobody however open its gate is.
func TestLaw9TrackFloorIsOfServedPods(t *testing.T) {
	w := opened(t)
	w.annotate(v1alpha1.ModeAnnotation, "Track")
	w.see(w.failingFor(time.Hour))
	pods := fleet(w, 4)
	for i := range pods {
		pods[i].Labels = map[string]string{"app": "before"}
	}
	w.siblings = pods[1:]
	w.reconcile()
	if w.condition().Status != corev1.ConditionTrue {
		t.Errorf("the last open gate of the pods that are served closed: %+v", w.condition())
	}
}

// TestLaw9TrackFloorIsOfPodsThatNoGateHoldsBack: a pod of which another gate is closed, as by another Track, is not ready, however open
// this one is.
func TestLaw9TrackFloorIsOfPodsThatNoGateHoldsBack(t *testing.T) {
	w := opened(t)
	w.annotate(v1alpha1.ModeAnnotation, "Track")
	w.see(w.failingFor(time.Hour))
	pods := fleet(w, 4)
	for i := range pods[1:] {
		pods[1+i].Spec.ReadinessGates = append(pods[1+i].Spec.ReadinessGates, corev1.PodReadinessGate{ConditionType: "checks.podgate.dev/warm"})
		pods[1+i].Status.Conditions = append(pods[1+i].Status.Conditions, corev1.PodCondition{Type: "checks.podgate.dev/warm", Status: corev1.ConditionFalse})
	}
	w.siblings = pods[1:]
	w.reconcile()
	if w.condition().Status != corev1.ConditionTrue {
		t.Errorf("the last pod that was ready is not any more: %+v", w.condition())
	}
}

// TestLaw9LatchIsTheDefault: without a mode, or with one that nobody knows, an open gate
// does not follow its target's health.
func TestLaw9LatchIsTheDefault(t *testing.T) {
	for _, mode := range []string{"", "Latch", "track", "On"} {
		w := opened(t)
		if mode != "" {
			w.annotate(v1alpha1.ModeAnnotation, mode)
		}
		w.siblings = fleet(w, 4)[1:]
		w.see(w.failingFor(time.Hour))
		if _, patches := w.reconcile(); patches != 0 || w.followed[ref] {
			t.Errorf("mode %q: %d patches, followed=%t; the gate is %s", mode, patches, w.followed[ref], w.condition().Status)
		}
	}
}

// TestLaw1TimeoutOpensWithItsOwnReason: a time-out opens a gate at its time, without any
// event of the pod, and says on the pod and its owner that it was that.
func TestLaw1TimeoutOpensWithItsOwnReason(t *testing.T) {
	w := newWorld(t)
	w.annotate(v1alpha1.TimeoutAnnotation, "10m")
	w.annotate(v1alpha1.OnTimeoutAnnotation, "Open")
	w.containers(corev1.ConditionTrue)
	w.pod.OwnerReferences = []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "web-1", UID: "rs", Controller: new(true)}}
	w.see(sighting(gate.Unhealthy, "Target.Timeout", true))

	for range 10 {
		res, _ := w.reconcile()
		if w.condition().Status == corev1.ConditionTrue {
			break
		}
		if res.RequeueAfter == 0 {
			t.Fatal("nothing will look at the gate again")
		}
		w.clock = w.clock.Add(res.RequeueAfter)
	}

	if c := w.condition(); c.Status != corev1.ConditionTrue || c.Reason != v1alpha1.ReasonTimedOut || w.clock.Sub(noon) != 10*time.Minute {
		t.Fatalf("after %s: want True with TimedOut after 10m, got %s with %s", w.clock.Sub(noon), c.Status, c.Reason)
	}

	if events := w.told(); len(events) != 2 || !strings.Contains(events[0], "GateTimedOut") || !strings.Contains(events[1], "Pod web-0") {
		t.Errorf("want an event on the pod and one on its owner, got %q", events)
	}

	if n := testutil.ToFloat64(w.metrics.timeouts.WithLabelValues("shop", "web-tg", "Open")); n != 1 {
		t.Errorf("%v time-outs counted, want 1", n)
	}
}

// TestHeldGateTellsOnce: a gate that stays closed after its time-out says so once, on
// the pod and its owner, whatever else happens and across restarts of podgate.
func TestHeldGateTellsOnce(t *testing.T) {
	w := newWorld(t)
	w.annotate(v1alpha1.TimeoutAnnotation, "10m")
	w.see(sighting(gate.Unhealthy, "Target.Timeout", true))
	w.pod.OwnerReferences = []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "web-1", UID: "rs", Controller: new(true)}}
	res, _ := w.reconcile()
	w.clock = w.clock.Add(res.RequeueAfter)
	w.told()
	w.reconcile()
	c := w.condition()
	if c.Status != corev1.ConditionFalse || c.Reason != "Target.Timeout" || !strings.HasSuffix(c.Message, "stays closed, as on-timeout says.") {
		t.Fatalf("want False with the load balancer's reason, and that it timed out, got %+v", c)
	}

	if events := w.told(); len(events) != 2 {
		t.Errorf("want an event on the pod and one on its owner, got %q", events)
	}

	w.restart()
	w.resolve(resolution())
	w.see(sighting(gate.Unhealthy, "Target.FailedHealthChecks", true))
	w.clock = w.clock.Add(time.Minute)
	w.reconcile()

	if events := w.told(); len(events) != 0 || !strings.HasSuffix(w.condition().Message, "stays closed, as on-timeout says.") {
		t.Errorf("another reason: told again: %q; the gate says %q", events, w.condition().Message)
	}
}

// TestTimeoutOfWhatTrackClosed: the time at which a gate was closed survives a restart of
// podgate, so that its time-out counts from there.
func TestTimeoutOfWhatTrackClosed(t *testing.T) {
	w := opened(t)
	w.annotate(v1alpha1.ModeAnnotation, "Track")
	w.annotate(v1alpha1.TimeoutAnnotation, "10m")
	w.annotate(v1alpha1.OnTimeoutAnnotation, "Open")
	w.siblings = fleet(w, 4)[1:]
	w.see(w.failingFor(time.Minute))
	w.reconcile()
	w.restart()
	w.resolve(resolution())
	w.clock = w.clock.Add(4 * time.Minute)
	w.see(w.failingFor(5 * time.Minute))
	res, _ := w.reconcile()
	if c := w.condition(); c.Status != corev1.ConditionFalse || res.RequeueAfter != 6*time.Minute {
		t.Fatalf("closed four minutes ago: want False for six more, got %s with %s, looked at again in %s", c.Status, c.Reason, res.RequeueAfter)
	}

	w.clock = w.clock.Add(res.RequeueAfter)
	w.see(w.failingFor(11 * time.Minute))
	w.reconcile()

	if c := w.condition(); c.Reason != v1alpha1.ReasonTimedOut {
		t.Errorf("ten minutes later: want TimedOut, got %s with %s", c.Status, c.Reason)
	}

	w.see(sighting(gate.Healthy, "", true))
	w.reconcile()

	if c := w.condition(); c.Reason != "Healthy" || strings.Contains(w.pod.Annotations[v1alpha1.ProvenAnnotation], "closed") {
		t.Errorf("healthy: want Healthy and no record of the closing, got %s and %s", c.Reason, w.pod.Annotations[v1alpha1.ProvenAnnotation])
	}
}

// TestOrphans: what no binding claims is counted, and released when the operator says.
func TestOrphans(t *testing.T) {
	w := newWorld(t)
	w.orphanGrace = time.Minute
	w.binding = nil
	w.reconcile()

	if n := testutil.ToFloat64(w.metrics.orphans.Gauge.WithLabelValues("shop", "web-tg")); n != 1 {
		t.Errorf("%v orphans counted, want 1", n)
	}

	w.clock = w.clock.Add(time.Minute)
	w.reconcile()

	if c := w.condition(); c.Status != corev1.ConditionTrue || c.Reason != v1alpha1.ReasonNoBinding {
		t.Errorf("after the grace: want True with NoBinding, got %s with %s", c.Status, c.Reason)
	}

	w.pod = nil
	w.reconcile()

	if n := testutil.ToFloat64(w.metrics.orphans.Gauge.WithLabelValues("shop", "web-tg")); n != 0 {
		t.Errorf("the pod is gone and %v orphans are counted", n)
	}
}

// TestPolicyChangeWakesOpenGates: an annotation counts at once, for open gates too; other
// changes of a binding do not wake them.
func TestPolicyChangeWakesOpenGates(t *testing.T) {
	w := opened(t)
	for value, want := range map[string]int{"Track": 1, "Latch": 1, "": 0, "bad": 0} {
		before, after := w.binding.DeepCopy(), w.binding.DeepCopy()
		if value != "" {
			after.Annotations = map[string]string{v1alpha1.ModeAnnotation: value}
		}
		after.Generation++
		q := workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[reconcile.Request]())
		w.wakeups().bindings().Update(t.Context(), event.UpdateEvent{ObjectOld: before, ObjectNew: after}, q)
		if q.Len() != want {
			t.Errorf("mode becomes %q: %d open pods woken, want %d", value, q.Len(), want)
		}
		q.ShutDown()
	}

	if settings, _ := binding.ParseSettings(nil); settings.Gate != (gate.Policy{}) {
		t.Errorf("no annotation is no policy, got %+v", settings)
	}
}
