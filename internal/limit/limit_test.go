// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package limit

import "testing"

func TestCut(t *testing.T) {
	cases := map[string]struct {
		reason, text string
		bytes        int
		want         string
	}{
		"Short":     {reason: "What fits stays.", text: "abc", bytes: 4, want: "abc"},
		"Exact":     {reason: "Exactly so long is not too long.", text: "abcd", bytes: 4, want: "abcd"},
		"Long":      {reason: "The mark counts as well.", text: "abcdef", bytes: 5, want: "ab…"},
		"Character": {reason: "No character is cut in two.", text: "aéééé", bytes: 7, want: "aé…"},
		"Garbage":   {reason: "Nor is what has no characters a reason to fail.", text: "\x80\x80\x80\x80\x80", bytes: 4, want: "…"},
		"Nothing":   {reason: "Where only the mark has room there is only the mark.", text: "ééé", bytes: 4, want: "…"},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := Cut(tc.text, tc.bytes); got != tc.want || len(got) > tc.bytes {
				t.Errorf("%s\nwant %q, got %q", tc.reason, tc.want, got)
			}
		})
	}
}
