// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package targets

import (
	"maps"
	"time"

	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/gate"
	"github.com/podgate/podgate/internal/membership"
)

// forgotten is how long a removal is remembered: longer than any guard asks for.
const forgotten = 5 * time.Minute

// history is what this process has seen of a group's targets, for the guards. It is lost with the process: the next one
// keeps targets rather longer than shorter.
type history struct {
	ref balancer.Ref
	// read: the group was seen once.
	read bool
	// seen are the targets whose pods this process saw, or that it registered.
	seen map[gate.Target]bool
	// orphans is since when other targets have been without a pod.
	orphans map[gate.Target]time.Time
	// held is since when running targets that should go have been kept, and removed
	// when they were removed.
	held, removed map[gate.Target]time.Time
}

// observe compares the group with its pods.
func (h *history) observe(observed map[gate.Target]gate.Health, who population, now time.Time) {
	if observed == nil {
		return
	}

	seen, orphans := map[gate.Target]bool{}, map[gate.Target]time.Time{}
	for t := range observed { // Those that left the group are forgotten.
		since, known := h.orphans[t]
		switch {
		case who.pods[t] != nil || h.seen[t]:
			seen[t] = true
		case known:
			orphans[t] = since
		default:
			orphans[t] = now
		}
	}

	h.seen, h.orphans = seen, orphans
	h.begin(observed, who, now)
}

// begin takes unready pods without a target for removed just now: another process may have done that.
func (h *history) begin(observed map[gate.Target]gate.Health, who population, now time.Time) {
	if h.read {
		return
	}
	h.read = true
	for _, member := range who.members {
		health, there := observed[member.Target]
		if (!there || health.Leaving()) && member.Wanted && !member.Ready && !member.Terminating {
			h.removing([]gate.Target{member.Target}, now)
		}
	}
}

// registering notes that targets are about to be registered for pods that are there.
func (h *history) registering(targets []gate.Target) {
	if h.seen == nil {
		h.seen = map[gate.Target]bool{}
	}
	for _, t := range targets {
		h.seen[t] = true
	}
}

// hold notes which targets a plan keeps that should go.
func (h *history) hold(held []membership.Held, now time.Time) {
	next := map[gate.Target]time.Time{}
	for _, target := range held {
		next[target.Target] = now
		if since, known := h.held[target.Target]; known {
			next[target.Target] = since
		}
	}
	h.held = next
}

// removing notes that running targets are about to be removed.
func (h *history) removing(targets []gate.Target, now time.Time) {
	maps.DeleteFunc(h.removed, func(_ gate.Target, at time.Time) bool { return now.Sub(at) > forgotten })
	if h.removed == nil {
		h.removed = map[gate.Target]time.Time{}
	}
	for _, t := range targets {
		h.removed[t] = now
	}
}
