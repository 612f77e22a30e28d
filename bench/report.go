// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"runtime"
	"slices"
	"text/tabwriter"
	"time"
)

// Measure is one number of a scenario.
type Measure struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
	// Unit is s, ms, MiB, %, calls, ... or empty for a plain count.
	Unit string `json:"unit"`
	// Limit is the largest value that is good; nil when the measure only informs.
	Limit *float64 `json:"limit"`
	// OK tells that the limit is kept; true without one.
	OK bool `json:"ok"`
}

// bounded is a measure with a limit.
func bounded(name string, value float64, unit string, limit float64) Measure {
	limit = round(limit)
	return Measure{Name: name, Value: round(value), Unit: unit, Limit: &limit, OK: value <= limit}
}

// info is a measure without a limit.
func info(name string, value float64, unit string) Measure {
	return Measure{Name: name, Value: round(value), Unit: unit, OK: true}
}

// round keeps four digits behind the point. What is no number becomes -1: JSON has none.
func round(v float64) float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return -1
	}
	return math.Round(v*1e4) / 1e4
}

// Scenario is the result of one.
type Scenario struct {
	Name     string    `json:"name"`
	Load     string    `json:"load"`
	Seconds  float64   `json:"seconds"` // with its preparation
	Error    string    `json:"error,omitempty"`
	Measures []Measure `json:"measures"`
	// Versus is the result of the controller that the first is compared with; nil without one.
	Versus *Scenario `json:"versus,omitempty"`
}

// ok reports whether all was measured and the first controller kept its limits; they are not the other's.
func (s Scenario) ok() bool {
	for _, m := range s.Measures {
		if !m.OK {
			return false
		}
	}
	return s.measured() && (s.Versus == nil || s.Versus.measured())
}

// measured reports whether the scenario came to its end.
func (s Scenario) measured() bool { return s.Error == "" && len(s.Measures) > 0 }

// print writes a table for people.
func (s Scenario) print(to io.Writer) {
	t := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	versus := ""
	if s.Versus != nil {
		versus = "versus\tratio\t"
	}
	_, _ = fmt.Fprintf(t, "%s\tvalue\t%sunit\tlimit\t\n", s.Name, versus)

	for _, m := range s.Measures {
		limit, verdict := "", ""
		if m.Limit != nil {
			limit, verdict = fmt.Sprintf("%.4g", *m.Limit), "ok"
		}
		if !m.OK {
			verdict = "MISSED"
		}
		_, _ = fmt.Fprintf(t, "  %s\t%.4g\t%s%s\t%s\t%s\n", m.Name, m.Value, s.beside(m), m.Unit, limit, verdict)
	}
	for _, m := range s.others() {
		_, _ = fmt.Fprintf(t, "  %s\t-\t%.4g\t-\t%s\t\t\n", m.Name, m.Value, m.Unit)
	}

	if s.Error != "" {
		_, _ = fmt.Fprintf(t, "  FAILED: %s\n", s.Error)
	}
	if s.Versus != nil && s.Versus.Error != "" {
		_, _ = fmt.Fprintf(t, "  VERSUS FAILED: %s\n", s.Versus.Error)
	}

	_ = t.Flush()
	_, _ = fmt.Fprintln(to)
}

// beside gives two cells for a measure: what it was of the other controller, and how many times as much it is of the first.
// There are none without another controller, and there is no ratio to nothing, or to what was not measured.
func (s Scenario) beside(m Measure) string {
	if s.Versus == nil {
		return ""
	}
	i := slices.IndexFunc(s.Versus.Measures, func(o Measure) bool { return o.Name == m.Name })
	if i < 0 {
		return "-\t-\t"
	}

	other := s.Versus.Measures[i].Value
	if other <= 0 || m.Value < 0 {
		return fmt.Sprintf("%.4g\t-\t", other)
	}
	return fmt.Sprintf("%.4g\t%.3g\t", other, m.Value/other)
}

// others are the measures that only the other controller has: the first failed before it came to them.
func (s Scenario) others() []Measure {
	if s.Versus == nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(s.Versus.Measures), func(o Measure) bool {
		return slices.ContainsFunc(s.Measures, func(m Measure) bool { return m.Name == o.Name })
	})
}

// Report is the file that the bench writes.
type Report struct {
	Time       time.Time  `json:"time"`
	Controller string     `json:"controller"`
	Versus     string     `json:"versus,omitempty"`
	CPUs       int        `json:"cpus"`
	Seed       uint64     `json:"seed"`
	Scenarios  []Scenario `json:"scenarios"`
}

func newReport(o options) *Report {
	return &Report{Time: time.Now().UTC().Truncate(time.Second), Controller: o.controller, Versus: o.versus, CPUs: runtime.NumCPU(), Seed: o.seed}
}

func (r *Report) ok() bool {
	for _, s := range r.Scenarios {
		if !s.ok() {
			return false
		}
	}
	return true
}

func (r *Report) write(path string) error {
	raw, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(raw, '\n'), 0o644)
}
