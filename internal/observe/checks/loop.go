// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"context"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/podgate/podgate/internal/check"
)

// unaskable is how soon to look again at a pod that cannot be asked about for now.
const unaskable = time.Second

// loop asks the questions of one check until ctx ends, and returns when none is under way any more.
func (o *Observer) loop(ctx context.Context, l *line) {
	var asking sync.WaitGroup
	defer asking.Wait()

	for o.await(ctx, l) {
		if l.cost == Local {
			o.remind(l)
			continue
		}

		// What is asked next is decided only when it may be asked.
		if o.budget.take(ctx, l.gate.id) != nil {
			return
		}
		it := o.next(l)
		if it == nil {
			o.budget.give(l.gate.id)
			continue
		}

		asking.Go(func() {
			defer o.budget.give(l.gate.id)
			o.ask(ctx, l, it)
		})
	}
}

// await waits until a question is due; false when ctx ends first.
func (o *Observer) await(ctx context.Context, l *line) bool {
	for ctx.Err() == nil {
		o.mu.Lock()
		wait, some := l.queue.wait(time.Now())
		o.mu.Unlock()
		if some && wait <= 0 {
			return true
		}

		timer := time.NewTimer(wait)
		due := timer.C
		if !some {
			due = nil
		}

		select {
		case <-due:
		case <-l.nudge:
		case <-ctx.Done():
		}
		timer.Stop()
	}
	return false
}

// next takes the question that is to be asked now; nil when none is.
func (o *Observer) next(l *line) *item {
	o.mu.Lock()
	defer o.mu.Unlock()
	it := l.queue.next(time.Now())
	if it != nil {
		it.asking = true
	}
	return it
}

// remind has the gate of a pod evaluated, with which what is in memory is looked up.
func (o *Observer) remind(l *line) {
	o.mu.Lock()
	it := l.queue.next(time.Now())
	o.mu.Unlock()
	if it != nil {
		o.wakePod(it.pod.pod)
	}
}

// lookUp takes into account what the checks that are in memory say of a pod, and has the others asked.
func (o *Observer) lookUp(in *interest) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if in.begin.IsZero() {
		o.plan(in)
		return
	}

	now := time.Now()
	if in.gate.computes() {
		if !o.admits(in, now) {
			o.plan(in)
			return
		}
		o.compute(in, now)
	}

	in.evaluated = now
	in.follow(now)
	o.plan(in)
}

// computes reports whether a gate has checks of what is in memory.
func (g *subject) computes() bool {
	return slices.ContainsFunc(g.lines, func(l *line) bool { return l.cost == Local })
}

// compute looks up what the checks say that are in memory; mu is held, but not meanwhile.
func (o *Observer) compute(in *interest, now time.Time) {
	subject := in.subject
	var took time.Duration
	for _, l := range slices.Clone(in.gate.lines) {
		if l.cost != Local {
			continue
		}

		checker, kind := l.check.Checker, l.check.Kind
		o.mu.Unlock()
		began := time.Now()
		answers, err := checker.Check(context.Background(), []check.Subject{subject})
		took += time.Since(began)
		o.mu.Lock()

		if err == nil && !l.gone && in.uid == subject.UID {
			in.heard(l, answers[subject.UID], now)
			o.metrics.answered(kind, answers[subject.UID])
		}
	}
	o.spent(in, took, time.Now())
}

// ask asks one question, about all pods that it is to be asked about, and takes in the answers.
func (o *Observer) ask(ctx context.Context, l *line, it *item) {
	asked := o.askable(ctx, l, it)
	if len(asked.pods) == 0 {
		o.finish(l, it, asked, nil, nil)
		return
	}

	answers, err := asked.checker.Check(ctx, asked.subjects())
	if ctx.Err() != nil {
		return // An answer that was cut off, or that nobody needs.
	}

	o.metrics.duration.WithLabelValues(asked.kind).Observe(time.Since(asked.at).Seconds())
	if err != nil {
		o.log.V(1).Info("Asking failed", "gate", l.gate.id.String(), "check", asked.name, "error", err.Error())
	}

	// The pod may be another one since, or have another address.
	after := map[types.NamespacedName]Pod{}
	for in := range asked.pods {
		after[in.pod], _ = o.cluster.Pod(ctx, in.pod)
	}

	for _, pod := range o.finish(l, it, asked, answers, func(in *interest) (Pod, bool) { return after[in.pod], err == nil }) {
		o.wakePod(pod)
	}
}

