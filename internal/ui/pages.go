// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package ui

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/duration"

	"github.com/podgate/podgate/internal/markup"
	"github.com/podgate/podgate/internal/plural"
)

// page is what all pages have around their content, which is kept up to date.
func page(title string, content markup.Markup) markup.Markup {
	return "<!doctype html>\n" + markup.Element("html", markup.Attr("lang", "en"),
		markup.Element("head",
			markup.Element("meta", markup.Attr("charset", "utf-8")),
			markup.Element("meta", markup.Attr("name", "viewport"), markup.Attr("content", "width=device-width, initial-scale=1")),
			markup.Element("meta", markup.Attr("name", "color-scheme"), markup.Attr("content", "light dark")),
			markup.Element("title", title),
			markup.Element("link", markup.Attr("rel", "icon"), markup.Attr("href", "/static/icon.svg")),
			markup.Element("link", markup.Attr("rel", "stylesheet"), markup.Attr("href", "/static/draw.css")),
			markup.Element("link", markup.Attr("rel", "stylesheet"), markup.Attr("href", "/static/page.css")),
			markup.Element("script", markup.Attr("src", "/static/draw.js"), markup.Attr("defer", "")),
			markup.Element("script", markup.Attr("src", "/static/page.js"), markup.Attr("defer", "")),
		),
		markup.Element("body",
			markup.Element("a", markup.Class("skip"), markup.Attr("href", "#main"), "Skip to the content"),
			markup.Element("p", markup.Class("banner"), markup.Attr("id", "ended"), markup.Attr("role", "status"), markup.Attr("hidden", ""), "podgate ui does not answer: this page shows what it said last."),
			markup.Element("main", markup.Attr("id", "main"), markup.Attr("tabindex", "-1"), content),
			markup.Element("dialog", markup.Attr("id", "dialog"), markup.Attr("aria-label", "Explanation")),
		))
}

// listed is how many objects of a problem are shown at once.
const listed = 8

// overview is the content of the first page.
func (v *view) overview(o *Overview) markup.Markup {
	return markup.Join(
		v.head("", "podgate"),
		v.installation(o),
		v.problems(o),
		v.workloads(o.Workloads),
		v.bindings(o.Bindings),
		v.readinessGates(o.ReadinessGates),
		v.loadBalancers(o.LoadBalancers),
		v.unknown(o.Unknown),
	)
}

// view is what a page is drawn for.
type view struct {
	// scope is the namespace that is followed; empty when all are.
	scope string
	now   time.Time
	// away is since when the API server has not answered, and why; zero while it answers.
	away    time.Time
	because string
}

// head is the head of a page, with how to get back from one that is not the first.
func (v *view) head(above, title string) markup.Markup {
	where := "all namespaces"
	if v.scope != "" {
		where = "namespace " + v.scope
	}

	var back any
	if above != "" {
		back = markup.Element("p", markup.Class("back"), markup.Element("a", markup.Attr("href", "/"), "← "+above))
	}

	var banner any
	if !v.away.IsZero() {
		banner = markup.Element("p", markup.Class("banner"), markup.Attr("role", "status"), markup.Attr("id", "away"),
			markup.Element("strong", "Not connected to the API server for ", v.since(v.away), "."),
			" What follows is what it said before. ", markup.Element("span", markup.Class("soft"), v.because))
	}

	return markup.Join(markup.Element("header", back, markup.Element("h1", title, " ", markup.Element("span", markup.Class("scope"), where))), box(banner))
}

// box is an element that may be absent.
func box(m any) markup.Markup {
	if m, is := m.(markup.Markup); is {
		return m
	}
	return ""
}

func (v *view) ago(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return duration.HumanDuration(max(v.now.Sub(t), 0))
}

// since is how long something has lasted, with the time for whom that is of use.
func (v *view) since(t time.Time) markup.Markup {
	if t.IsZero() {
		return ""
	}
	return markup.Element("time", markup.Attr("datetime", t.UTC().Format(time.RFC3339)), markup.Attr("title", t.Local().Format(time.DateTime)), v.ago(t))
}

