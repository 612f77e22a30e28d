// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package targets

import (
	"errors"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/disruption"
	"github.com/podgate/podgate/internal/gate"
)

const (
	inService = "example.com/in-service"
	ownGate   = "target-health.elbv2.k8s.aws/web-tg"
)

// lets puts another controller's gate on the n-th pod, open or not.
func (w *world) lets(n int, status corev1.ConditionStatus) {
	pod := w.pods[name(n)]
	pod.Spec.ReadinessGates = []corev1.PodReadinessGate{{ConditionType: inService}, {ConditionType: ownGate}}
	if c := binding.Condition(pod, inService); c != nil {
		c.Status = status
		return
	}
	pod.Status.Conditions = append(pod.Status.Conditions, corev1.PodCondition{Type: inService, Status: status, LastTransitionTime: metav1.NewTime(w.clock)})
}

// threeInService makes three pods that serve, all let in by another controller.
func threeInService(t *testing.T) *world {
	w := newWorld(t)
	w.serve(1, 2, 3)
	for n := 1; n <= 3; n++ {
		w.lets(n, corev1.ConditionTrue)
	}
	w.reconcile()
	return w
}

// TestLaw3OtherGateCloses: a pod that another controller takes out of traffic is removed while others serve, and
// registered when it is let in again; the last ones stay.
func TestLaw3OtherGateCloses(t *testing.T) {
	w := threeInService(t)
	if got := w.made(); got != "" {
		t.Fatalf("all are let in: want nothing done, got %q", got)
	}

	w.pod(4)
	w.lets(4, corev1.ConditionFalse)
	w.reconcile()
	if got := w.made(); got != "" {
		t.Errorf("a new pod that is not let in yet: want nothing done, got %q", got)
	}

	for _, step := range []struct {
		pod    int
		status corev1.ConditionStatus
		want   string
	}{
		{1, corev1.ConditionFalse, "deregister 1"},
		{1, corev1.ConditionTrue, "register 1"},
		{4, corev1.ConditionTrue, "register 4"},
	} {
		w.lets(step.pod, step.status)
		w.reconcile()
		if got := w.made(); got != step.want {
			t.Errorf("pod %d is %s: want %q, got %q", step.pod, step.status, step.want, got)
		}
		if step.status == corev1.ConditionTrue {
			w.rows[at(step.pod)] = gate.Health{State: gate.Healthy}
		}
	}

	for n := 1; n <= 4; n++ {
		w.lets(n, corev1.ConditionFalse)
	}
	w.reconcile()
	w.let(time.Hour)
	if got := w.made(); got != "" {
		t.Errorf("all are taken out: want them kept, got %q", got)
	}
}

// TestLaw3OtherGatesAMinute: a controller that takes out one pod after the other leaves half of them for a minute.
func TestLaw3OtherGatesAMinute(t *testing.T) {
	w := newWorld(t)
	w.serve(upTo(10)...)
	for n := 1; n <= 9; n++ {
		w.lets(n, corev1.ConditionFalse)
		w.reconcile()
		w.clock = w.clock.Add(time.Second)
	}
	if got := w.taken(); got != 5 {
		t.Errorf("nine of ten are taken out within seconds: want five kept, got %d", got)
	}

	w.due = w.clock
	w.let(5 * time.Minute)
	if got := w.taken(); got != 1 {
		t.Errorf("five minutes later: want the one that may serve, got %d", got)
	}
}

// TestOtherGatesThatDoNotCount: what opens when a load balancer reaches the pod holds it back from none, and neither does
// any gate where the binding's owner or the Service says so.
func TestOtherGatesThatDoNotCount(t *testing.T) {
	for what, change := range map[string]func(*world){
		"another load balancer's": func(w *world) {
			w.pods["web-1"].Spec.ReadinessGates[0].ConditionType = "cloud.google.com/load-balancer-neg-ready"
		},
		"the policy": func(w *world) {
			w.bindings["web-tg"].Annotations = map[string]string{v1alpha1.OtherGatesAnnotation: "Ignore"}
		},
		"the Service": func(w *world) { w.services["web"].Spec.PublishNotReadyAddresses = true },
	} {
		w := threeInService(t)
		w.lets(1, corev1.ConditionFalse)
		w.pod(4)
		w.lets(4, corev1.ConditionFalse)
		w.pods["web-4"].Spec.ReadinessGates = w.pods["web-1"].Spec.ReadinessGates
		change(w)
		w.reconcile()
		if got := w.made(); got != "register 4" {
			t.Errorf("%s: want no pod removed and the new one registered, got %q", what, got)
		}
	}
}

// TestOtherGatesWake: the controller looks when another gate of a pod opens or closes.
func TestOtherGatesWake(t *testing.T) {
	w := threeInService(t)
	before := w.pods["web-1"].DeepCopy()
	if w.lets(1, corev1.ConditionFalse); !w.relevant(before, w.pods["web-1"]) {
		t.Error("another controller's gate closes, and nobody looks")
	}

	own := before.DeepCopy()
	own.Status.Conditions = append(own.Status.Conditions, corev1.PodCondition{Type: ownGate, Status: corev1.ConditionFalse})
	if w.relevant(before, own) {
		t.Error("podgate's own condition wakes it")
	}
}

// TestLateReadyDrainsAhead: a pod that gets Ready when its node is tainted already is drained then, and not at the next look
// in five minutes.
func TestLateReadyDrainsAhead(t *testing.T) {
	w := doomed(t)
	w.bindings["web-tg"].Annotations = map[string]string{v1alpha1.DrainAtAnnotation: "Taint"}
	pod := w.pods["web-1"]
	ready := binding.Condition(pod, corev1.PodReady)
	ready.Status = corev1.ConditionFalse
	w.node("a", taint(disruption.TaintKarpenter))
	w.reconcile()
	if got := w.made(); got != "" {
		t.Fatalf("it is not Ready yet: want nothing done, got %q", got)
	}

	other, gets := w.pods["web-2"].DeepCopy(), w.pods["web-2"].DeepCopy()
	binding.Condition(other, corev1.PodReady).Status = corev1.ConditionFalse
	if w.relevant(other, gets) {
		t.Error("a pod gets Ready whose end nobody announced, and wakes the controller for nothing")
	}

	before := pod.DeepCopy()
	ready.Status = corev1.ConditionTrue
	if !w.relevant(before, pod) {
		t.Error("it gets Ready, and nobody looks")
	}
	w.reconcile()
	if got := w.made(); got != "deregister 1" {
		t.Errorf("want it drained ahead of its deletion, got %q", got)
	}
}

// TestLaw1RemovalInDoubtIsTold: the gates hear of a target that may have been taken out although the call failed, and not of
// one that surely was not.
func TestLaw1RemovalInDoubtIsTold(t *testing.T) {
	for what, tc := range map[string]struct {
		err  error
		told bool
	}{
		"no answer":  {errors.New("no answer within 10s"), true},
		"throttled":  {balancer.ErrThrottled, false},
		"is refused": {balancer.ErrDenied, false},
	} {
		w := newWorld(t)
		w.serve(1, 2)
		w.reconcile()
		w.unready(1)
		w.fail["deregister"] = tc.err
		if _, err := w.try(web); err == nil {
			t.Errorf("%s: want an error", what)
		}
		if _, told := w.placed[at(1)]; told != tc.told {
			t.Errorf("%s: told: %t, want %t", what, told, tc.told)
		}
	}
}
