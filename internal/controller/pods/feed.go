// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package pods

import (
	"net/netip"
	"slices"

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
	missing := r.unclaimedSince(e, gateType, sources)

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

// freed has the feeds of a pod that no other controller holds back say since when that is so, at the latest since this
// process saw it first: some controllers set their gate's transition time again and again.
func (r *Reconciler) freed(e *evaluation, feeds []gate.Feed) {
	r.mu.Lock()
	defer r.mu.Unlock()

	if slices.ContainsFunc(feeds, func(f gate.Feed) bool { return f.HeldBy != "" }) {
		delete(r.free, e.key)
		return
	}

	for i := range feeds {
		if feeds[i].FreeSince.IsZero() {
			continue
		}
		if r.free[e.key].uid != e.pod.UID {
			r.free[e.key] = freed{uid: e.pod.UID, at: e.now}
		}
		if at := r.free[e.key].at; feeds[i].FreeSince.After(at) {
			feeds[i].FreeSince = at
		}
	}
}

// interest is that of a gate in the target of a source; the observer reads fast while the gate waits.
func interest(s gates.Source, waiting bool) observe.Interest {
	return observe.Interest{Subject: s.Subject, Target: s.Target, Waiting: waiting, Follow: s.Policy.Mode == gate.Track}
}

// had lists the sources, by name, that a pod's gate had while it was closed: those on record, and those that this
// process saw, because nothing is recorded of a gate that has no condition yet.
func (r *Reconciler) had(e *evaluation, gateType string, current gate.Condition) []string {
	recorded := e.proven.Waits[gateType]
	if current.Status == gate.StatusTrue {
		return recorded
	}

	r.mu.Lock()
	defer r.mu.Unlock()
	all := slices.Concat(recorded, r.waited[e.key][gateType])
	slices.Sort(all)
	return slices.Compact(all)
}

// remember keeps which sources a pod's gate waits for, or forgets it when there are none.
func (r *Reconciler) remember(e *evaluation, gateType string, sources []string) {
	r.mu.Lock()
	defer r.mu.Unlock()

	if len(sources) > 0 {
		if r.waited[e.key] == nil {
			r.waited[e.key] = map[string][]string{}
		}
		r.waited[e.key][gateType] = sources
		return
	}

	delete(r.waited[e.key], gateType)
	if len(r.waited[e.key]) == 0 {
		delete(r.waited, e.key)
	}
}

// unclaimedSince remembers since when each source of a pod's gate, by name, does not claim
// the pod, and forgets those that do.
func (r *Reconciler) unclaimedSince(e *evaluation, gateType string, sources []gates.Source) absence {
	r.mu.Lock()
	defer r.mu.Unlock()

	before, missing := r.unclaimed[e.key][gateType], absence{}
	for _, s := range sources {
		if s.Claim != gate.Unclaimed {
			continue
		}

		since, known := before[s.Name]
		if !known {
			since = e.now
		}
		missing[s.Name] = since
	}

	if len(missing) > 0 {
		if r.unclaimed[e.key] == nil {
			r.unclaimed[e.key] = map[string]absence{}
		}
		r.unclaimed[e.key][gateType] = missing
		return missing
	}

	delete(r.unclaimed[e.key], gateType)
	if len(r.unclaimed[e.key]) == 0 {
		delete(r.unclaimed, e.key)
	}
	return nil
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
