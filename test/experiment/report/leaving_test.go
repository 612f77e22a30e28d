// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package report

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestLeave(t *testing.T) {
	// old was deleted at 1, drained from 1.5 to 31.5, was routed to until 18.5, and was gone a second after its containers.
	old := func(stopped float64, change func(*Lane)) Lane {
		l := Lane{
			Old: true, Terminating: at(1), Stopped: at(stopped), Gone: at(stopped + 1),
			Target: []Span{{From: -9, To: at(1.5), State: "healthy"}, {From: 1.5, To: at(31.5), State: "draining"}},
			Routed: []Span{{From: -20, To: at(-10), State: "routable"}, {From: -9, To: at(18.5), State: "routable"}},
		}
		if change != nil {
			change(&l)
		}
		return l
	}

	for name, tc := range map[string]struct {
		reason string
		lane   Lane
		want   *Leaving
	}{
		"Early":   {"Requests were sent to nobody.", old(2, nil), &Leaving{0.5, 17, -16.5, 0, 1}},
		"Short":   {"It ended while its target drained.", old(23.5, nil), &Leaving{0.5, 17, 5, 5, 1}},
		"Long":    {"It outlasted its target.", old(36.5, nil), &Leaving{0.5, 17, 18, 13, 1}},
		"Drains":  {"Its target drains to this day.", old(36.5, func(l *Lane) { l.Target[1].To = nil }), &Leaving{0.5, 17, 18, 18, 1}},
		"Removed": {"The data path outlasts the row.", old(22.5, func(l *Lane) { l.Target[1].To = at(10) }), &Leaving{0.5, 17, 4, 0, 1}},

		"New":     {"It stays.", old(2, func(l *Lane) { l.Old = false }), nil},
		"There":   {"It was never deleted.", old(2, func(l *Lane) { l.Terminating = nil }), nil},
		"Runs":    {"Its containers run.", old(2, func(l *Lane) { l.Stopped = nil }), nil},
		"NotGone": {"Its object is there.", old(2, func(l *Lane) { l.Gone = nil }), nil},
		"Serves":  {"It was never deregistered.", old(2, func(l *Lane) { l.Target = l.Target[:1] }), nil},
		"Unknown": {"Nobody saw the data path.", old(2, func(l *Lane) { l.Routed = nil }), nil},
		"Routed":  {"The data path sends on.", old(2, func(l *Lane) { l.Routed[1].To = nil }), nil},
	} {
		if diff := cmp.Diff(tc.want, tc.lane.Leave()); diff != "" {
			t.Errorf("%s: %s (-want +got):\n%s", name, tc.reason, diff)
		}
	}
}

func TestOverhangs(t *testing.T) {
	run := func(all ...float64) Run {
		r := Run{Lanes: []Lane{{Pod: "new"}}}
		for _, s := range all {
			r.Lanes = append(r.Lanes, Lane{Old: true, Leaving: &Leaving{OverhangSeconds: s, RoutedSeconds: 9}})
		}
		return r
	}

	for _, tc := range []struct {
		run         Run
		all, median string
	}{
		{run(), "not seen", "not seen"},
		{run(5), "5 s", "5.0 s"},
		{run(7, 5), "5 7 s", "6.0 s"},
		{run(30, 5.04, -16.6), "-17 5 30 s", "5.0 s"},
		{run(1, 2, 4, 9), "1 2 4 9 s", "3.0 s"},
		{run(1, 2, 3, 4, 5, 6, 7, 9), "1 2 3 4 5 6 7 9 s", "4.5 s"},
		{run(1, 2, 3, 4, 5, 6, 7, 8, 9), "1 to 9 s", "5.0 s"},
	} {
		if got := Overhangs(tc.run); got != tc.all {
			t.Errorf("got %q, want %q", got, tc.all)
		}
		if got := medianOverhang(tc.run); got != tc.median {
			t.Errorf("got the median %q, want %q", got, tc.median)
		}
	}
}
