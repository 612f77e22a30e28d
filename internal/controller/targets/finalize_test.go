// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package targets

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/podgate/podgate/api/v1alpha1"
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

// TestDeletedWhileNobodyLed: a backend's servers are removed when they have drained, which
// takes as long after the leader came as at any other time. They hold the binding no longer.
func TestDeletedWhileNobodyLed(t *testing.T) {
	for _, removed := range []bool{true, false} {
		w := newWorld(t)
		k := w.behind()
		key := k.bind("web", time.Hour, "unix:/1")
		look := func() bool {
			t.Helper()
			if _, err := w.try(key); err != nil {
				t.Fatal(err)
			}
			return len(k.own["web"].Finalizers) > 0
		}

		w.pod(1)
		if !look() {
			t.Fatal("a binding that is served has no finalizer")
		}

		k.own["web"].DeletionTimestamp = &metav1.Time{Time: w.clock}
		w.clock = w.clock.Add(time.Hour)
		w.restart()
		w.behindAgain(k)
		w.made()
		held := look()
		if got := w.made(); got != "deregister 1" || !held {
			t.Fatalf("the new leader's first look: calls %q, held %t; want the server to drain and the binding to stay", got, held)
		}

		w.clock = w.clock.Add(w.delay)
		if !look() {
			t.Error("the binding is gone before its server could be")
		}

		if removed {
			delete(w.rows, at(1))
		} else {
			w.clock = w.clock.Add(drainSlack)
		}

		if look() {
			t.Errorf("server removed: %t; the binding stays", removed)
		}
	}
}

// TestLaw2DeletedBackendIsLookedAfter: servers of a deleted binding are removed although nobody else may look after their
// backend, at every look at the binding, be it that the one before failed. A target group needs nobody for that.
func TestLaw2DeletedBackendIsLookedAfter(t *testing.T) {
	w := newWorld(t)
	k, key := w.backend()

	w.fail["tend"] = errors.New("busy")
	k.own["web"].DeletionTimestamp = &metav1.Time{Time: w.clock}
	for look := 1; look <= 3; look++ {
		res, err := w.try(key)
		if err != nil {
			t.Fatal(err)
		}
		if w.tended != look || res.RequeueAfter != drainPoll {
			t.Errorf("look %d: looked after %d times, again in %s", look, w.tended, res.RequeueAfter)
		}
	}

	w = newWorld(t)
	w.serve(1)
	w.bindings["web-tg"].DeletionTimestamp = &metav1.Time{Time: w.clock}
	w.reconcile()
	if w.tended > 0 {
		t.Error("a target group is looked after")
	}
}

// TestLaw5DeletedBackendIsEmptiedFirst: looking after drains gives way to all other calls of the account, and what leaves
// does not wait for that.
func TestLaw5DeletedBackendIsEmptiedFirst(t *testing.T) {
	w := newWorld(t)
	k, key := w.backend()

	w.calls = nil
	k.own["web"].DeletionTimestamp = &metav1.Time{Time: w.clock}
	w.onTend = func() {
		if got := w.made(); got != "deregister 1" {
			t.Errorf("the calls before it are %q", got)
		}
	}

	if _, err := w.try(key); err != nil || w.tended != 1 {
		t.Errorf("looked after %d times: %v", w.tended, err)
	}
}

// TestLaw7LeftBackendHoldsNoWorker: looking after the drains of a deleted binding's group may wait long for the account's
// calls. The worker goes on to the account's other bindings meanwhile, and does not ask for the same again.
func TestLaw7LeftBackendHoldsNoWorker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		k, key := w.backend()

		free := make(chan struct{})
		w.onTend = func() { <-free }
		k.own["web"].DeletionTimestamp = &metav1.Time{Time: w.clock}
		for range 2 {
			res, err := w.Reconcile(t.Context(), reconcile.Request{NamespacedName: key})
			if err != nil || res.RequeueAfter != drainPoll {
				t.Errorf("again in %s: %v", res.RequeueAfter, err)
			}
			synctest.Wait()
		}

		close(free)
		synctest.Wait()
		if w.tended != 1 {
			t.Errorf("looked after %d times at once", w.tended)
		}
	})
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

		if got := w.made(); got != "" || w.ready("web-tg") != v1alpha1.ReasonGroupBoundTwice {
			t.Fatalf("%s: the newer is %s and made calls: %s", what, w.ready("web-tg"), got)
		}

		if known, _ := w.registry.Get(web); known.Group.Ref.Group != "" {
			t.Errorf("%s: gates of the newer follow the older's group", what)
		}

		end(w)
		w.let(10 * time.Second)

		if got := w.made(); got != "register 1" || w.ready("web-tg") != v1alpha1.ReasonSynced {
			t.Errorf("%s: want the newer's pod registered and the older's kept until it serves, got %q and %s", what, got, w.ready("web-tg"))
		}

		w.rows[at(1)] = gate.Health{State: gate.Healthy}
		w.reconcile()

		if got := w.made(); got != "deregister 2" {
			t.Errorf("%s: it serves: want the older's pod removed, got %q", what, got)
		}
	}
}
