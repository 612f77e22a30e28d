// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package targets

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/gate"
)

func TestRegistrationsNameTheirPods(t *testing.T) {
	w := newWorld(t)
	w.pod(1)
	w.reconcile()
	want := balancer.Pods{at(1): {Namespace: "shop", Name: "web-1", UID: "uid-1"}}
	if diff := cmp.Diff(want, w.placedFor, cmp.Comparer(func(a, b gate.Target) bool { return a == b })); diff != "" {
		t.Errorf("registered for other pods (-want +got):\n%s", diff)
	}
}
