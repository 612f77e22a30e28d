// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package pods

import (
	"errors"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/balancer/traits"
	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/gate"
	"github.com/podgate/podgate/internal/observe"
)

func TestReconcile(t *testing.T) {
	deleted := metav1.NewTime(noon)
	cases := map[string]struct {
		reason string
		change func(w *world)
		// want is the condition's status and reason; empty when there must be none.
		status corev1.ConditionStatus
		why    string
	}{
		"Healthy":        {reason: "The binding's target is healthy.", change: func(*world) {}, status: "True", why: "Healthy"},
		"NoBinding":      {reason: "No binding has the gate's name.", change: func(w *world) { w.binding = nil }, status: "False", why: "NoBinding"},
		"NoService":      {reason: "A binding to a Service that is not there claims no pod.", change: func(w *world) { w.service = nil }, status: "False", why: "NoBinding"},
		"NotSelected":    {reason: "Nor does one whose Service does not select the pod.", change: func(w *world) { w.pod.Labels = nil }, status: "False", why: "NoBinding"},
		"NotResolved":    {reason: "The group is not known; why is said on the binding, and here.", change: func(w *world) { w.resolve(binding.Resolution{Trouble: "Denied."}) }, status: "Unknown", why: "BindingNotReady"},
		"NoPort":         {reason: "The Service lacks the binding's port.", change: func(w *world) { w.binding.Spec.ServiceRef.Port = intstr.FromInt32(81) }, status: "Unknown", why: "BindingNotReady"},
		"NoTargetPort":   {reason: "No container has the port's name.", change: func(w *world) { w.service.Spec.Ports[0].TargetPort = intstr.FromString("http") }, status: "Unknown", why: "BindingNotReady"},
		"NoAddress":      {reason: "The pod has no address of the group's family.", change: func(w *world) { w.pod.Status.PodIPs = nil }, status: "Unknown", why: "BindingNotReady"},
		"Deleting":       {reason: "A binding that is being deleted waits for its gates.", change: func(w *world) { w.binding.DeletionTimestamp = &deleted }, status: "True", why: "BindingDeleted"},
		"Instances":      {reason: "The group's targets are nodes.", change: func(w *world) { w.resolve(groupOf("instance")) }, status: "True", why: "NotIPTargets"},
		"Foreign":        {reason: "Another controller writes this condition.", change: func(w *world) { w.resolve(binding.Resolution{Foreign: true}) }},
		"NotKnownWhose":  {reason: "So it may be, until the binding was looked at.", change: func(w *world) { w.registry.Delete(web) }},
		"HandWritten":    {reason: "A gate that is nobody's binding is somebody's own business.", change: func(w *world) { w.pod.Spec.ReadinessGates[0].ConditionType = "example.com/approved" }},
		"Terminating":    {reason: "A pod that goes needs no gate.", change: func(w *world) { w.pod.DeletionTimestamp = &deleted }},
		"Over":           {reason: "Nor does one that ended.", change: func(w *world) { w.pod.Status.Phase = corev1.PodSucceeded }},
		"NotReadyInside": {reason: "A pod whose containers are not ready waits for them first.", change: func(w *world) { w.containers(corev1.ConditionFalse) }},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.see(sighting(gate.Healthy, "", true))
			tc.change(w)
			w.reconcile()
			c := w.condition()
			if c.Status != tc.status || c.Reason != tc.why {
				t.Errorf("%s\ncondition: want %q with %q, got %q with %q", tc.reason, tc.status, tc.why, c.Status, c.Reason)
			}
			if tc.status == "" && len(w.patches) > 0 {
				t.Errorf("%s\nwant nothing written, got %s", tc.reason, w.patches)
			}
		})
	}
}

func groupOf(targetType string) binding.Resolution {
	res := resolution()
	res.Group.TargetType = targetType
	return res
}

func TestTroubleIsTold(t *testing.T) {
	w := newWorld(t)
	w.resolve(binding.Resolution{Trouble: "AWS refuses access."})
	for range 3 {
		w.reconcile()
	}
	if c := w.condition(); c.Message != "AWS refuses access." {
		t.Errorf("message: want why, got %q", c.Message)
	}
	if n := len(w.events.Events); n != 1 {
		t.Errorf("want one event, got %d", n)
	}
}

func TestTwoGatesOnePatch(t *testing.T) {
	w := newWorld(t)
	w.pod.Spec.ReadinessGates = append(w.pod.Spec.ReadinessGates, corev1.PodReadinessGate{ConditionType: "target-health.elbv2.k8s.aws/gone"})
	w.see(sighting(gate.Healthy, "", true))
	if _, patches := w.reconcile(); patches != 1 {
		t.Errorf("%d patches for two gates, want 1", patches)
	}
	other := binding.Condition(w.pod, "target-health.elbv2.k8s.aws/gone")
	if w.condition().Status != corev1.ConditionTrue || other == nil || other.Status != corev1.ConditionFalse {
		t.Errorf("want the one open and the other closed, got %+v", w.pod.Status.Conditions)
	}
}

func TestPodGone(t *testing.T) {
	w := newWorld(t)
	w.binding = nil
	w.reconcile()
	if len(w.memory.pods) != 1 || testutil.CollectAndCount(w.metrics.waiting.Gauge) != 1 {
		t.Fatal("a waiting pod is not known")
	}
	w.pod = nil
	w.reconcile()
	if w.forgotten == 0 || len(w.memory.pods)+len(w.memory.uids)+testutil.CollectAndCount(w.metrics.waiting.Gauge) != 0 {
		t.Error("a pod that is gone is still remembered")
	}
}

