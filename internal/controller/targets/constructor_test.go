// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package targets

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// woken notes what is added to it.
type woken struct {
	workqueue.TypedRateLimitingInterface[reconcile.Request]
	added map[reconcile.Request]time.Duration
}

// AddAfter implements workqueue.TypedDelayingInterface.
func (q woken) AddAfter(req reconcile.Request, wait time.Duration) { q.added[req] = wait }

// TestLaw5DeletionWakesTheBinding: a pod that goes is no secret to any binding whose group holds it.
func TestLaw5DeletionWakesTheBinding(t *testing.T) {
	pods := map[string]func(w *world) *corev1.Pod{
		"one that the Service selects": func(w *world) *corev1.Pod { return w.pods["web-1"] },
		"one that it selected before a switch": func(w *world) *corev1.Pod {
			w.services["web"].Spec.Selector = map[string]string{"app": "green"}
			w.pod(2).Labels = map[string]string{"app": "green"}
			w.reconcile()
			return w.pods["web-1"]
		},
	}

	for what, find := range pods {
		w := newWorld(t)
		w.serve(1)
		pod := find(w)
		after := pod.DeepCopy()
		w.terminate(after)
		h := w.podEvents()
		for _, kind := range []string{"update", "delete"} {
			q := woken{added: map[reconcile.Request]time.Duration{}}
			if kind == "update" {
				h.Update(t.Context(), event.UpdateEvent{ObjectOld: pod, ObjectNew: after}, q)
			} else {
				h.Delete(t.Context(), event.DeleteEvent{Object: after}, q)
			}
			wait, woken := q.added[reconcile.Request{NamespacedName: web}]
			if !woken || wait > 100*time.Millisecond {
				t.Errorf("%s, %s: the binding was woken: %t, after %s", what, kind, woken, wait)
			}
		}
	}
}

func TestPodEvents(t *testing.T) {
	w := newWorld(t)
	pod := w.pod(1)
	h := w.podEvents()
	cases := map[string]struct {
		reason string
		change func(p *corev1.Pod)
		want   int
	}{
		"Relabelled": {reason: "The Service that selected it must hear of it.", change: func(p *corev1.Pod) { p.Labels = nil }, want: 1},
		"Nothing":    {reason: "Most events of pods change nothing here.", change: func(p *corev1.Pod) { p.Annotations = map[string]string{"a": "b"} }},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			q := woken{added: map[reconcile.Request]time.Duration{}}
			after := pod.DeepCopy()
			tc.change(after)
			h.Update(t.Context(), event.UpdateEvent{ObjectOld: pod, ObjectNew: after}, q)
			if len(q.added) != tc.want {
				t.Errorf("%s\nwoken: want %d bindings, got %v", tc.reason, tc.want, q.added)
			}
		})
	}

	q := woken{added: map[reconcile.Request]time.Duration{}}
	fresh := pod.DeepCopy()
	fresh.Status.PodIPs = nil
	h.Create(t.Context(), event.CreateEvent{Object: fresh}, q)

	if len(q.added) != 0 {
		t.Errorf("a pod without an address woke %v", q.added)
	}

	if got := serviceBindings(kube{w: w}, w.lbc.Owners)(t.Context(), w.services["web"]); len(got) != 1 || got[0].NamespacedName != web {
		t.Errorf("a Service's change: want its binding woken, got %v", got)
	}
}
