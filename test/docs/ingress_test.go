// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package docs

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/podgate/podgate/internal/provision/elb/apply"
)

// TestPolicyOfIngresses: the policy on the page allows what podgate calls, and no more.
func TestPolicyOfIngresses(t *testing.T) {
	var policies []string
	for _, b := range pagesOf(t, "kinds")["ingress"].blocks() {
		if b.language == "json" {
			policies = append(policies, b.text)
		}
	}
	if len(policies) != 1 {
		t.Fatalf("%d policies", len(policies))
	}

	var policy struct{ Statement []struct{ Action []string } }
	if err := json.Unmarshal([]byte(policies[0]), &policy); err != nil || len(policy.Statement) != 1 {
		t.Fatal(err)
	}
	if diff := cmp.Diff(slices.Sorted(slices.Values(apply.Permissions)), slices.Sorted(slices.Values(policy.Statement[0].Action))); diff != "" {
		t.Errorf("-want, +have:\n%s", diff)
	}
}