func TestPatchFails(t *testing.T) {
	w := newWorld(t)
	w.see(sighting(gate.Healthy, "", true))
	w.patchErr = errors.New("no leader")
	if _, err := w.Reconcile(t.Context(), reconcile.Request{NamespacedName: key}); !errors.Is(err, w.patchErr) {
		t.Errorf("want the failure handed to the queue, got %v", err)
	}
	if w.kept != 0 {
		t.Error("what the gate waits for was dropped, as if the gate were open")
	}
	w.patchErr = nil
	w.reconcile()
	if c := w.condition(); c.Status != corev1.ConditionTrue {
		t.Errorf("the next attempt: want True, got %q", c.Status)
	}
}

func TestBindingBackInTime(t *testing.T) {
	w := newWorld(t)
	w.see(sighting(gate.Initial, "Elb.InitialHealthChecking", true))
	kept := w.binding
	w.binding = nil
	w.reconcile()
	w.clock = w.clock.Add(4 * time.Minute)
	w.binding = kept
	w.reconcile()
	w.binding = nil
	w.clock = w.clock.Add(4 * time.Minute)
	w.reconcile()

	if c := w.condition(); c.Status == corev1.ConditionTrue {
		t.Error("a binding that vanished just now counts as missing since it was missing before")
	}
}

// TestOnlyWaitingPodsAreLookedAtAgain: whether a pod that lacks the Service's port is left out follows from all the others,
// which is asked again and again only while the pod waits for it.
func TestOnlyWaitingPodsAreLookedAtAgain(t *testing.T) {
	for what, tc := range map[string]struct {
		gate, containers corev1.ConditionStatus
		want             bool
	}{
		"waits at its gate":          {gate: corev1.ConditionFalse, containers: corev1.ConditionTrue, want: true},
		"has containers not ready":   {gate: corev1.ConditionFalse, containers: corev1.ConditionFalse},
		"is Ready, its gate is open": {gate: corev1.ConditionTrue, containers: corev1.ConditionTrue},
	} {
		w := newWorld(t)
		w.service.Spec.Ports[0].TargetPort = intstr.FromString("http")
		w.containers(tc.containers)
		w.put(corev1.PodCondition{Type: gateWeb, Status: tc.gate, Reason: "Healthy"})
		w.clock = w.clock.Add(time.Minute)
		w.reconcile()
		if res, _ := w.reconcile(); (res.RequeueAfter > 0) != tc.want {
			t.Errorf("a pod that %s is looked at again after %s", what, res.RequeueAfter)
		}
	}
}

func TestWorkForPodsThatWait(t *testing.T) {
	w := newWorld(t)
	if got := w.wakeups().pods(t.Context(), web, w.kinds.Waiting); len(got) != 1 || got[0].NamespacedName != key {
		t.Errorf("a change of the binding: want the waiting pod reconciled, got %v", got)
	}
	if got := w.wakeups().pods(t.Context(), types.NamespacedName{Namespace: "shop", Name: "other"}, w.kinds.Waiting); len(got) != 0 {
		t.Errorf("a change of another binding: want nothing reconciled, got %v", got)
	}
}

func TestServiceChanged(t *testing.T) {
	w := newWorld(t)
	cases := map[string]struct {
		reason string
		change func(*corev1.Service)
		want   bool
	}{
		"Status":   {reason: "A load balancer's address decides nothing.", change: func(s *corev1.Service) { s.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{IP: "1.2.3.4"}} }},
		"Labels":   {reason: "Nor do the Service's own labels.", change: func(s *corev1.Service) { s.Labels = map[string]string{"a": "b"} }},
		"Selector": {reason: "The selector decides which pods are meant.", change: func(s *corev1.Service) { s.Spec.Selector = nil }, want: true},
		"Port":     {reason: "A port decides which target is.", change: func(s *corev1.Service) { s.Spec.Ports[0].TargetPort = intstr.FromInt32(1) }, want: true},
		"Type":     {reason: "One of type ExternalName selects no pods.", change: func(s *corev1.Service) { s.Spec.Type = corev1.ServiceTypeExternalName }, want: true},
		"NotReady": {reason: "Gates of other controllers hold no pod back any longer, and no event of the pod would say so.", change: func(s *corev1.Service) { s.Spec.PublishNotReadyAddresses = true }, want: true},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			after := w.service.DeepCopy()
			tc.change(after)
			if got := serviceChanged().Update(event.UpdateEvent{ObjectOld: w.service, ObjectNew: after}); got != tc.want {
				t.Errorf("%s\nwant %t, got %t", tc.reason, tc.want, got)
			}
		})
	}
}

// TestAbsentInTheDriversWord: of a target that its group does not hold the reason is the load balancer's own word, and
// there is something to do about it.
func TestAbsentInTheDriversWord(t *testing.T) {
	seen := map[string]bool{}
	for _, driver := range traits.All() {
		w := newWorld(t)
		res := resolution()
		res.Group.Ref.Provider = driver.Kind
		w.resolve(res)
		w.see(observe.Sighting{Observed: true, SeenOtherwise: true})
		w.reconcile()

		c := w.condition()
		if c.Status != corev1.ConditionFalse || c.Reason != driver.Absent().Reason || c.Message == "" {
			t.Errorf("%s: got %+v, want the reason %s", driver.Kind, c, driver.Absent().Reason)
		}
		if traits.All().Advice(c.Reason) == "" || !traits.All().Reported(c.Reason) {
			t.Errorf("%s: nobody knows the reason %s", driver.Kind, c.Reason)
		}
		seen[c.Reason] = true
	}
	if !seen["TargetNotFound"] || !seen[balancer.ReasonNotRegistered] {
		t.Errorf("the reasons are %v", seen)
	}
}
