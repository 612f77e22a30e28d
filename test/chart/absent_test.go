// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package chart

import (
	"fmt"
	"regexp"
	"slices"
	"testing"
)

// Where there are no TargetGroupBindings, podgate asks for no permission of theirs, in any role, and says which it serves: none.
func TestWithoutTargetGroupBindings(t *testing.T) {
	theirs := regexp.MustCompile(`elbv2\.k8s\.aws|configmaps|aws-load-balancer-controller-leader`)
	for what, args := range map[string][]string{"Wide": {}, "OneNamespace": {"--set", "watchNamespace=shop"}} {
		present, absent := render(t, args...), render(t, append(args, "--set", "targetGroupBindings=absent")...)
		left := 0
		for _, kind := range []string{"ClusterRole", "Role"} {
			for _, role := range absent.OfKind(kind) {
				if rules := fmt.Sprint(role.Object["rules"]); theirs.MatchString(rules) {
					t.Errorf("%s: %s %s may %s", what, kind, role.GetName(), rules)
				}
			}
			for _, role := range present.OfKind(kind) {
				left += len(theirs.FindAllString(fmt.Sprint(role.Object["rules"]), -1))
			}
		}

		if left == 0 {
			t.Errorf("%s: nothing is left out: the test shows nothing", what)
		}

		flags, _ := container(t, absent.OfKind("Deployment")[0])["args"].([]any)
		if !slices.Contains(flags, any("--target-group-bindings=none")) {
			t.Errorf("%s: flags %q", what, flags)
		}
	}
}
