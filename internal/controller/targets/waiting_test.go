// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package targets

import (
	"cmp"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	kstatus "sigs.k8s.io/cli-utils/pkg/kstatus/status"
	"sigs.k8s.io/controller-runtime/pkg/client"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/gate"
)

// TestWhateverWaitsForABindingEnds: `kubectl wait --for=condition=Ready`, Flux and Argo CD end for each binding that is as it is
// meant to be, Managed says who registers its targets, and Gated that pods get no gate. What has to be corrected is not Ready.
func TestWhateverWaitsForABindingEnds(t *testing.T) {
	const podgates = "True OwnedByPodgate"
	ofType := func(targetType string) func(*world) {
		return func(w *world) {
			w.balanceBy(&resolver{world: w, targetType: targetType})
			w.bindings["web-tg"].Annotations = nil
			w.states.update(web, func(s *state) { s.service.resolved = resolved{} })
		}
	}

	cases := map[string]struct {
		make           func(w *world)
		ready, managed string
		gated          string // empty when there is no such condition
		warns          bool
	}{
		"pods serve":      {func(w *world) { w.serve(1) }, "True Synced", podgates, "", false},
		"no pod yet":      {func(*world) {}, "True Synced", podgates, "", false},
		"a pod starts":    {func(w *world) { w.pod(1).Status = corev1.PodStatus{} }, "True Synced", podgates, "", false},
		"pods fail":       {func(w *world) { w.pod(1); w.rows[at(1)] = gate.Health{State: gate.Unhealthy} }, "True Synced", podgates, "", false},
		"scaled to zero":  {func(w *world) { w.serve(1); w.terminate(w.pods["web-1"]) }, "True Synced", podgates, "", false},
		"all pods gone":   {func(w *world) { w.rows[at(1)] = gate.Health{State: gate.Healthy} }, "True Synced", podgates, "", false},
		"a suspended Job": {func(w *world) { w.pod(1).Status = corev1.PodStatus{Phase: corev1.PodSucceeded} }, "True Synced", podgates, "", false},
		"nodes":           {func(w *world) { ofType("instance")(w); w.nodePort(); w.isNode("a") }, "True Synced", podgates, "InstanceTargets", false},
		"nodes, and says so": {func(w *world) {
			ofType("instance")(w)
			w.nodePort()
			w.isNode("a")
			w.bindings["web-tg"].Spec.TargetType = new(elbv2.TargetTypeInstance)
		}, "True Synced", podgates, "InstanceTargets", false},
		"nodes that nobody may read": {func(w *world) { ofType("instance")(w); w.nodePort() }, "False NodesNotRead", podgates, "InstanceTargets", true},
		"nodes without a port":       {func(w *world) { ofType("instance")(w); w.isNode("a") }, "False NoNodePort", podgates, "InstanceTargets", true},
		"nodes without a selector": {func(w *world) {
			ofType("instance")(w)
			w.nodePort()
			w.isNode("a")
			w.bindings["web-tg"].Spec.NodeSelector = &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "role", Operator: "Sounds"}}}
		}, "False InvalidRequest", podgates, "InstanceTargets", true},
		"name is too long": {func(w *world) {
			w.bind(strings.Repeat("a", 64), 0)
			delete(w.bindings, "web-tg")
			w.serve(1)
		}, "True NameTooLong", podgates, "NameTooLong", true},

		// Nobody could register a Service's pods there, which a Warning says. There is nothing to wait for, though.
		"lambda":          {ofType("lambda"), "True UnservedTargetType", "False UnservedTargetType", "UnservedTargetType", true},
		"a load balancer": {ofType("alb"), "True UnservedTargetType", "False UnservedTargetType", "UnservedTargetType", true},

		"nodes, and says pods": {func(w *world) { ofType("instance")(w); w.bindings["web-tg"].Spec.TargetType = new(elbv2.TargetTypeIP) }, "False TargetTypeMismatch", podgates, "", true},
		"name is too long, and throttled": {func(w *world) {
			w.bind(strings.Repeat("a", 64), 0)
			delete(w.bindings, "web-tg")
			w.viewErr = balancer.ErrThrottled
		}, "False Throttled", podgates, "", true},
		"Service without a selector": {func(w *world) { w.services["web"].Spec.Selector = nil }, "False ServiceWithoutSelector", podgates, "", true},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			tc.make(w)
			drainEvents(w)
			for name := range w.bindings {
				if _, err := w.try(types.NamespacedName{Namespace: "shop", Name: name}); err != nil {
					t.Fatal(err)
				}

				b := w.bindings[name]
				if got := says(b.Status.Conditions, v1alpha1.ConditionReady); got != tc.ready {
					t.Errorf("Ready: want %s, got %s", tc.ready, got)
				}
				if got := says(b.Status.Conditions, v1alpha1.ConditionManaged); got != tc.managed {
					t.Errorf("Managed: want %s, got %s", tc.managed, got)
				}
				if got := strings.TrimPrefix(says(b.Status.Conditions, v1alpha1.ConditionGated), "False "); got != tc.gated {
					t.Errorf("Gated: want %q, got %q", tc.gated, got)
				}
				if tc.warns { // What is wrong with a Service is not reported at once.
					w.clock = w.clock.Add(serviceSoon)
					if _, err := w.try(types.NamespacedName{Namespace: "shop", Name: name}); err != nil {
						t.Fatal(err)
					}
				}
				if warned := strings.Contains(drainEvents(w), "Warning"); warned != tc.warns {
					t.Errorf("a Warning event: want %t, got %t", tc.warns, warned)
				}
				if o := b.Status.ObservedGeneration; o == nil || *o != b.Generation {
					t.Errorf("observed generation %v of %d: tools would wait for the latest", o, b.Generation)
				}

				want := kstatus.InProgressStatus
				if strings.HasPrefix(tc.ready, "True") {
					want = kstatus.CurrentStatus
				}
				if got := byFlux(t, b); got != want {
					t.Errorf("Flux: want %s, got %s", want, got)
				}
			}
		})
	}
}

