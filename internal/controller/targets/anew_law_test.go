// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package targets

import (
	"errors"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/podgate/podgate/internal/gate"
)

// TestLaw3WaitingCallsAreDecidedAnew: a call that waited for its turn is made only if what is known by then still asks for it.
func TestLaw3WaitingCallsAreDecidedAnew(t *testing.T) {
	const both = "deregister 1 2"
	flip := func(w *world, n int) {
		for i := 1; i <= 3; i++ {
			w.pods[name(i)].Labels["app"] = map[bool]string{true: "web", false: "other"}[(i == 3) == (n == 3)]
		}
	}
	flipped := func(w *world) {
		w.serve(1, 2, 3)
		flip(w, 3)
	}

	for what, tc := range map[string]struct {
		reason string
		// before is how things stand when the plan is made, and meanwhile what happens while its call waits.
		before, meanwhile func(w *world)
		want              string
		// again: some of it is not made, and all is decided again at once.
		again bool
	}{
		"Nothing": {reason: "The plan stands.", before: flipped, meanwhile: func(*world) {}, want: both},
		"Selected": {
			reason: "The Service selects the pods again, which serve and whose replacement is not selected any more.",
			before: flipped, meanwhile: func(w *world) { flip(w, 1) },
		},
		"ReplacementFails": {
			reason: "What served in their place does not.",
			before: flipped, meanwhile: func(w *world) { w.rows[at(3)] = gate.Health{State: gate.Unhealthy} },
		},
		"BindingDeleted": {
			reason: "The whole group is to be emptied, which begins anew.",
			before: flipped, meanwhile: func(w *world) { w.bindings["web-tg"].DeletionTimestamp = &metav1.Time{Time: w.clock} },
		},
		"BindingChanged": {reason: "It may want another group.", before: flipped, meanwhile: func(w *world) { w.bindings["web-tg"].Generation++ }},
		"BindingGone":    {reason: "Nobody wants anything.", before: flipped, meanwhile: func(w *world) { delete(w.bindings, "web-tg") }},
		"PodGone": {
			reason: "Another pod may get the address.",
			before: func(w *world) { w.serve(1); w.pod(2) }, meanwhile: func(w *world) { delete(w.pods, name(2)) },
		},
		"OneSelected": {
			reason: "The other one is still to go, however often something changes for one of many.",
			before: flipped, meanwhile: func(w *world) { w.pods[name(1)].Labels["app"] = "web" }, want: "deregister 2", again: true,
		},
		"OneOfTwoGone": {
			reason: "The other one is still to be registered.",
			before: func(w *world) { w.serve(1); w.pod(2); w.pod(3) }, meanwhile: func(w *world) { delete(w.pods, name(2)) }, want: "register 3", again: true,
		},
		"PodStays": {reason: "It is still to be registered.", before: func(w *world) { w.serve(1); w.pod(2) }, meanwhile: func(*world) {}, want: "register 2"},
	} {
		t.Run(what, func(t *testing.T) {
			w := newWorld(t)
			tc.before(w)
			w.onTurn = func() { tc.meanwhile(w) }
			said := w.ready("web-tg")
			res := w.reconcile()
			if got := w.made(); got != tc.want {
				t.Errorf("%s\ncalls: %q, want %q", tc.reason, got, tc.want)
			}
			if tc.again = tc.again || tc.want == ""; tc.again != (res.RequeueAfter == time.Millisecond) {
				t.Errorf("%s\nlooked at again after %s", tc.reason, res.RequeueAfter)
			}
			if w.bindings["web-tg"] != nil && w.ready("web-tg") != said {
				t.Errorf("the binding says %s instead of %s", w.ready("web-tg"), said)
			}

			// Nothing is taken for done that was not.
			w.onTurn = nil
			if tc.want == "" && len(w.registrar.pending.groups) > 0 {
				t.Errorf("%s\nremembered: %v", tc.reason, w.registrar.pending.groups)
			}
		})
	}
}

// TestDecidedAnewFails: a call of which nobody can tell whether it is still right is not made, and not taken for made.
func TestDecidedAnewFails(t *testing.T) {
	w := newWorld(t)
	w.serve(1, 2)
	w.pods[name(1)].Labels["app"] = "other"
	w.onTurn = func() { w.refused["get bindings"] = errors.New("the API server is away") }
	if res := w.reconcile(); res.RequeueAfter != time.Millisecond || w.made() != "" || len(w.registrar.pending.groups) > 0 {
		t.Errorf("looked at again after %s, calls: %q", res.RequeueAfter, w.made())
	}
	if _, err := w.try(web); err == nil {
		t.Error("it goes on without the API server")
	}
}
