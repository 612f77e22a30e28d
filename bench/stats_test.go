// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"math"
	"testing"
	"time"
)

func TestPercentile(t *testing.T) {
	hundred := make([]time.Duration, 100)
	for i := range hundred {
		hundred[len(hundred)-1-i] = time.Duration(i+1) * time.Second
	}

	for name, row := range map[string]struct {
		reason string
		all    []time.Duration
		p      float64
		want   float64
	}{
		"Median": {reason: "Half of 1 to 100 are at most 50, whatever their order.", all: hundred, p: 50, want: 50},
		"P99":    {reason: "The worst but one of a hundred.", all: hundred, p: 99, want: 99},
		"Most":   {reason: "All of them.", all: hundred, p: 100, want: 100},
		"One":    {reason: "A single one is every percentile.", all: []time.Duration{3 * time.Second}, p: 1, want: 3},
		"Few":    {reason: "Of three, the worst is what 99 % do not exceed: a percentile never hides it.", all: hundred[:3], p: 99, want: 100},
	} {
		t.Run(name, func(t *testing.T) {
			if got := percentile(row.all, row.p); got != row.want {
				t.Errorf("got %v, want %v: %s", got, row.want, row.reason)
			}
		})
	}

	if got := percentile(nil, 50); !math.IsNaN(got) {
		t.Errorf("nothing measured: got %v, and not a number was wanted", got)
	}
}

func TestPeak(t *testing.T) {
	at := func(ms ...int) []time.Time {
		var all []time.Time
		for _, m := range ms {
			all = append(all, time.Unix(0, 0).Add(time.Duration(m)*time.Millisecond))
		}
		return all
	}

	for name, row := range map[string]struct {
		reason string
		times  []time.Time
		want   int
	}{
		"None":     {reason: "No calls, no peak.", want: 0},
		"Apart":    {reason: "A window's end is not a part of it.", times: at(0, 1000, 2000), want: 1},
		"Together": {reason: "The busiest second is 1.4 to 2.4.", times: at(2300, 0, 1400, 1500, 2500), want: 3},
	} {
		t.Run(name, func(t *testing.T) {
			if got := peak(row.times, time.Second); got != row.want {
				t.Errorf("got %d, want %d: %s", got, row.want, row.reason)
			}
		})
	}
}

func TestSpread(t *testing.T) {
	if got := spread([]time.Time{time.Unix(7, 0), time.Unix(5, 0), time.Unix(6, 0)}); got != 2 {
		t.Errorf("got %v", got)
	}
	if got := spread(nil); got != 0 {
		t.Errorf("of nothing: got %v", got)
	}
}
