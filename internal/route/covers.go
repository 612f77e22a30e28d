// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package route

import (
	"net/netip"
	"slices"
	"strings"
)

// Covers reports whether every request that is like another match is like this one, too, so that behind it the other one's rule
// never applies. Where that depends on how several values work together it says no.
func (m Match) Covers(o Match) bool {
	return within(m.Hosts, o.Hosts, "*", coversHost) && within(m.Paths, o.Paths, "/*", coversPattern) &&
		within(m.Methods, o.Methods, "", func(a, b string) bool { return a == b }) && within(m.Sources, o.Sources, "", coversSource) &&
		!slices.ContainsFunc(m.Headers, func(h Header) bool { return !h.covers(o.Headers) }) &&
		!slices.ContainsFunc(m.Queries, func(q []Query) bool { return !coversQueries(q, o.Queries) })
}

// within reports whether each value of the one that is to be covered is covered by one of ours. Without values any is like it, which is
// what the value any says.
func within(ours, theirs []string, anyValue string, covers func(a, b string) bool) bool {
	if len(ours) == 0 {
		return true
	}
	if len(theirs) == 0 {
		theirs = []string{anyValue}
	}
	for _, b := range theirs {
		if !slices.ContainsFunc(ours, func(a string) bool { return covers(a, b) }) {
			return false
		}
	}
	return true
}

// coversHost: the names of hosts are the same in upper and lower case.
func coversHost(a, b string) bool { return coversPattern(strings.ToLower(a), strings.ToLower(b)) }

// coversPattern reports whether what is like pattern b is like pattern a. A wildcard of b stands for itself: only a wildcard of
// a that takes no less covers it. The last * of a takes more only where nothing else fits, so that no pattern takes long.
func coversPattern(a, b string) bool {
	star, taken := -1, 0
	i, j := 0, 0
	for j < len(b) {
		switch {
		case i < len(a) && a[i] == '*':
			star, taken = i, j
			i++
		case i < len(a) && b[j] != '*' && (a[i] == '?' || a[i] == b[j]):
			i++
			j++
		case star >= 0:
			taken++
			i, j = star+1, taken
		default:
			return false
		}
	}
	return strings.Trim(a[i:], "*") == ""
}

func coversSource(a, b string) bool {
	wide, err := netip.ParsePrefix(a)
	narrow, err2 := netip.ParsePrefix(b)
	return err == nil && err2 == nil && wide.Bits() <= narrow.Bits() && wide.Contains(narrow.Addr())
}

// covers reports whether one of several headers, which all match, has none but values that this one takes.
func (h Header) covers(theirs []Header) bool {
	return slices.ContainsFunc(theirs, func(o Header) bool {
		return strings.EqualFold(h.Name, o.Name) && len(o.Values) > 0 && within(h.Values, o.Values, "", coversHost)
	})
}

// coversQueries reports whether one of several lists of parameters, of each of which one matches, has none but such as a list takes.
func coversQueries(ours []Query, theirs [][]Query) bool {
	return slices.ContainsFunc(theirs, func(list []Query) bool {
		return len(list) > 0 && !slices.ContainsFunc(list, func(b Query) bool {
			return !slices.ContainsFunc(ours, func(a Query) bool {
				return (a.Key == "" || b.Key != "" && coversHost(a.Key, b.Key)) && coversHost(a.Value, b.Value)
			})
		})
	})
}
