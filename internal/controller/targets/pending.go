// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package targets

import (
	"maps"
	"sync"
	"time"

	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/gate"
	"github.com/podgate/podgate/internal/observe"
)

// pendingCalls are this process's own recent calls, because a load balancer's API
// may show an older state for some seconds. A call counts until a read that began
// the group's lag after it; from then on only what the API says does, so that nothing
// remembered can hide drift. The time alone is not enough: the latest read may be
// older than the call.
type pendingCalls struct {
	now func() time.Time
	lag func(balancer.Ref) time.Duration

	mu     sync.Mutex
	groups map[balancer.Ref]map[gate.Target]change
}

// reread is how long a read that was asked for may take.
const reread = 2 * time.Second

// change is a call's, to one target.
type change struct {
	registered bool
	// doubtful: the call failed in a way that leaves open whether it was done.
	doubtful bool
	// wasIn: a call that no read has shown yet registered the target before. What is shown to leave left before that.
	wasIn bool
	at    time.Time
}

func newPendingCalls(now func() time.Time, lag func(balancer.Ref) time.Duration) *pendingCalls {
	return &pendingCalls{now: now, lag: lag, groups: map[balancer.Ref]map[gate.Target]change{}}
}

// record notes that targets were registered, or deregistered, just now.
func (p *pendingCalls) record(ref balancer.Ref, targets []gate.Target, registered bool) {
	p.mu.Lock()
	defer p.mu.Unlock()

	g := p.group(ref)
	for _, t := range targets {
		g[t] = change{registered: registered, at: p.now()}
	}
}

// doubt notes that targets may have been registered, or deregistered, just now.
func (p *pendingCalls) doubt(ref balancer.Ref, targets []gate.Target, registered bool) {
	p.mu.Lock()
	defer p.mu.Unlock()

	g := p.group(ref)
	for _, t := range targets {
		before, known := g[t]
		if registered && known && !before.registered {
			continue // It is out until it is surely in.
		}
		g[t] = change{registered: registered, doubtful: true, wasIn: before.registered || before.wasIn, at: p.now()}
	}
}

// group returns a group's recent calls, which it makes if there are none. The caller holds the lock.
func (p *pendingCalls) group(ref balancer.Ref) map[gate.Target]change {
	g := p.groups[ref]
	if g == nil {
		g = map[gate.Target]change{}
		p.groups[ref] = g
	}
	return g
}

// doubtful reports whether a target may have been registered by a call that failed.
func (p *pendingCalls) doubtful(ref balancer.Ref, t gate.Target) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.groups[ref][t].doubtful
}

// overlay returns the group's content with the recent calls applied; nil when the
// group was never read. A target that may be out is Unknown: it does not count as
// serving, and is deregistered again if it should not be there. It is not to be changed.
func (p *pendingCalls) overlay(ref balancer.Ref, snap observe.Snapshot) map[gate.Target]gate.Health {
	if snap.Targets == nil {
		return nil
	}

	p.mu.Lock()
	defer p.mu.Unlock()

	if len(p.groups[ref]) == 0 {
		return snap.Targets
	}

	seen := maps.Clone(snap.Targets)
	for t, c := range p.groups[ref] {
		if !c.counts(p.lag(ref), snap) {
			delete(p.groups[ref], t)
			continue
		}

		h, present := seen[t]
		switch {
		case c.doubtful && (c.registered || h.Leaving() && !c.wasIn):
		case c.doubtful:
			seen[t] = gate.Health{State: gate.Unknown}
		case c.registered && (!present || h.Leaving()):
			seen[t] = gate.Health{State: gate.Initial}
		case !c.registered && present:
			seen[t] = gate.Health{State: gate.Draining}
		}
	}

	if len(p.groups[ref]) == 0 {
		delete(p.groups, ref)
	}

	return seen
}

// repeatAfter is how soon a target is deregistered again where nobody reads the group.
const repeatAfter = 10 * time.Second

// removed reports whether this process deregistered a target a moment ago.
func (p *pendingCalls) removed(ref balancer.Ref, t gate.Target) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	c, known := p.groups[ref][t]
	return known && !c.registered && !c.doubtful && p.now().Sub(c.at) < repeatAfter
}

// expires is when a read of the group is due that outdates a call, a moment from
// now if that is past already, so that what the API says then is acted upon; zero
// when there is no call.
func (p *pendingCalls) expires(ref balancer.Ref, snap observe.Snapshot) time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()

	var next time.Time
	for _, c := range p.groups[ref] {
		at := c.at.Add(p.lag(ref))

		// The read is overdue: one that was asked for needs a moment.
		if soon := p.now().Add(reread); at.Before(soon) && !p.now().Before(at) {
			at = soon
		}
		if c.counts(p.lag(ref), snap) && (next.IsZero() || at.Before(next)) {
			next = at
		}
	}

	return next
}

// overdue reports whether a read is due that outdates a call.
func (p *pendingCalls) overdue(ref balancer.Ref, snap observe.Snapshot) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.groups[ref] {
		if c.counts(p.lag(ref), snap) && p.now().Sub(c.at) >= p.lag(ref) {
			return true
		}
	}
	return false
}

// counts reports whether no read that is late enough shows what the call did.
func (c change) counts(lag time.Duration, snap observe.Snapshot) bool {
	return snap.Started.Before(c.at.Add(lag))
}
