// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package targets

import (
	"testing"
	"time"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/binding"
)

// leave has a pod deleted, deregistered late, and gone.
func (w *world) leave(n, late int) {
	w.t.Helper()
	begun := w.clock
	w.serve(n)
	w.reconcile()
	w.remove(n, 300)
	w.clock = begun.Add(time.Duration(late) * time.Second)
	w.reconcile()
	w.clock = begun.Add(200 * time.Second)
	delete(w.rows, at(n))
	w.reconcile()
	w.gone(n, false)
	w.reconcile()
}

// TestDrainTimeIsRecommended: deregistrations that take long are told on the binding, once,
// and taken back when they do not any more; a new leader changes nothing.
func TestDrainTimeIsRecommended(t *testing.T) {
	w := newWorld(t)
	w.serve(1)
	recommended := func() string { return w.bindings["web-tg"].Annotations[v1alpha1.RecommendedDrainAnnotation] }
	writes := w.writes

	for n := range 12 {
		w.leave(n+2, 22)
	}

	if got := recommended(); got != "1m15s" {
		t.Fatalf("recommended: %q, want 22 s for the deregistration and 50 s", got)
	}

	if told := w.toldOf(v1alpha1.ReasonDrainTimeRecommended); len(told) != 1 || w.writes != writes+1 {
		t.Errorf("want one event and one write, got %q and %d", told, w.writes-writes)
	}

	if got := binding.Of(w.bindings["web-tg"]).Terms().Time(); got != 55*time.Second {
		t.Errorf("nobody asked to follow it, and pods drain for %s", got)
	}

	w.bindings["web-tg"].Annotations[v1alpha1.DrainTimeAnnotation] = v1alpha1.DrainRecommended
	if got := binding.Of(w.bindings["web-tg"]).Terms().Time(); got != 75*time.Second {
		t.Errorf("somebody asked to follow it, and pods drain for %s", got)
	}

	w.restart()
	w.leave(20, 0)

	if got := recommended(); got != "1m15s" {
		t.Errorf("a new leader recommends %q", got)
	}

	for n := range 32 {
		w.leave(n+30, 0)
	}

	if got := recommended(); got != "" {
		t.Errorf("all is well, and %q is recommended", got)
	}
}
