// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package elb

import "math"

// answers reports whether requests may be answered now, so that somebody would lose them. In doubt they are: a target group
// whose health is not known may serve. An answer of 400 or more is none.
func (p *planner) answers(a Action) bool {
	switch {
	case a.Redirect != nil:
		return true
	case a.Answer != nil:
		return a.Answer.Status < 400
	}
	return p.healthy(a) > 0
}

// healthy is how many targets answer requests.
func (p *planner) healthy(a Action) int {
	sum := 0
	for _, f := range weighted(a) {
		switch g := p.seenGroups[f.Group]; {
		case g == nil:
			return math.MaxInt32 // It is somebody else's, and nothing is known of it.
		case p.health(g) == nil:
			sum = math.MaxInt32
		case sum < math.MaxInt32:
			sum += p.health(g).Healthy
		}
	}
	return sum
}

// serves reports whether an action can take over what another one answers with so many healthy targets: each of its groups
// has healthy targets, and at least three quarters of its own, or as many as the other one, whichever is less.
func (p *planner) serves(a Action, instead int) bool {
	all := true
	for _, f := range weighted(a) {
		g := p.seenGroups[f.Group]
		if g == nil {
			continue
		}
		h := p.health(g)
		all = all && h != nil && h.Healthy > 0 && (4*h.Healthy >= 3*h.Registered || h.Healthy >= instead)
	}
	return all
}

// mayTake reports whether an action may get requests that another one gets now, without anybody losing them.
func (p *planner) mayTake(now, next Action) bool {
	return !p.answers(now) || p.serves(next, p.healthy(now))
}

// health returns a group's health. Where that is not known it remembers that it matters. The targets of a group that nothing
// names are not checked.
func (p *planner) health(g *ObservedTargetGroup) *Health {
	if g.LoadBalancer == "" && p.used(g.ARN) == unused {
		return &Health{}
	}
	if g.Health == nil {
		p.asked[g.ARN] = true
	}
	return g.Health
}

// weighted are the groups of an action that get requests. One that is alone gets them all.
func weighted(a Action) []Forward {
	if len(a.Forward) == 1 {
		return []Forward{{Group: a.Forward[0].Group, Weight: max(a.Forward[0].Weight, 1)}}
	}

	var list []Forward
	for _, f := range a.Forward {
		if f.Weight > 0 {
			list = append(list, f)
		}
	}
	return list
}
