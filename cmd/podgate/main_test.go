// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import "testing"

// TestControls: manifests that run podgate with flags, or with none, run its controller.
func TestControls(t *testing.T) {
	cases := map[string]struct {
		args []string
		want bool
	}{
		"Bare":    {nil, true},
		"Flags":   {[]string{"--aws-region=eu-west-1", "--v=1"}, true},
		"OneDash": {[]string{"-v", "1"}, true},
		"Help":    {[]string{"--help"}, false},
		"Command": {[]string{"status", "--all-namespaces"}, false},
		"Typo":    {[]string{"statsu"}, false},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := controls(tc.args); got != tc.want {
				t.Errorf("%q runs the controller: %t, want %t", tc.args, got, tc.want)
			}
		})
	}
}
