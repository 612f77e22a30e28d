// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package check

import "testing"

func TestHTTPStatus(t *testing.T) {
	for code, want := range map[int]string{
		-1: Malformed.String(), 0: Malformed.String(), 99: Malformed.String(), 1000: Malformed.String(),
		100: "HTTP status 100", 200: "HTTP status 200", 503: "HTTP status 503", 999: "HTTP status 999",
	} {
		if got := HTTPStatus(code).String(); got != want {
			t.Errorf("%d: got %q, want %q", code, got, want)
		}
	}
}

func TestSilent(t *testing.T) {
	for word, want := range map[Word]bool{{}: false, TimedOut: true, Unreachable: true, Refused: false, Malformed: false, NotAllowed: false, AtServer(TimedOut): false, AtServer(Unreachable): false} {
		if got := word.Silent(); got != want {
			t.Errorf("%q: got %t", word, got)
		}
	}
}

// TestVerdicts: the zero value is no answer, and their order is Kleene's.
func TestVerdicts(t *testing.T) {
	var zero Verdict
	if zero != NoAnswer || Fail >= NoAnswer || NoAnswer >= Pass {
		t.Errorf("Fail is %d, NoAnswer %d and Pass %d", Fail, NoAnswer, Pass)
	}
	for verdict, want := range map[Verdict]string{Fail: "Fail", NoAnswer: "NoAnswer", Pass: "Pass", 7: "NoAnswer"} {
		if got := verdict.String(); got != want {
			t.Errorf("%d: got %q, want %q", verdict, got, want)
		}
	}
}
