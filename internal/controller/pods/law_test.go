// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package pods

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/gate"
	"github.com/podgate/podgate/internal/observe"
)

// TestLaw1OpensForThisPodOnly: the condition follows the target step by step and is
// True only once the load balancer called it healthy.
func TestLaw1OpensForThisPodOnly(t *testing.T) {
	w := newWorld(t)
	steps := []struct {
		reason   string
		sighting observe.Sighting
		want     gate.Condition
	}{
		{"nothing was read", observe.Sighting{}, gate.Condition{Status: "Unknown", Reason: "NotObserved"}},
		{"not registered yet", observe.Sighting{Observed: true, SeenOtherwise: true}, gate.Condition{Status: "False", Reason: "Target.NotRegistered"}},
		{"registering", sighting(gate.Initial, "Elb.RegistrationInProgress", true), gate.Condition{Status: "False", Reason: "Elb.RegistrationInProgress"}},
		{"being checked", sighting(gate.Initial, "Elb.InitialHealthChecking", true), gate.Condition{Status: "False", Reason: "Elb.InitialHealthChecking"}},
		{"healthy", sighting(gate.Healthy, "", true), gate.Condition{Status: "True", Reason: "Healthy"}},
	}

	for _, s := range steps {
		w.see(s.sighting)
		w.reconcile()
		c := w.condition()
		if got := (gate.Condition{Status: gate.Status(c.Status), Reason: c.Reason}); got != s.want {
			t.Errorf("%s: want %+v, got %+v", s.reason, s.want, got)
		}
		if waits := s.want.Status != "True"; w.waiting[ref] != waits {
			t.Errorf("%s: the observer was told waiting=%t", s.reason, !waits)
		}
	}

	if c := w.condition(); c.Message != "" {
		t.Errorf("an open gate says %q of an earlier state", c.Message)
	}
}

// TestLaw1RestartedContainersAreAskedAboutAnew: what was seen before a restart of the
// pod's containers does not open its gate after it.
func TestLaw1RestartedContainersAreAskedAboutAnew(t *testing.T) {
	w := newWorld(t)
	s := sighting(gate.Healthy, "", true)
	s.ReadAt = noon
	w.see(s)
	w.reconcile()
	w.clock = noon.Add(10 * time.Second)
	w.containers(corev1.ConditionFalse)
	w.reconcile()
	w.clock = noon.Add(20 * time.Second)
	w.containers(corev1.ConditionTrue)
	res, _ := w.reconcile()
	if c := w.condition(); c.Status != corev1.ConditionFalse || res.RequeueAfter == 0 || !w.waiting[ref] {
		t.Fatalf("want the gate closed and the group read, got %s with %s, looked at again in %s, waiting=%t", c.Status, c.Reason, res.RequeueAfter, w.waiting[ref])
	}

	w.clock = w.clock.Add(res.RequeueAfter)
	s.ReadAt = w.clock
	w.see(s)
	w.reconcile()

	if c := w.condition(); c.Status != corev1.ConditionTrue {
		t.Errorf("a read since says healthy: want True, got %s with %s", c.Status, c.Reason)
	}
}

// TestLaw2GateWithoutBinding: a pod whose binding does not exist is released in the end.
func TestLaw2GateWithoutBinding(t *testing.T) {
	w := newWorld(t)
	w.binding = nil
	w.containers(corev1.ConditionTrue)

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

	if c := w.condition(); c.Status != corev1.ConditionTrue || c.Reason != "NoBinding" || w.clock.Sub(noon) != 5*time.Minute {
		t.Errorf("after %s: want True with NoBinding after 5m, got %s with %s", w.clock.Sub(noon), c.Status, c.Reason)
	}
}

