// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"
	"time"
)

func TestInTurn(t *testing.T) {
	for name, tc := range map[string]struct {
		reason string
		takes  []time.Duration
		places int
		want   time.Duration
	}{
		"AtOnce": {"What has a place begins at once.", []time.Duration{1, 3, 2}, 3, 3},
		"Turns":  {"The next begins where a place is free first.", []time.Duration{1, 3, 2, 4}, 2, 7},
		"One":    {"One place does all.", []time.Duration{1, 3, 2}, 1, 6},
	} {
		t.Run(name, func(t *testing.T) {
			if got := inTurn(tc.takes, tc.places); got != tc.want {
				t.Errorf("%s: got %d, want %d", tc.reason, got, tc.want)
			}
		})
	}
}
