// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package membership

import (
	"slices"

	"github.com/podgate/podgate/internal/gate"
)

// Pods that are about to be deleted, and serve until then, may drain ahead of it: while all
// others serve, and never more of them than others, so that at least half of what could serve
// does. When too few others serve, or the deletion is called off, they are registered again.

// ahead are the targets of such pods: those in the group, and those out of it.
type ahead struct{ in, out []gate.Target }

// lookAhead finds them and decides which stay out; those do not count as wanted. A pod
// that is not Ready has its gate to pass first, and in a group that is not known nothing
// is done ahead of anything.
func (p *planner) lookAhead() {
	for t, m := range p.members {
		if p.Observed == nil || !m.Leaving || !m.desired() || !m.Serving {
			continue
		}
		if h, present := p.Observed[t]; present && !h.Leaving() {
			p.ahead.in = append(p.ahead.in, t)
			continue
		}
		p.ahead.out = append(p.ahead.out, t)
	}

	slices.SortFunc(p.ahead.in, compare)
	slices.SortFunc(p.ahead.out, compare)
	p.ahead.out = p.ahead.out[:min(len(p.ahead.out), p.mayBeOut())]
	p.wanted -= len(p.ahead.out)
}

// mayBeOut is how many may be out of the group ahead of their deletion: as many as others
// serve, and none below the floor.
func (p *planner) mayBeOut() int {
	if others := p.others(); others >= max(p.Floor, 1) {
		return others
	}
	return 0
}

// others is how many pods serve that are not about to be deleted.
func (p *planner) others() int {
	serving := p.serving
	for _, t := range p.ahead.in {
		if p.serves(t) {
			serving--
		}
	}
	return serving
}

// removeAhead lets such pods go when all others serve that should, within what may go
// within a minute, and when nothing that runs goes for another reason.
func (p *planner) removeAhead() {
	if len(p.plan.Deregister) > 0 || p.others() != p.wanted-len(p.ahead.in) {
		return
	}
	may := min(p.mayBeOut()-len(p.ahead.out), p.allowance(0), len(p.ahead.in))
	p.plan.Deregister = p.ahead.in[:max(may, 0)]
}
