// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package draw

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/podgate/podgate/internal/plural"
	"github.com/podgate/podgate/internal/timeline"
)

// DefaultLanes is how many pods get a lane of their own.
const DefaultLanes = 40

// Options are how a timeline is drawn.
type Options struct {
	// Name is what the picture shows, for who cannot see it.
	Name string
	// Zero is the time that the axis counts seconds from. Without one it shows the time of the day, and begins and ends where
	// something happens.
	Zero time.Time
	// Lanes is how many pods get a lane of their own; DefaultLanes when it is 0. Of more, counts are drawn, and lanes of those
	// that are of the most interest.
	Lanes int
	// After is how many pods of more interest have their lanes elsewhere.
	After int
	// Asks has each lane name its pod, for a page that asks about it and follows it.
	Asks bool
	// Moments are drawn across all lanes; by default they follow from the timeline.
	Moments []Moment
	// Below draws on the same axis below the lanes, and returns where it ends.
	Below func(c *Canvas, y float64) float64
}

// Moment is a time that deserves a name.
type Moment struct {
	At          time.Time
	Name, Class string
	// Late: it was at that time at the latest, and After is when it had not been yet; zero where nobody knows.
	Late  bool
	After time.Time
}

// Draw makes the picture of a timeline: its moments on top, then events that are of no pod, and the lanes of the pods by revision.
func Draw(t timeline.Timeline, o Options) *Picture {
	c := &Canvas{zero: o.Zero, asks: o.Asks}
	c.begin, c.end = t.From, t.To
	if o.Zero.IsZero() {
		c.begin, c.end = t.Busy()
	}
	if c.end.Sub(c.begin) < time.Second {
		c.end = c.begin.Add(time.Second)
	}

	moments := o.Moments
	if moments == nil {
		moments = momentsOf(t)
	}
	slices.SortStableFunc(moments, func(a, b Moment) int { return a.At.Compare(b.At) })
	y := c.momentLabels(moments) + 10
	top := y

	if len(t.Marks) > 0 {
		row := Row{Label: plural.Count(len(t.Marks), "event") + " of the workload"}
		c.Name(y+9, "sub", "events", "")
		c.marks(&row, t.Marks, y+5)
		c.Rows = append(c.Rows, row)
		y += 18
	}

	y, rest := c.lanes(t, &o, y)
	bottom := y
	if o.Below != nil {
		bottom = o.Below(c, y+12)
	}
	c.grid(top-6, bottom)
	for _, m := range moments {
		c.Front = append(c.Front, line(c.X(m.At), top-6, c.X(m.At), bottom, "moment "+m.Class))
	}

	c.Height = bottom + 24
	return &Picture{Name: o.Name, Canvas: c, Rest: rest}
}

// lanes draws the pods by revision. Of too many it draws how many are in which state, and those of the most interest.
func (c *Canvas) lanes(t timeline.Timeline, o *Options, y float64) (float64, string) {
	most := cmp.Or(o.Lanes, DefaultLanes)
	chosen := t.Choose(o.After, most)
	shown := map[*timeline.Lane]bool{}
	for place := range chosen {
		shown[&t.Lanes[place]] = true
	}

	// The counts come first, so that they are seen at once.
	groups, crowded := revisionsOf(t.Lanes), len(t.Lanes) > most
	for _, g := range groups {
		if crowded {
			y = c.crowd(g, c.heading(g, summary(g.lanes, c.end), y)) + 4
		}
	}

	for _, g := range groups {
		some := slices.DeleteFunc(slices.Clone(g.lanes), func(l *timeline.Lane) bool { return !shown[l] })
		switch {
		case len(some) == 0:
			continue
		case crowded:
			y = c.heading(g, fmt.Sprintf("%d of %s", len(some), plural.Count(len(g.lanes), "pod")), y)
		case o.Zero.IsZero():
			y = c.heading(g, summary(g.lanes, c.end), y)
		}
		for _, l := range some {
			y = c.lane(l, y)
		}
		y += 4
	}

	return y, rest(o.After, len(shown), len(t.Lanes))
}

