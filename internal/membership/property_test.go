// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package membership

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/podgate/podgate/internal/gate"
)

// anyInput draws a group of up to ten addresses and pods that may share them.
func anyInput(t *rapid.T) Input {
	in := Input{Now: noon, Drain: drain, Floor: rapid.IntRange(0, 3).Draw(t, "floor")}
	in.AbsentUntil = noon.Add(time.Duration(rapid.IntRange(-1, 1).Draw(t, "absent")) * absence)
	if rapid.IntRange(0, 3).Draw(t, "pending") == 0 {
		in.Coming = 1
	}

	in.HeldSince, in.RemovedAt, in.StrangeSince = anyTimes(t, "held"), anyTimes(t, "removed"), anyTimes(t, "strange")
	if rapid.Bool().Draw(t, "shared group") {
		in.Ours = func(gate.Target) bool { return false }
	}
	if rapid.Bool().Draw(t, "addresses of no pod here") {
		in.Foreign = func(gate.Target) bool { return true }
	}

	in.Members = rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Member {
		m := Member{
			Target: at(rapid.IntRange(1, 10).Draw(t, "address")),
			Wanted: rapid.Bool().Draw(t, "wanted"), Ready: rapid.Bool().Draw(t, "ready"),
			Serving: rapid.Bool().Draw(t, "serving"), Terminating: rapid.Bool().Draw(t, "terminating"),
			Leaving: rapid.Bool().Draw(t, "leaving"), HeldBack: rapid.IntRange(0, 3).Draw(t, "held back") == 0,
		}
		if m.Terminating && rapid.IntRange(0, 4).Draw(t, "known end") > 0 {
			m.KilledAt = noon.Add(time.Duration(rapid.IntRange(-10, 120).Draw(t, "left")) * time.Second)
		}
		return m
	}), 0, 10).Draw(t, "members")
	if rapid.IntRange(0, 9).Draw(t, "observed") == 0 {
		return in
	}

	states := rapid.SampledFrom([]gate.State{gate.Healthy, gate.Healthy, gate.Initial, gate.Unhealthy, gate.Draining})
	in.Observed = rapid.MapOfN(rapid.Custom(func(t *rapid.T) gate.Target {
		return at(rapid.IntRange(1, 10).Draw(t, "row"))
	}), rapid.Custom(func(t *rapid.T) gate.Health {
		return gate.Health{State: states.Draw(t, "state")}
	}), 0, 10).Draw(t, "group")

	return in
}

// anyTimes draws times of the last two minutes for some addresses.
func anyTimes(t *rapid.T, of string) map[gate.Target]time.Time {
	return rapid.MapOfN(rapid.Custom(func(t *rapid.T) gate.Target {
		return at(rapid.IntRange(1, 10).Draw(t, of))
	}), rapid.Custom(func(t *rapid.T) time.Time {
		return noon.Add(-time.Duration(rapid.IntRange(0, 120).Draw(t, "ago")) * time.Second)
	}), 0, 5).Draw(t, of+" targets")
}

// situation answers what the properties ask of an input and its plan.
type situation struct {
	Input
	Plan
	held map[gate.Target]Held
}

func (s situation) absent() bool { return s.Now.Before(s.AbsentUntil) }

func situate(in Input) situation {
	s := situation{Input: in, Plan: Make(in), held: map[gate.Target]Held{}}
	for _, h := range s.Held {
		s.held[h.Target] = h
	}
	return s
}

func (s situation) removed(t gate.Target) bool {
	return slices.Contains(s.Urgent, t) || slices.Contains(s.Deregister, t)
}

// pods are those at an address.
func (s situation) pods(t gate.Target) []Member {
	var at []Member
	for _, m := range s.Members {
		if m.Target == t {
			at = append(at, m)
		}
	}
	return at
}

// runs: the pod that decides over the address is not on its way out.
func (s situation) runs(t gate.Target) bool {
	pods := s.pods(t)
	return len(pods) > 0 && !slices.MaxFunc(pods, func(a, b Member) int { return a.rank() - b.rank() }).Terminating
}

func (s situation) wanted(t gate.Target) bool {
	return slices.ContainsFunc(s.pods(t), Member.desired)
}

// serving lists the healthy rows of running pods.
func (s situation) serving() []gate.Target {
	var ts []gate.Target
	for t, h := range s.Observed {
		if h.State == gate.Healthy && s.runs(t) {
			ts = append(ts, t)
		}
	}
	return ts
}

