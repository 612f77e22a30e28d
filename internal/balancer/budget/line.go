// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package budget

import (
	"container/list"
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/podgate/podgate/internal/balancer"
)

// Priority says what a call is for. Its order is that in which calls are let through.
type Priority int

const (
	// Unstated is the zero value. Such a call is refused: nobody knows what may wait for it.
	Unstated Priority = iota
	// Urgent is what opens or drains a pod.
	Urgent
	// Audit is what looks whether all is as it was.
	Audit
)

// String gives the priority's name in metrics.
func (p Priority) String() string {
	switch p {
	case Urgent:
		return "urgent"
	case Audit:
		return "audit"
	}
	return "unstated"
}

const (
	// patience is how long an audit waits before it gets its share of a budget that urgent calls use up.
	patience = 10 * time.Second
	// share is that of impatient audits: one call in so many.
	share = 4
	// slowest is the part of the budget that is left however often the provider throttles: one in so many.
	slowest = 8
	// recovery is how much of the rate every call that goes through gives back, until it is whole again:
	// one in so many, so that it grows by a tenth a second.
	recovery = 10
)

// line hands out the calls of one budget: urgent ones first, first come first served
// among equals. Audits leave half of the bucket to urgent calls that may come. None
// starves: audits that have waited for long get one call in a few.
type line struct {
	full rate.Limit

	mu      sync.Mutex
	bucket  *rate.Limiter
	waiting [Audit + 1]list.List // of *ticket
	urgents int                  // let through in a row while an impatient audit waited
	timer   *time.Timer          // lets the next one through; nil when none waits
	slowed  time.Time            // when the rate was last cut
	held    time.Time            // until then the provider wants no call
}

// ticket is a call that waits. Its fields but ready are guarded by line.mu.
type ticket struct {
	since    time.Time
	priority Priority
	place    *list.Element // nil when let through
	ready    chan struct{}
}

func newLine(limit float64, burst int) *line {
	return &line{full: rate.Limit(limit), bucket: rate.NewLimiter(rate.Limit(limit), burst)}
}

// errUnstated is the answer to a call that does not say what it is for.
var errUnstated = fmt.Errorf("%w: the call's priority is not stated", balancer.ErrInvalid)

// wait returns when one call may be made, or with ctx's error. A receive from raise
// makes an audit urgent; raise may be nil.
func (l *line) wait(ctx context.Context, p Priority, raise <-chan struct{}) error {
	if p != Urgent && p != Audit {
		return errUnstated
	}

	t := l.enter(p)
	for {
		select {
		case <-t.ready:
			return nil
		case <-raise:
			raise = nil
			l.raise(t)
		case <-ctx.Done():
			l.leave(t)
			return ctx.Err()
		}
	}
}

func (l *line) enter(p Priority) *ticket {
	l.mu.Lock()
	defer l.mu.Unlock()
	t := &ticket{since: time.Now(), priority: p, ready: make(chan struct{})}
	t.place = l.waiting[p].PushBack(t)
	l.dispatch()
	return t
}

// raise puts an audit at the end of the urgent ones.
func (l *line) raise(t *ticket) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if t.place == nil || t.priority == Urgent {
		return
	}
	l.waiting[t.priority].Remove(t.place)
	t.priority = Urgent
	t.place = l.waiting[Urgent].PushBack(t)
	l.dispatch()
}

func (l *line) leave(t *ticket) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if t.place != nil {
		l.waiting[t.priority].Remove(t.place)
	}
	l.dispatch()
}

// dispatch lets through whom the bucket allows and sets the timer for the next; mu is held.
func (l *line) dispatch() {
	if l.timer != nil {
		l.timer.Stop()
		l.timer = nil
	}

	for {
		now := time.Now()
		t := l.next(now)
		if t == nil {
			return
		}

		if wait := l.missing(now, t); wait > 0 {
			l.timer = time.AfterFunc(wait, func() {
				l.mu.Lock()
				defer l.mu.Unlock()
				l.dispatch()
			})
			return
		}

		l.bucket.AllowN(now, 1)
		l.admit(now, t)
	}
}

// next gives whose turn it is, nil when none waits.
func (l *line) next(now time.Time) *ticket {
	urgent, audit := front(&l.waiting[Urgent]), front(&l.waiting[Audit])
	if audit != nil && (urgent == nil || (audit.impatient(now) && l.urgents >= share-1)) {
		return audit
	}
	return urgent
}

func front(l *list.List) *ticket {
	if e := l.Front(); e != nil {
		return e.Value.(*ticket)
	}
	return nil
}

func (t *ticket) impatient(now time.Time) bool { return now.Sub(t.since) >= patience }

// missing is how long the bucket needs until t may go.
func (l *line) missing(now time.Time, t *ticket) time.Duration {
	if l.held.After(now) {
		return l.held.Sub(now)
	}

	one := l.until(now, 1)
	if t.priority == Urgent || t.impatient(now) {
		return one
	}
	return min(l.until(now, 1+float64(l.bucket.Burst()/2)), max(one, t.since.Add(patience).Sub(now)))
}

// until is when the bucket holds so many tokens; 0 when it does.
func (l *line) until(now time.Time, tokens float64) time.Duration {
	short := tokens - l.bucket.TokensAt(now)
	if short <= 0 {
		return 0
	}
	// The bucket counts in floating point: what is short by a hair is never nothing.
	return max(time.Duration(short/float64(l.bucket.Limit())*float64(time.Second)), time.Microsecond)
}

func (l *line) admit(now time.Time, t *ticket) {
	l.urgents++
	if audit := front(&l.waiting[Audit]); t.priority == Audit || audit == nil || !audit.impatient(now) {
		l.urgents = 0
	}
	l.waiting[t.priority].Remove(t.place)
	t.place = nil
	close(t.ready)
}

// throttled halves the rate, at most once a second since calls under way fail
// together, and takes back what the bucket holds: somebody else has used it. No call
// goes through for the time that the provider asks for.
func (l *line) throttled(after time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	if until := now.Add(after); until.After(l.held) {
		l.held = until
	}
	if now.Sub(l.slowed) < time.Second {
		return
	}
	l.slowed = now
	l.bucket.SetLimitAt(now, max(l.bucket.Limit()/2, l.full/slowest))
	l.bucket.AllowN(now, int(l.bucket.TokensAt(now)))
	l.dispatch()
}

// answered gives back some of the rate that was cut.
func (l *line) answered() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if limit := l.bucket.Limit(); limit < l.full {
		l.bucket.SetLimit(min(limit+1./recovery, l.full))
		l.dispatch()
	}
}
