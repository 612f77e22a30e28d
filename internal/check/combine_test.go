// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package check

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/types"
)

// TestLaw1CombineIsKleene: the tables of Kleene's three-valued logic, for each pair of answers.
func TestLaw1CombineIsKleene(t *testing.T) {
	for _, tc := range []struct {
		one, other Verdict
		all, any   Verdict
	}{
		{Fail, Fail, Fail, Fail},
		{Fail, NoAnswer, Fail, NoAnswer},
		{Fail, Pass, Fail, Pass},
		{NoAnswer, Fail, Fail, NoAnswer},
		{NoAnswer, NoAnswer, NoAnswer, NoAnswer},
		{NoAnswer, Pass, NoAnswer, Pass},
		{Pass, Fail, Fail, Pass},
		{Pass, NoAnswer, NoAnswer, Pass},
		{Pass, Pass, Pass, Pass},
	} {
		answers := []Answer{{Verdict: tc.one}, {Verdict: tc.other}}
		for match, want := range map[Match]Verdict{All: tc.all, Any: tc.any} {
			got, by := Combine(match, answers)
			if got != want {
				t.Errorf("match %d of %s and %s: got %s, want %s", match, tc.one, tc.other, got, want)
			}
			if first := answers[0].Verdict == want; first != (by == 0) || answers[by].Verdict != want {
				t.Errorf("match %d of %s and %s: answer %d does not give the reason", match, tc.one, tc.other, by)
			}
		}
	}
}

// TestLaw1NothingAskedOpensNothing: a gate without an answer, or with zero values only, is not open.
func TestLaw1NothingAskedOpensNothing(t *testing.T) {
	for _, match := range []Match{All, Any} {
		if got, by := Combine(match, nil); got != NoAnswer || by != -1 {
			t.Errorf("match %d of nothing: got %s by %d", match, got, by)
		}
		if got, by := Combine(match, make([]Answer, 3)); got != NoAnswer || by != 0 {
			t.Errorf("match %d of zero values: got %s by %d", match, got, by)
		}
	}
}

// TestLaw8SilenceNeedsAWitness: podgate's own network must not close gates.
func TestLaw8SilenceNeedsAWitness(t *testing.T) {
	silent, unreachable, malformed := Answer{Word: TimedOut}, Answer{Word: Unreachable}, Answer{Word: Malformed}
	passed, failed := Answer{Verdict: Pass, Word: Connected}, Answer{Verdict: Fail, Word: Refused}
	for name, tc := range map[string]struct {
		reason      string
		round, want map[types.UID]Answer
	}{
		"Alone":     {reason: "It may be podgate's own network.", round: map[types.UID]Answer{"a": silent}, want: map[types.UID]Answer{"a": silent}},
		"AllSilent": {reason: "Nobody is a witness.", round: map[types.UID]Answer{"a": silent, "b": unreachable, "c": malformed}, want: map[types.UID]Answer{"a": silent, "b": unreachable, "c": malformed}},
		"Passed":    {reason: "A pod that passes shows that the network works.", round: map[types.UID]Answer{"a": silent, "b": unreachable, "c": passed}, want: map[types.UID]Answer{"a": {Verdict: Fail, Word: TimedOut}, "b": {Verdict: Fail, Word: Unreachable}, "c": passed}},
		"Failed":    {reason: "So does one that fails by itself.", round: map[types.UID]Answer{"a": silent, "b": failed}, want: map[types.UID]Answer{"a": {Verdict: Fail, Word: TimedOut}, "b": failed}},
		"Others":    {reason: "What is not silence stays no answer.", round: map[types.UID]Answer{"a": malformed, "b": passed, "c": {}}, want: map[types.UID]Answer{"a": malformed, "b": passed, "c": {}}},
		"Nothing":   {reason: "A round about no pod says nothing.", round: map[types.UID]Answer{}, want: map[types.UID]Answer{}},
	} {
		t.Run(name, func(t *testing.T) {
			before := len(tc.round)
			silence := tc.round["a"]
			got := Witnessed(tc.round)
			if diff := cmp.Diff(tc.want, got, cmp.Comparer(func(a, b Answer) bool { return a == b })); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
			if len(tc.round) != before || tc.round["a"] != silence {
				t.Error("the answers that came in were changed")
			}
		})
	}
}
