// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package observe

import (
	"context"
	"maps"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/gate"
)

// follow reads a subject from now on until ctx ends; mu is held. Nothing waits for the next read but a timer: goroutines would,
// with stacks as large as what a read takes.
func (o *Observer) follow(ctx context.Context, s *subject) {
	ctx, s.cancel = context.WithCancel(ctx)
	s.look = func() { o.look(ctx, s) }
	s.alarm = time.AfterFunc(AuditInterval, s.look)
	s.nudge()
}

// nudge has it looked again when the next read of the subject is due; mu is held.
func (s *subject) nudge() {
	if s.look != nil {
		go s.look()
	}
}

// look reads the subject if that is due, and sets the alarm for the next read.
func (o *Observer) look(ctx context.Context, s *subject) {
	if !o.begin(ctx, s) {
		return
	}

	defer o.looks.Done()
	o.read(ctx, s)

	o.mu.Lock()
	defer o.mu.Unlock()
	s.reading = false
	if ctx.Err() == nil {
		s.alarm.Reset(time.Until(s.due()))
	}
}

// begin reports whether a read of the subject begins: one is due, and none is under way.
func (o *Observer) begin(ctx context.Context, s *subject) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if s.reading || o.start == nil || ctx.Err() != nil {
		return false
	}

	if wait := time.Until(s.due()); wait > 0 {
		s.alarm.Reset(wait)
		return false
	}

	s.reading = true
	o.looks.Add(1)
	return true
}

// read reads the subject once, wakes those whose view changed, and looks after the subject.
func (o *Observer) read(ctx context.Context, s *subject) {
	req := o.request(s)
	snap, err := o.reader.Read(ctx, req)
	if ctx.Err() != nil {
		return
	}

	// An answer without any target is an answer, too.
	if snap.Targets == nil {
		snap.Targets = map[gate.Target]gate.Health{}
	}

	if err != nil {
		o.log.V(1).Info("Reading failed", "subject", s.id.String(), "error", err.Error())
	}

	pods, changed := o.publish(s, snap, err)
	for _, pod := range pods {
		o.wakePod(pod)
	}

	if changed {
		o.wakeUsers(s.id)
	}

	// Beside the reads, which somebody may wait for: it gives way to other calls of the account. What did not work is
	// there at the next read.
	if err == nil && s.tending.CompareAndSwap(false, true) {
		o.looks.Go(func() {
			defer s.tending.Store(false)
			if err := o.tend(ctx, s.id, req.Settings); err != nil && ctx.Err() == nil {
				o.log.V(1).Info("Looking after a subject failed", "subject", s.id.String(), "error", err.Error())
			}
		})
	}
}

// request is that of the read that begins now; what was raised before is in it.
func (o *Observer) request(s *subject) Request {
	o.mu.Lock()
	defer o.mu.Unlock()

	select {
	case <-s.raise:
	default:
	}

	return Request{
		Subject: s.id, Settings: s.described.Settings, Wanted: func() []gate.Target { return o.wanted(s) },
		Urgent: s.pressing || s.anyWaiting(), Raise: s.raise,
	}
}

// wanted lists the targets in which pods have an interest, each once.
func (o *Observer) wanted(s *subject) []gate.Target {
	o.mu.Lock()
	defer o.mu.Unlock()
	targets := map[gate.Target]struct{}{}
	for in := range s.interests {
		targets[in.target] = struct{}{}
	}
	return slices.Collect(maps.Keys(targets))
}

// publish stores a read and returns the pods whose sighting changed, and whether the
// subject as a whole did.
func (o *Observer) publish(s *subject, snap Snapshot, err error) ([]types.NamespacedName, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()

	old := s.view
	s.last, s.failures = snap.Started, count(s.failures, err)
	s.pressing = s.pressing && s.asked.After(s.last)

	// An error closes nothing, but what follows it is not in a row with what was before.
	if err != nil {
		for in := range s.interests {
			in.failing = time.Time{}
		}
		if s.failures == 1 {
			s.failing = s.last
		}
		s.retry = time.Now().Add(max(o.jitter(min(backoff(s.failures, err), s.every())), balancer.RetryAfter(err)))
		s.view.Err = err
		if balancer.Message(old.Err) == balancer.Message(err) {
			return nil, false
		}
		return s.blind(), true
	}

	if s.drifted(snap.Targets) {
		o.stir(s.described.Account)
	}

	// Who keeps the answer before has the same map, so that only one is kept.
	known := old.Snapshot.Targets != nil && same(old.Snapshot.Targets, snap.Targets)
	if known {
		snap.Targets = old.Snapshot.Targets
	}

	// What went on while no read succeeded nobody knows.
	changed := old.Err != nil || !known
	if changed {
		s.lively = time.Now()
	}
	s.rested = 0

	s.view = View{Snapshot: snap}
	for t, p := range s.placed {
		s.placed[t] = p.show(snap.Targets[t], snap.Started, s.described.Lag)
	}
	maps.DeleteFunc(s.placed, func(_ gate.Target, p placed) bool { return time.Since(p.at) > placementKept })

	var pods []types.NamespacedName
	for in := range s.interests {
		if in.update(snap, s.described.Lag) {
			pods = append(pods, in.pod)
		}
	}

	return pods, changed
}

// blind returns the pods that wait without ever having been observed.
func (s *subject) blind() []types.NamespacedName {
	var pods []types.NamespacedName
	for in := range s.interests {
		if in.waiting && !in.sighting.Observed {
			pods = append(pods, in.pod)
		}
	}
	return pods
}
