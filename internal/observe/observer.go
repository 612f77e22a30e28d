// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package observe observes target groups: one loop for each group reads it, fast
// while a pod waits that could be healthy by now and slowly otherwise, keeps the
// latest complete answer, and wakes the pods whose target changed. It decides nothing
// and writes nothing.
package observe

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/types"

	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/balancer/budget"
	"github.com/podgate/podgate/internal/gate"
)

// Reader reads a group within the budget of its account, as budget.Limited does. The
// time is when the call began. A receive from raise makes a waiting audit urgent.
type Reader interface {
	Read(ctx context.Context, g balancer.Group, p budget.Priority, raise <-chan struct{}) (map[gate.Target]gate.Health, time.Time, error)
}

// Options of an Observer. The zero value of each works.
type Options struct {
	Log logr.Logger
	// WakePod is called for a pod whose sighting changed, WakeGroup after every read that changed a group or
	// its error. Both are called from the group's loop, without a lock held.
	WakePod   func(types.NamespacedName)
	WakeGroup func(balancer.Ref)
	// Tend looks after a group's drains where its load balancer needs that. It is called after every read that
	// succeeded, from the group's loop.
	Tend func(context.Context, balancer.Group) error
	// Audit returns the time between two reads of a group where nothing is expected; 0 means AuditInterval.
	Audit func(balancer.Ref) time.Duration
	// Random returns a duration below its argument, for jitter.
	Random func(time.Duration) time.Duration
}

// Observer reads groups. Make one with New and run it with Run.
type Observer struct {
	reader    Reader
	log       logr.Logger
	wakePod   func(types.NamespacedName)
	wakeGroup func(balancer.Ref)
	tend      func(context.Context, balancer.Group) error
	auditOf   func(balancer.Ref) time.Duration
	random    func(time.Duration) time.Duration

	mu     sync.Mutex
	groups map[balancer.Ref]*group
	// watched are the groups in which a pod has an interest.
	watched map[types.NamespacedName][]*group
	start   func(*group) // nil until Run
}

type group struct {
	ref    balancer.Ref
	cancel context.CancelFunc
	// nudge makes the loop look again when the next read is due, raise makes a read urgent that waits for the budget.
	nudge, raise chan struct{}
	// born is when the group was first asked about, anchor where the rhythm of its audits begins.
	born, anchor time.Time
	// every is the time between two audits.
	every time.Duration

	// All below is guarded by Observer.mu.
	settings  balancer.Group
	users     map[types.NamespacedName]struct{}
	interests map[types.NamespacedName]*interest
	placed    map[gate.Target]placement
	view      View
	started   bool
	// asked is when a read was last asked for, pressing whether what opens or drains a pod depends on it.
	asked    time.Time
	pressing bool
	// changed is when podgate last changed the group.
	changed time.Time
	// last is when the latest read began, failures how many failed in a row up to it, and retry when the next may
	// be made after a failure.
	last     time.Time
	failures int
	retry    time.Time
}

// placement is for whom a target was registered, and when.
type placement struct {
	uid types.UID
	at  time.Time
}

// placementKept is how long a placement is remembered: by then the target was read.
const placementKept = time.Minute

// New makes an Observer that reads with reader.
func New(reader Reader, opts Options) *Observer {
	o := &Observer{
		reader: reader, log: opts.Log, wakePod: opts.WakePod, wakeGroup: opts.WakeGroup,
		tend: opts.Tend, auditOf: opts.Audit, random: opts.Random,
		groups:  map[balancer.Ref]*group{},
		watched: map[types.NamespacedName][]*group{},
	}

	// Every function has a default, so that none is compared with nil later.
	if o.wakePod == nil {
		o.wakePod = func(types.NamespacedName) {}
	}

	if o.wakeGroup == nil {
		o.wakeGroup = func(balancer.Ref) {}
	}

	if o.tend == nil {
		o.tend = func(context.Context, balancer.Group) error { return nil }
	}

	if o.auditOf == nil {
		o.auditOf = func(balancer.Ref) time.Duration { return 0 }
	}

	if o.random == nil {
		o.random = rand.N[time.Duration]
	}

	return o
}

// Run reads groups until ctx ends, and returns when all loops have stopped.
func (o *Observer) Run(ctx context.Context) error {
	var loops sync.WaitGroup
	o.mu.Lock()
	o.start = func(g *group) {
		ctx, cancel := context.WithCancel(ctx)
		g.cancel, g.started = cancel, true
		loops.Go(func() {
			defer cancel()
			o.loop(ctx, g)
		})
	}

	for _, g := range o.groups {
		o.start(g)
	}

	o.mu.Unlock()

	// A group that is asked about from now on gets no loop: nobody would wait for it.
	<-ctx.Done()
	o.mu.Lock()
	o.start = nil
	o.mu.Unlock()

	loops.Wait()

	return nil
}

