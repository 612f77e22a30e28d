// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package drain

import (
	"math"
	"slices"
	"time"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/v1alpha1"
)

// Recommended is the annotation's value by which a binding's owner leaves the time to what
// podgate recommends, within its bounds.
const Recommended = v1alpha1.DrainRecommended

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

// terms are what the time of a binding's pods follows from.
type terms struct {
	// computed is what the group needs by the formula.
	computed Need
	// told: the load balancer tells when a target has drained.
	told bool
	// settings are the owner's, and recommended what podgate recommends; 0 when it does not.
	settings    Settings
	recommended time.Duration
}

func termsOf(b *elbv2.TargetGroupBinding) terms {
	t := terms{computed: computed(b), settings: SettingsOf(b.Annotations)}
	if d, err := Parse(b.Annotations[v1alpha1.RecommendedDrainAnnotation]); err == nil {
		t.recommended = d
	}
	return t
}

func termsOfOwn(b *v1alpha1.TargetBinding) terms {
	t := terms{computed: computedOwn(b), told: b.Spec.HAProxy != nil, settings: SettingsOf(b.Policies())}
	if d := b.Status.Drain; d != nil {
		t.recommended = time.Duration(d.RecommendedSeconds) * time.Second
	}
	return t
}

// time is how long pods serve on.
func (t terms) time() time.Duration {
	if t.settings.Time > 0 {
		return t.settings.Time
	}
	if t.settings.Recommended && t.recommended > 0 {
		return t.bound(t.recommended)
	}
	return t.computed.Time()
}

// need is the same by its parts.
func (t terms) need() Need {
	if d := t.time(); d != t.computed.Time() {
		return t.computed.within(d)
	}
	return t.computed
}

// bound keeps a recommendation within its bounds: twice what is computed, and at least that much where
// nobody tells when a target has drained.
func (t terms) bound(d time.Duration) time.Duration {
	least := t.computed.Time()
	if t.told {
		least = min(least, Deregister+step)
	}
	return min(max(d, least), 2*t.computed.Time(), MaxTime)
}

// recommend gives the next recommendation; 0 while the computed time is right. It
// changes by a tenth at least, goes down only when a whole window says so, and stays while
// there are too few drains to tell.
func (t terms) recommend(w *Window) time.Duration {
	if w.count < enough {
		return t.recommended
	}

	accepted, drained := w.slowest()
	after := t.computed.Routing + t.computed.InFlight
	if t.told {
		after = min(drained+drained/4, after)
	}

	next := t.bound((max(accepted, Deregister) + after + step - 1).Truncate(step))
	now := t.recommended
	if now == 0 {
		now = t.computed.Time()
	}

	small := (next - now).Abs() < max(step, now/10)
	if small || next < now && w.count < windowSize {
		return t.recommended
	}
	if (next - t.computed.Time()).Abs() < max(step, t.computed.Time()/10) {
		return 0
	}

	return next
}

// Recommend gives what podgate recommends for a binding by its latest drains, as
// termsOf(b).recommend; 0 while the computed time is right.
func Recommend(b *elbv2.TargetGroupBinding, w *Window) time.Duration { return termsOf(b).recommend(w) }

// RecommendOwn is the same for podgate's own kind.
func RecommendOwn(b *v1alpha1.TargetBinding, w *Window) time.Duration {
	return termsOfOwn(b).recommend(w)
}
