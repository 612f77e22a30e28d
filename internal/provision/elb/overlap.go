// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package elb

import (
	"slices"
	"strings"

	"github.com/podgate/podgate/internal/route"
)

// overlap reports whether one request may match both. In doubt it may.
func overlap(a, b route.Match) bool {
	lower := func(values []string) []string {
		return strings.Split(strings.ToLower(strings.Join(values, "\n")), "\n")
	}
	switch {
	case len(a.Hosts) > 0 && len(b.Hosts) > 0 && !anyMeet(lower(a.Hosts), lower(b.Hosts)):
		return false
	case len(a.Paths) > 0 && len(b.Paths) > 0 && !anyMeet(a.Paths, b.Paths):
		return false
	case len(a.Methods) > 0 && len(b.Methods) > 0 && !slices.ContainsFunc(a.Methods, func(m string) bool { return slices.Contains(b.Methods, m) }):
		return false
	}
	return true
}

// anyMeet reports whether there is a value that one pattern of each list matches.
func anyMeet(a, b []string) bool {
	return slices.ContainsFunc(a, func(x string) bool {
		return slices.ContainsFunc(b, func(y string) bool { return meet(x, y) })
	})
}

// meet reports whether there is a value that both patterns match. In them * is any run of characters, and ? is one.
func meet(a, b string) bool {
	// ends[j] reports whether what is left of a meets b[j:]. Nothing is left behind its end.
	ends := make([]bool, len(b)+1)
	for i := len(a); i >= 0; i-- {
		next := make([]bool, len(b)+1)
		for j := len(b); j >= 0; j-- {
			switch {
			case i == len(a) && j == len(b):
				next[j] = true
			case i < len(a) && a[i] == '*':
				next[j] = ends[j] || j < len(b) && next[j+1]
			case j < len(b) && b[j] == '*':
				next[j] = next[j+1] || ends[j]
			case i < len(a) && j < len(b):
				next[j] = (a[i] == b[j] || a[i] == '?' || b[j] == '?') && ends[j+1]
			}
		}
		ends = next
	}
	return ends[0]
}
