// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package lattice

import "math"

// answers reports whether an action may give answers that somebody would lose. In doubt it does. A fixed response is none.
func (p *planner) answers(a Action) bool { return p.healthy(a) > 0 }

// healthy is how many targets answer requests.
func (p *planner) healthy(a Action) int {
	sum := 0
	for _, f := range a.weighted() {
		g := p.all[f.Group]
		if g == nil {
			return math.MaxInt32 // It is somebody else's, and nothing is known of it.
		}
		sum += p.health(g)
	}
	return sum
}

// health is how many healthy targets a group has.
func (p *planner) health(g *ObservedTargetGroup) int {
	if p.unused[g.ARN] {
		return 0
	}
	return g.Healthy
}

// serves reports whether an action can take over what another one answers with so many healthy targets: it forwards, and each of its
// groups has healthy targets, and at least three quarters of its own, or as many as the other one, whichever is less.
func (p *planner) serves(a Action, instead int) bool {
	for _, f := range a.weighted() {
		g := p.all[f.Group]
		if g == nil {
			continue
		}
		if n := p.health(g); n == 0 || 4*n < 3*g.Registered && n < instead {
			return false
		}
	}
	return a.Answer == 0
}
