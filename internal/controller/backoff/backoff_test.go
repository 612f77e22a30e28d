// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package backoff

import (
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// TestLaw6ObjectsBackOffApart: objects that failed together do not come back together, and none
// later than Most.
func TestLaw6ObjectsBackOffApart(t *testing.T) {
	most := func(d time.Duration) time.Duration { return d - 1 }
	none := func(time.Duration) time.Duration { return 0 }
	early, late := New(100*time.Millisecond, nil, most), New(100*time.Millisecond, nil, none)
	for n := range 20 {
		a, b := early.When(reconcile.Request{}), late.When(reconcile.Request{})
		if a >= b || a < b*4/5 || b > Most {
			t.Fatalf("failure %d: tried again between %s and %s", n, a, b)
		}
	}
}
