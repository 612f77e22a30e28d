// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package target

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/podgate/podgate/internal/gate"
)

// TestFinalizeDoesNotTrustAnAnswerThatLags: the load balancer's API may not show yet
// what was registered a moment before the binding was deleted, and once the binding is
// gone nobody would ever remove it.
func TestFinalizeDoesNotTrustAnAnswerThatLags(t *testing.T) {
	w := newWorld(t)
	w.pod(1)
	w.reconcile()
	if got := w.made(); got != "register 1" {
		t.Fatalf("calls: %s", got)
	}
	delete(w.rows, at(1))
	now := metav1.NewTime(w.clock)
	w.bindings["web-tg"].DeletionTimestamp = &now
	w.reconcile()
	if got := w.made(); got != "deregister 1" {
		t.Errorf("want what was just registered to be deregistered, got %q", got)
	}
	if w.bindings["web-tg"] != nil {
		t.Error("the binding stays")
	}
}

// TestNextOwnerTakesOver: of two bindings of a group the newer is served within 10 s of
// the older's end, without any event, and what serves meanwhile stays until its own pods do.
func TestNextOwnerTakesOver(t *testing.T) {
	ends := map[string]func(w *world){
		"it is being deleted": func(w *world) {
			now := metav1.NewTime(w.clock)
			w.bindings["older"].DeletionTimestamp = &now
		},
		"it is gone":           func(w *world) { delete(w.bindings, "older") },
		"it got another group": func(w *world) { w.bindings["older"].Spec.TargetGroupARN = "arn:other" },
	}
	for what, end := range ends {
		w := newWorld(t)
		w.bind("older", time.Hour)
		w.pod(1)
		w.pod(2).Labels = map[string]string{"app": "older"}
		w.rows[at(2)] = gate.Health{State: gate.Healthy}
		w.reconcile()
		w.let(time.Minute)
		if got := w.made(); got != "" || w.ready("web-tg") != ReasonBoundTwice {
			t.Fatalf("%s: the newer is %s and made calls: %s", what, w.ready("web-tg"), got)
		}
		if known, _ := w.registry.Get(web); known.Group.Ref.Group != "" {
			t.Errorf("%s: gates of the newer follow the older's group", what)
		}
		end(w)
		w.let(10 * time.Second)
		if got := w.made(); got != "register 1" || w.ready("web-tg") != ReasonSynced {
			t.Errorf("%s: want the newer's pod registered and the older's kept until it serves, got %q and %s", what, got, w.ready("web-tg"))
		}
		w.rows[at(1)] = gate.Health{State: gate.Healthy}
		w.reconcile()
		if got := w.made(); got != "deregister 2" {
			t.Errorf("%s: it serves: want the older's pod removed, got %q", what, got)
		}
	}
}
