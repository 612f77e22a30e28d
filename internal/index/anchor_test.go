// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package index

import "testing"

func TestAnchor(t *testing.T) {
	cases := map[string]struct {
		reason   string
		selector map[string]string
		want     string
	}{
		"One":        {reason: "There is no choice.", selector: map[string]string{"app": "web"}, want: "app=web"},
		"Longest":    {reason: "The longest value tells Services apart best.", selector: map[string]string{"app": "checkout", "live": "true"}, want: "app=checkout"},
		"Tie":        {reason: "The choice does not depend on the map's order.", selector: map[string]string{"b": "same", "a": "same", "c": "same"}, want: "a=same"},
		"EmptyValue": {reason: "A selector may ask for an empty value.", selector: map[string]string{"b": "", "a": ""}, want: "a="},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := anchor(tc.selector); got != tc.want {
				t.Errorf("%s\nanchor: want %q, got %q", tc.reason, tc.want, got)
			}
		})
	}
}
