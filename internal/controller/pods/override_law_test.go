// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package pods

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/gate"
	"github.com/podgate/podgate/internal/override"
)

// order has a person set the gate of a pod with a UID for ten minutes.
func (w *world) order(uid types.UID, s gate.Status) {
	w.t.Helper()
	value, err := override.Record{UID: uid, Gates: map[string]override.Order{gateWeb: {Status: s, Reason: "canary", At: w.clock, Until: w.clock.Add(10 * time.Minute)}}}.Value()
	if err != nil {
		w.t.Fatal(err)
	}
	if w.pod.Annotations == nil {
		w.pod.Annotations = map[string]string{}
	}
	w.pod.Annotations[v1alpha1.OverrideAnnotation] = value
}

// TestLaw2OverrideEndsWithoutItsLeader: an order holds under the next leader as well, and
// ends at its time there.
func TestLaw2OverrideEndsWithoutItsLeader(t *testing.T) {
	w := newWorld(t)
	w.see(sighting(gate.Unhealthy, "Target.Timeout", true))
	w.order("uid-1", gate.StatusTrue)
	w.reconcile()

	if c := w.condition(); c.Status != corev1.ConditionTrue || c.Reason != v1alpha1.ReasonOverridden {
		t.Fatalf("the gate is %s with %s", c.Status, c.Reason)
	}

	w.restart()
	w.resolve(resolution())
	w.clock = w.clock.Add(4 * time.Minute)
	res, patches := w.reconcile()
	if patches != 0 || w.condition().Status != corev1.ConditionTrue {
		t.Errorf("the new leader wrote %s with %s", w.condition().Status, w.condition().Reason)
	}

	if res.RequeueAfter <= 0 || res.RequeueAfter > 6*time.Minute {
		t.Fatalf("the new leader looks again after %s, want the end of the order at the latest", res.RequeueAfter)
	}

	w.clock = w.clock.Add(6 * time.Minute)
	w.reconcile()

	if c := w.condition(); c.Status != corev1.ConditionFalse || c.Reason != "Target.Timeout" {
		t.Errorf("after the end of the order the gate is %s with %s", c.Status, c.Reason)
	}
}

// TestLaw11OverrideOfAnotherPodDoesNotCount: an order is about one pod, and not about those
// of the same template or manifest.
func TestLaw11OverrideOfAnotherPodDoesNotCount(t *testing.T) {
	w := newWorld(t)
	w.see(sighting(gate.Unhealthy, "Target.Timeout", true))
	w.order("uid-0", gate.StatusTrue)
	w.reconcile()
	if c := w.condition(); c.Status == corev1.ConditionTrue {
		t.Errorf("another pod's order opened the gate: %s", c.Message)
	}
}
