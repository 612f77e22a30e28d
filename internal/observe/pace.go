// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package observe

import (
	"errors"
	"time"

	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/balancer/budget"
	"github.com/podgate/podgate/internal/gate"
)

const (
	// FastInterval is the time between two reads of a group for which a pod waits that could be healthy by now, and
	// the least between any two.
	FastInterval = time.Second
	// SlowInterval is the same where a pod waits that cannot, and where a target comes or goes.
	SlowInterval = 5 * time.Second
	// FollowInterval is the same where a pod's gate follows its target's health and the target is not failing.
	FollowInterval = 10 * time.Second
	// AuditInterval is the same where nothing is expected: with the wait for the budget, drift is found within five
	// minutes, and a thousand groups take 222 calls a minute.
	AuditInterval = 4*time.Minute + 30*time.Second
	// maxBackoff bounds the time between two reads of a group whose reads fail.
	maxBackoff = 30 * time.Second
	// maxThrottled is the same when reads are throttled: the account as a whole is slowed for that already.
	maxThrottled = 5 * time.Second
)

// ask has the group read soon; mu is held.
func (g *group) ask(pressing bool) {
	g.asked, g.pressing = time.Now(), g.pressing || pressing
	send(g.nudge)
	if g.pressing {
		send(g.raise)
	}
}

func send(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// priority is that of the read that begins now; what was raised before is in it.
func (o *Observer) priority(g *group) budget.Priority {
	o.mu.Lock()
	defer o.mu.Unlock()
	select {
	case <-g.raise:
	default:
	}
	if g.pressing || g.anyWaiting() {
		return budget.Urgent
	}
	return budget.Audit
}

func (g *group) anyWaiting() bool {
	for _, in := range g.interests {
		if in.waiting {
			return true
		}
	}
	return false
}

// due is when the group is to be read next.
func (o *Observer) due(g *group) time.Time {
	o.mu.Lock()
	defer o.mu.Unlock()

	if g.failures > 0 {
		return g.retry
	}

	at := g.audit()
	if g.asked.After(g.last) {
		at = earlier(at, g.last.Add(FastInterval))
	}

	if g.moving() {
		at = earlier(at, g.last.Add(SlowInterval))
	}

	for _, in := range g.interests {
		if in.waiting {
			at = earlier(at, g.expect(in))
		}
		if in.followed {
			at = earlier(at, g.last.Add(in.pace()))
		}
	}

	return at
}

// pace is how often the group is read for a gate that follows its target's health.
func (in *interest) pace() time.Duration {
	if in.failing.IsZero() {
		return FollowInterval
	}
	return SlowInterval
}

// audit is the first beat of the group's own rhythm after the last read. The rhythm
// keeps groups that were once read together from being audited together.
func (g *group) audit() time.Time {
	beats := g.last.Sub(g.anchor)/g.every + 1
	return g.anchor.Add(beats * g.every)
}

// moving reports whether the group was seen with a target that comes or goes.
func (g *group) moving() bool {
	for _, h := range g.view.Snapshot.Targets {
		if h.State == gate.Initial || h.State == gate.Draining {
			return true
		}
	}
	return false
}

// expect is when to read the group for a pod that waits: fast, unless its target
// surely cannot be healthy by then, and slowly until it can.
func (g *group) expect(in *interest) time.Time {
	fast, slow := g.last.Add(FastInterval), g.last.Add(SlowInterval)
	if possible := g.possible(in); possible.After(fast) {
		return earlier(slow, possible)
	}
	return fast
}

// possible is the earliest time at which a pod's target could be healthy; zero when
// that may be now. Whatever is not known to be impossible is possible: a new target's
// first check may come at once and may suffice.
func (g *group) possible(in *interest) time.Time {
	s := in.sighting
	if !s.Observed || g.last.Before(g.changed.Add(gate.Lag)) {
		return time.Time{} // A call of podgate's may not show yet.
	}

	switch {
	case !s.Present, s.Health.State == gate.Draining:
		// It is registered first, which asks for a read.
		return g.last.Add(SlowInterval)
	case s.Health.State == gate.Unhealthy && !in.sound.IsZero():
		// A check failed after that, and so many have to pass in a row.
		recovery := time.Duration(g.settings.HealthyThreshold) * g.settings.HealthCheckInterval
		return in.sound.Add(recovery - gate.Lag)
	}

	return time.Time{}
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func count(failures int, err error) int {
	if err != nil {
		return failures + 1
	}
	return 0
}

// backoff is the longest wait after n failed reads, the last with err: from one second up.
func backoff(n int, err error) time.Duration {
	limit := maxBackoff
	if errors.Is(err, balancer.ErrThrottled) {
		limit = maxThrottled
	}
	return min(FastInterval<<min(n-1, 5), limit)
}

// jitter takes up to a fifth off, so that many groups do not fall into step.
func (o *Observer) jitter(d time.Duration) time.Duration {
	return d - o.random(d/5+1)
}