// rest says which pods have no lane of their own; empty where all have.
func rest(after, shown, all int) string {
	if shown == all {
		return ""
	}
	which := plural.Part(shown, all, "pod", "has", "have") + " a lane of " + plural.Of(shown, "its", "their") + " own"
	if after > 0 {
		which = fmt.Sprintf("Pods %d to %d of %d have a lane here", after+1, after+shown, all)
	}
	return which + ": first come those that are not Ready, the longest first, then those that changed last. The areas count all."
}

// group are the pods of a revision.
type group struct {
	hash, version string
	lanes         []*timeline.Lane
}

func revisionsOf(lanes []timeline.Lane) []group {
	var groups []group
	for i := range lanes {
		l := &lanes[i]
		at := slices.IndexFunc(groups, func(g group) bool { return g.hash == l.Revision && g.version == l.Version() })
		if at < 0 {
			at = len(groups)
			groups = append(groups, group{hash: l.Revision, version: l.Version()})
		}
		groups[at].lanes = append(groups[at].lanes, l)
	}
	return groups
}

// heading names a revision, and says something of its pods.
func (c *Canvas) heading(g group, what string, y float64) float64 {
	name := strings.TrimSpace(g.version + " " + g.hash)
	if name == "" && g.lanes[0].Told {
		name = "revision ?"
	}
	c.Name(y+12, "heading"+prefixed(" ", g.version), clip(name, 18), g.hash)
	c.Text(edge, y+12, "start", "heading", what)
	return y + 20
}

// summary counts pods by state.
func summary(lanes []*timeline.Lane, at time.Time) string {
	counts := map[string]int{}
	for _, l := range lanes {
		word := "gone"
		if l.Alive() {
			word = StateWord(l.StateAt(at))
		}
		counts[word]++
	}

	var parts []string
	for _, word := range []string{"Ready", "waiting", "starting", "pending", "unready", "terminating", "stopped", "not known", "gone"} {
		if n := counts[word]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, word))
		}
	}
	return plural.Count(len(lanes), "pod") + ": " + strings.Join(parts, ", ")
}

// crowdHeight is that of an area of counts.
const crowdHeight = 60.0

// columns is at how many times pods are counted.
const columns = 240

// crowd draws how many pods of a revision are in which state, over time.
func (c *Canvas) crowd(g group, y float64) float64 {
	counts := map[timeline.State]*[columns + 1]int{}
	for _, s := range timeline.States() {
		counts[s] = &[columns + 1]int{}
	}
	for _, l := range g.lanes {
		for _, p := range l.Phases(c.end) {
			counts[p.State][c.column(p.From)]++
			counts[p.State][c.column(p.To)]--
		}
	}

	row := Row{Label: summary(g.lanes, c.end)}
	var below [columns]float64
	scale := crowdHeight / float64(len(g.lanes))
	for _, s := range timeline.States() {
		n, most := 0, 0
		top := below
		for i := range columns {
			n += counts[s][i]
			most = max(most, n)
			top[i] += float64(n) * scale
		}
		if most == 0 {
			continue
		}

		class := "pod " + string(s) + prefixed(" ", g.version)
		title := fmt.Sprintf("%s: at most %s at a time, %d now", stateWords[s], plural.Count(most, "pod"), n)
		row.Shapes = append(row.Shapes, Shape{Points: area(top, below, y+crowdHeight), Class: class, Title: title})
		below = top
	}

	c.Name(y+9, "sub", plural.Count(len(g.lanes), "pod"), "")
	c.Rows = append(c.Rows, row)
	return y + crowdHeight + 8
}

// column is where a time is counted.
func (c *Canvas) column(t time.Time) int {
	at := int(float64(columns) * float64(t.Sub(c.begin)) / float64(c.end.Sub(c.begin)))
	return min(max(at, 0), columns)
}

