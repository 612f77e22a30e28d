// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package targets

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/internal/gates"
)

// TestFirst: a new leader begins where pods are being deleted or wait.
func TestFirst(t *testing.T) {
	gated := func(w *world, status corev1.ConditionStatus) {
		pod := w.pods["web-1"]
		pod.Spec.ReadinessGates = []corev1.PodReadinessGate{{ConditionType: "target-health.elbv2.k8s.aws/web-tg"}, {ConditionType: "example.com/other"}}
		pod.Status.Conditions = append(pod.Status.Conditions, corev1.PodCondition{Type: "target-health.elbv2.k8s.aws/web-tg", Status: status})
	}

	cases := map[string]struct {
		reason string
		change func(w *world)
		want   bool
	}{
		"Idle":        {reason: "Nobody waits for anything.", change: func(*world) {}},
		"Terminating": {reason: "The pod is being deleted.", change: func(w *world) { w.terminate(w.pods["web-1"]) }, want: true},
		"Waiting":     {reason: "The pod waits at its gate.", change: func(w *world) { gated(w, corev1.ConditionFalse) }, want: true},
		"Open":        {reason: "The gate is open; that of somebody else is nobody's business.", change: func(w *world) { gated(w, corev1.ConditionTrue) }},
		"NotReady": {
			reason: "The pod's own containers are not ready: it is not registered yet.",
			change: func(w *world) {
				gated(w, corev1.ConditionFalse)
				w.pods["web-1"].Status.Conditions[0].Status = corev1.ConditionFalse
			},
		},
		"NoAddress": {reason: "The pod has no target yet.", change: func(w *world) { w.terminate(w.pods["web-1"]); w.pods["web-1"].Status.PodIPs = nil }},
		"Over":      {reason: "The pod has ended.", change: func(w *world) { w.terminate(w.pods["web-1"]); w.pods["web-1"].Status.Phase = corev1.PodFailed }},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.serve(1)
			idle := w.bind("idle-tg", 0)
			idle.Spec.ServiceRef = elbv2.ServiceReference{Name: "idle", Port: intstr.FromInt32(80)}
			tc.change(w)
			q := workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[reconcile.Request]())
			defer q.ShutDown()

			if err := first(kube{w: w}, w.lbc.Owners, gates.All()).Start(t.Context(), q); err != nil {
				t.Fatal(err)
			}

			if got := q.Len() == 1; got != tc.want {
				t.Fatalf("%s\nwant the binding first: %t, got %d bindings", tc.reason, tc.want, q.Len())
			}

			if tc.want {
				if key, _ := q.Get(); key.NamespacedName != web {
					t.Errorf("%s\nwant %s first, got %s", tc.reason, web, key)
				}
			}
		})
	}
}
