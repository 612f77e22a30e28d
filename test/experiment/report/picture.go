// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package report

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
)

// Measures of a picture, in the units of its view box.
const (
	width      = 1120.0
	gutter     = 132.0
	rightEdge  = width - 16
	lanePitch  = 25.0
	podHeight  = 9.0
	answersTop = 96.0
	labelPitch = 15.0
	labelWidth = 200.0
)

// rect is a bar. Class says what it means, Title what it is.
type rect struct {
	X, Y, W, H   float64
	Class, Title string
}

// text is a label; Anchor is start, middle or end.
type text struct {
	X, Y          float64
	Anchor, Class string
	Text          string
}

// line is vertical or horizontal.
type line struct {
	X1, Y1, X2, Y2 float64
	Class          string
}

// picture is one run as shapes, back to front.
type picture struct {
	Name          string
	Width, Height float64
	Lines         []line
	Rects         []rect
	Texts         []text
}

// canvas collects shapes and knows the time axis.
type canvas struct {
	picture
	begin, end float64
}

func (c *canvas) x(t float64) float64 {
	t = min(max(t, c.begin), c.end)
	return round(gutter + (t-c.begin)/(c.end-c.begin)*(rightEdge-gutter))
}

func round(f float64) float64 { return math.Round(f*10) / 10 }

// span draws a bar from one time to another; a bar of no time is not drawn.
func (c *canvas) span(from, to, y, h float64, class, title string) {
	x, w := c.x(from), round(c.x(to)-c.x(from))
	if w <= 0 {
		return
	}
	c.Rects = append(c.Rects, rect{X: x, Y: round(y), W: w, H: h, Class: class, Title: title})
}

func (c *canvas) text(x, y float64, anchor, class, s string) {
	c.Texts = append(c.Texts, text{X: round(x), Y: round(y), Anchor: anchor, Class: class, Text: s})
}

func (c *canvas) line(x1, y1, x2, y2 float64, class string) {
	c.Lines = append(c.Lines, line{X1: round(x1), Y1: round(y1), X2: round(x2), Y2: round(y2), Class: class})
}

// draw makes the picture of a run: its moments on top, a lane for each pod, and below,
// on the same time axis, the answers of each second.
func draw(r Run) picture {
	c := &canvas{begin: math.Floor(r.BeginSeconds), end: math.Ceil(r.EndSeconds)}
	if c.end <= c.begin {
		c.end = c.begin + 1
	}

	c.Name, c.Width = r.Name, width

	moments := []moment{{0, "update", "update"}, {r.DeploymentCompleteSeconds, "Deployment complete", "complete"}, {r.RolloutSeconds, "last old pod gone", "gone"}}
	slices.SortStableFunc(moments, func(a, b moment) int { return cmp.Compare(a.at, b.at) })
	y := c.momentLabels(moments) + 10
	top := y
	lanes := slices.Clone(r.Lanes)
	slices.SortStableFunc(lanes, func(a, b Lane) int {
		if a.Old != b.Old {
			return boolOrder(a.Old)
		}
		return cmp.Compare(c.orBegin(a.Created), c.orBegin(b.Created))
	})

	for _, l := range lanes {
		c.lane(l, y)
		y += lanePitch
	}

	bottom := c.answers(r, y+12)
	c.grid(top-6, bottom)

	for _, m := range moments {
		c.line(c.x(m.at), top-6, c.x(m.at), bottom, "moment "+m.class)
	}

	c.Height = bottom + 34
	return c.picture
}

func boolOrder(first bool) int {
	if first {
		return -1
	}
	return 1
}

// moment is a time of the run that deserves a name.
type moment struct {
	at          float64
	name, class string
}

// momentLabels writes the names of moments in the order of time, in rows so that none
// covers another, and returns where the rows end.
func (c *canvas) momentLabels(moments []moment) float64 {
	var rows []float64
	for _, m := range moments {
		x := c.x(m.at)
		anchor, left, right := "start", x, x+labelWidth
		if right > rightEdge {
			anchor, left, right = "end", x-labelWidth, x
		}

		row := 0
		for row < len(rows) && rows[row] > left {
			row++
		}

		if row == len(rows) {
			rows = append(rows, 0)
		}

		rows[row] = right
		y := 12 + float64(row)*labelPitch
		dx := 4.0
		if anchor == "end" {
			dx = -4
		}

		c.text(x+dx, y, anchor, "moment-label", fmt.Sprintf("%s, %s", m.name, seconds1(m.at)))
		c.line(x, y-9, x, 12+float64(len(moments))*labelPitch, "moment "+m.class)
	}

	return 12 + float64(len(moments)-1)*labelPitch
}