// TestWhateverWaitsForABindingOfOthersEnds: somebody else registers its targets.
func TestWhateverWaitsForABindingOfOthersEnds(t *testing.T) {
	w := besideLBC(t, v1alpha1.WakeNone)
	w.look()
	if got, managed := says(w.own["own"].Status.Conditions, v1alpha1.ConditionReady), says(w.own["own"].Status.Conditions, v1alpha1.ConditionManaged); got != "True Synced" || managed != "False External" {
		t.Errorf("External: Ready %s, Managed %s", got, managed)
	}

	w = newForeignWorld(t)
	w.renew()
	w.reconcile()
	if got, managed := w.says(v1alpha1.ConditionReady), w.says(v1alpha1.ConditionManaged); got != "True OwnedByLBC" || managed != "False OwnedByLBC" {
		t.Errorf("another controller's: Ready %s, Managed %s", got, managed)
	}

	// Without a condition Ready and with no generation to wait for, Flux and Argo CD take a binding as it is.
	w = newWorld(t)
	w.serve(1)
	w.reconcile()
	w.lbc.Owners.Ownership = binding.OwnNone
	w.pass(80*time.Second, false)
	w.bindings["web-tg"].Generation++
	w.reconcile()
	if got := byFlux(t, w.bindings["web-tg"]); got != kstatus.CurrentStatus {
		t.Errorf("not served: Flux says %s", got)
	}
	if got, managed, o := w.says(v1alpha1.ConditionReady), w.says(v1alpha1.ConditionManaged), w.bindings["web-tg"].Status.ObservedGeneration; got != "" || managed != "False NotServed" || o != nil {
		t.Errorf("not served: Ready %s, Managed %s, observed generation %v", got, managed, o)
	}
}

// TestGatedGoesWithItsCause: a condition that is no longer true is not left behind.
func TestGatedGoesWithItsCause(t *testing.T) {
	w := newWorld(t)
	r := &resolver{world: w, targetType: "instance"}
	w.balanceBy(r)
	w.bindings["web-tg"].Annotations = nil
	w.states.update(web, func(s *state) { s.service.resolved = resolved{} })
	w.reconcile()
	if got := w.says(v1alpha1.ConditionGated); got != "False InstanceTargets" {
		t.Fatalf("Gated: %s", got)
	}

	r.targetType = "ip"
	w.bindings["web-tg"].Generation++
	w.reconcile()
	if got := cmp.Or(w.says(v1alpha1.ConditionGated), w.says(v1alpha1.ConditionReady), w.says(v1alpha1.ConditionManaged)); got != "True Synced" || w.says(v1alpha1.ConditionManaged) != "True OwnedByPodgate" {
		t.Errorf("pods are served, and the binding says %s, Managed %s", got, w.says(v1alpha1.ConditionManaged))
	}
}

// byFlux is the status that Flux, and Helm's --wait, compute of an object.
func byFlux(t *testing.T, o client.Object) kstatus.Status {
	t.Helper()
	raw, err := runtime.DefaultUnstructuredConverter.ToUnstructured(o)
	if err != nil {
		t.Fatal(err)
	}
	r, err := kstatus.Compute(&unstructured.Unstructured{Object: raw})
	if err != nil {
		t.Fatal(err)
	}
	return r.Status
}

