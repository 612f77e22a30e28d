// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"
	"slices"
	"strings"
)

// Leaving is where the time went between the deletion of an old pod and the end of its object, in seconds. The parts follow
// each other, and their sum is that time.
type Leaving struct {
	// DeregisteredSeconds is until the API said draining.
	DeregisteredSeconds float64 `json:"deregisteredSeconds"`
	// RoutedSeconds is for how long the data path sent requests on.
	RoutedSeconds float64 `json:"routedSeconds"`
	// OverhangSeconds is from then until the pod's containers were seen to have ended, which the pod need not have waited
	// for; less than 0 where requests were sent to a pod that had ended.
	OverhangSeconds float64 `json:"overhangSeconds"`
	// DrainingSeconds is how much of the overhang the API still said draining, when the load balancer may keep connections.
	DrainingSeconds float64 `json:"drainingSeconds"`
	// GoneSeconds is from the end of the containers to that of the object.
	GoneSeconds float64 `json:"goneSeconds"`
}

// Leave returns the parts of a pod's end; nil of a pod that stays, or of which a part was not seen.
func (l Lane) Leave() *Leaving {
	draining := slices.IndexFunc(l.Target, func(s Span) bool { return s.State == "draining" })
	if !l.Old || l.Terminating == nil || l.Stopped == nil || l.Gone == nil || draining < 0 || len(l.Routed) == 0 {
		return nil
	}

	from, let := l.Target[draining].From, l.Routed[len(l.Routed)-1].To
	if let == nil {
		return nil
	}

	left := &Leaving{
		DeregisteredSeconds: from - *l.Terminating, RoutedSeconds: *let - from,
		OverhangSeconds: *l.Stopped - *let, GoneSeconds: *l.Gone - *l.Stopped,
	}

	left.DrainingSeconds = max(0, left.OverhangSeconds)
	if to := l.Target[draining].To; to != nil {
		left.DrainingSeconds = max(0, min(left.OverhangSeconds, *to-*let))
	}
	return left
}

// leavings are those of a run's old pods, sorted by a part.
func (r Run) leavings(part func(Leaving) float64) []float64 {
	var all []float64
	for _, l := range r.Lanes {
		if l.Leaving != nil {
			all = append(all, part(*l.Leaving))
		}
	}
	slices.Sort(all)
	return all
}

// shown is how many pods a cell of the table has room for.
const shown = 8

// Overhangs are those of each old pod, as in "5 6 6 s", and of many pods the least and the most.
func Overhangs(r Run) string {
	all := r.leavings(func(l Leaving) float64 { return l.OverhangSeconds })
	if len(all) == 0 {
		return "not seen"
	}
	if len(all) > shown {
		return fmt.Sprintf("%.0f to %.0f s", all[0], all[len(all)-1])
	}
	words := make([]string, 0, len(all))
	for _, s := range all {
		words = append(words, fmt.Sprintf("%.0f", s))
	}
	return strings.Join(words, " ") + " s"
}

// middle is the median of a part of the old pods' ends.
func middle(part func(Leaving) float64) func(Run) string {
	return func(r Run) string {
		all := r.leavings(part)
		if len(all) == 0 {
			return "not seen"
		}
		return seconds1((all[(len(all)-1)/2] + all[len(all)/2]) / 2)
	}
}

// medianOverhang is the median of a run's overhangs.
var medianOverhang = middle(func(l Leaving) float64 { return l.OverhangSeconds })
