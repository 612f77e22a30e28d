// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package record

import (
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/gate"
	"github.com/podgate/podgate/internal/observe"
)

const (
	// kept is how long a target is remembered that nobody asks about: longer than any
	// deregistration delay. AWS allows up to an hour.
	kept = 2 * time.Hour
	// most bounds how many are remembered. One more is not measured, and nothing else.
	most = 20_000
)

// Records are the drains of all groups. The zero value is ready to use.
type Records struct {
	// Drivers say what is true of the groups' load balancers.
	Drivers balancer.Drivers

	mu     sync.Mutex
	groups map[balancer.Ref]map[gate.Target]*record
	pods   map[types.UID][]*record
	count  int
	tidied time.Time
}

type record struct {
	Drain
	// noted is when it was noted last, and absent when the first of the latest reads in a row began that lacked it.
	noted, absent time.Time
	// ended: its pod has ended.
	ended bool
}

// Note says that a target leaves: its pod is being deleted, or it was deregistered. What is known of it stays, and
// what d adds is added. A target has one pod at a time, so another pod's record ends.
func (r *Records) Note(d Drain, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()

	r.tidy(now)
	rec := r.groups[d.Ref][d.Target]
	if rec != nil && rec.Pod != d.Pod {
		r.drop(rec)
		rec = nil
	}

	if rec == nil {
		d.GoneIsDone = r.Drivers.Of(d.Ref.Provider).GoneIsDone
		r.add(&record{Drain: d, noted: now})
		return
	}

	// The first word counts: a repeated deletion or deregistration began nothing.
	rec.noted = now
	rec.Held = rec.Held || d.Held
	if rec.Deleted.IsZero() {
		rec.Deleted = d.Deleted
	}

	if rec.Accepted.IsZero() {
		rec.Accepted = d.Accepted
	}
}

// Placed says that a target was registered: what drained there has ended.
func (r *Records) Placed(ref balancer.Ref, t gate.Target) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if rec := r.groups[ref][t]; rec != nil {
		r.drop(rec)
	}
}

// Read takes a complete read of a group into account, and returns the targets that it first
// showed draining, and gone.
func (r *Records) Read(ref balancer.Ref, snap observe.Snapshot) (draining, gone []Drain) {
	if snap.Targets == nil {
		return nil, nil
	}

	r.mu.Lock()
	defer r.mu.Unlock()

	for t, rec := range r.groups[ref] {
		before := rec.Drain
		rec.read(snap, t, r.Drivers.Lag(ref))
		if before.Draining.IsZero() && !rec.Draining.IsZero() {
			draining = append(draining, rec.Drain)
		}
		if before.Gone.IsZero() && !rec.Gone.IsZero() {
			gone = append(gone, rec.Drain)
			if rec.ended {
				r.drop(rec)
			}
		}
	}

	return draining, gone
}

// read takes one read into account, unless it began before the record did.
func (rec *record) read(snap observe.Snapshot, t gate.Target, lag time.Duration) {
	// What a read shows that began before the deregistration is of the time before.
	since := rec.Accepted
	if since.IsZero() {
		since = rec.Deleted
	}

	if snap.Started.Before(since) || !rec.Gone.IsZero() {
		return
	}

	h, present := snap.Targets[t]
	if present {
		rec.absent = time.Time{}
		rec.Connections = h.Connections
		if h.Leaving() && rec.Draining.IsZero() {
			rec.Draining = snap.Started
		}
		return
	}

	// A read may be behind and not show yet what was there at the deregistration. So the target counts as gone only with a
	// read that no longer can, and from the first on that lacked it.
	rec.Connections = 0
	if rec.absent.IsZero() {
		rec.absent = snap.Started
	}

	if !snap.Started.Before(since.Add(lag)) {
		rec.Gone = rec.absent
	}
}

// End says that a pod has ended, and returns what was known of its targets in a group. Those
// that are not gone yet are remembered until they are.
func (r *Records) End(pod types.UID, ref balancer.Ref) []Drain {
	r.mu.Lock()
	defer r.mu.Unlock()

	var all []Drain
	for _, rec := range slices.Clone(r.pods[pod]) {
		if rec.Ref != ref || rec.ended {
			continue
		}
		all = append(all, rec.Drain)

		// The pod is judged once, but how long its target takes to go is measured all the same.
		rec.ended = true
		if !rec.Gone.IsZero() {
			r.drop(rec)
		}
	}

	return all
}

// add remembers one more; the caller holds the lock, and so for the following.
func (r *Records) add(rec *record) {
	if r.count >= most {
		return
	}

	if r.groups == nil {
		r.groups, r.pods = map[balancer.Ref]map[gate.Target]*record{}, map[types.UID][]*record{}
	}
	if r.groups[rec.Ref] == nil {
		r.groups[rec.Ref] = map[gate.Target]*record{}
	}

	r.count++
	r.groups[rec.Ref][rec.Target] = rec
	r.pods[rec.Pod] = append(r.pods[rec.Pod], rec)
}

// drop forgets one; the indexes keep no empty entries.
func (r *Records) drop(rec *record) {
	r.count--

	delete(r.groups[rec.Ref], rec.Target)
	if len(r.groups[rec.Ref]) == 0 {
		delete(r.groups, rec.Ref)
	}

	r.pods[rec.Pod] = slices.DeleteFunc(r.pods[rec.Pod], func(other *record) bool { return other == rec })
	if len(r.pods[rec.Pod]) == 0 {
		delete(r.pods, rec.Pod)
	}
}

// tidy drops what nobody has asked about for long, such as the targets of a group that is not read any longer.
func (r *Records) tidy(now time.Time) {
	if now.Sub(r.tidied) < kept/8 {
		return
	}
	r.tidied = now
	for _, group := range r.groups {
		for _, rec := range group {
			if now.Sub(rec.noted) > kept {
				r.drop(rec)
			}
		}
	}
}
