// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package membership decides which targets a group should gain and lose. It is
// pure: it makes no call and reads no clock.
package membership

import (
	"cmp"
	"slices"
	"time"

	"github.com/podgate/podgate/internal/gate"
)

// Member is a running pod's target: one that should be in the group, or one that
// is on its way out.
type Member struct {
	Target gate.Target
	// Wanted: the binding's Service selects the pod.
	Wanted bool
	// Ready: the pod's containers are ready.
	Ready bool
	// HeldBack: a readiness gate of another controller keeps the pod from requests.
	HeldBack bool
	// Serving: the pod is Ready, its gates included. It stands in for the load
	// balancer's word while that is not known.
	Serving bool
	// Leaving: the pod serves and is about to be deleted, and may drain ahead of that.
	Leaving bool
	// Terminating: the pod was deleted, or is being ended without that.
	Terminating bool
	// KilledAt is when a terminating pod's grace period ends; zero when that is not known.
	KilledAt time.Time
	// StoppedAt is when its application is told to stop, having slept; zero when that is not known.
	StoppedAt time.Time
}

// desired reports whether the target should be in the group.
func (m Member) desired() bool { return m.Wanted && m.Ready && !m.HeldBack && !m.Terminating }

// rank orders pods that share an address.
func (m Member) rank() int {
	rank := 0
	for i, better := range []bool{!m.Leaving, m.Serving, m.Ready, m.Terminating, m.Wanted, m.desired()} {
		if better {
			rank |= 1 << i
		}
	}
	return rank
}

// Input is what a plan is made from.
type Input struct {
	Now     time.Time
	Members []Member
	// Observed is the group as the load balancer and podgate's own recent calls show
	// it; nil while it is not known.
	Observed map[gate.Target]gate.Health
	// Drain is how long a pod has to serve on after its deregistration, and Routed for how
	// long of that it may get new requests.
	Drain, Routed time.Duration
	// Coming is how many selected pods have no address yet.
	Coming int
	// AbsentUntil: what the binding refers to is missing, and nothing that runs may be
	// removed for it before then; zero when nothing is missing.
	AbsentUntil time.Time
	// Floor is how many running targets stay while pods that should serve do not; 1 when less.
	Floor int
	// HeldSince is since when running targets that should go have been kept.
	HeldSince map[gate.Target]time.Time
	// RemovedAt is when running targets were removed while pods that should serve did not.
	RemovedAt map[gate.Target]time.Time
	// UnknownAt is when another process may last have removed targets that RemovedAt lacks;
	// zero when it has them all.
	UnknownAt time.Time
	// StrangeSince is since when there has been no pod for a row whose pod nobody saw go:
	// the pod may just not be known yet.
	StrangeSince map[gate.Target]time.Time
	// Ours reports whether podgate may remove a target for which there is no pod;
	// nil means all of them.
	Ours func(gate.Target) bool
	// Foreign reports whether no pod of this cluster has a target's address, so that a row
	// which nobody saw a pod for is somebody else's while it serves; nil means none is.
	Foreign func(gate.Target) bool
}

// LastCall is until when a terminating pod's target may stay registered: its load balancer
// must send it no new request when it is told to stop, and must be done with it when it is
// killed. Zero when nobody knows when that will be.
func (in Input) LastCall(m Member) time.Time {
	if m.KilledAt.IsZero() {
		return time.Time{}
	}
	killed, stopped := m.KilledAt.Add(-in.Drain), m.StoppedAt.Add(-in.Routed)
	if !m.StoppedAt.IsZero() && stopped.Before(killed) {
		return stopped
	}
	return killed
}

// Held is a target that should go and is kept for now.
type Held struct {
	Target gate.Target
	// Until is when it may go without any event; zero when only an event decides.
	Until time.Time
	// Guard is what keeps it; empty when it is only not known yet whose it is.
	Guard Guard
}

// runs reports whether the target is one of this cluster's pods.
func (h Held) runs() bool { return h.Guard != "" && h.Guard != GuardForeign }

