// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package pods

import (
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/podgate/podgate/internal/gate"
	"github.com/podgate/podgate/internal/gates"
)

// memory is what this process saw of pods and their records do not say.
type memory struct {
	mu sync.Mutex
	// uids tells a pod from an earlier one of its name.
	uids map[types.NamespacedName]types.UID
	// pods has only those of which there is something to remember. Few pods wait at a time.
	pods map[types.NamespacedName]*remembered
}

// remembered is what was seen of one pod. Only the worker that has the pod uses it.
type remembered struct {
	// waited are the sources, by name, that the pod's gates wait for while they are closed, by gate.
	waited map[string][]string
	// unclaimed is since when sources of the pod's gates do not claim it, by gate.
	unclaimed map[string]absence
	// free is since when the pod was seen without a gate of another controller that holds it back; zero while one does.
	free time.Time
}

// absence is since when a gate's sources, by name, do not claim the pod.
type absence map[string]time.Time

func newMemory() *memory {
	return &memory{uids: map[types.NamespacedName]types.UID{}, pods: map[types.NamespacedName]*remembered{}}
}

// recall returns what is remembered of a pod, for keep. It drops what was seen of another pod of that name, and says so.
func (m *memory) recall(key types.NamespacedName, uid types.UID) (r *remembered, another bool) {
	m.mu.Lock()
	defer m.mu.Unlock()

	before, known := m.uids[key]
	m.uids[key] = uid
	if r = m.pods[key]; r == nil || before != uid {
		r = &remembered{waited: map[string][]string{}, unclaimed: map[string]absence{}}
	}
	return r, known && before != uid
}

// keep remembers it, if there is anything to remember.
func (m *memory) keep(key types.NamespacedName, r *remembered) {
	m.mu.Lock()
	defer m.mu.Unlock()

	if len(r.waited) == 0 && len(r.unclaimed) == 0 && r.free.IsZero() {
		delete(m.pods, key)
		return
	}
	m.pods[key] = r
}

// forget drops all that is known of a pod.
func (m *memory) forget(key types.NamespacedName) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.uids, key)
	delete(m.pods, key)
}

// had lists the sources, by name, that a gate of the pod had while it was closed: those on record, and those that this
// process saw, because nothing is recorded of a gate that has no condition yet.
func (r *remembered) had(gateType string, recorded []string, current gate.Condition) []string {
	if current.Status == gate.StatusTrue {
		return recorded
	}
	all := slices.Concat(recorded, r.waited[gateType])
	slices.Sort(all)
	return slices.Compact(all)
}

// waits notes which sources a gate waits for, or that it waits for none.
func (r *remembered) waits(gateType string, sources []string) {
	if len(sources) == 0 {
		delete(r.waited, gateType)
		return
	}
	r.waited[gateType] = sources
}

// unclaimedSince notes since when each source of a gate, by name, does not claim the pod, and forgets those that do.
func (r *remembered) unclaimedSince(gateType string, sources []gates.Source, now time.Time) absence {
	before, missing := r.unclaimed[gateType], absence{}
	for _, s := range sources {
		if s.Claim != gate.Unclaimed {
			continue
		}

		since, known := before[s.Name]
		if !known {
			since = now
		}
		missing[s.Name] = since
	}

	if len(missing) == 0 {
		delete(r.unclaimed, gateType)
		return nil
	}
	r.unclaimed[gateType] = missing
	return missing
}

// freed has the feeds of a pod that no other controller holds back say since when that is so, at the latest since this
// process saw it first: some controllers set their gate's transition time again and again.
func (r *remembered) freed(feeds []gate.Feed, now time.Time) {
	if slices.ContainsFunc(feeds, func(f gate.Feed) bool { return f.HeldBy != "" }) {
		r.free = time.Time{}
		return
	}

	for i := range feeds {
		if feeds[i].FreeSince.IsZero() {
			continue
		}
		if r.free.IsZero() {
			r.free = now
		}
		if feeds[i].FreeSince.After(r.free) {
			feeds[i].FreeSince = r.free
		}
	}
}
