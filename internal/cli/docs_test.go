// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"os"
	"path/filepath"
	"regexp"
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

// reasonRow is a row of a table of a gate's reasons.
var reasonRow = regexp.MustCompile("(?m)^\\| (?:`(True|False|Unknown)`(?:, `False`)? \\| )?((?:`[A-Z][A-Za-z.]+`(?: \\(`True`\\))?(?:, )?)+) \\|")

// TestEveryReasonHasAdvice: for each of a load balancer's reasons in the tables of its page there is something to do. What
// podgate says itself has its advice beside it, and HAProxy's are too many.
func TestEveryReasonHasAdvice(t *testing.T) {
	known := map[string]bool{}
	for _, advice := range traits.All().EveryAdvice() {
		known[advice.Reason] = true
	}

	for page, least := range map[string]int{"providers/elbv2.md": 8, "providers/lattice.md": 5} {
		seen := 0
		for _, row := range reasonRow.FindAllStringSubmatch(section(t, document(t, page), "## Status"), -1) {
			for _, reason := range quoted.FindAllStringSubmatch(row[2], -1) {
				if reason[1] == "True" || reason[1] == "False" {
					continue // a row's status
				}
				seen++
				if !known[reason[1]] {
					t.Errorf("%s: a gate that is %s with %s: explain has no advice", page, row[1], reason[1])
				}
			}
		}

		if seen < least {
			t.Errorf("only %d reasons were found in docs/%s: the table looks different now", seen, page)
		}
	}
}

var quoted = regexp.MustCompile("`([^`]+)`")

// section is the part of a page below a heading, up to the next one of any level.
func section(t *testing.T, text, heading string) string {
	t.Helper()
	_, text, found := strings.Cut(text, heading+"\n")
	if !found {
		t.Fatalf("there is no heading %q", heading)
	}
	text, _, _ = strings.Cut(text, "\n#")
	return text
}
