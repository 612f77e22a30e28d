// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package pods

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/gate"
)

const inService = "example.com/in-service"

// lets has another controller open or close its gate of the pod.
func (w *world) lets(status corev1.ConditionStatus) {
	if len(w.pod.Spec.ReadinessGates) == 1 {
		w.pod.Spec.ReadinessGates = append(w.pod.Spec.ReadinessGates, corev1.PodReadinessGate{ConditionType: inService})
	}
	w.put(corev1.PodCondition{Type: inService, Status: status, LastTransitionTime: metav1.NewTime(w.clock)})
}

// TestLaw1OtherGateClosesIt: the gate closes with another controller's, which takes the pod out of the group, and opens
// only when the load balancer was asked again: the pod must not be Ready before it gets requests.
func TestLaw1OtherGateClosesIt(t *testing.T) {
	w := newWorld(t)
	w.lets(corev1.ConditionTrue)
	w.see(sighting(gate.Healthy, "", true))
	w.reconcile()
	if c := w.condition(); c.Status != corev1.ConditionTrue {
		t.Fatalf("want the gate open, got %+v", c)
	}

	w.clock = w.clock.Add(time.Minute)
	w.lets(corev1.ConditionFalse)
	w.reconcile()
	if c := w.condition(); c.Status != corev1.ConditionFalse || c.Reason != v1alpha1.ReasonOtherGateClosed || !strings.Contains(c.Message, inService) {
		t.Errorf("want the gate closed, and to be told why, got %+v", c)
	}
	if w.waiting[ref] {
		t.Error("the group is read fast, though the pod waits for somebody else")
	}
	if _, writes := w.reconcile(); writes > 0 {
		t.Errorf("nothing changed, and %d patches were written", writes)
	}

	w.clock = w.clock.Add(time.Minute)
	before := sighting(gate.Healthy, "", true)
	before.ReadAt = w.clock.Add(-time.Second)
	w.see(before)
	w.lets(corev1.ConditionTrue)
	w.reconcile()
	if c := w.condition(); c.Status == corev1.ConditionTrue {
		t.Errorf("what was read before opened it: %+v", c)
	}
	if !w.waiting[ref] {
		t.Error("the pod waits for a read, and nobody was told")
	}

	before.ReadAt = w.clock
	w.see(before)
	w.reconcile()
	if c := w.condition(); c.Status != corev1.ConditionTrue || c.Reason != v1alpha1.ReasonHealthy {
		t.Errorf("the load balancer was asked again: want the gate open, got %+v", c)
	}
}

// TestOtherGateIsIgnored: as the policy says, the gate follows the load balancer alone, and a change of the policy is seen
// at an open gate.
func TestOtherGateIsIgnored(t *testing.T) {
	w := newWorld(t)
	w.lets(corev1.ConditionFalse)
	w.binding.Annotations = map[string]string{v1alpha1.OtherGatesAnnotation: "Ignore"}
	w.see(sighting(gate.Healthy, "", true))
	w.reconcile()
	if c := w.condition(); c.Status != corev1.ConditionTrue {
		t.Errorf("want the gate open, got %+v", c)
	}

	follows := w.binding.DeepCopy()
	follows.Annotations = nil
	if !policyChanged(w.binding, follows) {
		t.Error("the policy changes, and open gates are not looked at")
	}
}

// TestLaw8OtherGateFlickersInAnOutage: another gate closes for a moment while the group cannot be read, and nobody took the
// target out. The pod does not stay unready until the load balancer's API is back.
func TestLaw8OtherGateFlickersInAnOutage(t *testing.T) {
	for what, taken := range map[string]bool{"nobody took it out": false, "it was taken out": true} {
		w := newWorld(t)
		w.lets(corev1.ConditionTrue)
		w.see(sighting(gate.Healthy, "", true))
		w.reconcile()

		before := sighting(gate.Healthy, "", true)
		before.ReadAt, before.Removed = w.clock, taken
		w.see(before)
		w.clock = w.clock.Add(time.Minute)
		w.lets(corev1.ConditionFalse)
		w.reconcile()
		w.clock = w.clock.Add(time.Second)
		w.lets(corev1.ConditionTrue)
		w.reconcile()

		before.Err = balancer.ErrThrottled
		w.see(before)
		w.reconcile()
		if c := w.condition(); (c.Status == corev1.ConditionTrue) == taken {
			t.Errorf("%s: the gate is %+v", what, c)
		}
	}
}

// TestLaw2MovingTimeOfAnotherGate: a controller that sets its gate's transition time again and again puts no time-out off.
func TestLaw2MovingTimeOfAnotherGate(t *testing.T) {
	w := newWorld(t)
	w.binding.Annotations = map[string]string{v1alpha1.TimeoutAnnotation: "1m", v1alpha1.OnTimeoutAnnotation: "Open"}
	w.see(sighting(gate.Initial, "Elb.InitialHealthChecking", true))
	for range 8 {
		w.lets(corev1.ConditionTrue)
		w.reconcile()
		w.clock = w.clock.Add(10 * time.Second)
	}
	if c := w.condition(); c.Reason != v1alpha1.ReasonTimedOut {
		t.Errorf("more than a minute passed, and the gate is %+v", c)
	}

	// That it closed meanwhile counts.
	w = newWorld(t)
	w.binding.Annotations = map[string]string{v1alpha1.TimeoutAnnotation: "1m", v1alpha1.OnTimeoutAnnotation: "Open"}
	w.see(sighting(gate.Initial, "Elb.InitialHealthChecking", true))
	for n := range 8 {
		w.lets(map[bool]corev1.ConditionStatus{true: corev1.ConditionFalse, false: corev1.ConditionTrue}[n == 4])
		w.reconcile()
		w.clock = w.clock.Add(10 * time.Second)
	}
	if c := w.condition(); c.Status == corev1.ConditionTrue {
		t.Errorf("it was let in less than a minute ago, and the gate is %+v", c)
	}
}
