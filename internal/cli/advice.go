// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"cmp"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/balancer/traits"
)

// adviceOf is what to do about a gate as its condition stands.
func adviceOf(open bool, reason string) string {
	if open {
		if e, known := v1alpha1.Explain(v1alpha1.OnOpenGate, reason); known {
			return e.Fix
		}
		return v1alpha1.NothingToDo
	}

	if e, known := v1alpha1.Explain(v1alpha1.OnClosedGate, reason); known {
		return e.Fix
	}

	return cmp.Or(traits.All().Advice(reason), "look at the message")
}

// fixOf is what to do about a binding that would not be Ready for a reason.
func fixOf(reason string) string {
	e, _ := v1alpha1.Explain(v1alpha1.OnReady, reason)
	return e.Fix
}
