// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package pods

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/gates"
	"github.com/podgate/podgate/internal/index/indextest"
)

// TestLaw7EditsDoNotKeepPodgateBusy: the pods of an object that is edited each second are woken at first, and then once in a while, also
// for its last edit. Those of others do not wait.
func TestLaw7EditsDoNotKeepPodgateBusy(t *testing.T) {
	now := noon
	e := newEdits(func() time.Time { return now })
	busy, calm := types.NamespacedName{Namespace: "shop", Name: "busy"}, types.NamespacedName{Namespace: "shop", Name: "calm"}

	woken := map[time.Duration]bool{}
	for range 60 {
		woken[now.Sub(noon)+e.wait(busy, 1800)] = true
		now = now.Add(time.Second)
	}
	want := map[time.Duration]bool{0: true, 10 * time.Second: true, 20 * time.Second: true, 30 * time.Second: true, 40 * time.Second: true, 50 * time.Second: true, time.Minute: true}
	if diff := cmp.Diff(want, woken); diff != "" {
		t.Errorf("woken after (-want +got):\n%s", diff)
	}
	if wait := e.wait(calm, 1800); wait != 0 {
		t.Errorf("another object's pods wait for %s", wait)
	}

	now = now.Add(time.Minute)
	if wait := e.wait(busy, 1800); wait != 0 {
		t.Errorf("a minute later they wait for %s", wait)
	}
	if len(e.last) != 1 {
		t.Errorf("%d objects are remembered of which one was edited lately", len(e.last))
	}
}

// TestEditsOfFewPods: a person who edits an object with a few pods hardly waits.
func TestEditsOfFewPods(t *testing.T) {
	now := noon
	e := newEdits(func() time.Time { return now })
	e.wait(types.NamespacedName{Name: "warm"}, 20)
	if wait := e.wait(types.NamespacedName{Name: "warm"}, 20); wait != 1100*time.Millisecond {
		t.Errorf("the second edit waits for %s", wait)
	}
}

// delays records what is added to a queue, and how soon.
type delays struct {
	workqueue.TypedRateLimitingInterface[reconcile.Request]
	added map[string][]time.Duration
}

// AddAfter implements workqueue.TypedDelayingInterface.
func (d delays) AddAfter(req reconcile.Request, after time.Duration) {
	d.added[req.Name] = append(d.added[req.Name], after)
}

// TestEditedGateWakesItsPods: all that carry its gate, and soon after an edit the next one later.
func TestEditedGateWakesItsPods(t *testing.T) {
	carrier := func(name string, gate corev1.PodConditionType) *corev1.Pod {
		return &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name},
			Spec:       corev1.PodSpec{ReadinessGates: []corev1.PodReadinessGate{{ConditionType: gate}}},
			Status:     corev1.PodStatus{Conditions: []corev1.PodCondition{{Type: gate, Status: corev1.ConditionTrue}}},
		}
	}
	cache, err := indextest.New(t.Context(), carrier("open", "checks.podgate.dev/warm"), carrier("other", "checks.podgate.dev/cold"))
	if err != nil {
		t.Fatal(err)
	}

	q := delays{added: map[string][]time.Duration{}}
	h := wakeups{client: cache, kinds: gates.All()}.readinessGates(newEdits(func() time.Time { return noon }))
	g := &v1alpha1.ReadinessGate{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "warm"}}
	h.Create(t.Context(), event.CreateEvent{Object: g}, q)
	h.Update(t.Context(), event.UpdateEvent{ObjectOld: g, ObjectNew: g}, q)
	h.Delete(t.Context(), event.DeleteEvent{Object: g}, q)
	later := editPause + editPerPod
	if diff := cmp.Diff(map[string][]time.Duration{"open": {0, later, later}}, q.added); diff != "" {
		t.Errorf("pods are woken after (-want +got):\n%s", diff)
	}
}
