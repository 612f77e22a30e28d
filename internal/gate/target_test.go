// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package gate

import "testing"

func TestParseTarget(t *testing.T) {
	cases := map[string]struct {
		reason string
		addr   string
		port   int32
		want   string
		bad    bool
	}{
		"IPv4":     {reason: "The usual target.", addr: "10.0.0.7", port: 8080, want: "10.0.0.7:8080"},
		"IPv6":     {reason: "Rendered so that address and port can be told apart.", addr: "2001:db8::7", port: 80, want: "[2001:db8::7]:80"},
		"Mapped":   {reason: "An IPv4 address in IPv6 clothes is the same target.", addr: "::ffff:10.0.0.7", port: 80, want: "10.0.0.7:80"},
		"Instance": {reason: "An instance is no address.", addr: "i-0123456789abcdef0", port: 80, bad: true},
		"PortOne":  {reason: "The lowest port.", addr: "10.0.0.7", port: 1, want: "10.0.0.7:1"},
		"PortLast": {reason: "The highest.", addr: "10.0.0.7", port: 65535, want: "10.0.0.7:65535"},
		"PortZero": {reason: "No target listens there.", addr: "10.0.0.7", port: 0, bad: true},
		"PortHigh": {reason: "Nor there.", addr: "10.0.0.7", port: 65536, bad: true},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := ParseTarget(tc.addr, tc.port)
			if (err != nil) != tc.bad {
				t.Fatalf("%s\nParseTarget: error %v", tc.reason, err)
			}
			if err == nil && got.String() != tc.want {
				t.Errorf("%s\nParseTarget: want %s, got %s", tc.reason, tc.want, got)
			}
		})
	}
}

func TestStateString(t *testing.T) {
	for state, want := range map[State]string{Unknown: "unknown", Healthy: "healthy", UnhealthyDraining: "unhealthy.draining", Unavailable: "unavailable", -1: "unknown", Unavailable + 1: "unknown", 99: "unknown"} {
		if got := state.String(); got != want {
			t.Errorf("State(%d): want %s, got %s", state, want, got)
		}
	}
}

// TestLeaving: only a target that drains is on its way out, whatever else is wrong with it.
func TestLeaving(t *testing.T) {
	for _, s := range []State{Unknown, Initial, Healthy, Unhealthy, UnhealthyDraining, Unused, Draining, Unavailable} {
		if got := (Health{State: s}).Leaving(); got != (s == Draining) {
			t.Errorf("a target that is %s is leaving: %t", s, got)
		}
	}
}
