// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package targets

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/gate"
)

// ofJob makes the n-th pod a Job's.
func (w *world) ofJob(n int) {
	w.pods[name(n)].OwnerReferences = []metav1.OwnerReference{{APIVersion: "batch/v1", Kind: "Job", Name: "migrate", Controller: new(true)}}
}

// TestPodsThatAreNoTargetsSpoilNothing: a pod that the Service selects and that cannot be a target
// leaves the binding Ready, as long as another one can.
func TestPodsThatAreNoTargetsSpoilNothing(t *testing.T) {
	cases := map[string]struct {
		reason string
		named  bool
		change func(w *world) // of pod 3
	}{
		"JobWithoutNamedPort":  {reason: "A migration.", named: true, change: func(w *world) { w.ofJob(3) }},
		"JobWithoutPort":       {reason: "A migration, and the port is a number.", change: func(w *world) { w.ofJob(3) }},
		"WorkerWithoutPort":    {reason: "A worker with the same labels.", named: true, change: func(*world) {}},
		"WorkerWithOtherPort":  {reason: "It has another port.", named: true, change: func(w *world) { w.names(3, "metrics") }},
		"WorkerUnschedulable":  {reason: "It lacks the port before it has an address.", named: true, change: func(w *world) { w.pods[name(3)].Status.PodIPs = nil }},
		"OtherAddressFamily":   {reason: "It has no address of the group's family.", change: func(w *world) { w.pods[name(3)].Status.PodIPs = []corev1.PodIP{{IP: "2001:db8::1"}} }},
		"MigrationHasFinished": {reason: "Its address may be another pod's already.", change: func(w *world) { w.pods[name(3)].Status.Phase = corev1.PodSucceeded }},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			if tc.named {
				w.services["web"].Spec.Ports[0].TargetPort = intstr.FromString("http")
			}

			for _, n := range upTo(2) {
				w.serve(n)
				w.names(n, "http")
			}
			w.reconcile()
			w.pod(3)
			tc.change(w)
			w.calls = nil
			w.reconcile()

			if got := w.ready("web-tg"); got != v1alpha1.ReasonSynced {
				t.Errorf("%s\nwant the binding Ready, got %s", tc.reason, got)
			}
			if got := w.made(); got != "" {
				t.Errorf("%s\nwant nothing registered, got %s", tc.reason, got)
			}

			// Guards work as without it: what another pod leaves behind goes as soon as ever.
			w.pods["web-2"].Labels = nil
			w.reconcile()
			w.let(5 * time.Second)
			if got := w.taken(); got != 1 {
				t.Errorf("%s\nwant the unselected target gone at once, got %d left", tc.reason, got)
			}
		})
	}
}

// TestNoPodCanBeATarget: when nobody has what the Service needs, that is the binding's state.
func TestNoPodCanBeATarget(t *testing.T) {
	cases := map[string]func(w *world){
		"NoPort":   func(w *world) { w.services["web"].Spec.Ports[0].TargetPort = intstr.FromString("http") },
		"NoFamily": func(w *world) { w.pods[name(1)].Status.PodIPs = []corev1.PodIP{{IP: "2001:db8::1"}} },
	}

	for name, change := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.pod(1)
			change(w)
			w.reconcile()
			if got := w.ready("web-tg"); got != v1alpha1.ReasonTargetPortNotFound {
				t.Errorf("want it told on the binding, got %s", got)
			}
		})
	}
}

// TestJobsTargetGoes: a Job's pod that was registered although it does not serve is taken out.
func TestJobsTargetGoes(t *testing.T) {
	w := newWorld(t)
	w.serve(1, 2)
	w.reconcile()
	w.ofJob(2)
	w.rows[at(2)] = gate.Health{State: gate.Unhealthy}
	w.reconcile()
	w.let(30 * time.Second)

	if got := w.taken(); got != 1 {
		t.Errorf("want the serving pod's target only, got %d", got)
	}
}
