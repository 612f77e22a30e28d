// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"testing"

	"github.com/podgate/podgate/test/env"
	"github.com/podgate/podgate/test/load"
)

// patient is an application whose rolling update may not lose a pod, and whose drain
// outlasts the election of a new leader by far.
func patient() env.App {
	a := application()
	a.MaxUnavailable, a.PrestopSeconds, a.GracePeriodSeconds = "0", 50, 75
	return a
}

// TestReplicasKilled kills both of podgate's replicas at once in the middle of a rolling
// update, and takes a pod away while there is none. Nothing is scaled.
func TestReplicasKilled(t *testing.T) {
	s := start(t, options{}).deploy(patient(), targetGroup())
	before, err := s.podgatePods(s.ctx)
	s.must(err)

	s.underFault(func(*load.Generator) {
		s.updateHalfway()
		s.kill(before)
		s.assertUnderWay()
		s.takeAway()
	})

	leader, err := s.leader(s.ctx)
	s.must(err)

	if named(before, leader.Name) {
		t.Errorf("pod %s leads, which was killed", leader.Name)
	}

	s.waitElected(leader.Name)
	s.waitPodgateAlone()
	s.assertOpenStayedOpen()
	s.logUngated()
	s.logLatencies()
}

// apiServerAway is for how many seconds of load the API server stays away: twice the
// leader's lease.
const apiServerAway = 16

// TestAPIServerRestarted kills the API server in the middle of a rolling update, starts
// it again when podgate's leader cannot be one any more, and takes a pod away at once.
// Nothing is scaled.
func TestAPIServerRestarted(t *testing.T) {
	s := start(t, options{}).deploy(patient(), targetGroup())

	s.underFault(func(g *load.Generator) {
		s.updateHalfway()
		t.Cleanup(func() { s.component("start") }) // the next test needs it, whatever happens
		s.component("stop", "--signal", "KILL")
		s.answeredMore(g, apiServerAway*faultRate)
		s.component("start")
		s.takeAway()
	})

	leader, err := s.leader(s.ctx)
	s.must(err)
	s.waitElected(leader.Name)
	s.waitPodgateAlone()
	s.assertOpenStayedOpen()
	s.logUngated()
	s.logLatencies()
}

// assertUnderWay asserts that the rolling update is not over.
func (s *service) assertUnderWay() {
	s.t.Helper()
	d, err := s.deployment(s.ctx)
	s.must(err)
	if env.Complete(d) {
		s.t.Fatal("the rollout was over before anything was broken: nothing was shown")
	}
}

// component starts or stops the cluster's API server, and returns when that is done.
func (w *world) component(do string, flags ...string) {
	w.t.Helper()
	name := os.Getenv("LOCALCLUSTER_NAME")
	args := append([]string{do, "kube-apiserver", "--name", name}, flags...)
	// It is done also when the test's time is up.
	out, err := exec.CommandContext(context.WithoutCancel(w.ctx), clusterBinary, args...).CombinedOutput()
	if err != nil {
		w.must(fmt.Errorf("%s the API server of cluster %q: %w: %s", do, name, err, out))
	}
}
