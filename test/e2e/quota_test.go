// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"testing"

	"github.com/podgate/podgate/test/load"
)

// TestQuota is a rolling update of a group that holds exactly as many targets as the
// application has replicas. Time is scaled.
func TestQuota(t *testing.T) {
	o := scaled()
	o.simulator = append(o.simulator, "--targets-per-group=5")
	app := quick()
	app.MaxUnavailable, app.MaxSurge = "1", "1"
	s := start(t, o).deploy(app, targetGroup())

	sum := s.underFault(func(*load.Generator) { s.update() })
	s.assertNoneLost(sum)
	s.waitEvent("TooManyTargets")
	s.waitMetric("podgate_provider_calls_total", `operation="register"`, `outcome="quota"`)
	s.assertOpenStayedOpen()
}
