// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package ingress

import (
	"slices"
	"sync"
	"time"

	"github.com/podgate/podgate/internal/provision/elb"
)

const (
	// provisioning is how soon to look again at what AWS is making, and serving at targets that are to become healthy.
	provisioning = 5 * time.Second
	serving      = 2 * time.Second
	// Who has waited for long is looked at after a part of that time, at last every slowest: it may wait for ever.
	partOfWait = 16
	slowest    = time.Minute
	// mistaken is how soon to look again at an Ingress that cannot be served as it is: what it lacks may be at AWS.
	mistaken = time.Minute
	// holding is how soon to look again at a deletion that a person holds up.
	holding = 15 * time.Second
	// audit is how soon, at least, to look for what somebody else changed at AWS. Up to as much is added.
	audit = 5 * time.Minute
)

// again says when to look at the group again.
func (p *pass) again(plan elb.Plan) time.Duration {
	next := audit + p.random(audit)
	if p.refused+len(plan.Refusals) > 0 || p.missed != nil || p.uncertified {
		next = mistaken
	}
	if len(plan.Refusals) > 0 && slices.ContainsFunc(p.members, func(m member) bool { return m.standing == leaving }) {
		next = holding
	}
	if rest := p.doubtful(); rest > 0 && p.deserted() {
		next = min(next, rest)
	}

	unseen := p.unseen(plan)
	for _, w := range plan.Waits {
		at := max(provisioning, unseen)
		switch {
		case !w.Until.IsZero():
			at = max(w.Until.Sub(p.now()), time.Second)
		case p.active() && len(p.unready) == 0:
			at = max(serving, unseen)
		}
		next = min(next, at)
	}
	return next
}

// unseen is how long a group that waits can do so without a look, by how long nothing has come about.
func (p *pass) unseen(plan elb.Plan) time.Duration {
	if len(plan.Waits) == 0 {
		p.waiting.forget(p.group)
		return 0
	}
	since := p.waiting.last(p.group)
	if since.IsZero() {
		since = p.now()
		p.waiting.at(p.group, since)
	}
	return min(p.now().Sub(since)/partOfWait, slowest)
}

// active reports whether every load balancer is there as AWS makes it, so that only targets are waited for.
func (p *pass) active() bool {
	return len(p.seen.LoadBalancers) > 0 && !slices.ContainsFunc(p.seen.LoadBalancers, func(b elb.ObservedLoadBalancer) bool { return b.State == "provisioning" })
}

// times are one of each group, such as when all of it was read last.
type times struct {
	mu  sync.Mutex
	all map[Key]time.Time
}

func (t *times) at(group Key, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.all[group] = now
}

func (t *times) last(group Key) time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.all[group]
}

func (t *times) forget(group Key) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.all, group)
}