func TestPlanProperties(t *testing.T) {
	properties := map[string]func(t *rapid.T, s situation){
		"a plan depends on its input alone, not on the order of pods": func(t *rapid.T, s situation) {
			shuffled := s.Input
			shuffled.Members = rapid.Permutation(s.Members).Draw(t, "order")
			if diff := compareTo(s.Plan, Make(shuffled)); diff != "" {
				t.Fatalf("-in order, +shuffled:\n%s", diff)
			}
		},
		"a target is in one list only, and those that yield are held": func(t *rapid.T, s situation) {
			seen := map[gate.Target]bool{}
			for _, list := range [][]gate.Target{s.Urgent, s.Register, s.Deregister, targets(s.Held)} {
				for _, target := range list {
					if seen[target] {
						t.Fatalf("%s twice in %+v", target, s.Plan)
					}
					seen[target] = true
				}
			}

			for _, target := range s.Yield {
				if _, ok := s.held[target]; !ok {
					t.Fatalf("%s yields without being held", target)
				}
			}
		},
		"a pod that should be in the group is there afterwards": func(t *rapid.T, s situation) {
			for _, m := range s.Members {
				h, present := s.Observed[m.Target]
				there := present && !h.Leaving() || slices.Contains(s.Register, m.Target)
				decides := slices.MaxFunc(s.pods(m.Target), func(a, b Member) int { return a.rank() - b.rank() })
				ahead := decides.Leaving && decides.Serving && s.Observed != nil
				if m.desired() && !ahead && (!there || s.removed(m.Target) || slices.Contains(s.Yield, m.Target)) {
					t.Fatalf("%s is left out by %+v", m.Target, s.Plan)
				}
			}
		},
		"no pod is registered that another controller holds back": func(t *rapid.T, s situation) {
			for _, target := range s.Register {
				if !slices.ContainsFunc(s.pods(target), func(m Member) bool { return m.desired() && !m.HeldBack }) {
					t.Fatalf("%s is registered by %+v", target, s.Plan)
				}
			}
		},
		"only what is there is removed": func(t *rapid.T, s situation) {
			for _, target := range slices.Concat(s.Urgent, s.Deregister, targets(s.Held)) {
				if h, present := s.Observed[target]; s.Observed != nil && (!present || h.Leaving()) {
					t.Fatalf("%s is not in the group: %+v", target, s.Plan)
				}
			}
		},
		"the last running target that serves stays, unless no pod is selected for good": func(t *rapid.T, s situation) {
			accident := s.absent() || s.Coming > 0 || slices.ContainsFunc(s.Members, func(m Member) bool { return m.Wanted && s.runs(m.Target) })
			before := s.serving()
			if len(before) == 0 || !accident {
				return
			}
			after := slices.DeleteFunc(before, func(t gate.Target) bool {
				return s.removed(t) || slices.Contains(s.Yield, t)
			})
			if len(after) == 0 {
				t.Fatalf("nothing that runs serves after %+v", s.Plan)
			}
		},
		"a dead pod's row never stays when it is ours, but a moment when nobody saw it go, or while it may be served elsewhere": func(t *rapid.T, s situation) {
			for target, h := range s.Observed {
				mine := s.Ours == nil || s.Ours(target)
				since, strange := s.StrangeSince[target]
				elsewhere := s.Foreign != nil && (h.State == gate.Healthy || h.State == gate.Initial)
				goes := mine && (!strange || !s.Now.Before(since.Add(gate.Lag)) && !elsewhere)
				if len(s.pods(target)) == 0 && !h.Leaving() && goes != slices.Contains(s.Urgent, target) {
					t.Fatalf("%s, ours: %t, in %+v", target, mine, s.Plan)
				}
			}
		},
		"of running targets at most half goes, and none while no other serves, unless all pods serve that should": func(t *rapid.T, s situation) {
			for what, leaving := range map[string][]gate.Target{"removed": s.Deregister, "yielding": s.Yield} {
				if s.Deliberate && what == "removed" {
					continue
				}
				serving := s.serving()
				left := slices.DeleteFunc(slices.Clone(serving), func(t gate.Target) bool { return slices.Contains(leaving, t) })
				if went := len(serving) - len(left); went > 0 && 2*went > len(serving)+len(leaving) {
					t.Fatalf("%s: %d of %d that serve go: %+v", what, went, len(serving), s.Plan)
				}
				if len(leaving) > 0 && len(left) == 0 && len(serving) > 0 {
					t.Fatalf("%s: none that serves is left: %+v", what, s.Plan)
				}
			}
		},
		"no more pods drain ahead than others serve": func(t *rapid.T, s situation) {
			others, went := 0, 0
			for target, h := range s.Observed {
				m := slices.MaxFunc(append(s.pods(target), Member{}), func(a, b Member) int { return a.rank() - b.rank() })
				switch {
				case !m.desired() || h.State != gate.Healthy:
				case m.Leaving && m.Serving && s.removed(target):
					went++
				case !m.Leaving || !m.Serving:
					others++
				}
			}

			if went > others {
				t.Fatalf("%d leave ahead, %d others serve: %+v", went, others, s.Plan)
			}
		},
		"what guards keep for a time may go when it is over": func(t *rapid.T, s situation) {
			for _, h := range s.Held {
				if !h.Until.IsZero() && !h.Until.After(s.Now) {
					t.Fatalf("%s is kept by %q until %s", h.Target, h.Guard, h.Until.Sub(s.Now))
				}
			}
		},
		"a dying pod goes at once, but one that serves as the last and for no longer than it can be drained": func(t *rapid.T, s situation) {
			kept := 0
			for _, h := range s.Held {
				if h.Guard != GuardLastServing {
					continue
				}

				kept++
				others := slices.DeleteFunc(s.serving(), s.removed)
				if len(others) > 0 {
					t.Fatalf("%s is kept until %s though %v serve", h.Target, h.Until.Sub(s.Now), others)
				}

				if h.Until.IsZero() {
					continue // Nobody knows its end.
				}

				later := s.Input
				later.Now = h.Until
				if !slices.Contains(Make(later).Urgent, h.Target) {
					t.Fatalf("%s does not go when its time has come", h.Target)
				}
			}

			if kept > 1 && s.Observed != nil {
				t.Fatalf("%d dying pods are kept, though the group is known", kept)
			}

			for _, m := range s.Members {
				if h, held := s.held[m.Target]; m.Terminating && m.Wanted && !s.wanted(m.Target) && held && h.Guard != GuardLastServing {
					t.Fatalf("dying %s is held for no reason", m.Target)
				}
			}
		},
	}

	for name, property := range properties {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) { property(t, situate(anyInput(t))) })
		})
	}
}

func targets(held []Held) []gate.Target {
	var ts []gate.Target
	for _, h := range held {
		ts = append(ts, h.Target)
	}
	return ts
}