func (c *canvas) orBegin(t *float64) float64 {
	if t == nil {
		return c.begin
	}
	return *t
}

func (c *canvas) orEnd(t *float64) float64 {
	if t == nil {
		return c.end
	}
	return *t
}

// lane draws a pod's life: above what Kubernetes sees, below what the load balancer's
// API says, and a line while the data path sends it requests.
func (c *canvas) lane(l Lane, y float64) {
	version := "old"
	if !l.Old {
		version = "new"
	}
	c.text(gutter-10, y+12, "end", "lane "+version, shortName(l.Pod)+" "+l.Version)
	c.podBar(l, y, version)
	for _, s := range l.Target {
		c.span(s.From, c.orEnd(s.To), y+podHeight+2, 5, "target "+targetClass(s.State), spanTitle(l, "load balancer: "+s.State, s.Reason, s.From, c.orEnd(s.To)))
	}
	for _, s := range l.Routed {
		c.routed(l, s, y+podHeight+8)
	}
}

func (c *canvas) podBar(l Lane, y float64, version string) {
	begin, gone := c.orBegin(l.Created), c.orEnd(l.Gone)
	stopped := min(c.orEnd(l.Stopped), gone)
	terminating := min(c.orEnd(l.Terminating), stopped)
	containers := min(c.orEnd(l.ContainersReady), terminating)
	ready := min(max(c.orEnd(l.Ready), containers), terminating)
	for _, p := range []struct {
		from, to    float64
		class, name string
	}{
		{begin, containers, "starting", "containers starting"},
		{containers, ready, "waiting", "containers ready, pod not Ready"},
		{ready, terminating, "ready " + version, "Ready"},
		{terminating, stopped, "terminating " + version, "terminating, still running"},
		{stopped, gone, "stopped", "containers stopped, object still there"},
	} {
		c.span(p.from, p.to, y, podHeight, "pod "+p.class, spanTitle(l, p.name, "", p.from, p.to))
	}
}

// routed draws when requests went to the target; red is when no process was there any more.
func (c *canvas) routed(l Lane, s Span, y float64) {
	to := c.orEnd(s.To)
	stopped := c.end
	if l.Stopped != nil {
		stopped = *l.Stopped
	}
	c.span(s.From, min(to, stopped), y, 2, "routed", spanTitle(l, "requests are sent here", "", s.From, min(to, stopped)))
	c.span(max(s.From, stopped), to, y-1, 4, "lost", spanTitle(l, "requests are sent here, and nobody answers", "", max(s.From, stopped), to))
}

func targetClass(state string) string {
	switch state {
	case "healthy", "draining", "unhealthy":
		return state
	}
	return "initial"
}

func spanTitle(l Lane, what, reason string, from, to float64) string {
	if reason != "" {
		what += " (" + reason + ")"
	}
	return fmt.Sprintf("%s: %s, %.2f s to %.2f s", l.Pod, what, from, to)
}

// shortName is a pod's name without that of its ReplicaSet.
func shortName(pod string) string {
	return pod[strings.LastIndex(pod, "-")+1:]
}

// grid draws the seconds.
func (c *canvas) grid(top, bottom float64) {
	step := 60.0
	for _, s := range []float64{1, 2, 5, 10, 15, 20, 30} {
		if (c.end-c.begin)/s <= 16 {
			step = s
			break
		}
	}
	for t := math.Ceil(c.begin/step) * step; t <= c.end; t += step {
		c.line(c.x(t), top, c.x(t), bottom, "grid")
		c.text(c.x(t), bottom+14, "middle", "tick", fmt.Sprintf("%g", t+0)) // there is a -0
	}
	c.text(gutter-10, bottom+14, "end", "tick", "seconds")
}
