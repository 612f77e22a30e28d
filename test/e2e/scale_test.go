// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import "testing"

// TestScale scales an application up and then down to less than it was, with time scaled.
func TestScale(t *testing.T) {
	s := start(t, scaled()).deploy(quick(), targetGroup())

	s.underLoad(func() {
		s.scale(10)
		s.scale(2)
	})
	s.logLatencies()
}
