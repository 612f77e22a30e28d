// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package targets

import (
	"reflect"
	"testing"
	"time"

	"github.com/podgate/podgate/internal/balancer/traits"
	"github.com/podgate/podgate/internal/gate"
	"github.com/podgate/podgate/internal/observe"
)

// passAllocs is how often a pass may allocate, a seventh more than it did when that was set.
const passAllocs = 440

// TestAllocationsOfAPass: what a pass over a binding of twenty pods makes in which nothing has changed must not grow.
func TestAllocationsOfAPass(t *testing.T) {
	w := newWorld(t)
	for n := range 20 {
		w.serve(n + 1)
	}
	w.reconcile()
	w.calls = nil

	allocs := testing.AllocsPerRun(200, func() { w.reconcile() })
	if got := w.made(); got != "" {
		t.Errorf("something had changed: %s", got)
	}
	if allocs > passAllocs {
		t.Errorf("a pass allocates %.0f times, want at most %d", allocs, passAllocs)
	}
	t.Logf("a pass allocates %.0f times", allocs)
}

// TestOverlayOfNothing: where no call counts, a pass has the answer itself, and no copy.
func TestOverlayOfNothing(t *testing.T) {
	rows := map[gate.Target]gate.Health{at(1): {State: gate.Healthy}}
	l := newPendingCalls(func() time.Time { return noon }, traits.All().Lag)
	if got := l.overlay(ref, observe.Snapshot{Started: noon, Targets: rows}); reflect.ValueOf(got).Pointer() != reflect.ValueOf(rows).Pointer() {
		t.Error("the answer was copied")
	}
}
