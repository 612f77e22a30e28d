// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package draw

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"time"

	"github.com/podgate/podgate/internal/timeline"
)

// Style is the style sheet of pictures, and Script shows what a bar is to who points at it, touches it or goes there by keys.
// A page works without the script.
var (
	//go:embed style.css
	Style string
	//go:embed script.js
	Script string
)

//go:embed parts.html
var parts string

var templates = template.Must(template.New("").Funcs(template.FuncMap{
	"css": func() template.CSS { return template.CSS(Style) }, //nolint:gosec // both are files of this package
	"js":  func() template.JS { return template.JS(Script) },  //nolint:gosec // as above
}).Parse(parts))

// Picture is a timeline as shapes.
type Picture struct {
	Name string
	*Canvas
	// Rest says of which pods there is no lane; empty where there are all.
	Rest string
}

// NamesWidth is the width of the column of names.
func (*Picture) NamesWidth() float64 { return namesWidth }

// Width is the chart's.
func (*Picture) Width() float64 { return Width }

// HTML is the picture for a page that has Style and Patterns.
func (p *Picture) HTML() (template.HTML, error) { return render("picture", p) }

// Patterns returns what pictures fill bars with; a page has it once, before its pictures.
func Patterns() (template.HTML, error) { return render("patterns", nil) }

// Key returns what the bars mean.
func Key() (template.HTML, error) { return render("key", nil) }

// Table returns the lanes of a timeline as a table, for who cannot see the picture, and for copying.
func Table(t timeline.Timeline) (template.HTML, error) { return render("table", tableOf(t)) }

func render(name string, data any) (template.HTML, error) {
	var b bytes.Buffer
	if err := templates.ExecuteTemplate(&b, name, data); err != nil {
		return "", fmt.Errorf("draw %s: %w", name, err)
	}
	return template.HTML(b.String()), nil //nolint:gosec // html/template made it
}

// Page writes a timeline as one file that needs nothing else.
func Page(w io.Writer, t timeline.Timeline) error {
	name := fmt.Sprintf("%s %s/%s", t.Workload.Kind, t.Workload.Namespace, t.Workload.Name)
	data := struct {
		Name     string
		Timeline timeline.Timeline
		Picture  *Picture
		Table    table
		From, To string
	}{name, t, Draw(t, Options{Name: "Timeline of " + name}), tableOf(t), t.From.UTC().Format("2006-01-02 15:04:05"), t.To.UTC().Format("2006-01-02 15:04:05 MST")}
	if err := templates.ExecuteTemplate(w, "page", data); err != nil {
		return fmt.Errorf("draw page: %w", err)
	}
	return nil
}

// table is a timeline in words and times.
type table struct {
	Columns []string
	Rows    [][]string
}

// columnsOf are the stages that a table shows, with their headings.
var columnsOf = []struct {
	stage timeline.Stage
	name  string
}{
	{timeline.Created, "created"},
	{timeline.ContainersReady, "containers ready"},
	{timeline.Registered, "registered"},
	{timeline.Healthy, "healthy"},
	{timeline.Ready, "Ready"},
	{timeline.Terminating, "terminating"},
	{timeline.Stopped, "stopped"},
	{timeline.Gone, "gone"},
}

func tableOf(t timeline.Timeline) table {
	made := table{Columns: []string{"pod", "revision", "now"}}
	for _, c := range columnsOf {
		made.Columns = append(made.Columns, c.name)
	}
	made.Columns = append(made.Columns, "gates")

	for i := range t.Lanes {
		l := &t.Lanes[i]
		now := "gone"
		if l.Alive() {
			now = StateWord(l.StateAt(t.To))
		}
		row := []string{l.Pod, version(l) + prefixed(" ", l.Revision), now}
		for _, c := range columnsOf {
			row = append(row, Time(l.Stages[c.stage]))
		}

		gates := ""
		for _, g := range l.Gates {
			if gates != "" {
				gates += "; "
			}
			s := g.Last()
			gates += GateName(g.Type) + " " + gateWord(s)
		}
		made.Rows = append(made.Rows, append(row, gates))
	}
	return made
}

func gateWord(s timeline.Span) string {
	switch s.Status {
	case "True":
		return "open since " + s.From.UTC().Format(time.TimeOnly)
	case "":
		return "not set"
	}
	return "closed" + prefixed(", ", s.Reason)
}

// Time writes a moment for people: "?" is not known, and "-" has not happened.
func Time(m timeline.Moment) string {
	switch m.Known {
	case timeline.Exact:
		return m.At.UTC().Format(time.TimeOnly)
	case timeline.Bounded:
		return "by " + m.At.UTC().Format(time.TimeOnly)
	case timeline.Pending:
		return "-"
	}
	return "?"
}
