// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package alerts tries podgate's alert rules on what a real podgate showed. A
// Recording is scrapes of its replicas; promtool evaluates the rules over it. The
// package knows no rule and judges nothing but the names in them.
package alerts

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Recording is series of samples at equal distances.
type Recording struct {
	// Interval is the time between two scrapes, such as 15s.
	Interval string `json:"interval"`
	// Marks say at which scrape something began.
	Marks map[string]int `json:"marks"`
	// Series are what was scraped, in promtool's notation.
	Series []Series `json:"series"`

	samples map[string][]string
	length  int
}

// Series is one of promtool's input series.
type Series struct {
	Series string `json:"series"`
	Values string `json:"values"`
}

// Scrape is the samples of one moment, by series.
type Scrape map[string]string

// line is a sample in the text format: name, labels, value.
var line = regexp.MustCompile(`^([a-z_]+)(?:\{(.*)\})? (\S+)$`)

// Read adds those samples of a metrics page whose metric is wanted, with a label that
// says which replica they are of.
func (s Scrape) Read(page io.Reader, instance string, wanted func(metric string) bool) error {
	lines := bufio.NewScanner(page)
	for lines.Scan() {
		m := line.FindStringSubmatch(lines.Text())
		if m == nil || !wanted(Metric(m[1])) {
			continue
		}

		value, err := strconv.ParseFloat(m[3], 64)
		if err != nil {
			return fmt.Errorf("read metrics of %s: %s: %w", instance, lines.Text(), err)
		}

		labels := `instance="` + instance + `"`
		if m[2] != "" {
			labels = m[2] + "," + labels
		}

		s[m[1]+"{"+labels+"}"] = strconv.FormatFloat(value, 'f', -1, 64)
	}

	return lines.Err()
}

// suffix is what a histogram's series add to its name.
var suffix = regexp.MustCompile(`_(bucket|sum|count)$`)

// Metric is the metric that a series belongs to.
func Metric(series string) string { return suffix.ReplaceAllString(series, "") }

// Add appends a scrape. What it does not have is missing then, as with a replica that ended.
func (r *Recording) Add(s Scrape) {
	if r.samples == nil {
		r.samples = map[string][]string{}
	}

	for series := range s {
		if r.samples[series] == nil {
			r.samples[series] = slices.Repeat([]string{missing}, r.length)
		}
	}

	for series, before := range r.samples {
		value, there := s[series]
		if !there {
			value = missing
			if r.length > 0 && before[r.length-1] != missing && before[r.length-1] != stale {
				value = stale
			}
		}
		r.samples[series] = append(before, value)
	}

	r.length++
}

// What promtool calls a sample that is not there, and the first one after a series' end.
const (
	missing = "_"
	stale   = "stale"
)

// Mark notes that something begins with the next scrape.
func (r *Recording) Mark(what string) {
	if r.Marks == nil {
		r.Marks = map[string]int{}
	}
	r.Marks[what] = r.length
}

// At is the time of a mark.
func (r *Recording) At(mark string) (time.Duration, error) {
	n, ok := r.Marks[mark]
	if !ok {
		return 0, fmt.Errorf("the recording has no mark %q", mark)
	}
	interval, err := time.ParseDuration(r.Interval)
	return time.Duration(n) * interval, err
}

// Finish writes the samples into Series, in promtool's notation. Moments are counted
// from the recording's first, which is when time begins in promtool.
func (r *Recording) Finish(began time.Time) error {
	r.Series = nil
	for _, series := range slices.Sorted(maps.Keys(r.samples)) {
		samples := r.samples[series]
		if strings.Contains(series, "_timestamp_seconds{") {
			for i, s := range samples {
				if s == missing || s == stale {
					continue
				}
				at, err := strconv.ParseFloat(s, 64)
				if err != nil {
					return fmt.Errorf("%s: %w", series, err)
				}
				samples[i] = strconv.FormatFloat(at-float64(began.Unix()), 'f', -1, 64)
			}
		}

		r.Series = append(r.Series, Series{Series: series, Values: values(samples)})
	}

	return nil
}

// values writes samples, and what repeats once.
func values(samples []string) string {
	var out []string
	for i := 0; i < len(samples); {
		n := 1
		for i+n < len(samples) && samples[i+n] == samples[i] {
			n++
		}

		switch s := samples[i]; {
		case n == 1:
			out = append(out, s)
		case s == missing:
			out = append(out, fmt.Sprintf("_x%d", n))
		default:
			out = append(out, fmt.Sprintf("%s+0x%d", s, n-1))
		}

		i += n
	}

	return strings.Join(out, " ")
}
