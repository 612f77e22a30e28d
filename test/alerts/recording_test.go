// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package alerts

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestRecording: what came, went and came again is written as promtool reads it.
func TestRecording(t *testing.T) {
	const page = `# HELP podgate_gates_waiting Pods.
# TYPE podgate_gates_waiting gauge
podgate_gates_waiting{binding="web",reason="a } b"} 2
podgate_other 7
podgate_end_timestamp_seconds 1.5e+03
`

	wanted := func(metric string) bool { return metric != "podgate_other" }
	r := Recording{Interval: "15s"}
	for _, p := range []string{"", page, page, "", "", page} {
		s := Scrape{}
		if err := s.Read(strings.NewReader(p), "a", wanted); err != nil {
			t.Fatal(err)
		}
		r.Add(s)
		if p != "" && r.Marks == nil {
			r.Mark("there")
		}
	}

	if err := r.Finish(time.Unix(1000, 0)); err != nil {
		t.Fatal(err)
	}

	want := []Series{
		{Series: `podgate_end_timestamp_seconds{instance="a"}`, Values: "_ 500+0x1 stale _ 500"},
		{Series: `podgate_gates_waiting{binding="web",reason="a } b",instance="a"}`, Values: "_ 2+0x1 stale _ 2"},
	}
	if diff := cmp.Diff(want, r.Series); diff != "" {
		t.Error(diff)
	}

	if at, err := r.At("there"); err != nil || at != 30*time.Second {
		t.Errorf("the mark is at %s (%v), want 30s", at, err)
	}

	if _, err := r.At("nowhere"); err == nil {
		t.Error("want an error for a mark that is not there")
	}
}
