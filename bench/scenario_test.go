// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import "testing"

func TestChoose(t *testing.T) {
	for name, row := range map[string]struct {
		reason, list string
		want         int
		fails        bool
	}{
		"All":     {reason: "Nothing chosen means all.", list: "", want: len(scenarios())},
		"Two":     {reason: "Some of them.", list: "restart,flip", want: 2},
		"Unknown": {reason: "A name that is none must not run nothing and call that good.", list: "flop", fails: true},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := choose(row.list)
			if len(got) != row.want || (err != nil) != row.fails {
				t.Errorf("got %d scenarios and error %v: %s", len(got), err, row.reason)
			}
		})
	}
}
