// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package observe

import (
	"time"
	"unique"

	"k8s.io/apimachinery/pkg/types"

	"github.com/podgate/podgate/internal/gate"
)

// Snapshot is what one complete read of a subject said.
type Snapshot struct {
	// Started is when the read began: what it says held at that time or later.
	Started time.Time
	// Targets is the subject's content, not nil; a target that is absent is not in it.
	Targets map[gate.Target]gate.Health
}

// View is a subject as it is known now.
type View struct {
	// Snapshot is the latest complete read; its Targets are nil before the first.
	Snapshot Snapshot
	// Err is why the latest read failed; nil when it succeeded or there was none.
	Err error
}

// Interest is what one of a pod's gates needs to know of a target.
type Interest struct {
	// Subject is what the target is observed in.
	Subject Subject
	Target  gate.Target
	// Waiting: the gate is closed and could open by now, so the subject is read fast and urgently.
	Waiting bool
	// Follow: the gate follows its target's health, open or not, so the subject is read often enough for that.
	Follow bool
}

// Sighting is what reads since a pod got its address say of its target.
type Sighting struct {
	// Observed: a read that began after the pod had its address succeeded.
	Observed bool
	// ReadAt is when the latest such read began.
	ReadAt time.Time
	// Present: the latest such read holds the target.
	Present bool
	// Health is the target's, when Present.
	Health gate.Health
	// SeenOtherwise: one of these reads found the target absent or not healthy, and began the
	// subject's lag after the pod got its address: what is older may be of the pod that had it before.
	SeenOtherwise bool
	// PlacedFor is the pod for which podgate registered the target when the subject did
	// not hold it, empty when it did not or that was long ago.
	PlacedFor types.UID
	// Removed: podgate took the target out of the subject, or may have, and no read surely shows what became of that.
	Removed bool
	// Early: the latest read began within the subject's lag after the pod was first seen, so that it may not show what
	// another process did before.
	Early bool
	// FailingSince is when the first of the reads began that said in a row that the target
	// is failing; zero when the latest did not. A failed read, or a long time without one,
	// begins the count anew.
	FailingSince time.Time
	// Gap is how old this may be to count still, where that is more than gate.TrackGap: longer than two reads are apart.
	Gap time.Duration
	// Err is why the latest read failed, nil when it succeeded.
	Err error
}

// glimpse is what is kept of a Sighting for every pod. Most targets are as healthy as each other.
type glimpse struct {
	Observed, Present, SeenOtherwise bool
	health                           unique.Handle[gate.Health] // its zero value where nothing was observed
}

// Health is the target's, when Present.
func (g glimpse) Health() gate.Health {
	if !g.Present {
		return gate.Health{}
	}
	return g.health.Value()
}

// interest is a pod's in one target of a subject, whichever of its gates have it. A pod has several targets in a group where
// several ports of it belong there.
type interest struct {
	pod     types.NamespacedName
	target  gate.Target
	subject *subject
	// since is when the pod was first seen with this address.
	since    time.Time
	waiting  bool
	followed bool
	sighting glimpse
	readAt   time.Time
	// sound is when the last read began that found the target not unhealthy; zero when none did.
	sound time.Time
	// failing is Sighting.FailingSince.
	failing time.Time
}

// need takes over whether any of the pod's gates waits for the target or follows it; Observer.mu is held.
func (in *interest) need(waiting, followed bool) {
	if waiting && !in.waiting {
		in.subject.ask(true)
	}
	if followed != in.followed {
		in.subject.nudge()
	}
	in.waiting, in.followed = waiting, followed
}

// update takes a snapshot into account, which may be that much behind, and reports whether the sighting changed.
func (in *interest) update(snap Snapshot, lag time.Duration) bool {
	if snap.Started.Before(in.since) {
		return false
	}

	h, present := snap.Targets[in.target]
	next := glimpse{
		Observed: true, Present: present, health: unique.Make(h),
		SeenOtherwise: in.sighting.SeenOtherwise || (!present || h.State != gate.Healthy) && !snap.Started.Before(in.since.Add(lag)),
	}

	if h.State != gate.Unhealthy {
		in.sound = snap.Started
	}

	// A long time without a read begins the count of failing again: nobody knows what was in between.
	switch {
	case !h.Failing():
		in.failing = time.Time{}
	case in.failing.IsZero() || snap.Started.Sub(in.readAt) > gate.TrackGap:
		in.failing = snap.Started
	}

	changed := next != in.sighting
	in.sighting, in.readAt = next, snap.Started
	return changed
}

func same(a, b map[gate.Target]gate.Health) bool {
	if len(a) != len(b) {
		return false
	}
	for t, h := range a {
		if other, ok := b[t]; !ok || other != h {
			return false
		}
	}
	return true
}
