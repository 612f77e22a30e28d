// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package target

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
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
