// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package observe

import (
	"context"
	"slices"
	"sync/atomic"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/podgate/podgate/internal/gate"
)

// Subject is something that can be observed, such as a target group. Its type says what
// sort of thing it is. Its value says which one, and is comparable, since it is used as a key.
type Subject interface {
	// String names the subject in logs.
	String() string
}

// Description is what those who track a subject know of it.
type Description struct {
	// Lag is how far an answer may be behind what was done to the subject.
	Lag time.Duration
	// Audit is the time between two reads while nothing is expected; 0 where it grows from AuditInterval to the
	// observer's Rest.
	Audit time.Duration
	// Account is whose the subject is: those of one account are audited more often when one of them has drifted. Empty
	// where somebody else changes the subject, so that a change of its targets is no drift.
	Account string
	// Recovery is the least time that an unhealthy target takes to be healthy again; 0
	// where nobody knows, so that it may be healthy at any time.
	Recovery time.Duration
	// Settings are for the subject's reader, and mean nothing to the observer.
	Settings any
}

// undescribed is what is assumed of a subject that nobody has tracked yet: that its answers
// are as old as any may be.
var undescribed = Description{Lag: gate.Lag}

// Placement says for which pod podgate put a target into a subject that did not hold it,
// so that what is said of it from now on is about this pod; an empty Pod, that podgate
// took the target out, or may have.
type Placement struct {
	Target gate.Target
	Pod    types.UID
}

// placementKept is how long a placement is remembered: by then the target was read.
const placementKept = time.Minute

// placed is for whom a target was placed, and when.
type placed struct {
	pod types.UID
	at  time.Time
	// shown: a read surely shows what became of it.
	shown bool
}

// show takes a read into account, which may be that much behind: that a target is no longer healthy shows that it was taken
// out, and so does a read that began late enough, whatever it says.
func (p placed) show(h gate.Health, at time.Time, lag time.Duration) placed {
	changed := h.State != gate.Healthy && !at.Before(p.at)
	p.shown = p.shown || changed || !at.Before(p.at.Add(lag))
	return p
}

// tracked is what a user says of the subject that it tracks.
type tracked struct {
	user types.NamespacedName
	said Description
}

// subject is what the observer knows of a Subject. One read of it is under way at a time.
type subject struct {
	id Subject
	// raise makes a read urgent that waits for the budget.
	raise chan struct{}
	// tending: a call that looks after the subject is under way.
	tending atomic.Bool
	// born is when the subject was first asked about.
	born time.Time
	// rest and quietAfter are the observer's.
	rest, quietAfter time.Duration

	// All below is guarded by Observer.mu.
	//
	// look reads the subject if that is due, alarm calls it when it is, and cancel ends this; nil until reads are made.
	look   func()
	alarm  *time.Timer
	cancel context.CancelFunc
	// reading: a read is under way.
	reading   bool
	described Description
	// anchor is where the rhythm of the audits begins, lively when the subject last changed, or somebody asked about it, and
	// rested how much longer than others it was left unread until then, since the last read.
	anchor, lively time.Time
	rested         time.Duration
	// users are those who track the subject, the latest last.
	users     []tracked
	interests map[*interest]struct{}
	placed    map[gate.Target]placed
	view      View
	// asked is when a read was last asked for, pressing whether what opens or drains a pod depends on it.
	asked    time.Time
	pressing bool
	// changed is when podgate last changed the subject.
	changed time.Time
	// last is when the latest read began, failures how many failed in a row up to it, failing when the first of them
	// began, and retry when the next may be made after a failure.
	last     time.Time
	failures int
	failing  time.Time
	retry    time.Time
}

// get finds or makes what is known of a subject; mu is held.
func (o *Observer) get(id Subject) *subject {
	if s, known := o.subjects[id]; known {
		return s
	}

	s := &subject{
		id: id, raise: make(chan struct{}, 1), born: time.Now(), rest: o.rest, quietAfter: o.quietAfter,
		interests: map[*interest]struct{}{},
		placed:    map[gate.Target]placed{},
	}
	s.lively = s.born
	// A rhythm of its own for each, so that subjects which are first read together are not audited together.
	s.anchor = s.born.Add(-o.random(o.rest))
	o.describe(s, undescribed)

	o.subjects[id] = s
	if o.start != nil {
		o.start(s)
	}

	return s
}

// describe takes over what is said of a subject; mu is held.
func (o *Observer) describe(s *subject, d Description) {
	before := s.described
	s.described = d

	// The next read may be due sooner.
	if d.Audit != before.Audit || d.Recovery != before.Recovery || d.Lag != before.Lag {
		s.nudge()
	}
}

// leave drops what a user said of the subject; mu is held.
func (s *subject) leave(user types.NamespacedName) {
	s.users = slices.DeleteFunc(s.users, func(t tracked) bool { return t.user == user })
}

// drop ends the reads of a subject that nobody needs; mu is held.
func (o *Observer) drop(s *subject) {
	if len(s.users) > 0 || len(s.interests) > 0 {
		return
	}
	delete(o.subjects, s.id)
	if s.alarm != nil {
		s.cancel()
		s.alarm.Stop()
	}
}