// Plan is what to do. Targets are sorted, so equal input gives equal plans.
type Plan struct {
	// Urgent targets are deregistered before anything that can wait: their pods are terminating or gone.
	Urgent []gate.Target
	// Register targets come next.
	Register []gate.Target
	// Deregister targets go after the registrations.
	Deregister []gate.Target
	// Held targets stay for now, most of them because the group would serve less without them.
	Held []Held
	// Deliberate: Deregister is no accident, since every pod serves that should, and
	// counts for no later plan.
	Deliberate bool
	// Yield are the held targets that go nevertheless when the group has no room for
	// Register: a few of those that run, never the last that serves.
	Yield []gate.Target
}

// Next is the earliest moment at which a held target may go by itself; zero when none does.
func (p Plan) Next() time.Time {
	var next time.Time
	for _, h := range p.Held {
		if !h.Until.IsZero() && (next.IsZero() || h.Until.Before(next)) {
			next = h.Until
		}
	}
	return next
}

// Make compares what should be with what is.
//
// A running target that serves leaves when all pods do that should, and else within
// the guards of law 3. That of a deleted pod leaves at once, but as the last when its
// time leaves just what it needs to drain (law 5).
func Make(in Input) Plan {
	p := planner{Input: in, members: map[gate.Target]Member{}}
	for _, m := range in.Members {
		p.add(m)
	}
	p.count()
	p.lookAhead()
	p.register()
	p.remove()
	p.sort()
	p.yield()
	return p.plan
}

type planner struct {
	Input
	members map[gate.Target]Member
	// wanted is how many running pods should serve, and serving how many of them do.
	wanted, serving int
	ahead           ahead
	plan            Plan
}

// add keeps, of several pods with one address, the one that decides over the row:
// a pod that should be in the group, else one that is selected, else one that is
// on its way out, since what is left of a dead pod must not stay.
func (p *planner) add(m Member) {
	old, exists := p.members[m.Target]
	if !exists || m.rank() > old.rank() || m.rank() == old.rank() && m.KilledAt.After(old.KilledAt) {
		p.members[m.Target] = m
	}
}

func (p *planner) register() {
	for t, m := range p.members {
		if !m.desired() {
			continue
		}
		h, present := p.Observed[t]
		if (!present || h.Leaving()) && !slices.Contains(p.ahead.out, t) {
			p.plan.Register = append(p.plan.Register, t)
		}
	}
}

func (p *planner) remove() {
	var terminating, leavers []Member
	for t := range p.rows() {
		m, running := p.members[t]
		switch {
		case m.desired():
		case !running:
			p.removeStranger(t)
		case m.Terminating:
			terminating = append(terminating, m)
		case p.Now.Before(p.AbsentUntil):
			p.hold(t, p.AbsentUntil, GuardAbsence)
		default:
			leavers = append(leavers, m)
		}
	}

	p.removeRunning(leavers)
	p.removeAhead()
	p.removeTerminating(terminating)
}

// rows are the targets that the group holds or may hold: while it is not known,
// those of terminating pods.
func (p *planner) rows() map[gate.Target]struct{} {
	rows := map[gate.Target]struct{}{}
	for t, h := range p.Observed {
		if !h.Leaving() {
			rows[t] = struct{}{}
		}
	}

	if p.Observed != nil {
		return rows
	}

	for t, m := range p.members {
		if m.Terminating {
			rows[t] = struct{}{}
		}
	}

	return rows
}

// count looks how many pods should serve and do.
func (p *planner) count() {
	wanted := map[gate.Target]struct{}{}
	for _, m := range p.Members { // also one that got a dying pod's address
		if m.Wanted && !m.Terminating {
			wanted[m.Target] = struct{}{}
		}
	}
	p.wanted = p.Coming + len(wanted)
	for t := range wanted {
		if p.serves(t) {
			p.serving++
		}
	}
}

// serves reports whether a pod that should serve does.
func (p *planner) serves(t gate.Target) bool {
	m := p.members[t]
	return m.desired() && (p.Observed == nil && m.Serving || p.healthy(t))
}

func (p *planner) healthy(t gate.Target) bool { return p.Observed[t].State == gate.Healthy }

