// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/duration"
	"sigs.k8s.io/yaml"
)

// format is how an answer is written. It implements pflag.Value.
type format string

const (
	formatText format = "text"
	formatWide format = "wide"
	formatJSON format = "json"
	formatYAML format = "yaml"
)

func formats() []string {
	return []string{string(formatText), string(formatWide), string(formatJSON), string(formatYAML)}
}

// String implements pflag.Value.
func (f *format) String() string { return string(*f) }

// Type implements pflag.Value.
func (f *format) Type() string { return "format" }

// Set implements pflag.Value.
func (f *format) Set(value string) error {
	if !slices.Contains(formats(), value) {
		return fmt.Errorf("must be one of %s", strings.Join(formats(), ", "))
	}
	*f = format(value)
	return nil
}

// write writes an answer for a program, or hands a paper to text for people.
func (e *environment) write(answer any, text func(*paper)) error {
	switch e.output {
	case formatJSON:
		raw, err := json.MarshalIndent(answer, "", "  ")
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(e.Out, string(raw))
		return err

	case formatYAML:
		raw, err := yaml.Marshal(answer)
		if err != nil {
			return err
		}
		_, err = e.Out.Write(raw)
		return err
	}

	p := &paper{out: e.Out, colour: e.Colour, now: e.Now(), wide: e.output == formatWide}
	text(p)
	return p.err
}

// paper is what people read.
type paper struct {
	out    io.Writer
	colour bool
	wide   bool
	now    time.Time
	err    error
}

func (p *paper) printf(form string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.out, form, args...)
	}
}

// ago is how long ago a time was, as kubectl writes it.
func (p *paper) ago(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return duration.HumanDuration(max(p.now.Sub(t), 0))
}

// The colours, as terminals are told them.
const (
	red, green, yellow, bold = "31", "32", "33", "1"
)

func (p *paper) paint(colour, text string) string {
	if !p.colour || text == "" {
		return text
	}
	return "\x1b[" + colour + "m" + text + "\x1b[0m"
}

// status paints the status of a condition.
func (p *paper) status(status string) string {
	switch status {
	case "True":
		return p.paint(green, status)
	case "False":
		return p.paint(red, status)
	}
	return p.paint(yellow, status)
}

// table writes rows below headings; columns are as wide as what is in them.
func (p *paper) table(headings []string, rows [][]string) {
	widths := make([]int, len(headings))
	for _, row := range append([][]string{headings}, rows...) {
		for i, cell := range row {
			widths[i] = max(widths[i], visible(cell))
		}
	}

	for _, row := range append([][]string{headings}, rows...) {
		var line strings.Builder
		for i, cell := range row {
			line.WriteString(cell)
			line.WriteString(strings.Repeat(" ", widths[i]-visible(cell)+3))
		}
		p.printf("%s\n", strings.TrimRight(line.String(), " "))
	}
}

// visible is how many characters of a cell a terminal shows.
func visible(cell string) int {
	n, escaped := 0, false
	for _, r := range cell {
		switch {
		case r == '\x1b':
			escaped = true
		case escaped:
			escaped = r != 'm'
		default:
			n++
		}
	}
	return n
}

// gaps writes what could not be read.
func (p *paper) gaps(g gaps) {
	for _, note := range g {
		p.printf("%s %s\n", p.paint(yellow, "note:"), note)
	}
}
