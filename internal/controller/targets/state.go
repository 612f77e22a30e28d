// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package targets

import (
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/membership"
)

// state is what this process remembers of one binding. A new leader begins with nothing of it.
type state struct {
	service serviceState
	// pressing: the latest reconciliation failed while the target of a pod that ends was still to go.
	pressing bool
	reported reported
}

// serviceState is remembered for as long as podgate serves a binding.
type serviceState struct {
	// resolved is the binding's group as it was resolved last, and tracked the group that the observer reads for it;
	// empty when there is none.
	resolved resolved
	tracked  balancer.Ref
	// caveat is what is not right about the group of nodes for the Service; empty when nothing is.
	caveat string
	// unselected are the pods that have a target in the group without being selected, as those that a blue/green switch
	// replaced: no selector leads from their deletion to the binding.
	unselected []types.NamespacedName
	// absentSince is since when what the binding refers to has been missing; zero when it is there.
	absentSince time.Time
	// fits is whether the Service fits the binding.
	fits fit
	// emptied is since when what the deleted binding left is taken out.
	emptied time.Time
	// history is of the group's targets. Only the worker that has the binding reads and writes it.
	history *history
}

// fit is what is known of how a Service fits its binding.
type fit struct {
	// generation is the binding's that the Service fitted last, and notSince since when it does not; zero while it does.
	generation int64
	notSince   time.Time
}

// reported is what was reported of a binding to people, so that nothing is reported twice: the object alone cannot
// show it, since some CRDs prune conditions.
type reported struct {
	// uid is the binding's: of one that was made again under the same name nothing was reported.
	uid types.UID
	// event is the reason of the latest event; nil when this process sent none.
	event *string
	// conditions are the reasons that were written last.
	conditions string
	// problems are those of the binding's policies, empty when they are in order; nil when this process reported none.
	problems *string
	// guards are those that keep targets, when that is known.
	guards      []membership.Guard
	guardsKnown bool
	// foreign says what is kept as somebody else's; empty when nothing is.
	foreign string
	// skipped are the nodes without an instance of which the latest event told, in one string.
	skipped string
}

// states are those of all bindings, behind one lock. Nothing that waits, such as a call to a load balancer or to the API
// server, is done under it. One worker has a binding at a time, so that what it reads here stays true until it writes.
type states struct {
	mu sync.Mutex
	of map[types.NamespacedName]*state
	// holders are the bindings by the pods that their groups hold without selecting them, as serviceState.unselected has
	// it: each event of a pod asks for them.
	holders map[types.NamespacedName][]types.NamespacedName
	// looking are the bindings whose groups may hold dead pods' targets that seem to serve.
	looking map[types.NamespacedName]struct{}
}

func newStates() *states {
	return &states{of: map[types.NamespacedName]*state{}, holders: map[types.NamespacedName][]types.NamespacedName{}, looking: map[types.NamespacedName]struct{}{}}
}

// get returns a copy of what is remembered of a binding; the zero value when that is nothing.
func (s *states) get(key types.NamespacedName) state {
	s.mu.Lock()
	defer s.mu.Unlock()
	if known := s.of[key]; known != nil {
		return *known
	}
	return state{}
}

// update changes what is remembered of a binding.
func (s *states) update(key types.NamespacedName, change func(*state)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.of[key] == nil {
		s.of[key] = &state{}
	}
	change(s.of[key])
}

// stop drops what is remembered for as long as podgate serves a binding. What was reported of it stays.
func (s *states) stop(key types.NamespacedName) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if known := s.of[key]; known != nil {
		s.release(key, known)
		delete(s.looking, key)
		known.service = serviceState{}
	}
}

// forget drops all that is remembered of a binding.
func (s *states) forget(key types.NamespacedName) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if known := s.of[key]; known != nil {
		s.release(key, known)
	}
	delete(s.looking, key)
	delete(s.of, key)
}

// track remembers the group that is observed for a binding, and returns the one before; empty refs mean none.
func (s *states) track(key types.NamespacedName, ref balancer.Ref) (before balancer.Ref) {
	s.update(key, func(known *state) { before, known.service.tracked = known.service.tracked, ref })
	return before
}

// history returns that of a binding's group, a new one when the group is another than before.
func (s *states) history(key types.NamespacedName, ref balancer.Ref) (found *history) {
	s.update(key, func(known *state) {
		if known.service.history == nil || known.service.history.ref != ref {
			known.service.history = &history{ref: ref}
		}
		found = known.service.history
	})
	return found
}

// emptying returns since when this process takes out what a deleted binding left: when the binding was deleted there may
// have been no leader.
func (s *states) emptying(key types.NamespacedName, now time.Time) (since time.Time) {
	s.update(key, func(known *state) {
		if known.service.emptied.IsZero() {
			known.service.emptied = now
		}
		since = known.service.emptied
	})
	return since
}

// absentSince notes whether something is missing that a binding refers to, and returns since when; zero when nothing is.
func (s *states) absentSince(key types.NamespacedName, missing bool, now time.Time) (since time.Time) {
	s.update(key, func(known *state) {
		switch {
		case !missing:
			known.service.absentSince = time.Time{}
		case known.service.absentSince.IsZero():
			known.service.absentSince = now
		}
		since = known.service.absentSince
	})
	return since
}

// hold remembers which pods a binding's group holds without selecting them.
func (s *states) hold(key types.NamespacedName, pods []types.NamespacedName) {
	s.update(key, func(known *state) {
		s.release(key, known)
		known.service.unselected = pods
		for _, pod := range pods {
			s.holders[pod] = append(s.holders[pod], key)
		}
	})
}

// looks notes whether a binding's group may hold dead pods' targets that seem to serve, and returns how often to read it for
// that: more seldom the more such groups there are; zero when it is not to be read.
func (s *states) looks(key types.NamespacedName, may bool) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !may {
		delete(s.looking, key)
		return 0
	}
	s.looking[key] = struct{}{}
	return max(lookEvery, time.Duration(len(s.looking))*lookShare)
}

// release forgets which pods a binding's group holds; mu is held.
func (s *states) release(key types.NamespacedName, known *state) {
	for _, pod := range known.service.unselected {
		left := slices.DeleteFunc(s.holders[pod], func(holder types.NamespacedName) bool { return holder == key })
		if len(left) == 0 {
			delete(s.holders, pod)
		} else {
			s.holders[pod] = left
		}
	}
	known.service.unselected = nil
}

// ofNodes lists the bindings whose groups are of nodes.
func (s *states) ofNodes() []types.NamespacedName {
	s.mu.Lock()
	defer s.mu.Unlock()
	var keys []types.NamespacedName
	for key, known := range s.of {
		if known.service.resolved.group.OfNodes() {
			keys = append(keys, key)
		}
	}
	return keys
}

// holding lists the bindings whose groups hold a target of a pod that they do not select.
func (s *states) holding(pod types.NamespacedName) []types.NamespacedName {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.holders[pod])
}

// press remembers whether a binding's latest reconciliation failed with a pressing error.
func (s *states) press(key types.NamespacedName, pressing bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if known := s.of[key]; known != nil || pressing {
		if known == nil {
			known = &state{}
			s.of[key] = known
		}
		known.pressing = pressing
	}
}

// report reads and changes what was reported of a binding.
func (s *states) report(b *binding.Binding, change func(*reported)) {
	s.update(b.Key(), func(known *state) {
		if known.reported.uid != b.UID {
			known.reported = reported{uid: b.UID}
		}
		change(&known.reported)
	})
}
