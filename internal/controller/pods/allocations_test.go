// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package pods

import (
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/podgate/podgate/internal/gate"
)

// Limits of how often a pod's pass may allocate, a seventh more than it did when they were set.
const (
	openAllocs    = 97
	waitingAllocs = 115
)

// TestAllocationsOfAPod: what a pass over a pod makes in which nothing has changed must not grow.
func TestAllocationsOfAPod(t *testing.T) {
	for name, tc := range map[string]struct {
		state gate.State
		want  corev1.ConditionStatus
		most  float64
	}{
		"Open":    {gate.Healthy, corev1.ConditionTrue, openAllocs},
		"Waiting": {gate.Initial, corev1.ConditionFalse, waitingAllocs},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.see(sighting(tc.state, "", true))
			w.reconcile()
			if got := w.condition().Status; got != tc.want {
				t.Fatalf("the gate is %s, want %s", got, tc.want)
			}
			w.reconcile()

			patches := len(w.patches)
			allocs := testing.AllocsPerRun(200, func() { w.reconcile() })
			if len(w.patches) != patches {
				t.Error("something had changed")
			}
			if allocs > tc.most {
				t.Errorf("a pass allocates %.0f times, want at most %.0f", allocs, tc.most)
			}
			t.Logf("a pass allocates %.0f times", allocs)
		})
	}
}
