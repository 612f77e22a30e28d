// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPrint(t *testing.T) {
	s := Scenario{Name: "flip", Error: "the controller ended", Measures: []Measure{
		bounded("median", 0.51234, "s", 0.7), bounded("p99", 1.5, "s", 1.3), info("floor median", 0.5, "s"),
		bounded("nothing measured", math.NaN(), "s", 1),
	}}

	var got strings.Builder
	s.print(&got)
	want := `
flip                value   unit  limit  
  median            0.5123  s     0.7    ok
  p99               1.5     s     1.3    MISSED
  floor median      0.5     s            
  nothing measured  -1      s     1      MISSED
  FAILED: the controller ended

`
	if diff := cmp.Diff(want, "\n"+got.String()); diff != "" {
		t.Errorf("table: -want, +got:\n%s", diff)
	}
}

// TestPrintVersus: what another controller did is shown beside the first, and no limit judges it.
func TestPrintVersus(t *testing.T) {
	first := []Measure{
		bounded("median", 0.5, "s", 0.7), info("calls", 0, ""), info("flips", 3, ""), info("floor", 1, "s"), info("lost", math.NaN(), "s"), info("memory", 155, "MiB"),
	}
	other := []Measure{
		bounded("median", 4, "s", 0.7), info("calls", 8, ""), info("flips", 0, ""), info("lost", 2, "s"), info("memory", 129, "MiB"), info("more", 2, "s"),
	}
	for name, row := range map[string]struct {
		reason       string
		first, other Scenario
		want         string
		ok           bool
	}{
		"Both": {
			reason: "Only the first is judged.",
			first:  Scenario{Measures: first}, other: Scenario{Measures: other}, ok: true, want: `
flip      value  versus  ratio  unit  limit  
  median  0.5    4       0.125  s     0.7    ok
  calls   0      8       0                   
  flips   3      0       -                   
  floor   1      -       -      s            
  lost    -1     2       -      s            
  memory  155    129     1.2    MiB          
  more    -      2       -      s            

`},
		"OtherFailed": {
			reason: "What the first did is there, and the exit code tells that the other failed.",
			first:  Scenario{Measures: first[:1]}, other: Scenario{Error: "it ended"}, want: `
flip      value  versus  ratio  unit  limit  
  median  0.5    -       -      s     0.7    ok
  VERSUS FAILED: it ended

`},
		"FirstFailed": {
			reason: "What the other did is there.",
			first:  Scenario{Error: "it ended"}, other: Scenario{Measures: other[:1]}, want: `
flip      value  versus  ratio  unit  limit  
  median  -      4       -      s            
  FAILED: it ended

`},
	} {
		t.Run(name, func(t *testing.T) {
			s := row.first
			s.Name, s.Versus = "flip", &row.other

			var got strings.Builder
			s.print(&got)
			if diff := cmp.Diff(row.want, "\n"+got.String()); diff != "" {
				t.Errorf("%s: -want, +got:\n%s", row.reason, diff)
			}
			if s.ok() != row.ok {
				t.Errorf("ok: got %v: %s", s.ok(), row.reason)
			}
		})
	}
}

func TestReportOK(t *testing.T) {
	good := Scenario{Name: "a", Measures: []Measure{bounded("calls", 3, "", 3)}}
	for name, row := range map[string]struct {
		reason string
		s      Scenario
		want   bool
	}{
		"Kept":    {reason: "A limit may be reached.", s: good, want: true},
		"Missed":  {reason: "And not passed.", s: Scenario{Measures: []Measure{bounded("calls", 3.00001, "", 3)}}},
		"Failed":  {reason: "What failed kept no limit.", s: Scenario{Error: "x", Measures: good.Measures}},
		"Nothing": {reason: "Nor did what measured nothing.", s: Scenario{}},
	} {
		t.Run(name, func(t *testing.T) {
			r := Report{Scenarios: []Scenario{good, row.s}}
			if got := r.ok(); got != row.want {
				t.Errorf("got %v: %s", got, row.reason)
			}
		})
	}
}

func TestWrite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bench.json")
	r := Report{Scenarios: []Scenario{{Name: "flip", Measures: []Measure{bounded("p99", 1, "s", 2), info("floor", 1, "s")}}}}
	if err := r.write(path); err != nil {
		t.Fatal(err)
	}

	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}

	var got struct{ Scenarios []map[string]any }
	if err := json.Unmarshal(raw, &got); err != nil {
		t.Fatal(err)
	}

	want := []any{
		map[string]any{"name": "p99", "value": 1.0, "unit": "s", "limit": 2.0, "ok": true},
		map[string]any{"name": "floor", "value": 1.0, "unit": "s", "limit": nil, "ok": true},
	}
	if diff := cmp.Diff(want, got.Scenarios[0]["measures"]); diff != "" {
		t.Errorf("measures: -want, +got:\n%s", diff)
	}
}
