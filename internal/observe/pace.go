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
	// AuditInterval is the same where nothing is expected of a subject that changed lately: with the wait for the budget,
	// drift is found within five minutes, and a thousand groups take 222 calls a minute.
	AuditInterval = 4*time.Minute + 30*time.Second
	// RestInterval is the longest time between two reads, of a subject in which nothing has changed for QuietAfter: a
	// thousand groups take 33 calls a minute.
	RestInterval = 30 * time.Minute
	// QuietAfter is how long it takes until then.
	QuietAfter = time.Hour
	// maxBackoff bounds the time between two reads of a subject whose reads fail.
	maxBackoff = 30 * time.Second
	// maxThrottled is the same when reads are throttled: the account as a whole is slowed for that already.
	maxThrottled = 5 * time.Second
)

// ask has the subject read soon; mu is held.
func (s *subject) ask(pressing bool) {
	s.asked, s.pressing = time.Now(), s.pressing || pressing
	s.enliven(s.asked)
	s.nudge()
	if !s.pressing {
		return
	}
	select {
	case s.raise <- struct{}{}:
	default:
	}
}

func (s *subject) anyWaiting() bool {
	for in := range s.interests {
		if in.waiting {
			return true
		}
	}
	return false
}

// due is when the subject is to be read next; mu is held.
func (s *subject) due() time.Time {
	if s.last.IsZero() {
		return s.born
	}

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

	for in := range s.interests {
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

// audit is the first beat of the subject's own rhythm after the last read, or after its rest ended. The rhythm
// keeps subjects that were once read together, or that end their rest together, from being audited together.
func (s *subject) audit() time.Time {
	after := s.last
	if after.Before(s.lively) {
		after = s.lively
	}

	every := s.every()
	beats := after.Sub(s.anchor)/every + 1
	return s.anchor.Add(beats * every)
}

// every is the time between two audits of a subject now. The longer nothing has changed in it, the longer that is: it
// doubles as soon as its share of the longest is that of the quiet time.
func (s *subject) every() time.Duration {
	if s.described.Audit > 0 {
		return s.described.Audit
	}

	every, quiet := AuditInterval, time.Since(s.lively).Seconds()/s.quietAfter.Seconds()
	for every < s.rest {
		longer := min(2*every, s.rest)
		if longer.Seconds()/s.rest.Seconds() > quiet {
			break
		}
		every = longer
	}

	return every
}

// enliven ends the subject's rest: something changed in it, or is about to.
func (s *subject) enliven(now time.Time) {
	s.rested = max(s.rested, min(now.Sub(s.last), s.every()-AuditInterval))
	s.lively = now
}

// drifted reports whether a target has left the subject, or begins to, that a pod has an interest in and that podgate did not
// take out: somebody else, or the load balancer, changed what podgate had made.
func (s *subject) drifted(to map[gate.Target]gate.Health) bool {
	for in := range s.interests {
		before, there := s.view.Snapshot.Targets[in.target]
		now, stays := to[in.target]
		p, placed := s.placed[in.target]
		if there && !before.Leaving() && (!stays || now.Leaving()) && (!placed || p.pod != "") {
			return true
		}
	}
	return false
}

// stir has all subjects of an account audited as often as if they had changed; mu is held. What happened to one may have
// happened to others.
func (o *Observer) stir(account string) {
	if account == "" {
		return
	}
	for _, s := range o.subjects {
		if s.described.Account == account {
			s.enliven(time.Now())
			s.nudge()
		}
	}
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
	case !seen.Present, seen.Health().State == gate.Draining:
		// It is registered first, which asks for a read.
		return s.last.Add(SlowInterval)
	case seen.Health().State == gate.Unhealthy && !in.sound.IsZero():
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