// installation says how podgate is.
func (v *view) installation(o *Overview) markup.Markup {
	p := o.Podgate
	leader := any("nobody is seen to lead")
	if p.Leader != "" {
		leader = markup.Join(markup.Element("b", p.Leader), markup.Element("span", " leads"))
		if !p.Renewed.IsZero() {
			leader = markup.Join(leader.(markup.Markup), markup.Element("span", markup.Class("soft"), ", renewed "+v.ago(p.Renewed)+" ago"))
		}
	}

	replicas := "how many replicas answer the webhook is not known"
	if p.Replicas != nil {
		replicas = plural.Count(*p.Replicas, "replica") + " " + plural.Of(*p.Replicas, "answers", "answer") + " the webhook"
	}

	return markup.Element("p", markup.Class("installation"), markup.Attr("id", "installation"), leader, "; ", replicas, markup.Element("span", markup.Class("soft"), " (namespace "+p.Namespace+")"))
}

// signs tell the levels apart without colour.
func sign(l Level) string {
	switch l {
	case Broken, Failing:
		return "✕"
	case Waiting:
		return "◷"
	}
	return "!"
}

// problems are what is wrong, the worst first.
func (v *view) problems(o *Overview) markup.Markup {
	heading := "Nothing is wrong"
	if n := len(o.Problems); n > 0 {
		heading = "What is wrong"
	}

	if len(o.Problems) == 0 {
		text := "No gate of a pod with ready containers is closed, every binding works, and no pod lacks a gate."
		if len(o.Unknown) > 0 {
			heading, text = "Nothing that you may read is wrong", "Below is what you may not read."
		}
		return markup.Element("section", markup.Attr("id", "problems"), markup.Class("well"), markup.Element("h2", markup.Element("span", markup.Class("sign"), markup.Attr("aria-hidden", "true"), "✓"), " ", heading), markup.Element("p", text))
	}

	var all []markup.Markup
	for _, p := range o.Problems {
		all = append(all, v.problem(p))
	}
	return markup.Element("section", markup.Attr("id", "problems"), markup.Element("h2", heading), markup.Element("ul", markup.Class("problems"), all))
}

func (v *view) problem(p Problem) markup.Markup {
	id := "problem-" + name(p.Key)
	title := []any{markup.Class("title"), markup.Element("span", markup.Class("sign"), markup.Attr("aria-hidden", "true"), sign(p.Level)), " ", p.Title}
	if p.Reason != "" {
		title = append(title, " ", markup.Element("code", p.Reason))
	}
	if !p.Since.IsZero() {
		title = append(title, " ", markup.Element("span", markup.Class("soft"), "for ", v.since(p.Since)))
	}

	parts := []markup.Markup{markup.Element("h3", title...)}
	if p.Message != "" {
		parts = append(parts, markup.Element("p", p.Message))
	}
	if p.Next != "" {
		parts = append(parts, markup.Element("p", markup.Class("next"), markup.Element("b", "Next: "), p.Next))
	}
	return markup.Element("li", markup.Attr("id", id), markup.Class("problem "+string(p.Level)), parts, v.objects(id, p))
}

// objects are those that a problem is about, the first of them at once.
func (v *view) objects(id string, p Problem) markup.Markup {
	item := func(o Object) markup.Markup {
		text := o.Namespace + "/" + o.Name
		if v.scope == o.Namespace && v.scope != "" || o.Namespace == "" {
			text = o.Name
		}
		if o.Kind != "pod" && o.Kind != "" {
			text = o.Kind + " " + text
		}

		inner := any(markup.Element("span", text))
		if link := o.Link(); link != "" {
			inner = markup.Element("a", markup.Attr("href", link), markup.Attr("data-dialog", ""), text)
		}
		if o.Since.IsZero() {
			return markup.Element("li", inner)
		}
		return markup.Element("li", inner, " ", markup.Element("span", markup.Class("soft"), v.since(o.Since)))
	}

	if len(p.Objects) == 0 {
		return ""
	}

	var first, rest []markup.Markup
	for i, o := range p.Objects {
		if i < listed {
			first = append(first, item(o))
		} else {
			rest = append(rest, item(o))
		}
	}

	shown := markup.Element("ul", markup.Class("objects"), first)
	if more := p.Count - len(first); more > 0 {
		said := markup.Markup("")
		if unlisted := p.Count - len(p.Objects); unlisted > 0 {
			said = markup.Element("p", markup.Class("soft"), fmt.Sprintf("and %d more: podgate status -o json lists all", unlisted))
		}
		shown += markup.Element("details", markup.Attr("id", id+"-more"), markup.Element("summary", fmt.Sprintf("%d more", more)), markup.Element("ul", markup.Class("objects"), rest), said)
	}
	return shown
}

