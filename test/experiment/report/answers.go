// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/podgate/podgate/internal/timeline/draw"
)

// answersTop is how high the bars of good answers are at most.
const answersTop = 96.0

// answers draws a bar for each second below the lanes of a run: good answers upwards, by version, and failures
// downwards, on one scale. It returns where the bars may end.
func answers(c *draw.Canvas, r Run, y float64) float64 {
	most, worst := 1, 0
	for _, s := range r.Seconds {
		most, worst = max(most, total(s.OK)), max(worst, total(s.Failed))
	}

	scale := answersTop / float64(max(most, worst))
	base := y + answersTop
	depth := max(18, math.Ceil(float64(worst)*scale)+4)

	row := draw.Row{Label: fmt.Sprintf("Answers by second: %d of %d requests failed", r.Failed, r.Requests)}
	for _, s := range r.Seconds {
		at := base
		for _, version := range slices.Sorted(maps.Keys(s.OK)) {
			h := float64(s.OK[version]) * scale
			at -= h
			bar(c, &row, s.At, at, h, "answers "+versionClass(r, version), fmt.Sprintf("second %d: %d answers of %s", s.At, s.OK[version], version))
		}
		if n := total(s.Failed); n > 0 {
			bar(c, &row, s.At, base+1, max(2, float64(n)*scale), "answers failed", fmt.Sprintf("second %d: %d failed (%s)", s.At, n, list(s.Failed)))
		}
	}

	c.Rows = append(c.Rows, row)
	c.Line(c.Left(), base, c.Right(), base, "axis")
	c.Name(y+8, "tick", fmt.Sprintf("%d/s", most), "")
	c.Name(base-answersTop/2+4, "axis-label", "answers", "")
	c.Name(base+12, "axis-label failed", "failed", "")

	return base + depth
}

// bar is one second wide, with a gap to the next.
func bar(c *draw.Canvas, row *draw.Row, second int, y, h float64, class, title string) {
	x, w := c.X(after(float64(second))), c.X(after(float64(second+1)))-c.X(after(float64(second)))
	if w <= 0 || h <= 0 {
		return
	}
	row.Bars = append(row.Bars, draw.Bar{X: x, Y: draw.Round(y), W: draw.Round(max(w-1, 0.5)), H: draw.Round(h), Class: class, Title: title})
}

// versionClass is old for the versions of the pods from before the update.
func versionClass(r Run, version string) string {
	for _, l := range r.Lanes {
		if l.Version == version && l.Old {
			return "old"
		}
	}
	return "new"
}

func total(counts map[string]int) int {
	n := 0
	for _, v := range counts {
		n += v
	}
	return n
}

func list(counts map[string]int) string {
	var parts []string
	for _, k := range slices.Sorted(maps.Keys(counts)) {
		parts = append(parts, fmt.Sprintf("%s: %d", k, counts[k]))
	}
	return strings.Join(parts, ", ")
}
