// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package load

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// sequence makes one request each 100 ms: a digit is that hundred of a status, x an EOF.
func sequence(outcomes string) []Request {
	var all []Request
	for i, o := range outcomes {
		q := Request{Scheduled: time.Duration(i) * 100 * time.Millisecond, Outcome: EOF}
		switch o {
		case '2':
			q.Outcome, q.Version = "200", "v1"
		case '5':
			q.Outcome = "502"
		}
		all = append(all, q)
	}
	return all
}

func TestLongestOutage(t *testing.T) {
	cases := []struct {
		reason, outcomes string
		want             time.Duration
	}{
		{"no request, no outage", "", 0},
		{"all good", "2222", 0},
		{"one failure lasts until the next good answer", "252", 100 * time.Millisecond},
		{"a good answer ends a run", "5525552", 300 * time.Millisecond},
		{"kinds of failure make one run", "2x5x2", 300 * time.Millisecond},
		{"a run at the end lasts one interval longer than its last request", "2555", 300 * time.Millisecond},
		{"the first run may be the longest", "555252", 300 * time.Millisecond},
	}

	for _, c := range cases {
		if got := longestOutage(sequence(c.outcomes)); got != c.want {
			t.Errorf("%s: %q gives %s, want %s", c.reason, c.outcomes, got, c.want)
		}
	}
}

func TestSummaryCounts(t *testing.T) {
	start := time.Unix(1000, 0)
	r := newResult(start, sequence("22222222225x2"), 13, 0)
	r.Requests[3].Reused = true
	got := r.Summarize(start.Add(2500 * time.Millisecond))
	want := Summary{
		Requests: 13, Failed: 2, Attempts: 13, NewConnections: 12, Reused: 1,
		Outcomes:      map[string]int{"200": 11, "502": 1, EOF: 1},
		LongestOutage: 200 * time.Millisecond,
		// The requests after the first five fall less than two seconds before the origin.
		Seconds: []Second{
			{At: -3, Good: map[string]int{"v1": 5}, Failed: map[string]int{}},
			{At: -2, Good: map[string]int{"v1": 6}, Failed: map[string]int{"502": 1, EOF: 1}},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("summary (-want +got):\n%s", diff)
	}
}

func TestASecondWithoutRequestsIsNotLeftOut(t *testing.T) {
	q := sequence("2")[0]
	later := q
	later.Scheduled = 2 * time.Second
	got := seconds([]Request{q, later}, 0)
	if len(got) != 3 || got[1].At != 1 || len(got[1].Good) != 0 {
		t.Errorf("got %+v, want seconds 0, 1 (empty) and 2", got)
	}
}

func TestOutcomesFail(t *testing.T) {
	for outcome, want := range map[string]bool{"200": false, "204": false, "301": true, "404": true, "503": true, EOF: true, Reset: true, "": true} {
		if got := (Request{Outcome: outcome}).Failed(); got != want {
			t.Errorf("%q failed: %t, want %t", outcome, got, want)
		}
	}
}

func TestQuantile(t *testing.T) {
	var values []time.Duration
	for i := 100; i > 0; i-- {
		values = append(values, time.Duration(i))
	}
	for q, want := range map[float64]time.Duration{0.5: 50, 0.99: 99, 1: 100, 0: 1} {
		if got := Quantile(values, q); got != want {
			t.Errorf("quantile %g of 1..100 is %d, want %d", q, got, want)
		}
	}
	if got := Quantile(nil, 0.5); got != 0 {
		t.Errorf("quantile of nothing is %d, want 0", got)
	}
}
