// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package timeline

import (
	"cmp"
	"slices"
	"time"
)

// Alive reports whether the pod is there, for all that is known.
func (l *Lane) Alive() bool { return !l.Stages[Gone].Happened() }

// Busy is the part of the timeline in which something happens, with a margin: a picture of an hour would hide a rollout of a
// minute. It lasts to the end while a pod is not Ready.
func (t *Timeline) Busy() (begin, end time.Time) {
	times, goes := t.changes()
	if len(times) == 0 {
		return t.From, t.To
	}

	begin, end = slices.MinFunc(times, time.Time.Compare), t.To
	if !goes {
		end = slices.MaxFunc(times, time.Time.Compare)
	}
	margin := max(end.Sub(begin)/20, 3*time.Second)
	return latest(begin.Add(-margin), t.From), earliest(end.Add(margin), t.To)
}

// changes are the times at which something happened, and whether something goes on.
func (t *Timeline) changes() (times []time.Time, goes bool) {
	add := func(at time.Time) {
		if !at.Before(t.From) && !at.After(t.To) {
			times = append(times, at)
		}
	}

	for i := range t.Lanes {
		l := &t.Lanes[i]
		for _, p := range l.Phases(t.To) {
			add(p.From)
		}
		for _, g := range l.Gates {
			for _, s := range g.Spans {
				add(s.From)
			}
		}
		if m := l.Stages[Gone]; m.Known == Exact {
			add(m.At)
		}
		goes = goes || l.Alive() && l.StateAt(t.To) != IsReady
	}

	for _, m := range t.Marks {
		add(m.At)
	}
	if latest, known := t.Workload.Latest(); known {
		add(latest.Began.At)
	}
	return times, goes
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func earliest(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// Choose are the places of the lanes of most interest after so many of more: those of pods that are not Ready, the longest
// first, then those that changed last, and last pods that are gone.
func (t *Timeline) Choose(after, most int) map[int]bool {
	type interest struct {
		place, rank int
		since       time.Time
	}
	const (
		waits = iota
		calm
		gone
	)
	all := make([]interest, len(t.Lanes))
	for i := range t.Lanes {
		l := &t.Lanes[i]
		all[i] = interest{place: i, rank: gone}
		phases := l.Phases(t.To)
		if len(phases) == 0 {
			continue
		}

		last := phases[len(phases)-1]
		all[i].since = last.From
		switch {
		case l.Alive() && last.State != IsReady:
			all[i].rank = waits
		case l.Alive():
			all[i].rank = calm
		}
	}

	slices.SortStableFunc(all, func(a, b interest) int {
		first := a.since.Compare(b.since)
		if a.rank != waits {
			first = -first
		}
		return cmp.Or(cmp.Compare(a.rank, b.rank), first)
	})

	chosen := map[int]bool{}
	for _, one := range all[min(after, len(all)):min(after+most, len(all))] {
		chosen[one.place] = true
	}
	return chosen
}
