// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package targets

import (
	"context"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/drain/record"
	"github.com/podgate/podgate/internal/gate"
	"github.com/podgate/podgate/internal/lbc"
	"github.com/podgate/podgate/internal/membership"
	"github.com/podgate/podgate/internal/observe"
)

// pass is one look at a binding that podgate serves, and what follows from it. Each step fills in its part.
type pass struct {
	binding *binding.Binding
	group   balancer.Group

	// view is the latest read, and observed the same with this process's own recent calls applied; nil when the group
	// was never read.
	view     observe.View
	observed map[gate.Target]gate.Health
	// who are the pods, and known what this process remembers of the group.
	who   population
	known *history
	// plan is what is to change.
	plan membership.Plan
}

// look takes what is known of the group.
func (r *Reconciler) look(b *binding.Binding, group balancer.Group) *pass {
	view := r.observer.View(group.Ref)
	p := &pass{binding: b, group: group, view: view, observed: r.ledger.overlay(group.Ref, view.Snapshot)}

	r.drains.Read(b.Key(), group.Ref, view.Snapshot)
	if r.ledger.overdue(group.Ref, view.Snapshot) {
		r.observer.Refresh(group.Ref)
	}
	return p
}

// meet finds the pods and compares them with the group.
func (r *Reconciler) meet(ctx context.Context, p *pass) error {
	who, err := r.population(ctx, p.binding, p.group, p.observed, r.lbc.Records.Load(ctx, p.binding))
	if err != nil {
		return err
	}
	who.vacant = r.vacant(p.group.Ref, p.observed, p.view.Snapshot)
	p.who = who

	key := p.binding.Key()
	r.states.update(key, func(s *state) { s.service.unselected = who.unselected })
	p.known = r.states.history(key, p.group.Ref)
	p.known.observe(p.observed, who, r.now())
	return nil
}

// plan decides what is to change.
func (r *Reconciler) plan(p *pass) {
	key, need := p.binding.Key(), p.binding.Need()
	plan := membership.Make(membership.Input{
		Now: r.now(), Members: p.who.members, Coming: p.who.coming, Observed: p.observed, Drain: need.Time(), Routed: need.Routed(),
		AbsentUntil: r.absence(key, p.who.missing), Floor: r.guards.floor, Ours: p.who.record.Owns,
		HeldSince: p.known.held, RemovedAt: p.known.removed, StrangeSince: p.known.orphans,
	})

	if p.binding.External {
		plan = membership.Plan{} // Whatever is missing or too much is somebody else's to change.
		r.drains.Discard(key)    // When they were deregistered, and whether, only somebody else knows.
	}

	p.known.hold(plan.Held, r.now())

	if p.observed == nil && p.view.Err == nil {
		// The first read is under way and wakes this binding; until then registering
		// what may be registered long since would spend calls for nothing.
		plan.Register = nil
	}

	p.plan = plan
}

// witness has those who follow a pass see it before its calls are made: the drain reports, the status's count of
// targets, and the reports of the guards.
func (r *Reconciler) witness(ctx context.Context, p *pass) {
	r.drains.Follow(ctx, record.Pass{Binding: p.binding, Group: p.group, Pods: p.who.pods, Observed: p.observed, LastServing: lastServing(p.plan.Held)})
	p.binding.Count(p.view.Snapshot.Started, p.view.Snapshot.Targets)

	if p.observed == nil && len(p.plan.Held) > 0 {
		r.observer.Refresh(p.group.Ref) // They are being deleted, and whether they can go the read tells.
	}
	if p.observed != nil { // Until then what the binding says stands.
		r.report.guards(p.binding, p.who.service, p.plan)
	}
}

// lastServing returns the targets that are kept because nothing else serves.
func lastServing(held []membership.Held) []gate.Target {
	var targets []gate.Target
	for _, h := range held {
		if h.Guard == membership.GuardLastServing {
			targets = append(targets, h.Target)
		}
	}
	return targets
}

// unapplied reports a plan that could not be carried out.
func (r *Reconciler) unapplied(ctx context.Context, p *pass, err error) (reconcile.Result, error) {
	if lbc.Raced(err) {
		return reconcile.Result{}, err // Another process wrote the record; nothing is wrong with the binding.
	}
	return r.failed(ctx, p.binding, r.verdictOf(err, groupName(p.binding)), err)
}

// applied reports how the binding stands after its plan was carried out, and when to look again.
func (r *Reconciler) applied(ctx context.Context, p *pass, unheard *lbc.Unheard, again time.Time) (reconcile.Result, error) {
	v := r.verdict(p.binding, p.group, p.who, p.view)
	if v.ok() && unheard != nil {
		v = verdict{unheard.Reason, unheard.Message}
	}
	if err := r.report.ready(ctx, p.binding, v); err != nil {
		return reconcile.Result{}, err
	}
	return reconcile.Result{RequeueAfter: r.next(r.ledger.expires(p.group.Ref, p.view.Snapshot), p.plan.Next(), again)}, nil
}
