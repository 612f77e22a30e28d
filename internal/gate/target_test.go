// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"slices"
	"testing"
)

// TestTargetOrder: targets have one order, whichever they are.
func TestTargetOrder(t *testing.T) {
	parse := func(id string, port int32) Target {
		target, err := ParseTarget(id, port)
		if err != nil {
			t.Fatal(err)
		}
		return target
	}

	want := []Target{parse("i-0a", 80), parse("i-0a", 90), parse("i-0b", 80), parse("10.0.0.1", 80), parse("10.0.0.1", 90), parse("10.0.0.2", 80)}
	got := slices.Clone(want)
	slices.Reverse(got)
	if slices.SortFunc(got, Target.Compare); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}

	if a, i := want[3].ID(), want[0].ID(); a != "10.0.0.1" || i != "i-0a" {
		t.Errorf("an address is called %s, an instance %s", a, i)
	}
}

func TestParseTarget(t *testing.T) {
	cases := map[string]struct {
		reason string
		addr   string
		port   int32
		want   string
		bad    bool
	}{
		"IPv4":                {reason: "The usual target.", addr: "10.0.0.7", port: 8080, want: "10.0.0.7:8080"},
		"IPv6":                {reason: "Rendered so that address and port can be told apart.", addr: "2001:db8::7", port: 80, want: "[2001:db8::7]:80"},
		"Mapped":              {reason: "An IPv4 address in IPv6 clothes is the same target.", addr: "::ffff:10.0.0.7", port: 80, want: "10.0.0.7:80"},
		"Instance":            {reason: "A node's target is its instance.", addr: "i-0123456789abcdef0", port: 30080, want: "i-0123456789abcdef0:30080"},
		"Function":            {reason: "Neither an address nor an instance.", addr: "arn:aws:lambda:eu-west-1:123456789012:function:i-0a", port: 80, bad: true},
		"NoID":                {reason: "An id has characters.", addr: "i-", port: 80, bad: true},
		"LongID":              {reason: "It is all of the text.", addr: "i-0a/b", port: 80, bad: true},
		"InstanceWithoutPort": {reason: "An instance is called at a port, too.", addr: "i-0123456789abcdef0", port: 0, bad: true},
		"PortOne":             {reason: "The lowest port.", addr: "10.0.0.7", port: 1, want: "10.0.0.7:1"},
		"PortLast":            {reason: "The highest.", addr: "10.0.0.7", port: 65535, want: "10.0.0.7:65535"},
		"PortZero":            {reason: "No target listens there.", addr: "10.0.0.7", port: 0, bad: true},
		"PortHigh":            {reason: "Nor there.", addr: "10.0.0.7", port: 65536, bad: true},
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
			if err == nil && (got.Instance != "") != IsInstance(tc.addr) {
				t.Errorf("%s\nParseTarget: instance %q", tc.reason, got.Instance)
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
