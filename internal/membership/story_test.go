// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package membership

import (
	"time"

	"github.com/podgate/podgate/internal/gate"
)

// story is a group to which plans are made and done as time passes.
type story struct {
	in Input
	// room is how many targets the group takes, any number when 0.
	room int
}

// newStory begins with ten pods that serve.
func newStory() *story {
	s := &story{in: Input{Now: noon, Drain: drain, Observed: map[gate.Target]gate.Health{}, HeldSince: map[gate.Target]time.Time{}, RemovedAt: map[gate.Target]time.Time{}}}
	for n := 1; n <= 10; n++ {
		s.in.Members = append(s.in.Members, ready(n))
		s.in.Observed[at(n)] = gate.Health{State: gate.Healthy}
	}
	return s
}

func (s *story) pass(d time.Duration) { s.in.Now = s.in.Now.Add(d) }

// next does a plan and tells when to make another: when it says so, but after at most some time.
func (s *story) next(most time.Duration) time.Duration {
	if at := s.plan().Next(); !at.IsZero() && at.Before(s.in.Now.Add(most)) {
		return at.Sub(s.in.Now)
	}
	return most
}

// plan makes one and does it.
func (s *story) plan() Plan {
	plan := Make(s.in)
	s.remove(plan.Urgent, true)
	s.register(plan.Register)
	leaving := plan.Deregister
	if full := s.room > 0 && len(plan.Register) > 0 && len(s.in.Observed) == s.room; full && len(plan.Urgent)+len(leaving) == 0 {
		leaving = plan.Yield
	}

	s.remove(leaving, plan.Deliberate)
	s.register(plan.Register)
	since := map[gate.Target]time.Time{}
	for _, h := range plan.Held {
		since[h.Target] = s.in.Now
		if before, held := s.in.HeldSince[h.Target]; held {
			since[h.Target] = before
		}
	}

	s.in.HeldSince = since
	return plan
}

func (s *story) remove(ts []gate.Target, deliberate bool) {
	for _, t := range ts {
		delete(s.in.Observed, t)
		if !deliberate {
			s.in.RemovedAt[t] = s.in.Now
		}
	}
}

func (s *story) register(ts []gate.Target) {
	for _, t := range ts {
		if _, there := s.in.Observed[t]; !there && (s.room == 0 || len(s.in.Observed) < s.room) {
			s.in.Observed[t] = gate.Health{State: gate.Initial}
		}
	}
}

func (s *story) healthy() int {
	n := 0
	for _, h := range s.in.Observed {
		if h.State == gate.Healthy {
			n++
		}
	}
	return n
}
