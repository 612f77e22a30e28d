// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/drain"
	"github.com/podgate/podgate/internal/drain/hook"
	"github.com/podgate/podgate/internal/gate"
)

const (
	// fresh is how old the latest read of a group may be that speaks for a pod's end. A
	// group with a target that drains is read every 5 s.
	fresh = time.Minute
	// removed is how long a target must be gone where that ends its traffic: a registration that was on
	// its way when the pod was deleted would show by then.
	removed = 2 * time.Second
)

// released reports whether every group of a pod that is being deleted has let go of it.
func (h *Handler) released(ctx context.Context, pod *corev1.Pod, wanted []string) (hook.Answer, error) {
	bindings, err := binding.ForPod(ctx, h.o.Cache, pod)
	if err != nil {
		return hook.Answer{}, fmt.Errorf("find bindings: %w", err)
	}

	a := hook.Answer{Released: true, Turns: true}
	var found []string
	for _, b := range bindings {
		c, err := h.claim(ctx, pod, b)
		if err != nil {
			return hook.Answer{}, err
		}
		if c.Kind == gate.NotIP || c.Kind == gate.NotTarget {
			continue
		}

		found = append(found, b.Key().Name)
		claimed := c.Kind == gate.Claimed
		a.Released = a.Released && claimed && h.letGo(pod, c.Group, b.Drain(), c.Target)
		a.Turns = a.Turns && claimed && b.Drain().LeaveIdle && h.takesTurns(c.Group)
		if claimed && !slices.Contains(a.Ports, c.Target.Port) {
			a.Ports = append(a.Ports, c.Target.Port)
		}
	}

	for _, name := range wanted {
		// A binding that is gone tells nothing of the group that it was of.
		a.Released = a.Released && slices.Contains(found, name)
	}

	return a, nil
}

// claim returns how a binding claims a pod that may end. It is asked whether the binding is
// being deleted or not: what was registered before still has to drain.
func (h *Handler) claim(ctx context.Context, pod *corev1.Pod, b *binding.Binding) (binding.Claim, error) {
	res, ok := h.o.Resolutions.Get(b.Key())
	if !ok || !res.Resolved() {
		return binding.Claim{Kind: gate.Unresolved}, nil
	}

	svc, err := b.Service(ctx, h.o.Cache)
	if err != nil {
		return binding.Claim{}, err
	}

	target, kind, _ := binding.TargetOf(pod, svc, res.Group, b.ServiceRef) // A pod without a target is kept, whatever it lacks.
	return binding.Claim{Kind: kind, Target: target, Group: res.Group}, nil
}

// letGo reports whether a group sends nothing new to a target. What is under way only the
// pod's sockets know.
func (h *Handler) letGo(pod *corev1.Pod, group balancer.Group, settings drain.Settings, t gate.Target) bool {
	now, k := h.now(), one{ref: group.Ref, target: t, pod: pod.UID}
	if h.leaving.ask(k, now) {
		// Nobody may have a reason to read the group else, as when its target left it before.
		h.o.Observer.Refresh(group.Ref)
	}

	snap := h.o.Observer.View(group.Ref).Snapshot
	if snap.Targets == nil || now.Sub(snap.Started) > fresh {
		return false
	}

	health, listed := snap.Targets[t]
	traits := h.o.Drivers.Of(group.Ref.Provider)
	if traits.GoneIsDone {
		since := h.leaving.saw(k, snap.Started, !listed)
		return !since.IsZero() && now.Sub(since) >= removed
	}

	since := h.leaving.saw(k, snap.Started, !listed || health.Leaving())
	return !since.IsZero() && traits.Quiet != nil && traits.Quiet(group) && now.Sub(since) >= settings.Routing(traits.DrainNeed(group))
}

// takesTurns reports whether one request at a time is on each connection of a group.
func (h *Handler) takesTurns(group balancer.Group) bool {
	takes := h.o.Drivers.Of(group.Ref.Provider).TakesTurns
	return takes != nil && takes(group)
}
