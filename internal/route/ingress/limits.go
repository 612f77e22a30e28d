// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package ingress

import (
	"maps"
	"slices"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/route"
)

// needs is what members need of what a load balancer may have.
type needs struct {
	rules int
	// groups are target groups by their resource or ARN.
	groups []string
	// certificates are those of each listener.
	certificates map[int32][]string
}

// with is what is needed with a member in addition.
func (n needs) with(m *member, redirect int32) needs {
	n.certificates = maps.Clone(n.certificates)
	if n.certificates == nil {
		n.certificates = map[int32][]string{}
	}
	n.groups = slices.Clone(n.groups)

	for _, p := range m.ports {
		n.certificates[p.number] = union(slices.Clone(n.certificates[p.number]), p.certificates)
		rules := m.rulesAt(p, redirect)
		n.rules += len(rules)
		for _, r := range rules {
			n.groups = union(n.groups, m.groupsOf(r.Action))
		}
		if m.otherwise != nil {
			n.groups = union(n.groups, m.groupsOf(*m.otherwise))
		}
	}
	return n
}

// groupsOf are the target groups of an action.
func (m *member) groupsOf(action route.Action) []string {
	var groups []string
	for _, b := range action.Backends {
		groups = append(groups, groupResource(m.Owner, b))
	}
	return groups
}

// countNeeds counts what a member needs. One that needs more than is left is refused.
func (b *builder) countNeeds(m *member) {
	limits, next := b.settings.Limits, b.needs.with(m, b.redirect)
	count := func(what string, need, have, limit int) {
		if need > limit {
			m.Refuse(v1alpha1.ReasonLimitExceeded, "with this Ingress the load balancer would have %d %s, and it may have %d, of which others use %d: move it to another group, or have AWS raise the quota", need, what, limit, have)
		}
	}

	count("rules", next.rules, b.needs.rules, limits.Rules)
	count("target groups", len(next.groups), len(b.needs.groups), limits.TargetGroups)
	count("listeners", len(next.certificates), len(b.needs.certificates), limits.Listeners)
	for _, p := range m.ports {
		count("certificates at port "+p.resource(), len(next.certificates[p.number]), len(b.needs.certificates[p.number]), limits.Certificates+1)
	}
	if !m.out() {
		b.needs = next
	}
}

// countKept counts what the load balancer that there is has of a member that is refused.
func (b *builder) countKept(m *member) {
	if b.current == nil {
		return
	}
	for _, l := range b.current.Listeners {
		for _, r := range l.Has {
			if !r.Own || r.Owner != m.Owner {
				continue
			}
			b.needs.rules++
			for _, f := range r.Action.Forward {
				b.needs.groups = union(b.needs.groups, []string{f.Group})
			}
		}
	}
}