// place names an object for a table.
func (v *view) place(namespace, name string) string {
	if v.scope != "" {
		return name
	}
	return namespace + "/" + name
}

// workloads are those with gates.
func (v *view) workloads(all []Workload) markup.Markup {
	if len(all) == 0 {
		return markup.Element("section", markup.Attr("id", "workloads"), markup.Element("h2", "Workloads"), markup.Element("p", "No pod carries a gate, or should."))
	}

	var rows [][]any
	for _, w := range all {
		state := []markup.Markup{markup.Element("span", markup.Class("state ok"), "all open")}
		switch {
		case w.Waiting > 0:
			state = []markup.Markup{markup.Element("span", markup.Class("state wait"), fmt.Sprintf("%d waiting", w.Waiting))}
		case w.Ready < w.Pods:
			state = []markup.Markup{markup.Element("span", markup.Class("state soft"), fmt.Sprintf("%d not Ready", w.Pods-w.Ready))}
		}
		if w.Ungated > 0 {
			state = append(state, " ", markup.Element("span", markup.Class("state bad"), fmt.Sprintf("%d without a gate", w.Ungated)))
		}
		if w.Revisions > 1 {
			state = append(state, " ", markup.Element("span", markup.Class("state"), "rollout"))
		}
		if w.Leaving > 0 {
			state = append(state, " ", markup.Element("span", markup.Class("state soft"), fmt.Sprintf("%d leaving", w.Leaving)))
		}
		rows = append(rows, []any{
			markup.Element("a", markup.Attr("href", w.Link()), v.place(w.Namespace, w.Name)), w.Kind,
			markup.Join(bar(w.Ready, w.Pods), markup.Element("span", markup.Class("count"), fmt.Sprintf("%d/%d", w.Ready, w.Pods))), state,
		})
	}
	return markup.Element("section", markup.Attr("id", "workloads"), markup.Element("h2", "Workloads"), table("Workloads whose pods carry a gate, or should", []string{"Workload", "Kind", "Ready", "Gates"}, rows))
}

// bar is how much of something is done. Its parts are drawn in tenths, so that no style stands in the page.
func bar(done, of int) markup.Markup {
	tenths := 0
	if of > 0 {
		tenths = done * 10 / of
	}
	return markup.Element("svg", markup.Class("bar"), markup.Attr("viewBox", "0 0 100 10"), markup.Attr("aria-hidden", "true"),
		markup.Element("rect", markup.Class("of"), markup.Attr("width", "100"), markup.Attr("height", "10")),
		markup.Element("rect", markup.Class("done"), markup.Attr("width", fmt.Sprint(tenths*10)), markup.Attr("height", "10")))
}

// status is that of a condition, told apart by a sign and by colour.
func status(s string) markup.Markup {
	switch s {
	case "True":
		return markup.Element("span", markup.Class("state ok"), "✓ True")
	case "False":
		return markup.Element("span", markup.Class("state bad"), "✕ False")
	}
	return markup.Element("span", markup.Class("state soft"), cmp.Or(s, "not reported"))
}

func (v *view) bindings(all []Binding) markup.Markup {
	var rows [][]any
	for _, b := range all {
		rows = append(rows, []any{
			v.place(b.Namespace, b.Name), b.Kind, b.Service, b.Group,
			markup.Join(status(b.Status), " ", markup.Element("code", b.Reason), " ", v.since(b.Since)),
			fmt.Sprintf("%d/%d", b.Open, b.Gates), cmp.Or(b.Targets, "–"),
		})
	}
	if len(rows) == 0 {
		return markup.Element("section", markup.Attr("id", "bindings"), markup.Element("h2", "Bindings"), markup.Element("p", "There are none."))
	}
	return markup.Element("section", markup.Attr("id", "bindings"), markup.Element("h2", "Bindings and their groups"),
		table("Bindings, and the groups that pods are targets of", []string{"Binding", "Kind", "Service", "Group", "Ready", "Gates open", "Targets healthy"}, rows))
}