// TestLaw8RestartAndOutageChangeNothing: an open gate stays as it is when everything that was known is gone.
func TestLaw8RestartAndOutageChangeNothing(t *testing.T) {
	troubles := map[string]func(w *world){
		"a restart":                      func(w *world) { w.restart() },
		"a binding that cannot resolve":  func(w *world) { w.resolve(binding.Resolution{Trouble: "The API is down."}) },
		"a group that cannot be read":    func(w *world) { w.see(observe.Sighting{}) },
		"a Service that vanished":        func(w *world) { w.service = nil },
		"a binding that vanished":        func(w *world) { w.binding = nil },
		"a target that was removed":      func(w *world) { w.see(observe.Sighting{Observed: true, SeenOtherwise: true}) },
		"a target that became unhealthy": func(w *world) { w.see(sighting(gate.Unhealthy, "Target.Timeout", true)) },
	}

	for name, trouble := range troubles {
		for _, family := range []string{"ipv4", "ipv6"} {
			w := newWorld(t)
			w.pod.Status.PodIPs = append(w.pod.Status.PodIPs, corev1.PodIP{IP: "2001:db8::7"})
			res := resolution()
			res.Group.IPAddressType = family
			w.resolve(res)
			w.see(sighting(gate.Healthy, "", true))
			w.sightings[target("2001:db8::7")] = sighting(gate.Healthy, "", true)
			w.reconcile()
			open := w.pod.DeepCopy()

			if w.condition().Status != corev1.ConditionTrue {
				t.Fatalf("%s, %s: the gate did not open", name, family)
			}

			trouble(w)
			w.clock = w.clock.Add(time.Hour)
			if _, patches := w.reconcile(); patches != 0 {
				t.Errorf("%s, %s: the pod was written: %s", name, family, cmp.Diff(open.Status.Conditions, w.pod.Status.Conditions))
			}
		}
	}
}

// TestLaw8RestartKeepsClosedGatesToo: what is right is not replaced by Unknown meanwhile.
func TestLaw8RestartKeepsClosedGatesToo(t *testing.T) {
	w := newWorld(t)
	w.see(sighting(gate.Initial, "Elb.InitialHealthChecking", true))
	w.reconcile()
	w.restart()
	if _, patches := w.reconcile(); patches != 0 {
		t.Errorf("a restart alone wrote %s", w.patches[len(w.patches)-1])
	}
}

// TestLaw9ContainersAndAddressClose: an open gate closes for the pod's own containers or a new address.
func TestLaw9ContainersAndAddressClose(t *testing.T) {
	w := newWorld(t)
	w.see(sighting(gate.Healthy, "", true))
	w.reconcile()
	w.containers(corev1.ConditionFalse)
	w.reconcile()

	if c := w.condition(); c.Status != corev1.ConditionFalse || c.Reason != "ContainersNotReady" {
		t.Errorf("containers unready: want False with ContainersNotReady, got %s with %s", c.Status, c.Reason)
	}

	w = newWorld(t)
	w.see(sighting(gate.Healthy, "", true))
	w.reconcile()
	w.pod.Status.PodIP, w.pod.Status.PodIPs = "10.0.0.8", []corev1.PodIP{{IP: "10.0.0.8"}}
	w.sightings[target("10.0.0.8")] = sighting(gate.Initial, "Elb.RegistrationInProgress", true)
	w.reconcile()

	if c := w.condition(); c.Status != corev1.ConditionFalse || c.Reason != "Elb.RegistrationInProgress" {
		t.Errorf("another address: want False with the new target's reason, got %s with %s", c.Status, c.Reason)
	}
}

