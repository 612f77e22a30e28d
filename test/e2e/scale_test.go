// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import "testing"

// TestScale scales an application up and then down to less than it was. The load
// balancer's clocks run four times faster than the wall: preStop 10 s stands for 40.
func TestScale(t *testing.T) {
	a := application()
	a.PrestopSeconds, a.GracePeriodSeconds = 10, 18
	s := start(t, options{timeScale: 4}).deploy(a, targetGroup())

	s.underLoad(func() {
		s.scale(10)
		s.scale(2)
	})
	s.logLatencies()
}
