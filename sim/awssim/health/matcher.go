// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package health

import (
	"strconv"
	"strings"

	"github.com/podgate/podgate/sim/awssim/wire"
)

// Codes is a matcher: "200", "200,202" or "200-299".
type Codes [][2]int

// ParseMatcher reads a matcher. Its error is the service's.
func ParseMatcher(text string) (Codes, error) {
	var list Codes
	for part := range strings.SplitSeq(text, ",") {
		low, high, ranged := strings.Cut(part, "-")
		if !ranged {
			high = low
		}
		from, err1 := strconv.Atoi(low)
		to, err2 := strconv.Atoi(high)
		if err1 != nil || err2 != nil || from < 200 || to > 599 || from > to {
			return nil, wire.Invalid("Health check matcher HTTP code '%s' must be within '200-599' inclusive", text)
		}
		list = append(list, [2]int{from, to})
	}

	return list, nil
}

// Match reports whether a check with that status code has passed.
func (c Codes) Match(code int) bool {
	for _, r := range c {
		if code >= r[0] && code <= r[1] {
			return true
		}
	}
	return false
}
