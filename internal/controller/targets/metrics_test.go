// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package targets

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/podgate/podgate/internal/controller/latency"
	"github.com/podgate/podgate/internal/gate"
)

// observed returns how often a histogram observed, and the sum.
func (w *world) observed(name string) (uint64, float64) {
	w.t.Helper()
	series := w.series(name)
	if len(series) != 1 {
		w.t.Fatalf("%s has %d series", name, len(series))
	}
	return series[0].GetHistogram().GetSampleCount(), series[0].GetHistogram().GetSampleSum()
}

// TestDrainedDelay: it counts from the pod's deletion to the first read without its
// target, once.
func TestDrainedDelay(t *testing.T) {
	w := newWorld(t)
	w.serve(1, 2)
	w.terminate(w.pods["web-2"])
	w.reconcile()
	w.clock = noon.Add(10 * time.Second)
	delete(w.pods, "web-2")
	w.reconcile()

	if n, _ := w.observed("podgate_drained_delay_seconds"); n != 0 {
		t.Fatal("a target that drains counts as drained")
	}

	w.clock = noon.Add(40 * time.Second)
	delete(w.rows, at(2))
	w.reconcile()
	w.reconcile()

	if n, sum := w.observed("podgate_drained_delay_seconds"); n != 1 || sum != 40 {
		t.Errorf("want one target drained after 40 s, got %d after %v s", n, sum)
	}
}

// TestDrainIsForgotten: an address that is registered again drains for nobody.
func TestDrainIsForgotten(t *testing.T) {
	w := newWorld(t)
	w.serve(1, 2)
	w.terminate(w.pods["web-2"])
	w.reconcile()
	w.pod(2).UID = "uid-new"
	w.clock = noon.Add(20 * time.Second)
	w.reconcile()
	delete(w.rows, at(2))
	w.clock = noon.Add(40 * time.Second)
	w.reconcile()

	if n, _ := w.observed("podgate_drained_delay_seconds"); n != 0 {
		t.Error("a registered target that vanished counts as the old pod's drained one")
	}
}

// TestRegistrationsAreTold: to the pod controller, of pods that have a gate; nobody
// would take those of others.
func TestRegistrationsAreTold(t *testing.T) {
	w := newWorld(t)
	w.pod(1).Spec.ReadinessGates = []corev1.PodReadinessGate{{ConditionType: "target-health.elbv2.k8s.aws/web-tg"}}
	w.pod(2)
	w.reconcile()
	if w.rows[at(2)].State != gate.Initial {
		t.Fatal("not registered")
	}
	for uid, want := range map[string]bool{"uid-1": true, "uid-2": false} {
		if _, got := w.registrar.metrics.registrations.Take(latency.Registration{Pod: w.pods["web-"+uid[4:]].UID, Group: ref.Group}, w.clock); got != want {
			t.Errorf("registration of %s remembered: want %t, got %t", uid, want, got)
		}
	}
}
