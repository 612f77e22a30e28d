// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package targets

import (
	"maps"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/binding"
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
	// last is what the group had when it was last compared with its pods, and orphans is since when which of its targets
	// have been without a pod that this process saw.
	last    map[gate.Target]gate.Health
	orphans map[gate.Target]time.Time
	// registered are the targets that this process registered since then.
	registered map[gate.Target]bool
	// held is since when running targets that should go have been kept, and removed
	// when they were removed.
	held, removed map[gate.Target]time.Time
	// unknown is when another process may last have removed targets without a trace; zero when none did.
	unknown time.Time
}

// observe compares the group with its pods.
func (h *history) observe(p *pass, now time.Time) {
	if p.observed == nil {
		return
	}

	orphans := map[gate.Target]time.Time{}
	for t, health := range p.observed { // Those that left the group are forgotten.
		since, known := h.orphans[t]
		switch {
		// Once a dead pod's target drains, whoever registers its address again has another pod there.
		case p.who.has(t) || h.saw(t) && !health.Leaving():
		case known:
			orphans[t] = since
		default:
			orphans[t] = now
		}
	}

	h.last, h.orphans, h.registered = p.observed, orphans, nil
	h.begin(p, now)
}

// begin finds again what another process may have removed within the guards' minute, when the group is first seen.
func (h *history) begin(p *pass, now time.Time) {
	if h.read {
		return
	}
	h.read = true

	// A pod that should serve and does not may have been taken out, whether it is back or not.
	for _, member := range p.who.members {
		if member.Wanted && !member.Terminating && p.observed[member.Target].State != gate.Healthy {
			h.removing([]gate.Target{member.Target}, now)
		}
	}

	h.unknown = unknownAt(p.binding, now)
}

// unknownAt returns when another process may last have removed targets that left no trace in the group; zero when none did.
// Those that are no longer selected may have gone, but only after a guard kept them for a while, which the binding says.
func unknownAt(b *binding.Binding, now time.Time) time.Time {
	held := meta.FindStatusCondition(*b.Conditions, v1alpha1.ConditionTargetsHeld)
	pruned := len(*b.Conditions) == 0 && *b.ObservedGeneration != nil

	switch {
	case held == nil && !pruned:
		return time.Time{}
	case held == nil || len(running(guardsOf(held))) > 0:
		return now
	}

	// Strangers may be held on for ever. What is stored has no fractions, and is another machine's time.
	if ended := held.LastTransitionTime.Add(time.Second); ended.Before(now) {
		return ended
	}
	return now
}

// saw reports whether this process saw a target's pod, or registered it.
func (h *history) saw(t gate.Target) bool {
	if h == nil {
		return false
	}
	_, there := h.last[t]
	_, orphan := h.orphans[t]
	return there && !orphan || h.registered[t]
}

// registering notes that targets are about to be registered for pods that are there.
func (h *history) registering(targets []gate.Target) {
	if h.registered == nil {
		h.registered = map[gate.Target]bool{}
	}
	for _, t := range targets {
		h.registered[t] = true
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
