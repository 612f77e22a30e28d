// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/balancer/traits"
	"github.com/podgate/podgate/internal/kubetest"
)

func document(t *testing.T, name string) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(kubetest.Root(), "docs", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// TestEveryFindingIsDocumented: what a command may name is on its page.
func TestEveryFindingIsDocumented(t *testing.T) {
	text := document(t, "commands.md") + document(t, "commands-reference.md")
	names := []string{
		CheckLegacyGate, CheckBindingAfter, CheckPodsUngated, CheckNoProbe, CheckHook, CheckGrace, CheckDeadline, CheckBudget, CheckEmpties, CheckPeers, CheckNobodyReported, CheckPodgate,
		CheckGateMissing, CheckGateUnused, CheckNoTimeout, CheckTrack, CheckSidecar, CheckHalted, v1alpha1.ReasonSetByHand,
	}

	if !strings.Contains(text, "(reasons.md#no-gate)") {
		t.Error("docs/commands.md does not lead to the reasons for which a pod has no gate")
	}

	for _, name := range names {
		if !strings.Contains(text, "`"+name+"`") {
			t.Errorf("docs/commands.md does not have %s", name)
		}
	}

	for _, c := range newRoot(Name, &environment{}).Commands() {
		if !strings.Contains(text, "podgate "+c.Name()) {
			t.Errorf("docs/commands.md does not have the command %s", c.Name())
		}
	}
}

// TestEveryReasonHasAdvice: for each of a load balancer's reasons for a closed gate there is something to do, in what AWS
// documents of ELBv2 and of VPC Lattice. What podgate says itself has its advice beside it, and HAProxy's are too many.
func TestEveryReasonHasAdvice(t *testing.T) {
	known := map[string]bool{}
	for _, advice := range traits.All().EveryAdvice() {
		known[advice.Reason] = true
	}

	for _, reason := range []string{
		"Elb.RegistrationInProgress", "Elb.InitialHealthChecking", "Elb.InternalError", "Target.ResponseCodeMismatch", "Target.Timeout",
		"Target.FailedHealthChecks", "Target.NotInUse", "Target.HealthCheckDisabled", "Target.NotRegistered", "Target.DeregistrationInProgress",
		"Initial", "Unhealthy", "Unused", "Draining", "TargetNotFound", "UnknownStatus",
	} {
		if !known[reason] {
			t.Errorf("a gate that is closed with %s: explain has no advice", reason)
		}
	}
}
