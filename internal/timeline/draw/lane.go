// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package draw

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/balancer/traits"
	"github.com/podgate/podgate/internal/plural"
	"github.com/podgate/podgate/internal/timeline"
)

// Measures of a lane.
const (
	podHeight  = 10.0
	rowHeight  = 6.0
	rowPitch   = 12.0
	lanePitch  = 12.0
	markRadius = 3.5
)

// lane draws a pod's life from a height on, and returns where the next lane begins: what Kubernetes sees, then what each load
// balancer and each gate says.
func (c *Canvas) lane(l *timeline.Lane, y float64) float64 {
	row := Row{Label: c.story(l)}
	if c.asks && !l.Told {
		row.Pod, row.UID = l.Pod, l.UID
	}
	c.Name(y+9, "name"+prefixed(" ", l.Version()), clip(ShortName(l.Pod), 16), l.Pod)
	for _, p := range l.Phases(c.end) {
		c.span(&row, p.From, p.To, y, podHeight, phaseClass(l, p), c.phaseTitle(l, p))
	}

	top := y
	y += podHeight + 3
	shown := len(l.Targets) == 1
	for i := range l.Targets {
		y = c.target(&row, l, &l.Targets[i], y, shown)
	}
	if len(l.Routed) > 0 {
		for _, s := range l.Routed {
			c.routed(&row, l, s, y)
		}
		y += 4
	}
	for i := range l.Gates {
		y = c.gate(&row, l, &l.Gates[i], y)
	}

	c.marks(&row, l.Marks, top+podHeight/2)
	c.Rows = append(c.Rows, row)
	return max(y+4, top+lanePitch)
}

func phaseClass(l *timeline.Lane, p timeline.Phase) string {
	class := "pod " + string(p.State)
	if p.State == timeline.IsReady || p.State == timeline.IsTerminating {
		class += prefixed(" ", l.Version())
	}
	if p.Known == timeline.Unknown {
		class += " unseen"
	}
	return class
}

func (c *Canvas) phaseTitle(l *timeline.Lane, p timeline.Phase) string {
	note := ""
	if p.Known == timeline.Unknown && p.State != timeline.IsUnclear {
		note = "nobody remembers what it was in between"
	}
	if l.Told {
		note = "only events tell of this pod"
	}
	return lines(l.Pod+": "+stateWords[p.State], c.period(p.From, p.To, c.lasts(l, p)), note)
}

// lasts reports whether a phase has not ended.
func (c *Canvas) lasts(l *timeline.Lane, p timeline.Phase) bool {
	return p.To.Equal(c.end) && !l.Stages[timeline.Gone].Happened() && c.zero.IsZero()
}

// target draws what a load balancer says of the pod's target.
func (c *Canvas) target(row *Row, l *timeline.Lane, t *timeline.Track, y float64, alone bool) float64 {
	if !slices.ContainsFunc(t.Spans, func(s timeline.Span) bool { return s.Status != "" }) {
		return y
	}
	if t.Type != "" {
		name := "target"
		if !alone {
			name += " " + GateName(t.Type)
		}
		c.Name(y+7, "sub", clip(name, 21), t.Type)
	}

	for _, s := range t.Spans {
		if s.Status == "" {
			continue
		}
		class, note := "target "+s.Status, ""
		switch {
		case s.Known == timeline.Unknown:
			class, note = class+" unseen", "podgate takes it out when the pod is deleted; nobody remembers for how long it drained"
		case s.Known == timeline.Bounded && s.Status == timeline.TargetHealthy:
			note = "as the gate said when it opened; the gate does not say what became of it"
		}
		what := lines(l.Pod+": load balancer: "+s.Status+prefixed(", ", s.Reason), c.period(s.From, s.Until(c.end), s.To.IsZero() && c.zero.IsZero()), s.Message, note)
		c.span(row, s.From, s.Until(c.end), y, rowHeight, class, what)
	}
	if t.Type == "" {
		return y + rowHeight + 1
	}
	return y + rowPitch
}

// gate draws whether a gate is open.
func (c *Canvas) gate(row *Row, l *timeline.Lane, g *timeline.Track, y float64) float64 {
	kind := "gate"
	if g.Kind == timeline.ByChecks {
		kind = "check"
	}
	c.Name(y+7, "sub", clip(kind+" "+GateName(g.Type), 21), g.Type)
	for _, s := range g.Spans {
		c.span(row, s.From, s.Until(c.end), y, rowHeight, gateClass(s), c.gateTitle(l, g, s))
	}
	return y + rowPitch
}

func gateClass(s timeline.Span) string {
	class := "gate "
	switch {
	case s.Known == timeline.Unknown:
		return class + "unseen closed"
	case s.Status == "True":
		return class + "open"
	case s.Status == "":
		return class + "unset"
	case failing(s.Reason):
		return class + "failing"
	}
	return class + "closed"
}

// failing reports whether a gate is closed for a reason that does not go by itself.
func failing(reason string) bool {
	// The pod's other gates say why, and a target that is not registered yet mostly will be.
	if reason == v1alpha1.ReasonOtherGateClosed || traits.All().Unregistered(reason) {
		return false
	}
	_, next := Explain(false, reason)
	return next != "" && !strings.HasPrefix(next, "wait")
}

