// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import "testing"

// TestRollout is a rolling update with the figures of a real Application Load Balancer,
// nothing scaled: preStop 40 s, deregistration delay 30 s, requests that arrive for 17 s
// after the API said draining.
func TestRollout(t *testing.T) {
	s := start(t, options{}).deploy(application(), targetGroup())

	sum := s.underLoad(func() { s.update() })
	if got := versions(sum); got["v1"] == 0 || got["v2"] == 0 {
		t.Errorf("answers by version: %v, want some of v1 and of v2", got)
	}
	s.logLatencies()
}
