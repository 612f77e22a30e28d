// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package targets

import (
	"maps"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/gate"
	"github.com/podgate/podgate/internal/membership"
)

// forgotten is how long a removal is remembered: longer than any guard asks for.
const forgotten = 5 * time.Minute

// memory is what this process remembers of a binding's group for the guards. It is
// lost with the process: the next one keeps targets rather longer than shorter.
type memory struct {
	ref balancer.Ref
	// read: the group was seen once.
	read bool
	// seen are the rows for which this process saw a pod, or that it made for one.
	seen map[gate.Target]bool
	// strange is since when other rows have been without one.
	strange map[gate.Target]time.Time
	// held is since when running targets that should go have been kept, and removed
	// when they were removed.
	held, removed map[gate.Target]time.Time
	// emptied is since when what the deleted binding left is taken out.
	emptied time.Time
}

// look compares the group with its pods.
func (m *memory) look(observed map[gate.Target]gate.Health, who population, now time.Time) {
	if observed == nil {
		return
	}

	seen, strange := map[gate.Target]bool{}, map[gate.Target]time.Time{}
	for t := range observed {
		since, known := m.strange[t]
		switch {
		case who.pods[t] != nil || m.seen[t]:
			seen[t] = true
		case known:
			strange[t] = since
		default:
			strange[t] = now
		}
	}

	m.seen, m.strange = seen, strange
	m.begin(observed, who, now)
}

// begin takes unready pods without a row for removed just now: another process may have done that.
func (m *memory) begin(observed map[gate.Target]gate.Health, who population, now time.Time) {
	if m.read {
		return
	}
	m.read = true
	for _, member := range who.members {
		h, there := observed[member.Target]
		if (!there || h.Leaving()) && member.Wanted && !member.Ready && !member.Terminating {
			m.remove([]gate.Target{member.Target}, now)
		}
	}
}

// meet notes that targets are about to be registered for pods that are there.
func (m *memory) meet(targets []gate.Target) {
	if m.seen == nil {
		m.seen = map[gate.Target]bool{}
	}
	for _, t := range targets {
		m.seen[t] = true
	}
}

// keep notes what a plan holds.
func (m *memory) keep(held []membership.Held, now time.Time) {
	next := map[gate.Target]time.Time{}
	for _, h := range held {
		next[h.Target] = now
		if since, known := m.held[h.Target]; known {
			next[h.Target] = since
		}
	}
	m.held = next
}

// emptying gives since when this process takes out what a deleted binding left: nobody
// may have led when it was deleted.
func (m *memory) emptying(now time.Time) time.Time {
	if m.emptied.IsZero() {
		m.emptied = now
	}
	return m.emptied
}

// remove notes that running targets are about to be removed.
func (m *memory) remove(targets []gate.Target, now time.Time) {
	maps.DeleteFunc(m.removed, func(_ gate.Target, at time.Time) bool { return now.Sub(at) > forgotten })
	if m.removed == nil {
		m.removed = map[gate.Target]time.Time{}
	}
	for _, t := range targets {
		m.removed[t] = now
	}
}

// memories are those of all bindings. The zero value is ready to use; each memory
// itself is used by the one worker that its binding has.
type memories struct {
	mu sync.Mutex
	of map[types.NamespacedName]*memory
}

// get finds a binding's memory, a new one when its group is another.
func (m *memories) get(key types.NamespacedName, ref balancer.Ref) *memory {
	m.mu.Lock()
	defer m.mu.Unlock()
	if known, ok := m.of[key]; ok && known.ref == ref {
		return known
	}
	if m.of == nil {
		m.of = map[types.NamespacedName]*memory{}
	}
	m.of[key] = &memory{ref: ref}
	return m.of[key]
}

func (m *memories) forget(key types.NamespacedName) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.of, key)
}
