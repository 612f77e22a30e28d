// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package lattice

import (
	"maps"
	"sync"
	"time"

	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/gate"
)

const (
	// differsAfter is how long two groups have to be seen without a port in common before they count as groups of different
	// ports.
	differsAfter = 5 * time.Minute
	// differsGap is how long they may go unseen meanwhile: two reads at the observer's slowest pace, which reads each group
	// within five minutes, so that one that fails does not have it begin again.
	differsGap = 10 * time.Minute
	// differsKept is how long they count as such after that was seen last, so that the next pod need not wait again.
	differsKept = 24 * time.Hour
)

// ports remembers which of a Service's target groups are for different ports of it. AWS Gateway API Controller does not say:
// its tags name no port, and it gives each group of a route port 80. What shows it are the ports of the targets, though a
// group that lags behind a Service whose target port changed looks the same until it catches up, or is empty. So the
// difference has to be seen for a while before it counts. Any port in common ends it: a rollout that changes a named port
// keeps some pods at the old one.
// The zero value remembers nothing.
type ports struct {
	mu     sync.Mutex
	differ map[pair]differing
}

// pair is two groups, by ARN, in the order in which they are asked about.
type pair [2]string

// differing is when two groups were seen without a port in common: since when without a gap, until it lasted, and last.
type differing struct{ since, seen time.Time }

// lasted reports whether the difference was seen for long enough, which it stays when it goes unseen.
func (d differing) lasted() bool { return d.seen.Sub(d.since) >= differsAfter }

// compare notes which ports groups have, and returns the pairs that are for different ones. A group that lists nothing
// shows nothing, and time alone shows nothing either.
func (p *ports) compare(now time.Time, all []balancer.Ref, healths []map[gate.Target]gate.Health) map[pair]bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	maps.DeleteFunc(p.differ, func(_ pair, d differing) bool { return now.Sub(d.seen) >= differsKept })

	of := make([]map[int32]bool, len(all))
	for i, targets := range healths {
		of[i] = serving(targets)
	}

	different := map[pair]bool{}
	for i, a := range all {
		for j, b := range all {
			two := pair{a.Group, b.Group}
			switch {
			case len(of[i]) == 0 || len(of[j]) == 0:
			case overlap(of[i], of[j]):
				delete(p.differ, two)
			default:
				p.note(two, now)
			}
			if p.differ[two].lasted() {
				different[two] = true
			}
		}
	}
	return different
}

// note remembers that two groups have no port in common.
func (p *ports) note(two pair, now time.Time) {
	if p.differ == nil {
		p.differ = map[pair]differing{}
	}
	d := p.differ[two]
	if !d.lasted() && now.Sub(d.seen) > differsGap {
		d.since = now
	}
	d.seen = now
	p.differ[two] = d
}

// serving lists the ports of targets that do not leave: what does was of the Service before.
func serving(targets map[gate.Target]gate.Health) map[int32]bool {
	ports := map[int32]bool{}
	for t, health := range targets {
		if !health.Leaving() {
			ports[t.Port] = true
		}
	}
	return ports
}

func overlap(a, b map[int32]bool) bool {
	for port := range a {
		if b[port] {
			return true
		}
	}
	return false
}
