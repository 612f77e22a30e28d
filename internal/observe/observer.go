// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package health observes target groups: one loop for each group reads it, fast
// while a pod waits that could be healthy by now and slowly otherwise, keeps the
// latest complete answer, and wakes the pods whose target changed. It decides nothing
// and writes nothing.
package observe

import (
	"context"
	"maps"
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

// Snapshot is what one complete read of a group said.
type Snapshot struct {
	// Started is when the read began: what it says held at that time or later.
	Started time.Time
	// Targets is the group's content, not nil; a target that is absent is not registered.
	Targets map[gate.Target]gate.Health
}

// View is a group as it is known now.
type View struct {
	// Snapshot is the latest complete read; its Targets are nil before the first.
	Snapshot Snapshot
	// Err is why the latest read failed; nil when it succeeded or there was none.
	Err error
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
	// SeenOtherwise: one of these reads found the target absent or not healthy, and began
	// gate.Lag after the pod got its address: what is older may be of the pod that had it before.
	SeenOtherwise bool
	// PlacedFor is the pod for which podgate registered the target when the group did
	// not hold it, empty when it did not or that was long ago.
	PlacedFor types.UID
	// FailingSince is when the first of the reads began that said in a row that the target
	// is failing; zero when the latest did not. A failed read, or a long time without one,
	// begins the count anew.
	FailingSince time.Time
	// Err is why the latest read failed, nil when it succeeded.
	Err error
}

// Reader reads a group within the budget of its account, as budget.Limited does. The
// time is when the call began. A receive from raise makes a waiting audit urgent.
type Reader interface {
	Read(ctx context.Context, ref balancer.Ref, p budget.Priority, raise <-chan struct{}) (map[gate.Target]gate.Health, time.Time, error)
}

// Observer reads groups. Make one with New and run it with Run.
type Observer struct {
	// Random gives a duration below its argument, for jitter; New sets one that Run may find replaced.
	Random func(time.Duration) time.Duration
	// Audit is the time between two reads of a group where nothing is expected;
	// AuditInterval where it gives 0. Run may find it replaced, too.
	Audit func(balancer.Ref) time.Duration
	// Dropped is told of groups that nobody needs any more, with a lock held.
	Dropped func(balancer.Ref)

	reader Reader
	log    logr.Logger
	// wakePod and wakeGroup are called without a lock held, from the group's loop.
	wakePod   func(types.NamespacedName)
	wakeGroup func(balancer.Ref)

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

// interest is a pod's in one target of a group.
type interest struct {
	target gate.Target
	// since is when the pod was first seen with this address.
	since    time.Time
	waiting  bool
	followed bool
	sighting Sighting // without ReadAt and FailingSince, which are no change
	readAt   time.Time
	// sound is when the last read began that found the target not unhealthy; zero when none did.
	sound time.Time
	// failing is Sighting.FailingSince.
	failing time.Time
}

// New makes an Observer. wakePod is called for a pod whose sighting changed,
// wakeGroup after every read that changed the group or its error.
func New(reader Reader, log logr.Logger, wakePod func(types.NamespacedName), wakeGroup func(balancer.Ref)) *Observer {
	return &Observer{
		Random: rand.N[time.Duration], Audit: func(balancer.Ref) time.Duration { return 0 }, Dropped: func(balancer.Ref) {},
		reader: reader, log: log, wakePod: wakePod, wakeGroup: wakeGroup,
		groups:  map[balancer.Ref]*group{},
		watched: map[types.NamespacedName][]*group{},
	}
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

	<-ctx.Done()
	o.mu.Lock()
	o.start = nil
	o.mu.Unlock()
	loops.Wait()
	return nil
}

// Track says that user (a binding) needs ref; the group is read from now on.
func (o *Observer) Track(ref balancer.Ref, user types.NamespacedName) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.get(ref).users[user] = struct{}{}
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

// View gives what is known of a group.
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

// Watch says that pod has target in a group and whether it waits for it, and gives
// what was seen of it. The first call for a pod's target asks for a read, so that there
// is one that is surely about this pod. The group's health-check settings tell when
// its targets can be healthy; where they are zero, that is at any time.
func (o *Observer) Watch(settings balancer.Group, pod types.NamespacedName, target gate.Target, waiting bool) Sighting {
	o.mu.Lock()
	defer o.mu.Unlock()
	g := o.get(settings.Ref)
	g.settings = settings
	in := g.interests[pod]
	if in == nil || in.target != target {
		in = &interest{target: target, since: time.Now()}
		o.interest(g, pod, in)
		// A first read that waits for the budget will be about this pod, too.
		g.ask(waiting || g.view.Snapshot.Targets != nil)
	}
	g.wait(in, waiting)
	s := in.sighting
	s.ReadAt, s.FailingSince, s.PlacedFor, s.Err = in.readAt, in.failing, g.placed[target].uid, g.view.Err
	return s
}

// Unsure tells whether no read that is surely about a pod has yet found its target absent
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

// Waiting says whether a watched pod waits, without reading what was seen.
func (o *Observer) Waiting(ref balancer.Ref, pod types.NamespacedName, waiting bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if g, ok := o.groups[ref]; ok && g.interests[pod] != nil {
		g.wait(g.interests[pod], waiting)
	}
}

// Follow says whether a watched pod's gate follows its target's health, open or not, so
// that the group is read often enough for that.
func (o *Observer) Follow(ref balancer.Ref, pod types.NamespacedName, follow bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	g, ok := o.groups[ref]
	if !ok || g.interests[pod] == nil || g.interests[pod].followed == follow {
		return
	}
	g.interests[pod].followed = follow
	send(g.nudge)
}

func (g *group) wait(in *interest, waiting bool) {
	if waiting && !in.waiting {
		g.ask(true)
	}
	in.waiting = waiting
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
	now, every := time.Now(), o.Audit(ref)
	if every <= 0 {
		every = AuditInterval
	}
	g := &group{
		ref: ref, nudge: make(chan struct{}, 1), raise: make(chan struct{}, 1),
		born: now, anchor: now.Add(-o.Random(every)), every: every,
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
	o.Dropped(g.ref)
	if g.started {
		g.cancel()
	}
}

// loop reads one group until ctx ends.
func (o *Observer) loop(ctx context.Context, g *group) {
	for ctx.Err() == nil {
		o.read(ctx, g)
		o.pause(ctx, g)
	}
}

// pause waits until the next read is due or ctx ends.
func (o *Observer) pause(ctx context.Context, g *group) {
	for {
		wait := time.Until(o.due(g))
		if wait <= 0 {
			return
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-g.nudge:
		case <-ctx.Done():
			timer.Stop()
			return
		}
		timer.Stop()
	}
}

// read asks the provider once and tells those whose view changed.
func (o *Observer) read(ctx context.Context, g *group) {
	targets, started, err := o.reader.Read(ctx, g.ref, o.priority(g), g.raise)
	if ctx.Err() != nil {
		return
	}
	if targets == nil {
		targets = map[gate.Target]gate.Health{}
	}
	if err != nil {
		o.log.V(1).Info("Reading a target group failed", "group", g.ref.Group, "error", err.Error())
	}
	pods, changed := o.publish(g, Snapshot{Started: started, Targets: targets}, err)
	for _, pod := range pods {
		o.wakePod(pod)
	}
	if changed {
		o.wakeGroup(g.ref)
	}
}

// publish stores a read and gives the pods whose sighting changed, and whether the
// group as a whole did.
func (o *Observer) publish(g *group, snap Snapshot, err error) ([]types.NamespacedName, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	old := g.view
	g.last, g.failures = snap.Started, count(g.failures, err)
	g.pressing = g.pressing && g.asked.After(g.last)
	if err != nil {
		for _, in := range g.interests {
			in.failing = time.Time{}
		}
		g.retry = time.Now().Add(o.jitter(min(backoff(g.failures, err), g.every)))
		g.view.Err = err
		if balancer.Message(old.Err) == balancer.Message(err) {
			return nil, false
		}
		return g.blind(), true
	}
	g.view = View{Snapshot: snap}
	maps.DeleteFunc(g.placed, func(_ gate.Target, p placement) bool { return time.Since(p.at) > placementKept })
	var pods []types.NamespacedName
	for pod, in := range g.interests {
		if in.update(snap) {
			pods = append(pods, pod)
		}
	}
	return pods, old.Err != nil || old.Snapshot.Targets == nil || !same(old.Snapshot.Targets, snap.Targets)
}

// blind gives the pods that wait without ever having been observed.
func (g *group) blind() []types.NamespacedName {
	var pods []types.NamespacedName
	for pod, in := range g.interests {
		if in.waiting && !in.sighting.Observed {
			pods = append(pods, pod)
		}
	}
	return pods
}

// update takes a snapshot into account and tells whether the sighting changed.
func (in *interest) update(snap Snapshot) bool {
	if snap.Started.Before(in.since) {
		return false
	}
	h, present := snap.Targets[in.target]
	next := Sighting{
		Observed: true, Present: present, Health: h,
		SeenOtherwise: in.sighting.SeenOtherwise || (!present || h.State != gate.Healthy) && !snap.Started.Before(in.since.Add(gate.Lag)),
	}
	if h.State != gate.Unhealthy {
		in.sound = snap.Started
	}
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
