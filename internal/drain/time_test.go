// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package drain

import (
	"testing"
	"time"
)

// TestTimeOfTerms: what the owner says counts before what podgate recommends, and that before the
// formula. The parts always make up the whole.
func TestTimeOfTerms(t *testing.T) {
	computed := Need{Routing: 20 * s, InFlight: 30 * s}
	cases := map[string]struct {
		reason string
		terms  Terms
		want   time.Duration
		need   Need
	}{
		"Computed":         {reason: "Nobody says anything else.", terms: Terms{Computed: computed}, want: 55 * s, need: computed},
		"Own":              {reason: "The owner's word counts.", terms: Terms{Computed: computed, Settings: Settings{Time: 40 * s, Recommended: true}, Recommended: 75 * s}, want: 40 * s, need: Need{Routing: 20 * s, InFlight: 15 * s}},
		"OwnVeryShort":     {reason: "What is left after the deregistration is for requests that begin.", terms: Terms{Computed: computed, Settings: Settings{Time: 15 * s}}, want: 15 * s, need: Need{Routing: 10 * s}},
		"OwnTooShort":      {reason: "Nothing is left.", terms: Terms{Computed: computed, Settings: Settings{Time: 2 * s}}, want: 2 * s},
		"Recommended":      {reason: "The owner asks podgate.", terms: Terms{Computed: computed, Settings: Settings{Recommended: true}, Recommended: 75 * s}, want: 75 * s, need: Need{Routing: 20 * s, InFlight: 50 * s}},
		"NotAskedFor":      {reason: "A recommendation alone changes nothing.", terms: Terms{Computed: computed, Recommended: 75 * s}, want: 55 * s, need: computed},
		"NothingToSay":     {reason: "podgate knows nothing better.", terms: Terms{Computed: computed, Told: true, Settings: Settings{Recommended: true}}, want: 55 * s, need: computed},
		"RecommendedLess":  {reason: "Less only where the load balancer tells when a target has drained.", terms: Terms{Computed: computed, Settings: Settings{Recommended: true}, Recommended: 20 * s}, want: 55 * s, need: computed},
		"RecommendedTold":  {reason: "It does.", terms: Terms{Computed: computed, Told: true, Settings: Settings{Recommended: true}, Recommended: 20 * s}, want: 20 * s, need: Need{Routing: 15 * s}},
		"RecommendedCrazy": {reason: "Twice the formula is the most.", terms: Terms{Computed: computed, Settings: Settings{Recommended: true}, Recommended: time.Hour}, want: 110 * s, need: Need{Routing: 20 * s, InFlight: 85 * s}},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := tc.terms.Time(); got != tc.want {
				t.Errorf("%s\nwant %s, got %s", tc.reason, tc.want, got)
			}
			if got := tc.terms.Need(); got != tc.need {
				t.Errorf("%s\nwant %+v, got %+v", tc.reason, tc.need, got)
			}
		})
	}
}

func TestRouted(t *testing.T) {
	if got := (Need{Routing: 20 * s, InFlight: 30 * s}).Routed(); got != 25*s {
		t.Errorf("new requests may come for 5 s and 20 s, got %s", got)
	}
}

// TestRouting: an owner who has pods serve on for longer expects requests for longer.
func TestRouting(t *testing.T) {
	n := Need{Routing: 20 * s, InFlight: 30 * s}
	for set, want := range map[time.Duration]time.Duration{0: 20 * s, 40 * s: 20 * s, 55 * s: 20 * s, 90 * s: 55 * s} {
		if got := (Settings{Time: set}).Routing(n); got != want {
			t.Errorf("%s: want %s, got %s", set, want, got)
		}
	}
}

func TestParse(t *testing.T) {
	for value, want := range map[string]time.Duration{"1s": s, "45s": 45 * s, "1h": time.Hour, "999ms": 0, "1h1s": 0, "-5s": 0, "45": 0, "": 0} {
		if got, err := Parse(value); got != want || (err != nil) != (want == 0) {
			t.Errorf("%q: want %s, got %s, %v", value, want, got, err)
		}
	}
}
