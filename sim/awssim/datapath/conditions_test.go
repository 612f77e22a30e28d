// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package datapath

import "testing"

func TestWildcard(t *testing.T) {
	for pattern, texts := range map[string]map[string]bool{
		"":      {"": true, "a": false},
		"*":     {"": true, "/a/b": true},
		"/a*c?": {"/abcd": true, "/acd": true, "/ac": false, "/abcdc": false, "/accd": true},
		"*.x.y": {"a.x.y": true, ".x.y": true, "x.y": false, "a.x.y.z": false},
		"**a**": {"a": true, "bab": true, "b": false},
		"?":     {"": false, "a": true, "ab": false},
	} {
		for text, want := range texts {
			if got := wildcard(pattern, text); got != want {
				t.Errorf("wildcard(%q, %q) = %v, want %v", pattern, text, got, want)
			}
		}
	}
}
