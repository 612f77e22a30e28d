// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package targets

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/types"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/binding"
)

// TestStateOfABinding: what was reported outlives the time for which podgate serves a binding, but not the binding.
func TestStateOfABinding(t *testing.T) {
	w := newWorld(t)
	w.serve(1)
	w.reconcile()

	told := func(b *binding.Binding) (reason string) {
		w.states.report(b, func(r *reported) {
			if r.event != nil {
				reason = *r.event
			}
		})
		return reason
	}

	b := binding.Of(w.bindings["web-tg"])
	if s := w.states.get(web); told(b) != v1alpha1.ReasonSynced || s.service.history == nil || s.service.tracked != ref || s.service.resolved.at.IsZero() {
		t.Fatalf("a binding that is served: told %q, remembered %+v", told(b), s.service)
	}

	w.stop(web)
	if s := w.states.get(web); told(b) != v1alpha1.ReasonSynced || s.service.history != nil || s.service.tracked.Group != "" || len(w.tracking) != 0 {
		t.Errorf("a binding that is served no longer: told %q, remembered %+v, observed %v", told(b), s.service, w.tracking)
	}

	again := b.Copy()
	again.UID = types.UID("uid-of-another")
	if got := told(again); got != "" {
		t.Errorf("a binding that was made again under the same name was told %q", got)
	}

	delete(w.bindings, "web-tg")
	w.reconcile()
	if len(w.states.of) != 0 {
		t.Errorf("a binding that is gone is remembered: %v", w.states.of)
	}
}

// TestHolders: the event of a pod that no selector leads from finds the bindings whose groups hold it, and no others.
func TestHolders(t *testing.T) {
	pod := func(name string) types.NamespacedName { return types.NamespacedName{Namespace: "shop", Name: name} }
	blue, green := types.NamespacedName{Namespace: "shop", Name: "blue"}, types.NamespacedName{Namespace: "shop", Name: "green"}
	s := newStates()
	check := func(when string, want map[string][]types.NamespacedName) {
		t.Helper()
		for _, name := range []string{"one", "two", "three"} {
			if diff := cmp.Diff(want[name], s.holding(pod(name))); diff != "" {
				t.Errorf("%s: who holds %s (-want +got):\n%s", when, name, diff)
			}
		}
		if len(s.holders) != len(want) {
			t.Errorf("%s: %d pods are remembered, want %d", when, len(s.holders), len(want))
		}
	}

	s.hold(blue, []types.NamespacedName{pod("one"), pod("two")})
	s.hold(green, []types.NamespacedName{pod("two"), pod("three")})
	check("two bindings", map[string][]types.NamespacedName{"one": {blue}, "two": {blue, green}, "three": {green}})

	s.hold(blue, []types.NamespacedName{pod("one")})
	s.hold(blue, []types.NamespacedName{pod("one")})
	check("one lets a pod go", map[string][]types.NamespacedName{"one": {blue}, "two": {green}, "three": {green}})

	s.stop(green)
	check("one is served no longer", map[string][]types.NamespacedName{"one": {blue}})

	s.forget(blue)
	check("one is gone", nil)
}
