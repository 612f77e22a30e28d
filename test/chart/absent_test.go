// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package chart

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/podgate/podgate/test/env"
)

// Where there are no TargetGroupBindings, podgate says which it serves, none, and needs no ConfigMaps. All else it may as
// ever, also at its uninstallation: somebody may bring the kind later.
func TestWithoutTargetGroupBindings(t *testing.T) {
	for what, args := range map[string][]string{"Wide": {}, "OneNamespace": {"--set", "watchNamespace=shop"}} {
		present, absent := render(t, args...), render(t, append(args, "--set", "targetGroupBindings=absent")...)
		before, after, left := rules(present), rules(absent), 0
		for role := range before {
			before[role] = slices.DeleteFunc(before[role], func(rule any) bool {
				if strings.Contains(fmt.Sprint(rule), "configmaps") {
					left++
					return true
				}
				return false
			})
		}

		if diff := cmp.Diff(before, after); diff != "" || left != 1 {
			t.Errorf("%s: %d rules about ConfigMaps; rules without them (-) and rules (+):\n%s", what, left, diff)
		}

		flags, _ := container(t, absent.OfKind("Deployment")[0])["args"].([]any)
		if !slices.Contains(flags, any("--target-group-bindings=none")) {
			t.Errorf("%s: flags %q", what, flags)
		}
	}
}

// rules are what each role of a manifest allows.
func rules(m env.Manifest) map[string][]any {
	all := map[string][]any{}
	for _, kind := range []string{"ClusterRole", "Role"} {
		for _, role := range m.OfKind(kind) {
			all[kind+" "+role.GetNamespace()+"/"+role.GetName()], _ = role.Object["rules"].([]any)
		}
	}
	return all
}
