// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package pods

import (
	"net/netip"

	corev1 "k8s.io/api/core/v1"

	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/gate"
	"github.com/podgate/podgate/internal/gates"
	"github.com/podgate/podgate/internal/observe"
)

// feeds adds to a gate's sources what was observed of each, and what the pod's record says.
// The observer reads fast while the pod waits.
func (r *Reconciler) feeds(e *evaluation, gateType string, sources []gates.Source, waiting bool) []gate.Feed {
	missing := e.seen.unclaimedSince(gateType, sources, e.now)

	feeds := make([]gate.Feed, len(sources))
	for i, s := range sources {
		s.Policy.OrphanGrace = r.orphanGrace
		feeds[i] = gate.Feed{
			Name: name(s, sources), Claim: s.Claim, Checks: s.Checks, Alternative: s.Alternative, Trouble: s.Trouble, Policy: &s.Policy,
			Proven: e.proven.of(gateType, s.Name), UnclaimedSince: missing[s.Name],
		}
		if s.FollowsOthers {
			feeds[i].HeldBy, feeds[i].FreeSince = e.others(r.kinds)
		}

		feeds[i].Addr = s.Target.Addr
		if !s.Target.Addr.IsValid() {
			feeds[i].Addr = address(e.pod, feeds[i].Proven)
		}
		if s.Claim == gate.Claimed {
			r.observe(e, s, waiting, &feeds[i])
		}
	}

	return feeds
}

// name tells a source from the gate's others, for people.
func name(s gates.Source, all []gates.Source) string {
	if len(all) == 1 {
		return ""
	}
	return binding.Named(s.Owner.Name)
}

// observe adds what the observer saw of a source's target, or heard of the checks.
func (r *Reconciler) observe(e *evaluation, s gates.Source, waiting bool, f *gate.Feed) {
	seen := r.observer.Watch(e.key, interest(s, waiting))

	f.Detection = s.Detection
	f.ReadAt, f.FailingSince, f.Gap = seen.ReadAt, seen.FailingSince, seen.Gap
	f.Observed, f.Present, f.Health, f.SeenOtherwise = seen.Observed, seen.Present, seen.Health, seen.SeenOtherwise
	f.Placed = seen.PlacedFor == e.pod.UID
	f.Removed, f.Early, f.Unreadable = seen.Removed, seen.Early, seen.Err != nil
	if !f.Present && !s.Checks {
		ref, _ := s.Subject.(balancer.Ref)
		f.Health = r.drivers.Of(ref.Provider).Absent()
	}

	if seen.Err != nil && !seen.Observed {
		f.Trouble = "The target group cannot be read: " + balancer.Message(seen.Err)
	}
}

// interest is that of a gate in the target of a source; the observer reads fast while the gate waits.
func interest(s gates.Source, waiting bool) observe.Interest {
	return observe.Interest{Subject: s.Subject, Target: s.Target, Waiting: waiting, Follow: s.Policy.Mode == gate.Track}
}

// address is the pod's: the one at which a gate was proven as long as the pod has
// it, else its first. A pod may have one address of each family.
func address(pod *corev1.Pod, proven netip.Addr) netip.Addr {
	for _, ip := range pod.Status.PodIPs {
		if addr, err := netip.ParseAddr(ip.IP); err == nil && addr.Unmap() == proven {
			return proven
		}
	}
	addr, err := netip.ParseAddr(pod.Status.PodIP)
	if err != nil {
		return netip.Addr{}
	}
	return addr.Unmap()
}
