// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package targets

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/podgate/podgate/api/v1alpha1"
)

// TestNotAllowed: what bindings of a namespace may not name is neither read nor changed, on whatever way.
func TestNotAllowed(t *testing.T) {
	forbid := func(w *world) {
		w.allowed = func(_ context.Context, _ string, things []string) (string, error) {
			return things[0], nil
		}
	}

	for what, tc := range map[string]struct {
		reason string
		change func(w *world)
	}{
		"New":         {reason: "The group is in the manifest.", change: func(*world) {}},
		"Terminating": {reason: "Deletion is urgent, but not in somebody else's group.", change: func(w *world) { w.terminate(w.pods[name(1)]) }},
		"ForgedFinalizer": {reason: "Whoever may edit a binding may write podgate's finalizer.", change: func(w *world) {
			w.bindings["web-tg"].Finalizers = []string{v1alpha1.Finalizer}
			w.bindings["web-tg"].DeletionTimestamp = &metav1.Time{Time: w.clock}
		}},
	} {
		t.Run(what, func(t *testing.T) {
			w := newWorld(t)
			w.serve(1, 2)
			w.pods[name(2)].Status.Conditions = append(w.pods[name(2)].Status.Conditions, corev1.PodCondition{Type: corev1.PodReady, Status: corev1.ConditionTrue})
			w.restart()
			forbid(w)
			tc.change(w)
			w.calls = nil
			clear(w.tracking)
			if _, err := w.try(web); err != nil {
				t.Fatal(err)
			}

			if _, err := w.Urgent(t.Context(), web); err != nil {
				t.Fatal(err)
			}

			if got := w.made(); got != "" || len(w.tracking) > 0 {
				t.Errorf("%s\ncalls: %s; groups that are read: %v", tc.reason, got, w.tracking)
			}

			if b := w.bindings["web-tg"]; b != nil && b.DeletionTimestamp == nil && w.ready("web-tg") != v1alpha1.ReasonNotAllowed {
				t.Errorf("%s\nthe binding says %s", tc.reason, w.ready("web-tg"))
			}

			if known, _ := w.registry.Get(web); w.bindings["web-tg"] != nil && (known.Resolved() || !strings.Contains(known.Trouble, "--allow-targets")) {
				t.Errorf("%s\nwaiting pods are told %q", tc.reason, known.Trouble)
			}
		})
	}
}

// TestNotAllowedIsNoRival: an older binding that may not name the group keeps nobody from it.
func TestNotAllowedIsNoRival(t *testing.T) {
	w := newWorld(t)
	older := w.bind("older", time.Hour)
	older.Namespace = "thief"
	w.pod(1)
	w.reconcile()

	if got := w.ready("web-tg"); got != v1alpha1.ReasonGroupBoundTwice {
		t.Fatalf("while it may: %s", got)
	}

	w.allowed = func(_ context.Context, namespace string, things []string) (string, error) {
		if namespace == "thief" {
			return things[0], nil
		}
		return "", nil
	}

	w.calls = nil
	w.reconcile()

	if got := w.made(); got != "register 1" || w.ready("web-tg") != v1alpha1.ReasonSynced {
		t.Errorf("calls %q, and the binding says %s", got, w.ready("web-tg"))
	}
}

// TestAllowanceUnknown: as long as nobody can tell, nothing is done, and a deleted binding stays.
func TestAllowanceUnknown(t *testing.T) {
	w := newWorld(t)
	w.serve(1)
	w.allowed = func(context.Context, string, []string) (string, error) { return "", errors.New("forbidden") }
	w.calls = nil
	if _, err := w.try(web); err == nil {
		t.Error("want it tried again")
	}

	w.bindings["web-tg"].DeletionTimestamp = &metav1.Time{Time: w.clock}
	if _, err := w.try(web); err == nil || w.bindings["web-tg"] == nil {
		t.Errorf("the deleted binding is let go (%v)", err)
	}

	if got := w.made(); got != "" {
		t.Errorf("calls: %s", got)
	}
}

// TestServedAgain: a binding about which nothing happens is looked at again, sooner where nobody tells that the labels of its
// namespace changed, and not together with others.
func TestServedAgain(t *testing.T) {
	w := newWorld(t)
	w.serve(1, 2)
	w.restart()
	for _, longest := range []time.Duration{servedAgain, labelsAgain} {
		asked := time.Duration(0)
		w.random = func(below time.Duration) time.Duration {
			asked = below
			return below - time.Second
		}
		if got, want := w.reconcile().RequeueAfter, longest-asked+time.Second; asked != longest/5 || got != want {
			t.Errorf("looked at again after %s, want %s", got, want)
		}

		w.allowed = func(context.Context, string, []string) (string, error) { return "", nil }
	}
}
