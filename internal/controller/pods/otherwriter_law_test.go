// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package pods

import (
	"encoding/json"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/podgate/podgate/api/gwc"
	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/gate"
	"github.com/podgate/podgate/internal/gates"
)

// sharedPair is the kind pair of a gate that another controller sets, too.
type sharedPair struct{ pair }

func (sharedPair) Owns(conditionType string) bool      { return conditionType == gwc.Gate }
func (sharedPair) FedBy(types.NamespacedName) []string { return []string{gwc.Gate} }

// newShared is newPair with such a gate.
func newShared(t *testing.T) *world {
	w, sources := newPair(t)
	w.pod.Spec.ReadinessGates[0].ConditionType = gwc.Gate
	w.kinds = gates.Kinds{sharedPair{pair{sources: sources}}}
	return w
}

// another has another controller set the gate, as an update of the whole status does it.
func (w *world) another(status corev1.ConditionStatus, reason, message string) {
	w.put(corev1.PodCondition{Type: gwc.Gate, Status: status, Reason: reason, Message: message, LastTransitionTime: metav1.NewTime(w.clock)})
	w.pod.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: "manager", FieldsV1: metav1.NewFieldsV1(`{"f:status":{"f:conditions":{"k:{\"type\":\"` + gwc.Gate + `\"}":{"f:status":{}}}}}`)}}
}

// shared is the gate's condition.
func (w *world) shared() corev1.PodCondition {
	if c := binding.Condition(w.pod, gwc.Gate); c != nil {
		return *c
	}
	return corev1.PodCondition{}
}

// TestLaw10OtherWriterIsNotAnswered: what another controller says of a closed gate that it sets, too, is not written over,
// or each would write over the other forever.
func TestLaw10OtherWriterIsNotAnswered(t *testing.T) {
	w := newShared(t)
	initial := sighting(gate.Initial, "Initial", true)
	w.says(initial, initial)
	w.reconcile()
	if c := w.shared(); c.Status != corev1.ConditionFalse || c.Reason != "Initial" {
		t.Fatalf("before anybody else wrote it the gate is %+v", c)
	}

	w.another(corev1.ConditionFalse, "Unhealthy", "Target health check status: UNHEALTHY")
	for range 3 {
		w.clock = w.clock.Add(10 * time.Second)
		if _, patches := w.reconcile(); patches != 0 || w.shared().Reason != "Unhealthy" {
			t.Fatalf("%d patches, and the gate is %+v", patches, w.shared())
		}
	}

	good := sighting(gate.Healthy, "", true)
	w.says(good, good)
	w.reconcile()
	if c := w.shared(); c.Status != corev1.ConditionTrue || c.Reason != v1alpha1.ReasonHealthy {
		t.Errorf("all groups are healthy, and the gate is %+v", c)
	}
}

// TestLaw10OtherWritersOpenGateStays: a gate that another controller opened is not closed again, neither for a group that
// it did not wait for nor for containers that restart, but for a person.
func TestLaw10OtherWritersOpenGateStays(t *testing.T) {
	w := newShared(t)
	w.says(sighting(gate.Healthy, "", true), sighting(gate.Initial, "Initial", true))
	w.another(corev1.ConditionTrue, "Healthy", "")
	w.reconcile()
	w.containers(corev1.ConditionFalse)
	w.reconcile()
	if _, patches := w.reconcile(); patches != 0 || w.shared().Status != corev1.ConditionTrue {
		t.Fatalf("%d patches, and the gate is %+v", patches, w.shared())
	}

	order, err := json.Marshal(map[string]any{"uid": w.pod.UID, "gates": map[string]any{gwc.Gate: map[string]any{
		"status": "False", "reason": "INC-1", "at": w.clock, "until": w.clock.Add(time.Hour),
	}}})
	if err != nil {
		t.Fatal(err)
	}
	w.pod.Annotations = map[string]string{v1alpha1.OverrideAnnotation: string(order)}
	w.containers(corev1.ConditionTrue)
	w.reconcile()
	if c := w.shared(); c.Reason != v1alpha1.ReasonOverridden {
		t.Errorf("a person closed the gate, and it is %+v", c)
	}
}

// TestLaw10MessageThatSomebodyDropped: who says the same without a message is not answered either: managed fields do not
// tell who removed one.
func TestLaw10MessageThatSomebodyDropped(t *testing.T) {
	w := newShared(t)
	initial := sighting(gate.Initial, "Initial", true)
	initial.Health.Description = "Checks run"
	w.says(initial, initial)
	w.reconcile()
	w.another(corev1.ConditionFalse, "Initial", "")
	w.pod.ManagedFields = nil
	if _, patches := w.reconcile(); patches != 0 {
		t.Errorf("%d patches, and the gate is %+v", patches, w.shared())
	}
}

// TestLaw2SharedGateWithoutBindings: a gate that nobody sets and no binding feeds is released in the end, and podgate
// says nothing before another controller had time to.
func TestLaw2SharedGateWithoutBindings(t *testing.T) {
	w := newShared(t)
	w.kinds = gates.Kinds{sharedPair{pair{sources: new([]gates.Source)}}}
	if _, patches := w.reconcile(); patches != 0 {
		t.Errorf("said at once: %+v", w.shared())
	}
	for range 5 {
		res, _ := w.reconcile()
		w.clock = w.clock.Add(res.RequeueAfter)
	}
	w.reconcile()
	if c := w.shared(); c.Status != corev1.ConditionTrue || c.Reason != v1alpha1.ReasonNoBinding {
		t.Errorf("the gate is %+v", c)
	}
}

// TestSourceIsNamed: of several sources the one that the gate waits for is named for people.
func TestSourceIsNamed(t *testing.T) {
	w := newShared(t)
	initial := sighting(gate.Initial, "Initial", true)
	initial.Health.Description = "Checks run"
	w.says(sighting(gate.Healthy, "", true), initial)
	w.reconcile()
	if c := w.shared(); c.Message != `TargetGroupBinding "b": Checks run` {
		t.Errorf("it says %q", c.Message)
	}
}