func (c *Canvas) gateTitle(l *timeline.Lane, g *timeline.Track, s timeline.Span) string {
	open := s.Status == "True"
	means, next := "", ""
	what := "not set yet"
	switch {
	case s.Known == timeline.Unknown:
		what = "not known: nobody remembers what it said before it changed last"
	case s.Status != "":
		means, next = Explain(open, s.Reason)
		what = map[bool]string{true: "open", false: "closed"}[open] + prefixed(", ", s.Reason)
	}

	note := ""
	if s.Known == timeline.Bounded && !open {
		note = "The reason is the latest; earlier ones are not remembered."
	}
	// What was is past, and asks for nothing.
	if open || !s.To.IsZero() {
		next = ""
	}
	return lines(l.Pod+": gate "+g.Type+": "+what, c.period(s.From, s.Until(c.end), s.To.IsZero() && c.zero.IsZero()), cmp.Or(s.Message, means), prefixed("Next: ", next), note)
}

// routed draws when requests went to the target; red is when no process was there any more.
func (c *Canvas) routed(row *Row, l *timeline.Lane, s timeline.Span, y float64) {
	to, stopped := s.Until(c.end), c.end
	if m := l.Stages[timeline.Stopped]; m.Happened() {
		stopped = m.At
	}
	alive, dead := to, s.From
	if stopped.Before(to) {
		alive = stopped
	}
	if stopped.After(s.From) {
		dead = stopped
	}
	c.span(row, s.From, alive, y, 2, "routed", lines(l.Pod+": requests are sent here", c.period(s.From, alive, false)))
	c.span(row, dead, to, y-1, 4, "lost", lines(l.Pod+": requests are sent here, and nobody answers", c.period(dead, to, false)))
}

// marks draws events; those that would cover each other share one mark.
func (c *Canvas) marks(row *Row, all []timeline.Mark, y float64) {
	for i := 0; i < len(all); {
		x := c.X(all[i].At)
		if all[i].At.Before(c.begin) || all[i].At.After(c.end) {
			i++
			continue
		}

		class, said, n := "mark", []string{}, 0
		for ; i < len(all) && c.X(all[i].At)-x < 2*markRadius; i++ {
			if all[i].Warning {
				class = "mark warning"
			}
			if n++; n <= 6 {
				said = append(said, c.said(all[i]))
			}
		}
		if n > 6 {
			said = append(said, "and "+plural.Count(n-6, "more event"))
		}
		row.Shapes = append(row.Shapes, mark(x, y, class, strings.Join(said, "\n")))
	}
}

// said writes an event.
func (c *Canvas) said(m timeline.Mark) string {
	at := c.clock(m.At)
	if m.Count > 1 {
		at = fmt.Sprintf("%s, %s until %s", at, plural.Count(m.Count, "time"), c.clock(cmpTime(m.Until, m.At)))
	}
	_, next := explainMark(m.Reason)
	if !m.Warning {
		next = ""
	}
	return lines(at+" "+m.Object+": "+m.Reason+prefixed(": ", m.Message), prefixed("Next: ", next))
}

func cmpTime(a, b time.Time) time.Time {
	if a.IsZero() {
		return b
	}
	return a
}

// mark is a diamond of a normal event, and a triangle of a warning.
func mark(x, y float64, class, title string) Shape {
	const r = markRadius
	points := fmt.Sprintf("%g,%g %g,%g %g,%g %g,%g", x, y-r, Round(x+r), y, x, y+r, Round(x-r), y)
	if strings.HasSuffix(class, "warning") {
		points = fmt.Sprintf("%g,%g %g,%g %g,%g", x, Round(y-r-2), Round(x+r+1.5), Round(y+r), Round(x-r-1.5), Round(y+r))
	}
	return Shape{Points: points, Class: class, Title: title}
}

// revision says which one a pod is of.
func revision(l *timeline.Lane) string {
	switch {
	case l.Revision != "":
		return strings.TrimSpace(l.Version() + " revision " + l.Revision)
	case l.Told:
		return "revision not known"
	}
	return ""
}

// story is a lane in words.
func (c *Canvas) story(l *timeline.Lane) string {
	parts := []string{"Pod " + l.Pod + prefixed(", ", revision(l))}
	for _, p := range l.Phases(c.end) {
		parts = append(parts, fmt.Sprintf("%s from %s", stateWords[p.State], c.clock(p.From)))
	}
	if m := l.Stages[timeline.Gone]; m.Known == timeline.Exact {
		parts = append(parts, "gone at "+c.clock(m.At))
	}
	for i := range l.Gates {
		s := l.Gates[i].Last()
		what := "closed"
		if s.Status == "True" {
			what = "open"
		}
		parts = append(parts, fmt.Sprintf("gate %s %s%s", GateName(l.Gates[i].Type), what, prefixed(", ", s.Reason)))
	}
	if n := len(l.Marks); n > 0 {
		parts = append(parts, plural.Count(n, "event"))
	}
	return strings.Join(parts, "; ")
}
