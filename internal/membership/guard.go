// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package membership

import (
	"cmp"
	"slices"
	"time"

	"github.com/podgate/podgate/internal/gate"
)

// Guard is what keeps a target that should go, so that a group that serves is not
// emptied by accident.
type Guard string

// The guards.
const (
	// GuardAbsence keeps what no pod or Service accounts for since a moment.
	GuardAbsence Guard = "absence"
	// GuardFloor keeps targets of pods that are unready or held back: all while no other
	// serves, and else at least half of what served within a minute.
	GuardFloor Guard = "floor"
	// GuardReplacement keeps targets that are not selected any more until all pods that
	// are selected serve. After a minute they may go by halves.
	GuardReplacement Guard = "replacement"
	// GuardLastServing keeps a deleted pod's target as the last that serves.
	GuardLastServing Guard = "last_serving"
	// GuardForeign keeps what serves at an address that no pod of this cluster has, so that
	// it is another cluster's, another controller's or a person's.
	GuardForeign Guard = "foreign"
)

// Guards are all guards, the most alarming first.
var Guards = []Guard{GuardForeign, GuardFloor, GuardAbsence, GuardReplacement, GuardLastServing}

// window is the time within which at most half of what serves is removed by an accident.
const window = time.Minute

// Guards lists the guards that keep targets, the most alarming first.
func (p Plan) Guards() []Guard {
	return slices.DeleteFunc(slices.Clone(Guards), func(g Guard) bool {
		return !slices.ContainsFunc(p.Held, func(h Held) bool { return h.Guard == g })
	})
}

// removeRunning decides over running targets that should go: of pods that are unready or
// held back, or that nothing selects any more. When all pods serve that should, or none should,
// this is how it is meant and all go.
func (p *planner) removeRunning(leavers []Member) {
	if p.serving == p.wanted {
		p.plan.Deliberate = len(leavers) > 0
		for _, m := range leavers {
			p.plan.Deregister = append(p.plan.Deregister, m.Target)
		}
		return
	}

	slices.SortFunc(leavers, p.leavesFirst)
	may, relaxed := 0, time.Time{}
	if p.serving > 0 {
		may, relaxed = p.allowance(len(leavers)), p.relaxes()
	}

	for _, m := range leavers {
		due := p.due(m)
		switch {
		case may > 0 && !p.Now.Before(due):
			p.plan.Deregister = append(p.plan.Deregister, m.Target)
			may--
		case p.serving > 0 && (may > 0 || due.After(relaxed)):
			p.hold(m.Target, due, guardOf(m))
		default:
			p.hold(m.Target, relaxed, guardOf(m))
		}
	}
}

func guardOf(m Member) Guard {
	if m.Wanted {
		return GuardFloor
	}
	return GuardReplacement
}

// leavesFirst orders by who is missed least.
func (p *planner) leavesFirst(a, b Member) int {
	return cmp.Or(order(p.healthy(a.Target), p.healthy(b.Target)), order(b.Wanted, a.Wanted), compare(a.Target, b.Target))
}

// order puts what is not so before what is.
func order(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

// due is from when on a running target may go though not every pod serves that should:
// for an unready pod's now, for a replaced one's when replacements had time to come.
func (p *planner) due(m Member) time.Time {
	if m.Wanted {
		return p.Now
	}
	if since, held := p.HeldSince[m.Target]; held {
		return since.Add(window)
	}
	return p.Now.Add(window)
}

// allowance is how many of some running targets may go by accident: of what served
// within the window at most half, and none below the floor.
func (p *planner) allowance(leavers int) int {
	if p.Now.Before(p.UnknownAt.Add(window)) {
		return 0 // It may have been half already.
	}

	gone := len(p.gone())
	half := (p.serving+leavers+gone)/2 - gone
	return max(0, min(half, p.serving+leavers-max(p.Floor, 1)))
}

// gone are the times of the removals within the window that nothing has made up for.
func (p *planner) gone() []time.Time {
	var times []time.Time
	for t, at := range p.RemovedAt {
		if p.Now.Before(at.Add(window)) && !p.serves(t) && !p.leaver(t) {
			times = append(times, at)
		}
	}
	return times
}

// leaver reports whether a target is in the group of a running pod that should not be.
func (p *planner) leaver(t gate.Target) bool {
	h, present := p.Observed[t]
	m, running := p.members[t]
	return present && !h.Leaving() && running && !m.Terminating && !m.desired()
}

// relaxes is when the allowance grows: when the first of the removals counts no more.
func (p *planner) relaxes() time.Time {
	if until := p.UnknownAt.Add(window); p.Now.Before(until) {
		return until
	}

	relaxed := p.Now
	for _, at := range p.gone() {
		if at.Before(relaxed) {
			relaxed = at
		}
	}
	return relaxed.Add(window)
}
