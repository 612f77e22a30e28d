// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"slices"
	"testing"

	"github.com/podgate/podgate/test/env"
	"github.com/podgate/podgate/test/load"
)

// TestNeverHealthy updates an application to a version that runs, but whose health
// check fails: the old pods must go on serving until a third version replaces both.
// Time is scaled.
func TestNeverHealthy(t *testing.T) {
	s := start(t, scaled()).deploy(quick(), targetGroup())

	var bad []env.PodHistory
	sum := s.underLoadWith(func(g *load.Generator) {
		s.app.Image, s.app.Env = imageV2, map[string]string{"UNHEALTHY": "true", "APP_TEXT": "bad"}
		s.apply()
		bad = s.waitUnhealthy(badPods)
		s.answeredMore(g, patience)
		s.assertStalled()
		s.app.Env = map[string]string{"APP_TEXT": "fixed"}
		s.apply()
		s.waitComplete()
	})
	if got := versions(sum); got["bad"] != 0 || got["v1"] == 0 || got["fixed"] == 0 {
		t.Errorf("answers by version: %v, want some of v1 and of fixed and none of bad", got)
	}

	s.assertNeverOpened(bad)
	s.logLatencies()
}

// badPods is how many pods a rolling update of five may have on trial: two of them
// surge, one replaces a pod that may be unavailable.
const badPods = 3

// patience is how many answers a stalled rollout is watched for: eight seconds of load,
// six of the load balancer's health checks.
const patience = 8 * rate

// unhealthy is what is seen of a gate whose target answers its health check with 503.
func unhealthy() gateStep {
	return gateStep{"0/1", "False", "Target.ResponseCodeMismatch", "Health checks failed with these codes: [503]"}
}

// waitUnhealthy waits until n pods of the new version run and their gates say why they
// are closed.
func (s *service) waitUnhealthy(n int) []env.PodHistory {
	s.t.Helper()
	var found []env.PodHistory
	s.eventually("the new pods' gates to say what is wrong", func(context.Context) (bool, error) {
		histories, err := s.gates.histories()
		found = pick(s.alive(), func(p env.PodHistory) bool {
			steps := histories[p.Name]
			return p.Version == "v2" && !p.ContainersReady.IsZero() && len(steps) > 0 && steps[len(steps)-1] == unhealthy()
		})
		return len(found) == n, err
	})
	return found
}

// assertStalled asserts that the rollout waits: the old pods that it needs are there and
// Ready, no new one is, and nobody could take it for complete.
func (s *service) assertStalled() {
	s.t.Helper()
	d, err := s.deployment(s.ctx)
	s.must(err)

	if env.Complete(d) {
		s.t.Errorf("the Deployment is complete, want it to wait: %+v", d.Status)
	}

	serving := pick(s.alive(), func(p env.PodHistory) bool { return p.Version == "v1" && p.Terminating.IsZero() && !p.Ready.IsZero() })
	if len(serving) != 4 {
		s.t.Errorf("%d old pods are there, want 4: one of five may be unavailable", len(serving))
	}

	ready := pick(s.alive(), func(p env.PodHistory) bool { return p.Version == "v2" && !p.Ready.IsZero() })
	if len(ready) != 0 {
		s.t.Errorf("%d pods that never were healthy at the load balancer became Ready: %+v", len(ready), ready)
	}
}

// assertNeverOpened asserts that pods were never shown with an open gate.
func (s *service) assertNeverOpened(pods []env.PodHistory) {
	s.t.Helper()
	histories, err := s.gates.histories()
	s.must(err)
	for _, p := range pods {
		steps := histories[p.Name]
		if slices.ContainsFunc(steps, func(g gateStep) bool { return g.Printed != "0/1" || g.Status == "True" }) {
			s.t.Errorf("gate of pod %s opened: %q", p.Name, steps)
		}
	}
}
