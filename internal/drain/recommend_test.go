// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package drain

import (
	"testing"
	"time"
)

const s = time.Second

// drained adds drains that took as long as each other.
func (w *Window) drained(n int, accepted, drained time.Duration) {
	for range n {
		w.Add(accepted, drained)
	}
}

func TestRecommend(t *testing.T) {
	alb := Terms{Computed: Need{Routing: 20 * s, InFlight: 30 * s}}
	backend := Terms{Computed: Need{Routing: 30 * s, InFlight: 30 * s}, Told: true}
	cases := map[string]struct {
		reason      string
		terms       Terms
		recommended time.Duration // before
		drains      func(*Window)
		want        time.Duration
	}{
		"AsComputed": {reason: "The formula is right.", terms: alb, drains: func(w *Window) { w.drained(32, 300*time.Millisecond, 60*s) }},
		"Nothing":    {reason: "Nobody knows.", terms: alb, recommended: 75 * s, drains: func(*Window) {}, want: 75 * s},
		"TooFew":     {reason: "A few say little.", terms: alb, recommended: 75 * s, drains: func(w *Window) { w.drained(9, s, 0) }, want: 75 * s},
		"Late":       {reason: "Deregistrations take longer than the formula allows for.", terms: alb, drains: func(w *Window) { w.drained(20, s, 0); w.drained(2, 22*s, 0) }, want: 75 * s},
		"OneLate":    {reason: "One is an accident.", terms: alb, drains: func(w *Window) { w.drained(31, s, 0); w.Add(60*s, 0) }},
		"Outage":     {reason: "However late: not more than twice what is computed.", terms: alb, drains: func(w *Window) { w.drained(10, 600*s, 0) }, want: 110 * s},
		"Recovered":  {reason: "The outage is forgotten when a whole window knows nothing of it.", terms: alb, recommended: 110 * s, drains: func(w *Window) { w.drained(10, 600*s, 0); w.drained(31, s, 0) }},
		"NotYet":     {reason: "Half a window does not suffice for less.", terms: alb, recommended: 110 * s, drains: func(w *Window) { w.drained(16, s, 0) }, want: 110 * s},
		"Small":      {reason: "What changes little does not change.", terms: alb, recommended: 75 * s, drains: func(w *Window) { w.drained(32, 28*s, 0) }, want: 75 * s},
		"NeverLess":  {reason: "Where nobody tells when a target has drained it is the formula's.", terms: alb, drains: func(w *Window) { w.drained(32, 0, s) }},
		"Told":       {reason: "HAProxy tells: 12 s and a quarter, after 5 s.", terms: backend, drains: func(w *Window) { w.drained(32, s, 12*s) }, want: 20 * s},
		"ATenthUp":   {reason: "Up as well.", terms: backend, recommended: 50 * s, drains: func(w *Window) { w.drained(32, s, 40*s) }, want: 55 * s},
		"ATenth":     {reason: "A tenth is enough of a change.", terms: Terms{Computed: Need{Routing: 15 * s, InFlight: 30 * s}, Told: true}, drains: func(w *Window) { w.drained(32, s, 32*s) }, want: 45 * s},
		"ToldAtOnce": {reason: "There is a floor.", terms: backend, drains: func(w *Window) { w.drained(32, 0, 0) }, want: 10 * s},
		"ToldSoFar":  {reason: "Less is recommended by a whole window only.", terms: backend, drains: func(w *Window) { w.drained(31, s, 12*s) }},
		"ToldLong":   {reason: "Connections without end do not make it longer than the formula.", terms: backend, drains: func(w *Window) { w.drained(32, s, 3600*s) }},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			var w Window
			tc.drains(&w)
			tc.terms.Recommended = tc.recommended
			if got := tc.terms.Recommend(&w); got != tc.want {
				t.Errorf("%s\nwant %s, got %s", tc.reason, tc.want, got)
			}
			tc.terms.Recommended = tc.want
			if got := tc.terms.Recommend(&w); got != tc.want {
				t.Errorf("asked again, it recommends %s instead of %s", got, tc.want)
			}
		})
	}
}

// TestLaw10RecommendsSeldom: drains differ, and what is written on the binding does not
// follow each of them.
func TestLaw10RecommendsSeldom(t *testing.T) {
	var w Window
	backend := Terms{Computed: Need{Routing: 60 * s, InFlight: 30 * s}, Told: true}
	changes := 0
	for n := range 1000 {
		w.Add(time.Duration(n%4)*s, time.Duration(44+n/40%2)*s)
		if next := backend.Recommend(&w); next != backend.Recommended {
			backend.Recommended = next
			changes++
		}
	}

	if changes != 1 || backend.Recommended != 60*s {
		t.Errorf("want 60 s recommended once, got %s after %d changes", backend.Recommended, changes)
	}
}