// TestLaw10WritesLittle: one patch of what changed, of nothing that is not ours, for this very pod.
func TestLaw10WritesLittle(t *testing.T) {
	w := newWorld(t)
	w.see(sighting(gate.Initial, "Elb.RegistrationInProgress", true))
	foreign := corev1.PodCondition{Type: "example.com/approved", Status: corev1.ConditionTrue, Reason: "ByHand"}
	w.put(foreign)
	before := w.pod.DeepCopy()

	if _, patches := w.reconcile(); patches != 1 {
		t.Fatalf("%d patches, want 1", patches)
	}

	var sent struct {
		Metadata map[string]any `json:"metadata"`
		Spec     any            `json:"spec"`
		Status   struct {
			Conditions []corev1.PodCondition `json:"conditions"`
		} `json:"status"`
	}
	if err := json.Unmarshal([]byte(w.patches[0]), &sent); err != nil {
		t.Fatal(err)
	}

	if sent.Metadata["uid"] != "uid-1" || sent.Spec != nil || len(sent.Status.Conditions) != 1 || sent.Status.Conditions[0].Type != gateWeb {
		t.Errorf("want the UID and our condition alone, got %s", w.patches[0])
	}

	for _, c := range before.Status.Conditions {
		if diff := cmp.Diff(&c, binding.Condition(w.pod, c.Type)); diff != "" {
			t.Errorf("somebody else's condition changed:\n%s", diff)
		}
	}

	for range 3 {
		w.clock = w.clock.Add(time.Minute)
		if _, patches := w.reconcile(); patches != 0 {
			t.Fatalf("nothing changed and the pod was written: %s", w.patches[len(w.patches)-1])
		}
	}

	first := w.condition().LastTransitionTime
	w.see(sighting(gate.Initial, "Elb.InitialHealthChecking", true))
	w.reconcile()

	if c := w.condition(); c.Reason != "Elb.InitialHealthChecking" || !c.LastTransitionTime.Equal(&first) {
		t.Errorf("another reason: lastTransitionTime moved from %s to %s", first, c.LastTransitionTime)
	}

	w.see(sighting(gate.Healthy, "", true))
	w.reconcile()

	if c := w.condition(); !c.LastTransitionTime.Time.Equal(w.clock) {
		t.Errorf("another status: want lastTransitionTime %s, got %s", w.clock, c.LastTransitionTime)
	}
}

// TestLaw10NotForAPodMadeAnew: a patch for a pod that is gone changes nothing and is no error.
func TestLaw10NotForAPodMadeAnew(t *testing.T) {
	w := newWorld(t)
	stale := w.pod.DeepCopy()
	w.pod.UID = "uid-2"
	e := evaluation{pod: stale, key: key, now: noon, proven: readProven(stale), conditions: []corev1.PodCondition{{Type: gateWeb, Status: corev1.ConditionTrue}}}
	if err := w.write(t.Context(), &e); err != nil {
		t.Errorf("want no error, got %v", err)
	}
	if c := w.condition(); c.Status != "" {
		t.Errorf("the new pod got the old one's condition: %+v", c)
	}
}

// TestLaw11RecordOfAnotherPodDoesNotCount: a pod made from another's manifest, at its
// address, proves its own health.
func TestLaw11RecordOfAnotherPodDoesNotCount(t *testing.T) {
	for uid, want := range map[string]corev1.ConditionStatus{"uid-1": corev1.ConditionTrue, "uid-0": corev1.ConditionFalse} {
		w := newWorld(t)
		w.pod.Annotations = map[string]string{v1alpha1.ProvenAnnotation: `{"uid":"` + uid + `","gates":{"` + gateWeb + `":"10.0.0.7"}}`}
		w.see(sighting(gate.Healthy, "", false))
		w.reconcile()
		if c := w.condition(); c.Status != want {
			t.Errorf("recorded for %s on uid-1: want %s, got %s with %s", uid, want, c.Status, c.Reason)
		}
	}
}

// TestLaw11SameNameIsANewPod: what was seen of a pod is forgotten with it, even if its
// end was never noticed.
func TestLaw11SameNameIsANewPod(t *testing.T) {
	w := newWorld(t)
	w.see(sighting(gate.Healthy, "", true))
	w.reconcile()
	if w.forgotten != 0 {
		t.Fatal("a pod that is here was forgotten")
	}
	w.pod.UID, w.pod.Annotations = "uid-2", nil
	w.pod.Status.Conditions = slices.DeleteFunc(w.pod.Status.Conditions, func(c corev1.PodCondition) bool { return c.Type == gateWeb })
	w.reconcile()
	if w.forgotten != 1 {
		t.Error("the observer still takes the new pod for the old one")
	}
}
