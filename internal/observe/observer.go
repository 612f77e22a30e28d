// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package observe observes subjects, such as target groups: it reads each one, fast while a
// pod waits that could be healthy by now and slowly otherwise, keeps the latest complete
// answer, and wakes the pods whose target changed. It knows no sort of subject, decides
// nothing and writes nothing.
package observe

import (
	"cmp"
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/types"

	"github.com/podgate/podgate/internal/gate"
)

// Request asks for one read of a subject.
type Request struct {
	Subject Subject
	// Settings are those of the subject's latest Description; nil when there is none yet.
	Settings any
	// Wanted returns the targets that pods have an interest in. A reader that asks targets one
	// by one calls it after it noted when the read began, so that no pod's target is missing
	// from an answer that counts for the pod.
	Wanted func() []gate.Target
	// Urgent: what opens or drains a pod depends on the answer. A receive from Raise makes a
	// read urgent that waits for a budget.
	Urgent bool
	Raise  <-chan struct{}
}

// Reader reads subjects, within whatever budget of calls there is for them. The answer is
// complete or an error. Its Started is when the call began, after any wait, with an error too.
type Reader interface {
	Read(context.Context, Request) (Snapshot, error)
}

// Options of an Observer. The zero value of each works.
type Options struct {
	Log logr.Logger
	// WakePod is called for a pod whose sighting changed, WakeUsers after every read that changed a subject or
	// its error. Both are called by the subject's read, without a lock held.
	WakePod   func(types.NamespacedName)
	WakeUsers func(Subject)
	// Tend looks after what goes on in a subject only while somebody does, such as the drains of some load
	// balancers. It is called after every read that succeeded, beside the subject's reads, unless the call before
	// is still under way.
	Tend func(ctx context.Context, of Subject, settings any) error
	// Random returns a duration below its argument, for jitter.
	Random func(time.Duration) time.Duration
	// Rest is the longest time between two audits, RestInterval by default, and QuietAfter how long nothing must have
	// changed in a subject until then, the constant's value by default.
	Rest, QuietAfter time.Duration
}

// Observer reads subjects. Make one with New and run it with Run.
type Observer struct {
	reader    Reader
	log       logr.Logger
	wakePod   func(types.NamespacedName)
	wakeUsers func(Subject)
	tend      func(context.Context, Subject, any) error
	random    func(time.Duration) time.Duration

	rest, quietAfter time.Duration

	mu       sync.Mutex
	subjects map[Subject]*subject
	// watched are a pod's interests, in all subjects.
	watched map[types.NamespacedName][]*interest
	start   func(*subject) // nil until Run
	// looks are the reads under way, and what looks after subjects.
	looks sync.WaitGroup
}

// New makes an Observer that reads with reader.
func New(reader Reader, opts Options) *Observer {
	o := &Observer{
		reader: reader, log: opts.Log, wakePod: opts.WakePod, wakeUsers: opts.WakeUsers,
		tend: opts.Tend, random: opts.Random, rest: cmp.Or(opts.Rest, RestInterval), quietAfter: cmp.Or(opts.QuietAfter, QuietAfter),
		subjects: map[Subject]*subject{},
		watched:  map[types.NamespacedName][]*interest{},
	}

	// Every function has a default, so that none is compared with nil later.
	if o.wakePod == nil {
		o.wakePod = func(types.NamespacedName) {}
	}

	if o.wakeUsers == nil {
		o.wakeUsers = func(Subject) {}
	}

	if o.tend == nil {
		o.tend = func(context.Context, Subject, any) error { return nil }
	}

	if o.random == nil {
		o.random = rand.N[time.Duration]
	}

	return o
}

// Run reads subjects until ctx ends, and returns when no read is under way any more.
func (o *Observer) Run(ctx context.Context) error {
	o.mu.Lock()
	o.start = func(s *subject) { o.follow(ctx, s) }
	for _, s := range o.subjects {
		o.start(s)
	}
	o.mu.Unlock()

	// No read begins from now on: nobody would wait for it.
	<-ctx.Done()
	o.mu.Lock()
	o.start = nil
	o.mu.Unlock()

	o.looks.Wait()

	return nil
}

// Track says that user, such as a binding, needs a subject, which is read from now on. What
// the latest user says of the subject counts, as long as that user tracks it.
func (o *Observer) Track(id Subject, user types.NamespacedName, d Description) {
	o.mu.Lock()
	defer o.mu.Unlock()
	s := o.get(id)
	s.leave(user)
	s.users = append(s.users, tracked{user: user, said: d})
	o.describe(s, d)
}

