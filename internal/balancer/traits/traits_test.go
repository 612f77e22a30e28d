// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package traits_test

import (
	"testing"

	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/balancer/drivers"
	"github.com/podgate/podgate/internal/balancer/traits"
)

// TestEveryDriverIsListed: who makes calls has traits, and the other way round.
func TestEveryDriverIsListed(t *testing.T) {
	called, known := drivers.All(nil, balancer.Limits{}, nil), traits.All()
	if len(called) != len(known) {
		t.Fatalf("%d drivers make calls, and the traits of %d are listed", len(called), len(known))
	}
	for i := range called {
		if called[i].Kind != known[i].Kind {
			t.Errorf("%q makes calls where the traits of %q are listed", called[i].Kind, known[i].Kind)
		}
	}
}