// TestWhatDoesNotApplyToTargetsIsSaid: the binding works, and says once what of the load balancer's configuration does not
// apply to its targets.
func TestWhatDoesNotApplyToTargetsIsSaid(t *testing.T) {
	w := newWorld(t)
	r := &resolver{world: w, targetType: "ip", caveat: "No cookies."}
	w.balanceBy(r)
	w.bindings["web-tg"].Annotations = nil
	w.states.update(web, func(s *state) { s.service.resolved = resolved{} })
	w.serve(1)
	for range 2 {
		w.reconcile()
	}

	if got, ready := w.says(v1alpha1.ConditionSupported), w.says(v1alpha1.ConditionReady); got != "False NotAppliedToTargets" || ready != "True Synced" {
		t.Errorf("Supported: %s; Ready: %s", got, ready)
	}
	if n := strings.Count(drainEvents(w), "No cookies."); n != 1 {
		t.Errorf("%d events, want one", n)
	}

	r.caveat = ""
	w.bindings["web-tg"].Generation++
	w.reconcile()
	if got := w.says(v1alpha1.ConditionSupported); got != "" {
		t.Errorf("nothing to say any more, and Supported is %s", got)
	}
}

// says returns a condition's status and reason; empty when there is no such condition.
func says(conditions []metav1.Condition, conditionType string) string {
	if c := meta.FindStatusCondition(conditions, conditionType); c != nil {
		return string(c.Status) + " " + c.Reason
	}
	return ""
}

func (w *world) says(conditionType string) string {
	return says(w.bindings["web-tg"].Status.Conditions, conditionType)
}

// drainEvents returns and clears the events so far.
func drainEvents(w *world) string {
	var all []string
	for len(w.events.Events) > 0 {
		all = append(all, <-w.events.Events)
	}
	return strings.Join(all, "\n")
}

// TestServiceComesAMomentLater: people apply a binding and its Service in any order. The condition says at once what is
// wrong, and an event warns of it, once, when that lasts.
func TestServiceComesAMomentLater(t *testing.T) {
	for reason, breaks := range map[string]func(w *world){
		v1alpha1.ReasonServiceNotFound:        func(w *world) { delete(w.services, "web") },
		v1alpha1.ReasonPortNotFound:           func(w *world) { w.services["web"].Spec.Ports[0].Port = 81 },
		v1alpha1.ReasonServiceWithoutSelector: func(w *world) { w.services["web"].Spec.Selector = nil },
	} {
		for name, begin := range map[string]func(w *world){
			"a new binding":       func(w *world) { w.bindings["web-tg"].Status = elbv2.TargetGroupBindingStatus{}; w.restart() },
			"a changed binding":   func(w *world) { w.bindings["web-tg"].Generation++ },
			"changed, with pods":  func(w *world) { w.serve(1); w.reconcile(); w.bindings["web-tg"].Generation++ },
			"changed, new leader": func(w *world) { w.bindings["web-tg"].Generation++; w.restart() },
		} {
			for _, lasts := range []bool{false, true} {
				w := newWorld(t)
				w.clock = w.clock.Add(time.Hour)
				w.reconcile()
				begin(w)
				service := w.services["web"].DeepCopy()
				breaks(w)
				drainEvents(w)
				w.reconcile()
				w.let(9 * time.Second)
				if got := w.says(v1alpha1.ConditionReady); got != "False "+reason {
					t.Errorf("%s: the binding says %s, want %s at once", name, got, reason)
				}

				want := 1
				if !lasts {
					w.services["web"], want = service, 0
					w.reconcile()
				}
				if got := drainEvents(w); strings.Contains(got, "Warning "+reason) {
					t.Errorf("%s, %s: warned too early: %q", name, reason, got)
				}

				w.let(time.Minute)
				if got := strings.Count(drainEvents(w), "Warning "+reason); got != want {
					t.Errorf("%s, %s, lasts=%t: %d events warn of it", name, reason, lasts, got)
				}
			}
		}
	}
}

// TestDeletedServiceIsReportedAtOnce: nobody deletes the Service of a binding that works for the sake of an order.
func TestDeletedServiceIsReportedAtOnce(t *testing.T) {
	for _, restarted := range []bool{false, true} {
		w := newWorld(t)
		w.reconcile()
		if restarted {
			w.restart()
		}
		delete(w.services, "web")
		drainEvents(w)
		w.reconcile()
		if got := drainEvents(w); strings.Count(got, "Warning ServiceNotFound") != 1 {
			t.Errorf("restarted=%t: want it reported at once, got %q", restarted, got)
		}
	}
}
