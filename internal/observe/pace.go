// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package observe

import (
	"errors"
	"time"

	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/gate"
)

const (
	// FastInterval is the time between two reads of a subject for which a pod waits that could be healthy by now, and
	// the least between any two.
	FastInterval = time.Second
	// SlowInterval is the same where a pod waits that cannot, and where a target comes or goes.
	SlowInterval = 5 * time.Second
	// FollowInterval is the same where a pod's gate follows its target's health and the target is not failing.
	FollowInterval = 10 * time.Second
	// AuditInterval is the same where nothing is expected: with the wait for the budget, drift is found within five
	// minutes, and a thousand groups take 222 calls a minute.
	AuditInterval = 4*time.Minute + 30*time.Second
	// maxBackoff bounds the time between two reads of a subject whose reads fail.
	maxBackoff = 30 * time.Second
	// maxThrottled is the same when reads are throttled: the account as a whole is slowed for that already.
	maxThrottled = 5 * time.Second
)

// ask has the subject read soon; mu is held.
func (s *subject) ask(pressing bool) {
	s.asked, s.pressing = time.Now(), s.pressing || pressing
	send(s.nudge)
	if s.pressing {
		send(s.raise)
	}
}

func send(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func (s *subject) anyWaiting() bool {
	for _, in := range s.interests {
		if in.waiting {
			return true
		}
	}
	return false
}

// due is when the subject is to be read next.
func (o *Observer) due(s *subject) time.Time {
	o.mu.Lock()
	defer o.mu.Unlock()

	if s.failures > 0 {
		return s.retry
	}

	at := s.audit()
	if s.asked.After(s.last) {
		at = earlier(at, s.last.Add(FastInterval))
	}

	if s.moving() {
		at = earlier(at, s.last.Add(SlowInterval))
	}

	for _, in := range s.interests {
		if in.waiting {
			at = earlier(at, s.expect(in))
		}
		if in.followed {
			at = earlier(at, s.last.Add(in.pace()))
		}
	}

	return at
}

// pace is how often the subject is read for a gate that follows its target's health.
func (in *interest) pace() time.Duration {
	if in.failing.IsZero() {
		return FollowInterval
	}
	return SlowInterval
}

// audit is the first beat of the subject's own rhythm after the last read. The rhythm
// keeps subjects that were once read together from being audited together.
func (s *subject) audit() time.Time {
	every := s.described.Audit
	beats := s.last.Sub(s.anchor)/every + 1
	return s.anchor.Add(beats * every)
}

// moving reports whether the subject was seen with a target that comes or goes.
func (s *subject) moving() bool {
	for _, h := range s.view.Snapshot.Targets {
		if h.State == gate.Initial || h.State == gate.Draining {
			return true
		}
	}
	return false
}

// expect is when to read the subject for a pod that waits: fast, unless its target
// surely cannot be healthy by then, and slowly until it can.
func (s *subject) expect(in *interest) time.Time {
	fast, slow := s.last.Add(FastInterval), s.last.Add(SlowInterval)
	if possible := s.possible(in); possible.After(fast) {
		return earlier(slow, possible)
	}
	return fast
}

// possible is the earliest time at which a pod's target could be healthy; zero when
// that may be now. Whatever is not known to be impossible is possible: a new target's
// first check may come at once and may suffice.
func (s *subject) possible(in *interest) time.Time {
	seen := in.sighting
	if !seen.Observed || s.last.Before(s.changed.Add(s.described.Lag)) {
		return time.Time{} // A call of podgate's may not show yet.
	}

	switch {
	case !seen.Present, seen.Health.State == gate.Draining:
		// It is registered first, which asks for a read.
		return s.last.Add(SlowInterval)
	case seen.Health.State == gate.Unhealthy && !in.sound.IsZero():
		// A check failed after that. The read that found none failed may have been behind.
		return in.sound.Add(s.described.Recovery - s.described.Lag)
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

// jitter takes up to a fifth off, so that many subjects do not fall into step.
func (o *Observer) jitter(d time.Duration) time.Duration {
	return d - o.random(d/5+1)
}