// Untrack says that user no longer needs a subject.
func (o *Observer) Untrack(id Subject, user types.NamespacedName) {
	o.mu.Lock()
	defer o.mu.Unlock()
	s, known := o.subjects[id]
	if !known {
		return
	}

	// What a binding said that is gone, such as that its group is being left, is not true of the others'.
	s.leave(user)
	if n := len(s.users); n > 0 {
		o.describe(s, s.users[n-1].said)
	}

	o.drop(s)
}

// View returns what is known of a subject.
func (o *Observer) View(id Subject) View {
	o.mu.Lock()
	defer o.mu.Unlock()
	if s, known := o.subjects[id]; known {
		return s.view
	}
	return View{}
}

// Refresh asks for a read of the subject soon.
func (o *Observer) Refresh(id Subject) { o.Changed(id) }

// Changed says that podgate changed a subject, and for whom it placed which targets, so
// that the subject is read soon, and again while the change may not show yet.
func (o *Observer) Changed(id Subject, placements ...Placement) {
	o.mu.Lock()
	defer o.mu.Unlock()
	s, known := o.subjects[id]
	if !known {
		return
	}

	s.changed = time.Now()
	for _, p := range placements {
		s.placed[p.Target] = placed{pod: p.Pod, at: s.changed}
	}
	s.ask(true)
}

// Watch adds to what a pod's gates need to know, and returns what was seen of the target. The first
// call for a pod's target asks for a read, so that there is one that is surely about this pod.
func (o *Observer) Watch(pod types.NamespacedName, want Interest) Sighting {
	o.mu.Lock()
	defer o.mu.Unlock()
	s := o.get(want.Subject)
	in := o.interest(s, pod, want.Target)
	in.need(in.waiting || want.Waiting, in.followed || want.Follow)

	is := in.sighting
	seen := Sighting{
		Observed: is.Observed, Present: is.Present, Health: is.Health(), SeenOtherwise: is.SeenOtherwise,
		ReadAt: in.readAt, FailingSince: in.failing, Err: s.view.Err, Early: in.readAt.Before(in.since.Add(s.described.Lag)),
	}
	if p, known := s.placed[want.Target]; known {
		seen.PlacedFor, seen.Removed = p.pod, p.pod == "" && !p.shown
	}
	return seen
}

// Keep says what all of a pod's gates together need to know from now on, and drops what they watched
// besides. A target that several of them watch is read for the one that needs it soonest.
func (o *Observer) Keep(pod types.NamespacedName, interests ...Interest) {
	o.mu.Lock()
	defer o.mu.Unlock()

	wanted := map[*interest]Interest{}
	for _, want := range interests {
		in := o.interest(o.get(want.Subject), pod, want.Target)
		same := wanted[in]
		want.Waiting, want.Follow = want.Waiting || same.Waiting, want.Follow || same.Follow
		wanted[in] = want
	}

	kept := slices.DeleteFunc(o.watched[pod], func(in *interest) bool {
		want, keeps := wanted[in]
		if keeps {
			in.need(want.Waiting, want.Follow)
			return false
		}
		delete(in.subject.interests, in)
		o.drop(in.subject)
		return true
	})

	o.watched[pod] = kept
	if len(kept) == 0 {
		delete(o.watched, pod)
	}
}

// Unsure reports whether no read that is surely about a pod has yet found its target absent
// or not healthy, so that healthy might be said of the pod that had the address before. A
// read that begins at the given time, or later, may tell; zero while the pod is not watched.
func (o *Observer) Unsure(id Subject, pod types.NamespacedName, target gate.Target) (time.Time, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	s, known := o.subjects[id]
	if !known {
		return time.Time{}, true
	}

	in := o.known(s, pod, target)
	if in == nil {
		return time.Time{}, true
	}
	return in.since.Add(s.described.Lag), !in.sighting.SeenOtherwise
}

// interest finds or makes a pod's interest in a target of a subject; mu is held.
func (o *Observer) interest(s *subject, pod types.NamespacedName, target gate.Target) *interest {
	if in := o.known(s, pod, target); in != nil {
		return in
	}

	in := &interest{pod: pod, target: target, subject: s, since: time.Now()}
	s.interests[in] = struct{}{}
	o.watched[pod] = append(o.watched[pod], in)

	// A first read that waits for the budget will be about this pod, too.
	s.ask(s.view.Snapshot.Targets != nil)

	return in
}

// known finds a pod's interest in a target of a subject, among the few that a pod has; nil when there is none. mu is held.
func (o *Observer) known(s *subject, pod types.NamespacedName, target gate.Target) *interest {
	for _, in := range o.watched[pod] {
		if in.subject == s && in.target == target {
			return in
		}
	}
	return nil
}
