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

// ledger remembers this process's own recent calls, because a load balancer's API
// may show an older state for some seconds. An entry counts until a read that began
// the group's lag after the call; after that only what the API says does, so that nothing
// remembered can hide drift. The time alone does not tell: what was read last may be
// older than the call.
type ledger struct {
	now func() time.Time
	lag func(balancer.Ref) time.Duration

	mu     sync.Mutex
	groups map[balancer.Ref]map[gate.Target]change
}

// reread is how long a read that was asked for may take.
const reread = 2 * time.Second

type change struct {
	registered bool
	// doubtful: the call failed in a way that does not tell whether it was done.
	doubtful bool
	at       time.Time
}

func newLedger(now func() time.Time, lag func(balancer.Ref) time.Duration) *ledger {
	return &ledger{now: now, lag: lag, groups: map[balancer.Ref]map[gate.Target]change{}}
}

// record notes that targets were registered, or deregistered, just now.
func (l *ledger) record(ref balancer.Ref, targets []gate.Target, registered bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	g := l.group(ref)
	for _, t := range targets {
		g[t] = change{registered: registered, at: l.now()}
	}
}

// doubt notes that targets may have been registered, or deregistered, just now.
func (l *ledger) doubt(ref balancer.Ref, targets []gate.Target, registered bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	g := l.group(ref)
	for _, t := range targets {
		if before, known := g[t]; registered && known && !before.registered {
			continue // it is out until it is surely in
		}
		g[t] = change{registered: registered, doubtful: true, at: l.now()}
	}
}

// group is what is known of a group's recent calls, made when there is nothing yet. The
// caller holds the lock.
func (l *ledger) group(ref balancer.Ref) map[gate.Target]change {
	g := l.groups[ref]
	if g == nil {
		g = map[gate.Target]change{}
		l.groups[ref] = g
	}
	return g
}

// doubtful reports whether a target may have been registered by a call that failed.
func (l *ledger) doubtful(ref balancer.Ref, t gate.Target) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.groups[ref][t].doubtful
}

// overlay gives the group's content with the recent calls applied; nil when the
// group was never read. A target that may be out is Unknown: it does not count as
// serving, and is deregistered again if it should not be there.
func (l *ledger) overlay(ref balancer.Ref, snap observe.Snapshot) map[gate.Target]gate.Health {
	if snap.Targets == nil {
		return nil
	}

	l.mu.Lock()
	defer l.mu.Unlock()
	seen := maps.Clone(snap.Targets)
	for t, c := range l.groups[ref] {
		if !c.counts(l.lag(ref), snap) {
			delete(l.groups[ref], t)
			continue
		}

		h, present := seen[t]
		switch {
		case c.doubtful && (c.registered || h.Leaving()):
		case c.doubtful:
			seen[t] = gate.Health{State: gate.Unknown}
		case c.registered && (!present || h.Leaving()):
			seen[t] = gate.Health{State: gate.Initial}
		case !c.registered && present:
			seen[t] = gate.Health{State: gate.Draining}
		}
	}

	if len(l.groups[ref]) == 0 {
		delete(l.groups, ref)
	}

	return seen
}

// removed reports whether this process deregistered a target a moment ago.
func (l *ledger) removed(ref balancer.Ref, t gate.Target) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	c, known := l.groups[ref][t]
	return known && !c.registered && !c.doubtful && l.now().Sub(c.at) < gate.Lag
}

// expires is when a read of the group is due that outdates an entry, a moment from
// now if that is past already, so that what the API says by then is acted upon; zero
// when there is no entry.
func (l *ledger) expires(ref balancer.Ref, snap observe.Snapshot) time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	var next time.Time
	for _, c := range l.groups[ref] {
		at := c.at.Add(l.lag(ref))
		if soon := l.now().Add(reread); at.Before(soon) && !l.now().Before(at) {
			at = soon
		}
		if c.counts(l.lag(ref), snap) && (next.IsZero() || at.Before(next)) {
			next = at
		}
	}

	return next
}

// overdue reports whether a read is due that outdates an entry.
func (l *ledger) overdue(ref balancer.Ref, snap observe.Snapshot) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.groups[ref] {
		if c.counts(l.lag(ref), snap) && l.now().Sub(c.at) >= l.lag(ref) {
			return true
		}
	}
	return false
}

func (c change) counts(lag time.Duration, snap observe.Snapshot) bool {
	return snap.Started.Before(c.at.Add(lag))
}