func (v *view) readinessGates(all []ReadinessGate) markup.Markup {
	if len(all) == 0 {
		return ""
	}

	var rows, checks [][]any
	for _, g := range all {
		title := v.place(g.Namespace, g.Name)
		if g.DryRun {
			title += " (dry run)"
		}
		rows = append(rows, []any{title, markup.Join(status(g.Status), " ", markup.Element("code", g.Reason), " ", v.since(g.Since)), g.Pods})
		for _, c := range g.Checks {
			said := []any{"–", "–", "–"}
			if c.Asked {
				said = []any{c.Passing, c.Failing, c.Unanswered}
			}
			checks = append(checks, append([]any{v.place(g.Namespace, g.Name) + " · " + c.Name, c.Asks}, append(said, c.Message)...))
		}
	}
	return markup.Element("section", markup.Attr("id", "checks"), markup.Element("h2", "Readiness gates and checks"),
		table("ReadinessGates", []string{"ReadinessGate", "Ready", "Gates open"}, rows),
		table("Checks, by the pods that each was asked about last", []string{"Check", "Asks", "Pass", "Fail", "No answer", "Problem"}, checks))
}

func (v *view) loadBalancers(all []LoadBalancer) markup.Markup {
	if len(all) == 0 {
		return ""
	}
	var rows [][]any
	for _, b := range all {
		rows = append(rows, []any{b.Group, b.AskedBy, b.Serves, b.Problems, markup.Element("code", b.State), b.Hostname})
	}
	return markup.Element("section", markup.Attr("id", "loadbalancers"), markup.Element("h2", "Load balancers"),
		table("Load balancers", []string{"Name", "Asked for by", "Serves", "Problems", "State", "Hostname"}, rows))
}

// unknown is what the user may not read.
func (v *view) unknown(all []string) markup.Markup {
	if len(all) == 0 {
		return ""
	}
	var items []markup.Markup
	for _, u := range all {
		items = append(items, markup.Element("li", u))
	}
	return markup.Element("section", markup.Attr("id", "unknown"), markup.Element("h2", "What you may not read"), markup.Element("ul", items))
}

// explanation is the content of the page about a pod: the lines of `podgate explain`, of which those that are indented hang
// below their label where they are too long.
func (v *view) explanation(namespace, pod, text string) markup.Markup {
	var lines []markup.Markup
	for line := range strings.Lines(text) {
		class := "line"
		switch label, _, _ := strings.Cut(strings.TrimSpace(line), " "); {
		case label == "next" && strings.HasPrefix(line, "  "):
			class = "line part next"
		case strings.HasPrefix(line, "  "):
			class = "line part"
		case len(label) > 1 && label == strings.ToUpper(label):
			class = "line heading"
		}
		lines = append(lines, markup.Element("span", markup.Class(class), strings.TrimSuffix(line, "\n")))
	}
	return markup.Join(v.head("Overview", "Pod "+v.place(namespace, pod)), markup.Element("pre", markup.Class("explanation"), markup.Attr("tabindex", "0"), lines))
}

// failed is the content of a page that cannot be made.
func (v *view) failed(err error) markup.Markup {
	said := "This page cannot be made now: "
	if !v.away.IsZero() {
		said = "There is nothing to show yet: "
	}
	return markup.Join(v.head("", "podgate"), markup.Element("section", markup.Class("failed"), markup.Element("h2", "Nothing to show"), markup.Element("p", said+err.Error()),
		markup.Element("p", markup.Class("soft"), "The page tries again by itself.")))
}

// name makes an id of words, by which the script finds the same element again.
func name(words ...string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '.':
			return r
		}
		return '_'
	}, strings.Join(words, "-"))
}

// table has a heading for each column; the first cell of a row is the row's own heading.
func table(caption string, headings []string, rows [][]any) markup.Markup {
	var head, body []markup.Markup
	for _, h := range headings {
		head = append(head, markup.Element("th", markup.Attr("scope", "col"), h))
	}
	for _, row := range rows {
		cells := make([]markup.Markup, 0, len(row))
		for i, cell := range row {
			if i == 0 {
				cells = append(cells, markup.Element("th", markup.Attr("scope", "row"), cell))
				continue
			}
			cells = append(cells, markup.Element("td", markup.Attr("data-label", headings[i]), cell))
		}
		body = append(body, markup.Element("tr", cells))
	}
	return markup.Element("table", markup.Element("caption", caption), markup.Element("thead", markup.Element("tr", head)), markup.Element("tbody", body))
}
