// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
)

// figure is one line of the table: what it says of each run.
type figure struct {
	name string
	of   func(Run) string
}

// figures are what a reader compares.
func (d Demo) figures() []figure {
	return []figure{
		{"requests", func(r Run) string { return fmt.Sprint(r.Requests) }},
		{"attempts at the sockets", func(r Run) string { return fmt.Sprint(r.Attempts) }},
		{"failed", func(r Run) string { return fmt.Sprint(r.Failed) }},
		{"failed, by status", failures},
		{"longest run of failures", outage},
		{"Deployment complete after", func(r Run) string { return seconds1(r.DeploymentCompleteSeconds) }},
		{"last old pod gone after", func(r Run) string { return seconds1(r.RolloutSeconds) }},
		{"old pods, median: until draining", middle(func(l Leaving) float64 { return l.DeregisteredSeconds })},
		{"then data path sends on for", middle(func(l Leaving) float64 { return l.RoutedSeconds })},
		{"then containers end (overhang)", medianOverhang},
		{"of that while target drains", middle(func(l Leaving) float64 { return l.DrainingSeconds })},
		{"then pod gone after", middle(func(l Leaving) float64 { return l.GoneSeconds })},
		{"overhang of each old pod", Overhangs},
		{"slowest gate after healthy", slowestGate},
		{"gates, 99th percentile", func(r Run) string {
			return latency(r.GateLatency, func(l Latency) float64 { return l.P99Seconds }, "no gates")
		}},
		{"gates, median", func(r Run) string {
			return latency(r.GateLatency, func(l Latency) float64 { return l.MedianSeconds }, "no gates")
		}},
		{"slowest registration", func(r Run) string { return latency(r.RegisterLatency, slowest, "none") }},
		{"slowest deregistration", func(r Run) string { return latency(r.DeregisterLatency, slowest, "none") }},
		{"load behind its schedule by", func(r Run) string { return fmt.Sprintf("%.3f s at most", r.LateSeconds) }},
		{"data path routes on for", func(Run) string { return seconds1(d.Parameters.RoutingDelaySeconds / d.Parameters.scale()) }},
	}
}

func (p Parameters) scale() float64 {
	if p.TimeScale <= 0 {
		return 1
	}
	return p.TimeScale
}

// WriteTable writes one column a run.
func (d Demo) WriteTable(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	head := make([]string, 0, len(d.Runs))
	for _, r := range d.Runs {
		head = append(head, r.Name)
	}

	_, _ = fmt.Fprintf(t, "\t%s\n", strings.Join(head, "\t"))
	for _, f := range d.figures() {
		cells := make([]string, 0, len(d.Runs))
		for _, r := range d.Runs {
			cells = append(cells, f.of(r))
		}
		_, _ = fmt.Fprintf(t, "%s\t%s\n", f.name, strings.Join(cells, "\t"))
	}

	return t.Flush()
}

// failures lists what failed by outcome, as in "502: 12, timeout: 3".
func failures(r Run) string {
	var parts []string
	for _, outcome := range slices.Sorted(maps.Keys(r.StatusCodes)) {
		if len(outcome) == 3 && outcome[0] == '2' {
			continue
		}
		parts = append(parts, fmt.Sprintf("%s: %d", outcome, r.StatusCodes[outcome]))
	}
	if len(parts) == 0 {
		return "none"
	}
	return strings.Join(parts, ", ")
}

// outage has milliseconds: a single failure lasts but a few.
func outage(r Run) string {
	if r.Failed == 0 {
		return "none"
	}
	return fmt.Sprintf("%.3f s", r.LongestOutageSeconds)
}

func slowestGate(r Run) string { return latency(r.GateLatency, slowest, "no gates") }

func slowest(l Latency) float64 { return l.MaxSeconds }

// latency is a figure of a distribution, or what to say without one.
func latency(l *Latency, of func(Latency) float64, without string) string {
	if l == nil {
		return without
	}
	return fmt.Sprintf("%.3f s", of(*l))
}

func seconds1(s float64) string { return fmt.Sprintf("%.1f s", s) }
