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
}

func (s Scenario) ok() bool {
	for _, m := range s.Measures {
		if !m.OK {
			return false
		}
	}
	return s.Error == "" && len(s.Measures) > 0
}

// print writes a table for people.
func (s Scenario) print(to io.Writer) {
	t := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintf(t, "%s\tvalue\tunit\tlimit\t\n", s.Name)

	for _, m := range s.Measures {
		limit, verdict := "", ""
		if m.Limit != nil {
			limit, verdict = fmt.Sprintf("%.4g", *m.Limit), "ok"
		}
		if !m.OK {
			verdict = "MISSED"
		}
		_, _ = fmt.Fprintf(t, "  %s\t%.4g\t%s\t%s\t%s\n", m.Name, m.Value, m.Unit, limit, verdict)
	}

	if s.Error != "" {
		_, _ = fmt.Fprintf(t, "  FAILED: %s\n", s.Error)
	}

	_ = t.Flush()
	_, _ = fmt.Fprintln(to)
}

// Report is the file that the bench writes.
type Report struct {
	Time       time.Time  `json:"time"`
	Controller string     `json:"controller"`
	CPUs       int        `json:"cpus"`
	Seed       uint64     `json:"seed"`
	Scenarios  []Scenario `json:"scenarios"`
}

func newReport(o options) *Report {
	return &Report{Time: time.Now().UTC().Truncate(time.Second), Controller: o.controller, CPUs: runtime.NumCPU(), Seed: o.seed}
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