// Track says that user (a binding) needs a group, which is read from now on, as the
// latest user or pod describes it.
func (o *Observer) Track(group balancer.Group, user types.NamespacedName) {
	o.mu.Lock()
	defer o.mu.Unlock()
	g := o.get(group.Ref)
	g.settings = group
	g.users[user] = struct{}{}
}

// Untrack says that user needs ref no more.
func (o *Observer) Untrack(ref balancer.Ref, user types.NamespacedName) {
	o.mu.Lock()
	defer o.mu.Unlock()
	g, ok := o.groups[ref]
	if !ok {
		return
	}
	delete(g.users, user)
	o.drop(g)
}

// View returns what is known of a group.
func (o *Observer) View(ref balancer.Ref) View {
	o.mu.Lock()
	defer o.mu.Unlock()
	if g, ok := o.groups[ref]; ok {
		return g.view
	}
	return View{}
}

// Refresh asks for a read of the group soon, because podgate changed it.
func (o *Observer) Refresh(ref balancer.Ref) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if g, ok := o.groups[ref]; ok {
		g.changed = time.Now()
		g.ask(true)
	}
}

// Watch registers a pod's interest, or updates it, and returns what was seen of its target.
// The first call for a pod's target asks for a read, so that there is one that is surely
// about this pod.
func (o *Observer) Watch(want Interest) Sighting {
	o.mu.Lock()
	defer o.mu.Unlock()
	g := o.get(want.Group.Ref)
	g.settings = want.Group

	in := g.interests[want.Pod]
	if in == nil || in.target != want.Target {
		in = &interest{target: want.Target, since: time.Now()}
		o.interest(g, want.Pod, in)
		// A first read that waits for the budget will be about this pod, too.
		g.ask(want.Waiting || g.view.Snapshot.Targets != nil)
	}

	if want.Waiting && !in.waiting {
		g.ask(true)
	}

	in.waiting = want.Waiting
	if in.followed != want.Follow {
		in.followed = want.Follow
		send(g.nudge)
	}

	s := in.sighting
	s.ReadAt, s.FailingSince, s.PlacedFor, s.Err = in.readAt, in.failing, g.placed[want.Target].uid, g.view.Err
	return s
}

// Unsure reports whether no read that is surely about a pod has yet found its target absent
// or not healthy, so that healthy might be said of the pod that had the address before. A
// read that begins at the given time, or later, may tell; zero while the pod is not watched.
func (o *Observer) Unsure(ref balancer.Ref, pod types.NamespacedName) (time.Time, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	g, ok := o.groups[ref]
	if !ok || g.interests[pod] == nil {
		return time.Time{}, true
	}
	in := g.interests[pod]
	return in.since.Add(gate.Lag), !in.sighting.SeenOtherwise
}

// Placed says that podgate registered target for the pod with uid in a group that did
// not hold it, so that what is said of it from now on is about this pod; with an empty
// uid, that it took the target out.
func (o *Observer) Placed(ref balancer.Ref, target gate.Target, uid types.UID) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if g, ok := o.groups[ref]; ok {
		g.placed[target] = placement{uid: uid, at: time.Now()}
	}
}

// interest notes a pod's interest in a group; mu is held.
func (o *Observer) interest(g *group, pod types.NamespacedName, in *interest) {
	g.interests[pod] = in
	if !slices.Contains(o.watched[pod], g) {
		o.watched[pod] = append(o.watched[pod], g)
	}
}

// Forget drops a pod's interest in every group but those in keep.
func (o *Observer) Forget(pod types.NamespacedName, keep ...balancer.Ref) {
	o.mu.Lock()
	defer o.mu.Unlock()
	kept := slices.DeleteFunc(o.watched[pod], func(g *group) bool {
		if slices.Contains(keep, g.ref) {
			return false
		}
		delete(g.interests, pod)
		o.drop(g)
		return true
	})

	o.watched[pod] = kept
	if len(kept) == 0 {
		delete(o.watched, pod)
	}
}

// get finds or makes a group; mu is held.
func (o *Observer) get(ref balancer.Ref) *group {
	if g, ok := o.groups[ref]; ok {
		return g
	}

	now, every := time.Now(), o.auditOf(ref)
	if every <= 0 {
		every = AuditInterval
	}

	g := &group{
		ref: ref, nudge: make(chan struct{}, 1), raise: make(chan struct{}, 1),
		born: now, anchor: now.Add(-o.random(every)), every: every,
		users:     map[types.NamespacedName]struct{}{},
		interests: map[types.NamespacedName]*interest{},
		placed:    map[gate.Target]placement{},
	}

	o.groups[ref] = g
	if o.start != nil {
		o.start(g)
	}

	return g
}

// drop ends a group that nobody needs; mu is held.
func (o *Observer) drop(g *group) {
	if len(g.users) > 0 || len(g.interests) > 0 {
		return
	}
	delete(o.groups, g.ref)
	if g.started {
		g.cancel()
	}
}
