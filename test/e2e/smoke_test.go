// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestSmoke is one rolling update that loses no request, and what a user sees of it.
//
// The load balancer's clocks run four times faster than the wall, and with them what the
// application waits for: preStop 10 s stands for 40, the grace period of 18 s for 70. To
// the load balancer registration takes 12 s, and a new target must pass two checks 12 s
// apart: 3 s each by the wall, so that anybody who looks sees the gate pass both.
func TestSmoke(t *testing.T) {
	w := start(t, options{timeScale: 4, simulator: []string{"--alb-registration-delay=12s", "--alb-initial-healthy-checks=2"}})
	group := targetGroup()
	group.HealthCheck.Interval = 12
	s := w.deploy(quick(), group)

	sum := s.underLoad(func() { s.update() })
	if got := versions(sum); got["v1"] == 0 || got["v2"] == 0 {
		t.Errorf("answers by version: %v, want some of v1 and of v2", got)
	}
	s.assertGatesFollowedTheirTargets()
	s.logLatencies()
}

// assertGatesFollowedTheirTargets asserts that each pod was shown with its gate closed
// and then open, and that its condition said why, as the load balancer did, and nothing
// of that once it was True.
func (s *service) assertGatesFollowedTheirTargets() {
	s.t.Helper()
	histories, err := s.gates.histories()
	s.must(err)
	want := []gateStep{
		{"0/1", "False", "Elb.RegistrationInProgress", "Target registration is in progress"},
		{"0/1", "False", "Elb.InitialHealthChecking", "Initial health checks in progress"},
		{"1/1", "True", "Healthy", ""},
	}

	if len(histories) != 2*s.app.Replicas {
		s.t.Errorf("saw %d pods, want %d: each once before and once after the update", len(histories), 2*s.app.Replicas)
	}

	for pod, steps := range histories {
		if diff := cmp.Diff(want, slices.DeleteFunc(steps, early)); diff != "" {
			s.t.Errorf("gate of pod %s (-want +got):\n%s", pod, diff)
		}
	}
}

// early reports whether a closed gate had nothing to say of the target yet: there was no
// condition, or the group was not read or the pod not registered.
func early(g gateStep) bool {
	unknown := g.Status == "" || g.Reason == "NotObserved" || g.Reason == "Target.NotRegistered"
	return unknown && g.Status != "True" && g.Printed == "0/1"
}
