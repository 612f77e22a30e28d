// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package draw makes pictures of timelines: SVG in HTML that loads nothing from elsewhere. The demo's report, the live page
// and the timeline's file share it. It decides nothing about what it draws, and reads no clock.
package draw

import (
	"math"
	"time"
)

// Measures of a picture, in pixels.
const (
	// Width is the chart's, and namesWidth that of the column of names, which stays where it is when the chart is scrolled.
	Width      = 1028.0
	namesWidth = 128.0
	edge       = 28.0
)

// Bar is a rectangle. Class says what it means, Title what it is.
type Bar struct {
	X, Y, W, H   float64
	Class, Title string
}

// Text is a label; Anchor is start, middle or end.
type Text struct {
	X, Y          float64
	Anchor, Class string
	Text, Title   string
}

// Line is vertical or horizontal.
type Line struct {
	X1, Y1, X2, Y2 float64
	Class          string
}

// Shape is a polygon.
type Shape struct{ Points, Class, Title string }

// Row is what belongs to one pod, or to one group of pods.
type Row struct {
	// Label is what it shows, in words.
	Label string
	// Pod and UID are those of a lane on a page that asks about pods; empty elsewhere.
	Pod, UID string
	Bars     []Bar
	Shapes   []Shape
	Texts    []Text
}

// Canvas collects shapes and knows the time axis.
type Canvas struct {
	Height float64
	// Names are the labels in the column of names.
	Names []Text
	Lines []Line
	Rows  []Row
	Texts []Text
	// Front are the lines over the rows.
	Front []Line

	begin, end, zero time.Time
	// asks: the page asks about pods.
	asks bool
}

// X is where a time is; what is outside the picture is at its edge.
func (c *Canvas) X(t time.Time) float64 {
	if t.Before(c.begin) {
		t = c.begin
	}
	if t.After(c.end) {
		t = c.end
	}
	return Round(edge + float64(t.Sub(c.begin))/float64(c.end.Sub(c.begin))*(Width-2*edge))
}

// Round rounds to what is seen.
func Round(f float64) float64 { return math.Round(f*10) / 10 }

// Text writes into the chart.
func (c *Canvas) Text(x, y float64, anchor, class, s string) {
	c.Texts = append(c.Texts, Text{X: Round(x), Y: Round(y), Anchor: anchor, Class: class, Text: s})
}

// Name writes into the column of names.
func (c *Canvas) Name(y float64, class, s, title string) {
	c.Names = append(c.Names, Text{X: namesWidth - 4, Y: Round(y), Anchor: "end", Class: class, Text: s, Title: title})
}

// Line draws below the rows.
func (c *Canvas) Line(x1, y1, x2, y2 float64, class string) {
	c.Lines = append(c.Lines, line(x1, y1, x2, y2, class))
}

func line(x1, y1, x2, y2 float64, class string) Line {
	return Line{X1: Round(x1), Y1: Round(y1), X2: Round(x2), Y2: Round(y2), Class: class}
}

// span draws a bar from one time to another. What is shorter than a pixel is drawn all the same, what is outside is not.
func (c *Canvas) span(r *Row, from, to time.Time, y, h float64, class, title string) {
	if !to.After(c.begin) || !from.Before(c.end) || !to.After(from) {
		return
	}
	x := c.X(from)
	r.Bars = append(r.Bars, Bar{X: x, Y: Round(y), W: max(Round(c.X(to)-x), 0.8), H: h, Class: class, Title: title})
}

// Left and Right are where the time axis begins and ends.
func (*Canvas) Left() float64 { return edge }

// Right is the other end.
func (*Canvas) Right() float64 { return Width - edge }

// grid draws the times.
func (c *Canvas) grid(top, bottom float64) {
	step := c.step()
	first := c.zero
	if first.IsZero() {
		first = c.begin.Truncate(step)
	} else {
		first = first.Add(-(c.zero.Sub(c.begin) / step) * step)
	}

	for t := first; !t.After(c.end); t = t.Add(step) {
		if t.Before(c.begin) {
			continue
		}
		c.Line(c.X(t), top, c.X(t), bottom, "grid")
		c.Text(c.X(t), bottom+14, "middle", "tick", c.tick(t, step))
	}

	unit := "seconds"
	if c.zero.IsZero() {
		unit = c.begin.UTC().Format(time.DateOnly) + " UTC"
	}
	c.Name(bottom+14, "tick", unit, "")
}

// step is the time between two lines of the grid, of which there are about a dozen.
func (c *Canvas) step() time.Duration {
	for _, s := range []time.Duration{
		time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second, 15 * time.Second, 20 * time.Second, 30 * time.Second,
		time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 15 * time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour, 6 * time.Hour,
	} {
		if c.end.Sub(c.begin)/s <= 14 {
			return s
		}
	}
	return 24 * time.Hour
}
