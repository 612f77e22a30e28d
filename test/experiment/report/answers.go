// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
)

// answers draws a bar for each second: good answers upwards, by version, and failures
// downwards, on one scale. It returns where the bars may end.
func (c *canvas) answers(r Run, y float64) float64 {
	most, worst := 1, 0
	for _, s := range r.Seconds {
		most, worst = max(most, total(s.OK)), max(worst, total(s.Failed))
	}

	scale := answersTop / float64(max(most, worst))
	base := y + answersTop
	depth := max(18, math.Ceil(float64(worst)*scale)+4)

	for _, s := range r.Seconds {
		at := base
		for _, version := range slices.Sorted(maps.Keys(s.OK)) {
			h := float64(s.OK[version]) * scale
			at -= h
			c.bar(s.At, at, h, "answers "+c.versionClass(r, version), fmt.Sprintf("second %d: %d answers of %s", s.At, s.OK[version], version))
		}
		if n := total(s.Failed); n > 0 {
			c.bar(s.At, base+1, max(2, float64(n)*scale), "answers failed", fmt.Sprintf("second %d: %d failed (%s)", s.At, n, list(s.Failed)))
		}
	}

	c.line(gutter, base, rightEdge, base, "axis")
	c.text(gutter-10, y+8, "end", "tick", fmt.Sprintf("%d/s", most))
	c.text(gutter-10, base-answersTop/2+4, "end", "axis-label", "answers")
	c.text(gutter-10, base+12, "end", "axis-label failed", "failed")

	return base + depth
}

// bar is one second wide, with a gap to the next.
func (c *canvas) bar(at int, y, h float64, class, title string) {
	from, to := float64(at), float64(at+1)
	x, w := c.x(from), c.x(to)-c.x(from)
	if w <= 0 || h <= 0 {
		return
	}
	c.Rects = append(c.Rects, rect{X: round(x), Y: round(y), W: round(max(w-1, 0.5)), H: round(h), Class: class, Title: title})
}

// versionClass is old for the versions of the pods from before the update.
func (c *canvas) versionClass(r Run, version string) string {
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
