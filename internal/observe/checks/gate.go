// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"context"
	"reflect"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/podgate/podgate/internal/check"
)

// minFollow is the least time between two questions about a pod that is in service.
const minFollow = 10 * time.Second

// subject is what the observer knows of a Gate. All of it is guarded by Observer.mu.
type subject struct {
	id  Gate
	def *Definition
	// lines are those of the gate's checks, in their order.
	lines     []*line
	interests map[types.NamespacedName]*interest
	// took is how long its expressions took about one pod, the last time.
	took time.Duration
}

// line is one check of a gate, with the questions that are to be asked. One loop asks them. All but gate, cost and nudge is guarded
// by Observer.mu.
type line struct {
	gate *subject
	// cost is the check's, which stays.
	cost  Cost
	check Check
	queue queue
	// shared is the one question of a check that all pods share.
	shared item
	// witnesses are the two latest pods that answered.
	witnesses [2]witness
	// failures is how many calls failed in a row, up to the latest, and asked is when that began.
	failures int
	asked    time.Time
	// nudge makes the loop look again what is to be asked next.
	nudge  chan struct{}
	cancel context.CancelFunc
	gone   bool
}

// witness is a pod that answered, and when it was asked.
type witness struct {
	pod types.UID
	at  time.Time
}

// define takes over what a gate asks; mu is held. Nothing changes while the gate cannot be read, and nothing begins of one in which
// no pod is left.
func (o *Observer) define(g *subject, def *Definition) {
	if def == nil || def == g.def || o.gates[g.id] != g {
		return
	}

	before, another := g.lines, g.def.Match != def.Match
	g.def = def
	g.lines = nil
	for _, c := range def.Checks {
		i := slices.IndexFunc(before, func(l *line) bool { return l.check.same(c) })
		if i >= 0 {
			before[i].check = c
			g.lines = append(g.lines, before[i])
			continue
		}

		l := &line{gate: g, cost: c.Cost, check: c, nudge: make(chan struct{}, 1)}
		g.lines = append(g.lines, l)
		if o.start != nil {
			o.start(l)
		}
	}

	for _, l := range before {
		if !slices.Contains(g.lines, l) {
			o.end(l)
		}
	}

	// The period may be another one, and a new check was asked about nobody. That a pod failed by what was asked before counts for
	// no other question.
	another = another || !slices.Equal(before, g.lines)
	for _, in := range g.interests {
		if another {
			in.failing = time.Time{}
		}
		o.plan(in)
	}
}

// same reports whether answers of a check count for another one.
func (c Check) same(other Check) bool {
	return c.Name == other.Name && c.Cost == other.Cost && reflect.DeepEqual(c.Spec, other.Spec)
}

// end ends a check that its gate no longer has; mu is held.
func (o *Observer) end(l *line) {
	l.gone = true
	for _, in := range l.gate.interests {
		delete(in.records, l)
	}
	if l.cancel != nil {
		l.cancel()
	}
}

// plan has asked about a pod what its gate needs to know; mu is held.
func (o *Observer) plan(in *interest) {
	for _, l := range in.gate.lines {
		r := in.record(l)
		it := &r.item
		if l.cost == Shared {
			it = &l.shared
		}

		due, c, wanted := o.due(in, l, r)
		switch {
		case it.asking:
			// It is planned again when the answer is in.
		case l.cost == Shared && (!wanted || it.in != nil && !due.Before(it.due)):
			// Other pods need it, or sooner.
		case !wanted:
			l.queue.remove(it)
		case it.in == nil || !it.due.Equal(due) || it.class != c:
			l.queue.put(it, due, c)
			l.wake()
		}
	}
}

// due returns when a check is to be asked about a pod; false when it is not.
func (o *Observer) due(in *interest, l *line, r *record) (time.Time, class, bool) {
	rules := l.check.Rules
	if in.begin.IsZero() || !in.asked() {
		return time.Time{}, 0, false
	}

	begin, c := rules.Begin(in.begin), again
	switch {
	case l.cost == Local && in.entry != notAsked:
		return time.Time{}, 0, false // It is woken when it is its turn.
	case l.cost == Local && in.evaluated.Before(begin):
		return begin, again, in.waiting
	case l.cost == Local:
		// What is in memory is looked up with each evaluation. Without a period those come by themselves.
		return in.evaluated.Add(max(rules.Period, time.Second)), again, rules.Period > 0 && in.waiting
	case r.asked.Before(begin) && in.waiting:
		return l.back(r, begin), first, true
	case r.asked.Before(begin):
		// After a change of leader all pods in service are to be asked about. They need not be at the same time.
		if r.begins.Before(begin) {
			r.begins = latest(begin, time.Now()).Add(o.random(l.pace(false)))
		}
		return l.back(r, r.begins), follow, true
	case !in.waiting:
		c = follow
	}
	return l.back(r, r.asked.Add(l.pace(in.waiting))), c, true
}

func latest(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

// pace is the time between two questions about a pod that waits, or that is followed.
func (l *line) pace(waiting bool) time.Duration {
	if waiting {
		return l.check.Rules.Period
	}
	return max(l.check.Rules.Period, minFollow)
}

const (
	// sharedPause is the least time between two questions that all pods share.
	sharedPause = time.Second
	// maxBackoff bounds the time between two questions that could not be asked.
	maxBackoff = 30 * time.Second
)

// back puts a question off that could not be asked the last times, or was asked for other pods just now.
func (l *line) back(r *record, due time.Time) time.Time {
	earliest := r.after
	if l.cost == Shared {
		earliest = l.asked.Add(sharedPause)
	}
	if l.failures > 0 {
		earliest = l.asked.Add(min(time.Second<<min(l.failures-1, 5), maxBackoff))
	}
	if due.Before(earliest) {
		return earliest
	}
	return due
}

// wake has the loop look what is to be asked next.
func (l *line) wake() {
	select {
	case l.nudge <- struct{}{}:
	default:
	}
}

// witnessed takes an answer for a failure that is none, where another pod shows that the network works, and notes the pod as a
// witness for others.
func (l *line) witnessed(pod types.UID, a check.Answer, asked time.Time, period time.Duration) check.Answer {
	if a.Verdict != check.NoAnswer {
		if l.witnesses[0].pod != pod {
			l.witnesses[1] = l.witnesses[0]
		}
		l.witnesses[0] = witness{pod: pod, at: asked}
		return a
	}

	round := map[types.UID]check.Answer{pod: a}
	for _, w := range l.witnesses {
		if w.pod != pod && w.pod != "" && !w.at.Before(asked.Add(-period)) {
			round[w.pod] = check.Answer{Verdict: check.Pass}
		}
	}
	return check.Witnessed(round)[pod]
}
