// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package drain

import (
	"math"
	"slices"
	"time"
)

const (
	// windowSize is how many drains a recommendation looks back at, and enough how many it takes at least.
	windowSize, enough = 32, 10
	// step is what recommendations are multiples of, and the least by which they change.
	step = 5 * time.Second
)

// Window is what the latest drains of a binding took. Its zero value is empty.
type Window struct {
	drains [windowSize]took
	count  int
}

// took is one drain's, in seconds rounded up.
type took struct{ accepted, drained uint16 }

// Add adds a pod's drain: how long after its deletion the deregistration was accepted, and
// how long after that it was drained, where the load balancer tells.
func (w *Window) Add(accepted, drained time.Duration) {
	w.drains[w.count%windowSize] = took{accepted: whole(accepted), drained: whole(drained)}
	w.count++
}

func whole(d time.Duration) uint16 {
	return uint16(min(max(math.Ceil(d.Seconds()), 0), math.MaxUint16))
}

// slowest are the longest times of the window, but one each: a single one is an accident.
func (w *Window) slowest() (accepted, drained time.Duration) {
	var as, ds []uint16
	for _, t := range w.drains[:min(w.count, windowSize)] {
		as, ds = append(as, t.accepted), append(ds, t.drained)
	}
	slices.Sort(as)
	slices.Sort(ds)
	return time.Duration(as[len(as)-2]) * time.Second, time.Duration(ds[len(ds)-2]) * time.Second
}

// Terms are what the time of a binding's pods follows from.
type Terms struct {
	// Computed is what the group needs by the formula.
	Computed Need
	// Told: the load balancer tells when a target has drained.
	Told bool
	// Settings are the owner's, and Recommended what podgate recommends; 0 when it does not.
	Settings    Settings
	Recommended time.Duration
}

// Time is how long pods serve on after their deletion has begun: what the owner says, be it that
// podgate's recommendation counts, or else what the group needs.
func (t Terms) Time() time.Duration {
	if t.Settings.Time > 0 {
		return t.Settings.Time
	}
	if t.Settings.Recommended && t.Recommended > 0 {
		return t.bound(t.Recommended)
	}
	return t.Computed.Time()
}

// Need is the same by its parts.
func (t Terms) Need() Need {
	if d := t.Time(); d != t.Computed.Time() {
		return t.Computed.within(d)
	}
	return t.Computed
}

// bound keeps a recommendation within its bounds: twice what is computed, and at least that much where
// nobody tells when a target has drained.
func (t Terms) bound(d time.Duration) time.Duration {
	least := t.Computed.Time()
	if t.Told {
		least = min(least, Deregister+step)
	}
	return min(max(d, least), 2*t.Computed.Time(), MaxTime)
}

// Recommend returns the next recommendation by the latest drains; 0 while the computed time is right. It
// changes by a tenth at least, goes down only when a whole window says so, and stays while
// there are too few drains to tell.
func (t Terms) Recommend(w *Window) time.Duration {
	if w.count < enough {
		return t.Recommended
	}

	accepted, drained := w.slowest()
	after := t.Computed.Routing + t.Computed.InFlight
	if t.Told {
		after = min(drained+drained/4, after)
	}

	next := t.bound((max(accepted, Deregister) + after + step - 1).Truncate(step))
	now := t.Recommended
	if now == 0 {
		now = t.Computed.Time()
	}

	least := max(step, now/10)
	if next-now < least && (now-next < least || w.count < windowSize) {
		return t.Recommended
	}
	if (next - t.Computed.Time()).Abs() < max(step, t.Computed.Time()/10) {
		return 0
	}

	return next
}
