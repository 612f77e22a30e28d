// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/check"
	"github.com/podgate/podgate/internal/gate"
	"github.com/podgate/podgate/internal/observe"
)

// interest is a pod's in what the checks of one gate say of it. All of it is guarded by Observer.mu.
type interest struct {
	pod  types.NamespacedName
	gate *subject
	// waiting: the pod's gate is closed and could open; followed: it follows its checks, open or not; tried: the gate is in a
	// dry run, and the pod would have it.
	waiting, followed, tried bool
	gone                     bool

	// uid and subject are the pod's, readySince is when its containers became ready as the kubelet's clock says it, and begin the same by
	// this process's clock, in which no answer is older than it; zero while they are not.
	uid               types.UID
	subject           check.Subject
	readySince, begin time.Time
	records           map[*line]*record
	// evaluated is when the gate was last evaluated.
	evaluated time.Time
	// entry says whether that may be again where it takes expressions, since is from when on the pod waited for that, and unseen is how long
	// it had waited when it was evaluated last.
	entry  entry
	since  time.Time
	unseen time.Duration
	// seen is what the checks said last, without its times.
	seen observe.Sighting
	// failing is when the first of the answers was asked for that in a row say that the pod fails, and latest the last of them.
	failing, latest time.Time
}

// record is what one check said of a pod.
type record struct {
	item    item
	history check.History
	// asked is when it was asked last, begins when it is to be asked first where that is put off, and after when the pod can be
	// asked about again.
	asked, begins, after time.Time
	// apart is how long after each other the latest questions came, the last one first; zero where there were none.
	apart [2]time.Duration
}

// round is how long after each other questions about the pod really come: later than they are due where more pods are asked about
// than the rate allows. One that came late by itself, as after podgate stood still, makes no round.
func (r *record) round() time.Duration {
	return min(r.apart[0], r.apart[1])
}

func (in *interest) need(waiting, followed bool) { in.waiting, in.followed = waiting, followed }

// asked reports whether anybody needs to know what the checks say of the pod.
func (in *interest) asked() bool { return in.waiting || in.followed || in.tried }

// record finds or makes what a check said of the pod.
func (in *interest) record(l *line) *record {
	r := in.records[l]
	if r == nil {
		r = &record{item: item{pod: in}}
		in.records[l] = r
	}
	return r
}

// answer is what a check says of the pod now. What is in memory has each change evaluated, so that it does not grow old in between, unless
// that has to wait.
func (in *interest) answer(l *line, now time.Time) check.Answer {
	r, rules := in.record(l), l.check.Rules
	if l.cost == Local && in.entry == notAsked {
		now = in.evaluated
	}
	begin := rules.Begin(in.begin)
	rules.Period = max(rules.Period, r.round())
	return r.history.Answer(now, begin, rules)
}

// meet takes over what is known of the pod. What was said of another pod of its name, or of its containers before a restart,
// does not count.
func (in *interest) meet(pod Pod, now time.Time) {
	if in.uid != pod.UID {
		for l, r := range in.records {
			l.queue.remove(&r.item)
			// An answer that is under way is another pod's, and finds no record.
			delete(in.records, l)
		}
		in.seen = observe.Sighting{}
	}
	in.subject = pod.Subject

	if in.uid != pod.UID || !in.readySince.Equal(pod.ReadySince) {
		restarted := in.uid == pod.UID && !pod.ReadySince.IsZero()
		in.uid, in.readySince, in.begin = pod.UID, pod.ReadySince, pod.ReadySince
		if restarted {
			in.begin = now // The kubelet's clock may be behind.
		}
		in.failing, in.latest = time.Time{}, time.Time{}
	}
	if in.begin.After(now) {
		in.begin = now // The kubelet's clock is ahead, or this one was set back.
	}
}

// says returns what the checks say of the pod together, without its times.
func (in *interest) says(now time.Time) observe.Sighting {
	v := in.verdict(now)
	if !v.observed {
		return observe.Sighting{}
	}
	return observe.Sighting{Observed: true, Present: true, Health: v.health, PlacedFor: in.uid}
}

// whole adds the times to a sighting.
func (in *interest) whole(s observe.Sighting) observe.Sighting {
	if s.Observed {
		s.ReadAt = in.verdict(time.Now()).asked
		s.FailingSince, s.Gap = in.failing, in.gap()
	}
	return s
}

// verdict is what all checks say of a pod together.
type verdict struct {
	health gate.Health
	// asked is when was asked what it rests on, and of says by what. turned is when the last was asked of the checks that say the same:
	// before that they need not have said it together.
	asked, turned time.Time
	of            Cost
	// observed is false while what is missing was not asked yet: after a restart of podgate that says nothing.
	observed bool
}

// verdict combines the answers of all checks.
func (in *interest) verdict(now time.Time) (v verdict) {
	lines := in.gate.lines
	if in.begin.IsZero() || len(lines) == 0 {
		return v
	}

	answers := make([]check.Answer, len(lines))
	for i, l := range lines {
		answers[i] = in.answer(l, now)
	}

	verdict, by := check.Combine(in.gate.def.Match, answers)
	decisive := in.record(lines[by])
	if verdict == check.NoAnswer && decisive.asked.Before(lines[by].check.Rules.Begin(in.begin)) {
		return v
	}

	// One check decides where All fail or Any passes; else all have to say the same, so that the oldest answer counts.
	one := (in.gate.def.Match == check.Any) == (verdict == check.Pass)
	for i, l := range lines {
		if answers[i].Verdict != verdict {
			continue
		}
		at := in.record(l).asked
		if v.asked.IsZero() || one && at.After(v.asked) || !one && at.Before(v.asked) {
			v.asked, v.of = at, l.cost
		}
		v.turned = latest(v.turned, at)
	}

	v.observed, v.health = true, health(lines[by].check.Name, answers[by])
	if verdict == check.Pass && approved(answers) {
		v.health.Reason = v1alpha1.ReasonApproved
	}
	return v
}

// heard takes an answer of a check into account, which was asked for at a time.
func (in *interest) heard(l *line, a check.Answer, asked time.Time) {
	r := in.record(l)
	r.history = r.history.Add(a, asked, l.check.Rules.Begin(in.begin))
	if l.cost != Local && !r.asked.IsZero() {
		r.apart = [2]time.Duration{asked.Sub(r.asked), r.apart[0]}
	}
	r.asked = asked
}

// follow counts since when the pod fails, and reports whether its gate is to be evaluated: something else is said of the
// pod, or it fails and its gate may have to close.
func (in *interest) follow(now time.Time) bool {
	s := in.says(now)
	v := in.verdict(now)
	// What is in memory has each change evaluated, so that between two evaluations it was as before, however far apart they are, but for
	// the time that the latter had to wait.
	apart := v.asked.Sub(in.latest)
	if v.of == Local {
		apart = in.unseen
	}
	gap := apart > in.gap()
	switch {
	case !s.Health.Failing():
		in.failing = time.Time{}
	case in.failing.IsZero() || gap:
		in.failing = v.turned
	}
	in.latest = v.asked

	changed := s != in.seen
	in.seen = s
	return changed || in.followed && !in.waiting && s.Health.Failing()
}

// gap is how far apart two answers may be for the pod to count as failing in between.
func (in *interest) gap() time.Duration {
	gap := gate.TrackGap
	for _, l := range in.gate.lines {
		gap = max(gap, 3*max(l.pace(false), in.record(l).round()))
	}
	return gap
}
