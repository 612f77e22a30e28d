// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package check

import (
	"cmp"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/types"
)

// Match says how many of a gate's checks have to pass. Its zero value is the stricter one.
type Match int

// The ways to combine the answers of several checks.
const (
	// All: each check has to pass.
	All Match = iota
	// Any: one check that passes is enough.
	Any
)

// Combine returns what the answers of a gate's checks about one pod say together, by Kleene's three-valued logic: All
// is the least verdict, and Any the greatest. by is the index of the first answer that says so, and -1 without
// any answer, which is NoAnswer for both: nothing that was not asked opens a gate.
func Combine(match Match, answers []Answer) (verdict Verdict, by int) {
	if len(answers) == 0 {
		return NoAnswer, -1
	}

	decides := slices.MinFunc[[]Answer]
	if match == Any {
		decides = slices.MaxFunc[[]Answer]
	}

	verdict = decides(answers, byVerdict).Verdict
	return verdict, slices.IndexFunc(answers, func(a Answer) bool { return a.Verdict == verdict })
}

func byVerdict(a, b Answer) int { return cmp.Compare(a.Verdict, b.Verdict) }

// Witnessed returns the answers of one round of a check about several pods, with silence taken for failure where another pod
// is the witness that podgate's own network works. Without a witness silence stays no answer, and the map is returned as it is.
func Witnessed(round map[types.UID]Answer) map[types.UID]Answer {
	answered := slices.ContainsFunc(slices.Collect(maps.Values(round)), func(a Answer) bool { return a.Verdict != NoAnswer })
	if !answered {
		return round
	}

	witnessed := maps.Clone(round)
	for uid, a := range witnessed {
		if a.Word.Silent() {
			a.Verdict = Fail
			witnessed[uid] = a
		}
	}

	return witnessed
}