// removeStranger removes a row without a pod: a dead pod's address is not kept for
// longer than a pod can be unknown. Only what somebody else may serve stays.
func (p *planner) removeStranger(t gate.Target) {
	if p.Ours != nil && !p.Ours(t) {
		return
	}

	since, strange := p.StrangeSince[t]
	switch {
	case strange && p.Now.Before(since.Add(gate.Lag)):
		p.hold(t, since.Add(gate.Lag), "")
	case strange && p.Foreign != nil && MayServe(p.Observed[t]) && p.Foreign(t):
		p.hold(t, time.Time{}, GuardForeign)
	default:
		p.plan.Urgent = append(p.plan.Urgent, t)
	}
}

// MayServe reports whether a load balancer calls a target healthy, or says nothing of the target
// itself: it has not found out yet, as of another cluster's new pod, nobody uses the group, as before
// that cluster's listener is there, or it has trouble of its own. A dead pod's target gets no
// requests meanwhile, and fails its checks as soon as there are any.
func MayServe(h gate.Health) bool {
	return h.State == gate.Healthy || h.State == gate.Initial || h.NotInUse || h.Own
}

// removeTerminating lets all go when something else serves; otherwise the one that can
// stay longest does, while its containers serve, until it must go to be drained in time.
// While the group is not known it may be any of those that are as likely: all of them stay.
func (p *planner) removeTerminating(terminating []Member) {
	served := p.serving > 0 || slices.ContainsFunc(p.plan.Held, func(h Held) bool { return h.runs() && p.healthy(h.Target) })
	slices.SortFunc(terminating, func(a, b Member) int {
		return cmp.Or(p.likelier(a, b), p.lastsLonger(a, b), compare(a.Target, b.Target))
	})

	var last *Member
	for _, m := range terminating {
		until, may := p.LastCall(m), last == nil || p.Observed == nil && m.Serving == last.Serving
		if !served && may && m.Ready && p.servesStill(m) && (until.IsZero() || p.Now.Before(until)) {
			p.hold(m.Target, until, GuardLastServing)
			last = &m
			continue
		}
		p.plan.Urgent = append(p.plan.Urgent, m.Target)
	}
}

// lastsLonger orders pods that may stay longer before others. One of which nobody knows how
// long it lives comes last: it may end at once.
func (p *planner) lastsLonger(a, b Member) int {
	return p.LastCall(b).Compare(p.LastCall(a))
}

func (p *planner) servesStill(m Member) bool {
	return p.Observed == nil || p.healthy(m.Target)
}

// likelier orders pods that are Ready before others while the group is not known.
func (p *planner) likelier(a, b Member) int {
	if p.Observed != nil || a.Serving == b.Serving {
		return 0
	}
	if a.Serving {
		return -1
	}
	return 1
}

// yield chooses a tenth of the running targets that are held, those that do not
// serve first, and when a pod that should be there serves as many as may go within a
// minute; none while a target drains, whose room is on its way, nor while one that
// should be there is not healthy yet.
func (p *planner) yield() {
	if len(p.plan.Register) == 0 || p.roomComes() {
		return
	}

	var serving, idle []gate.Target
	for _, h := range p.plan.Held {
		switch {
		case h.Guard != GuardFloor && h.Guard != GuardReplacement:
		case p.healthy(h.Target):
			serving = append(serving, h.Target)
		default:
			idle = append(idle, h.Target)
		}
	}

	few, may := max(1, (len(serving)+len(idle))/10), p.allowance(len(serving)+len(idle))
	if p.serving > 0 {
		few = max(few, may)
	}

	if len(serving) > 0 {
		idle = append(idle, serving[1:min(len(serving), may+1)]...)
	}

	p.plan.Yield = idle[:min(few, len(idle))]
}

func (p *planner) roomComes() bool {
	for t, h := range p.Observed {
		if h.Leaving() || p.members[t].desired() && !p.serves(t) {
			return true
		}
	}
	return false
}

func (p *planner) hold(t gate.Target, until time.Time, g Guard) {
	p.plan.Held = append(p.plan.Held, Held{Target: t, Until: until, Guard: g})
}

func (p *planner) sort() {
	slices.SortFunc(p.plan.Urgent, compare)
	slices.SortFunc(p.plan.Register, compare)
	slices.SortFunc(p.plan.Deregister, compare)
	slices.SortFunc(p.plan.Held, func(a, b Held) int { return compare(a.Target, b.Target) })
}

func compare(a, b gate.Target) int { return a.Compare(b) }
