// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package draw

import (
	"cmp"
	_ "embed"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/podgate/podgate/internal/markup"
	"github.com/podgate/podgate/internal/plural"
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

// Picture is a timeline as shapes.
type Picture struct {
	Name string
	*Canvas
	// Rest says of which pods there is no lane; empty where there are all.
	Rest string
}

// HTML is the picture for a page that has Style and Patterns.
func (p *Picture) HTML() markup.Markup {
	var rows []markup.Markup
	for _, r := range p.Rows {
		rows = append(rows, r.html(), "\n")
	}

	picture := element("div", class("timeline"), "\n",
		element("svg", class("names"), number("width", namesWidth), number("height", p.Height), hidden, drawnTexts(p.Names)), "\n",
		element("svg", class("chart"), number("width", Width), number("height", p.Height), attr("role", "list"), attr("aria-label", p.Name), "\n",
			element("g", hidden, drawnLines(p.Lines)), "\n",
			rows,
			element("g", hidden, drawnLines(p.Front), drawnTexts(p.Texts)), "\n"))
	if p.Rest == "" {
		return picture
	}
	return picture + element("p", class("soft rest"), p.Rest)
}

// The words of markup, and attributes that many elements have.
var (
	element = markup.Element
	attr    = markup.Attr
	class   = markup.Class
	hidden  = attr("aria-hidden", "true")
)

func number(name string, n float64) markup.Attribute {
	return attr(name, strconv.FormatFloat(n, 'f', -1, 64))
}

func (r *Row) html() markup.Markup {
	content := []any{class("row"), attr("role", "listitem"), attr("tabindex", "0"), attr("aria-label", r.Label)}
	if r.Pod != "" {
		content = append(content, attr("id", "lane-"+r.UID), attr("data-pod", r.Pod))
	}
	content = append(content, "\n")
	for _, b := range r.Bars {
		content = append(content, element("rect", number("x", b.X), number("y", b.Y), number("width", b.W), number("height", b.H), class(b.Class), element("title", b.Title)), "\n")
	}
	for _, s := range r.Shapes {
		content = append(content, element("polygon", attr("points", s.Points), class(s.Class), element("title", s.Title)), "\n")
	}
	return element("g", append(content, drawnTexts(r.Texts))...)
}

func drawnTexts(all []Text) []markup.Markup {
	var drawn []markup.Markup
	for _, t := range all {
		content := []any{number("x", t.X), number("y", t.Y), attr("text-anchor", t.Anchor), class(t.Class), t.Text}
		if t.Title != "" {
			content = append(content, element("title", t.Title))
		}
		drawn = append(drawn, element("text", content...), "\n")
	}
	return drawn
}

func drawnLines(all []Line) []markup.Markup {
	var drawn []markup.Markup
	for _, l := range all {
		drawn = append(drawn, element("line", number("x1", l.X1), number("y1", l.Y1), number("x2", l.X2), number("y2", l.Y2), class(l.Class)), "\n")
	}
	return drawn
}

// patterns are what pictures fill bars with.
//
//go:embed patterns.svg
var patterns string

// Patterns returns what pictures fill bars with; a page has it once, before its pictures.
func Patterns() markup.Markup { return markup.Markup(patterns) }

// meanings are those of the bars, by whose they are.
var meanings = []struct {
	of   string
	bars [][2]string
}{
	{"Pod", [][2]string{
		{"pod starting", "created, containers starting"}, {"pod waiting", "containers ready, pod not Ready"}, {"pod ready old", "Ready, old version"}, {"pod ready new", "Ready, new version"}, {"pod ready", "Ready, version not known"},
		{"pod unready", "no longer ready"}, {"pod terminating old", "terminating, still running"}, {"pod stopped", "stopped, until gone"},
	}},
	{"Gates and checks", [][2]string{
		{"gate unset", "nobody has set it"}, {"gate closed", "closed, waits"}, {"gate failing", "closed, somebody has to act"}, {"gate open", "open"},
	}},
	{"Target, as the load balancer says", [][2]string{
		{"target initial", "registered, not yet healthy"}, {"target healthy", "healthy"}, {"target unhealthy", "unhealthy"}, {"target draining", "draining"},
	}},
	{"Everywhere", [][2]string{{"pod ready new unseen", "pale with a dashed edge: not known, only what follows from later times"}}},
}

// Key returns what the bars mean.
func Key() markup.Markup {
	var all []markup.Markup
	for i, m := range meanings {
		items := []markup.Markup{"\n", element("li", element("b", m.of)), "\n"}
		for _, bar := range m.bars {
			swatch := element("svg", attr("viewBox", "0 0 30 10"), hidden, element("rect", attr("x", ".5"), attr("y", ".5"), attr("width", "29"), attr("height", "9"), class(bar[0])))
			items = append(items, element("li", swatch, bar[1]), "\n")
		}
		if i == len(meanings)-1 {
			dot := func(points, of, text string) markup.Markup {
				return element("li", element("svg", attr("viewBox", "0 0 10 10"), class("dot"), hidden, element("polygon", attr("points", points), class(of))), text)
			}
			items = append(items, dot("5,1 9,5 5,9 1,5", "mark", "event"), "\n", dot("5,0 10,9 0,9", "mark warning", "warning"), "\n")
		}
		all = append(all, element("ul", class("key"), items), "\n")
	}
	return markup.Join(all...)
}

// Table returns the lanes of a timeline as a table, for who cannot see the picture, and for copying.
func Table(t timeline.Timeline) markup.Markup {
	made := tableOf(t)
	return listing(made.Columns, made.Rows, true)
}

// listing is a table whose rows are headed by their first cell, or not.
func listing(columns []string, rows [][]string, headed bool) markup.Markup {
	var head, body []markup.Markup
	for _, c := range columns {
		head = append(head, element("th", attr("scope", "col"), c))
	}
	for _, row := range rows {
		var cells []markup.Markup
		for i, cell := range row {
			if i == 0 && headed {
				cells = append(cells, element("th", attr("scope", "row"), cell))
				continue
			}
			cells = append(cells, element("td", cell))
		}
		body = append(body, element("tr", cells), "\n")
	}
	return element("div", class("scroll"), element("table", "\n", element("thead", element("tr", head)), "\n", element("tbody", body)))
}

// Page writes a timeline as one file that needs nothing else.
func Page(w io.Writer, t timeline.Timeline) error {
	name := fmt.Sprintf("%s %s/%s", t.Workload.Kind, t.Workload.Namespace, t.Workload.Name)
	lead := fmt.Sprintf("%s to %s. ", t.From.UTC().Format("2006-01-02 15:04:05"), t.To.UTC().Format("2006-01-02 15:04:05 MST"))
	if w := t.Workload; w.Counted {
		lead += w.Progress() + ". "
	}
	lead = strings.TrimSpace(lead + Latest(t.Workload))

	var unknown []markup.Markup
	for _, u := range t.Unknown {
		unknown = append(unknown, element("p", class("problem"), u), "\n")
	}

	page := "<!doctype html>\n" + element("html", attr("lang", "en"), "\n",
		element("head", "\n",
			element("meta", attr("charset", "utf-8")), "\n",
			element("meta", attr("name", "viewport"), attr("content", "width=device-width, initial-scale=1")), "\n",
			element("meta", attr("name", "color-scheme"), attr("content", "light dark")), "\n",
			element("title", "Timeline of "+name), "\n",
			element("style", markup.Markup(Style)), "\n"), "\n",
		element("body", "\n", Patterns(), "\n",
			element("main", "\n",
				element("h1", name), "\n",
				element("p", class("lead"), lead), "\n",
				unknown,
				element("section", "\n", element("h2", "Pods"), "\n",
					element("p", class("soft"), "Time runs from left to right. Each pod has a lane: what Kubernetes sees, then what load balancers and gates say. Point at a bar, touch it, or use Tab and the arrow keys to read its times and reasons."), "\n",
					Draw(t, Options{Name: "Timeline of " + name}).HTML(), "\n"), "\n",
				element("section", element("h2", "What the bars mean"), Key()), "\n",
				element("section", element("details", element("summary", "The same as a table"), "\n",
					element("p", class("soft"), "Times are of the day, in UTC. A question mark stands for what nobody remembers, a dash for what has not happened."), "\n",
					Table(t))), "\n",
				events(t.Marks)), "\n",
			element("script", markup.Markup(Script)), "\n"), "\n") + "\n"
	_, err := io.WriteString(w, string(page))
	return err
}

// events are those of the workload, where there are some.
func events(marks []timeline.Mark) markup.Markup {
	if len(marks) == 0 {
		return ""
	}
	var rows [][]string
	for _, m := range marks {
		reason := m.Reason
		if m.Count > 1 {
			reason += " (" + plural.Count(m.Count, "time") + ")"
		}
		rows = append(rows, []string{m.At.UTC().Format(time.TimeOnly), m.Object, reason, m.Message})
	}
	return element("section", element("details", element("summary", plural.Count(len(marks), "event")+" of the workload"), listing([]string{"time", "object", "reason", "message"}, rows, false))) + "\n"
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
		row := []string{l.Pod, cmp.Or(strings.TrimSpace(l.Version()+" "+l.Revision), "?"), now}
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