// area is a polygon between two courses of steps.
func area(top, below [columns]float64, base float64) string {
	const wide = (Width - 2*edge) / columns
	var points []string
	for i, h := range top {
		points = append(points, fmt.Sprintf("%g,%g %g,%g", Round(edge+float64(i)*wide), Round(base-h), Round(edge+float64(i+1)*wide), Round(base-h)))
	}
	for i := columns - 1; i >= 0; i-- {
		points = append(points, fmt.Sprintf("%g,%g %g,%g", Round(edge+float64(i+1)*wide), Round(base-below[i]), Round(edge+float64(i)*wide), Round(base-below[i])))
	}
	return strings.Join(points, " ")
}

// momentsOf are those of a rollout: that its revision began, that its pods were Ready, and that those of earlier ones were gone.
func momentsOf(t timeline.Timeline) []Moment {
	moments := []Moment{}
	latest, _ := t.Workload.Latest()
	begun := latest.Began
	if !begun.Happened() || begun.At.Before(t.From) {
		return moments
	}
	first := Moment{At: begun.At, Name: "new revision", Class: "update", Late: begun.Known == timeline.Bounded, After: begun.After}
	if latest.Again {
		first.Name = "rolled back"
	}
	moments = append(moments, first)

	var ready, gone time.Time

	fresh, left := 0, 0
	for i := range t.Lanes {
		l := &t.Lanes[i]
		switch m := l.Stages[timeline.Ready]; {
		case l.Old && l.Alive(), !l.Old && l.Alive() && l.StateAt(t.To) != timeline.IsReady:
			left++
		case l.Old:
			if at := l.Stages[timeline.Gone]; at.Known == timeline.Exact && at.At.After(gone) {
				gone = at.At
			}
		case l.Alive():
			fresh++
			if m.At.After(ready) {
				ready = m.At
			}
		}
	}
	if left > 0 || fresh == 0 || fresh < int(t.Workload.Desired) {
		return moments
	}
	// A rollback may find all its pods there.
	if ready.After(begun.At) {
		moments = append(moments, Moment{At: ready, Name: "all new pods Ready", Class: "complete"})
	}
	if !gone.IsZero() {
		moments = append(moments, Moment{At: gone, Name: "last old pod gone", Class: "gone"})
	}
	return moments
}

// labelPitch and labelWidth are what a moment's name needs.
const (
	labelPitch = 15.0
	labelWidth = 210.0
)

// momentLabels writes the names of moments in the order of time, in rows so that none covers another, and returns where they end.
func (c *Canvas) momentLabels(moments []Moment) float64 {
	var rows []float64
	type placed struct {
		x, y float64
		m    Moment
	}
	var all []placed
	for _, m := range moments {
		x := c.X(m.At)
		left, right := x, x+labelWidth
		anchor, dx := "start", 4.0
		if right > Width {
			anchor, dx, left, right = "end", -4, x-labelWidth, x
		}

		at := 0
		for at < len(rows) && rows[at] > left {
			at++
		}
		if at == len(rows) {
			rows = append(rows, 0)
		}
		rows[at] = right

		y := 12 + float64(at)*labelPitch
		when := c.moment(m.At)
		if m.Late {
			when = "by " + when
		}
		c.Text(x+dx, y, anchor, "moment-label", m.Name+", "+when)
		all = append(all, placed{x, y, m})
	}

	bottom := 12 + float64(max(len(rows)-1, 0))*labelPitch
	for _, p := range all {
		c.Front = append(c.Front, line(p.x, p.y-9, p.x, bottom+4, "moment "+p.m.Class))
		if !p.m.After.IsZero() {
			c.Front = append(c.Front, line(c.X(p.m.After), bottom+4, p.x, bottom+4, "moment "+p.m.Class))
		}
	}
	return bottom
}

func (c *Canvas) moment(t time.Time) string {
	if c.zero.IsZero() {
		return c.clock(t)
	}
	return fmt.Sprintf("%.1f s", t.Sub(c.zero).Seconds())
}
