// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package checks

import "time"

const (
	// slowdown is how many times longer the expressions of one namespace have to wait than they take, all together: they are evaluated by
	// those that evaluate the gates of all namespaces.
	slowdown = 10
	// credit is how much of that a namespace may have open, so that expressions of the usual cost never wait.
	credit = 2 * time.Second
	// maxPause bounds how long the next pod waits for one that was let in, and was not evaluated yet.
	maxPause = time.Second
)

// share is what one namespace has of the time in which expressions are evaluated. All of it is guarded by Observer.mu.
type share struct {
	// paid is when it has waited for all that was evaluated.
	paid time.Time
	// waiting are the pods that are to be evaluated, one after the other, and let is when the last one was let in.
	waiting []*interest
	let     time.Time
	timer   *time.Timer
}

// entry says whether expressions about a pod may be evaluated.
type entry int

// The entries: those of a pod that did not ask, that waits for its turn, and whose turn it is.
const (
	notAsked entry = iota
	queued
	letIn
)

// admits reports whether the expressions about a pod may be evaluated now. Else the pod is woken when they may; mu is held.
func (o *Observer) admits(in *interest, now time.Time) bool {
	s := o.shares[in.gate.id.Namespace]
	switch {
	case in.entry == letIn:
		in.entry, in.unseen = notAsked, now.Sub(in.since)
		return true
	case in.entry == queued:
		return false
	case s == nil || len(s.waiting) == 0 && !now.Before(s.paid.Add(-credit)):
		in.unseen = 0
		return true
	}

	in.entry, in.since = queued, now
	s.waiting = append(s.waiting, in)
	s.arm(now)
	return false
}

// spent has a namespace wait for what an evaluation took; mu is held.
func (o *Observer) spent(in *interest, took time.Duration, now time.Time) {
	if took == 0 {
		return
	}

	namespace := in.gate.id.Namespace
	s := o.shares[namespace]
	if s == nil {
		s = &share{timer: time.AfterFunc(maxPause, func() { o.nextTurn(namespace) })}
		o.shares[namespace] = s
	}
	in.gate.took = took
	s.paid = latest(s.paid, now).Add(slowdown * took)
	s.arm(now)
}

// nextTurn lets in the pod of a namespace that has waited for longest, and forgets a namespace that owes nothing.
func (o *Observer) nextTurn(namespace string) {
	if in := o.letNext(namespace, time.Now()); in != nil {
		o.wakePod(in.pod)
	}
}

func (o *Observer) letNext(namespace string, now time.Time) *interest {
	o.mu.Lock()
	defer o.mu.Unlock()
	s := o.shares[namespace]
	if s == nil {
		return nil // Its timer had fired when it was set again.
	}

	in := s.next(now)
	if in == nil && len(s.waiting) == 0 && !now.Before(s.paid) {
		delete(o.shares, namespace)
		return nil
	}
	s.arm(now)
	return in
}

// next returns the pod that is let in now; nil when none is.
func (s *share) next(now time.Time) *interest {
	for len(s.waiting) > 0 && !now.Before(s.due()) {
		in := s.waiting[0]
		s.waiting = s.waiting[1:]
		if in.gone {
			continue
		}
		in.entry, s.let = letIn, now
		return in
	}
	return nil
}

// due is when the next pod is let in: when what was evaluated is paid for, and that of the pod before it would be.
func (s *share) due() time.Time {
	pause := min(slowdown*s.waiting[0].gate.took, maxPause)
	return latest(s.paid.Add(-credit), s.let.Add(pause))
}

// arm has the next pod let in when it is due, and the share forgotten a while after it was paid when none waits.
func (s *share) arm(now time.Time) {
	at := s.paid.Add(maxPause)
	if len(s.waiting) > 0 {
		at = s.due()
	}
	s.timer.Reset(max(at.Sub(now), 0))
}