// round is one question that is asked, and the pods that it is about.
type round struct {
	at         time.Time
	name, kind string
	checker    check.Checker
	pods       map[*interest]Pod
}

func (r round) subjects() []check.Subject {
	subjects := make([]check.Subject, 0, len(r.pods))
	for _, pod := range r.pods {
		subjects = append(subjects, pod.Subject)
	}
	return subjects
}

// askable looks up the gate and the pods, as they are now, and returns what is asked about which of them.
func (o *Observer) askable(ctx context.Context, l *line, it *item) round {
	def := o.cluster.Gate(ctx, l.gate.id)
	r := round{pods: map[*interest]Pod{}}
	for _, in := range o.about(l, it) {
		r.pods[in], _ = o.cluster.Pod(ctx, in.pod)
	}

	o.mu.Lock()
	defer o.mu.Unlock()
	o.define(l.gate, def)
	r.at, r.name, r.kind, r.checker = time.Now(), l.check.Name, l.check.Kind, l.check.Checker
	for in, pod := range r.pods {
		in.meet(pod, r.at)
		rec := in.record(l)
		due, _, wanted := o.due(in, l, rec)
		another := l.cost == PerPod && &rec.item != it
		contested := l.cost == PerPod && pod.Contested
		if contested {
			rec.after = r.at.Add(unaskable)
		}
		if in.gone || l.gone || another || contested || !wanted || l.cost == PerPod && r.at.Before(due) || r.at.Before(l.check.Rules.Begin(in.begin)) {
			delete(r.pods, in)
			continue
		}
		pod.Since = in.begin
		r.pods[in] = pod
	}

	return r
}

// about lists the pods that a question is about.
func (o *Observer) about(l *line, it *item) []*interest {
	if it.pod != nil {
		return []*interest{it.pod}
	}

	o.mu.Lock()
	defer o.mu.Unlock()
	all := make([]*interest, 0, len(l.gate.interests))
	for _, in := range l.gate.interests {
		all = append(all, in)
	}
	return all
}

// finish takes in the answers to a question, plans when it is asked again, and returns the pods to wake. A pod of which after
// says that it is not the one that was asked about, or not there, has no answer.
func (o *Observer) finish(l *line, it *item, asked round, answers map[types.UID]check.Answer, after func(*interest) (Pod, bool)) []types.NamespacedName {
	o.mu.Lock()
	defer o.mu.Unlock()
	it.asking = false
	if l.gone {
		return nil
	}

	if len(asked.pods) > 0 {
		l.asked, l.failures = asked.at, l.failures+1
	}

	var wake []types.NamespacedName
	now := time.Now()
	for in, pod := range asked.pods {
		is, answered := after(in)
		if !answered {
			continue
		}

		l.failures = 0
		a := answers[pod.UID]
		o.metrics.answered(asked.kind, a)
		if in.gone || in.uid != pod.UID || !about(is, pod, a) {
			in.record(l).after = now.Add(unaskable)
			continue
		}

		if l.cost == PerPod {
			a = l.witnessed(pod.UID, a, asked.at, l.pace(in.waiting))
		}
		in.heard(l, a, asked.at)
		if in.follow(now) && (in.waiting || in.followed) {
			wake = append(wake, in.pod)
		}
	}

	o.planAgain(l, it)
	return wake
}

// planAgain plans when a question is asked again; mu is held.
func (o *Observer) planAgain(l *line, it *item) {
	if it.pod != nil {
		if !it.pod.gone {
			o.plan(it.pod)
		}
		return
	}
	for _, in := range l.gate.interests {
		o.plan(in)
	}
}

// about reports whether an answer about a pod is one about the pod that is there when the answer is in.
func about(is, pod Pod, a check.Answer) bool {
	return is.UID == pod.UID && (!a.Addr.IsValid() || slices.Contains(is.Addrs, a.Addr))
}
