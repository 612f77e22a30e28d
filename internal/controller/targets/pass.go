// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package targets

import (
	"context"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/drain/record"
	"github.com/podgate/podgate/internal/gate"
	"github.com/podgate/podgate/internal/lbc"
	"github.com/podgate/podgate/internal/membership"
	"github.com/podgate/podgate/internal/observe"
)

// pass is one pass over a binding that podgate serves. Each step fills in its part.
type pass struct {
	binding *binding.Binding
	group   balancer.Group

	// view is the latest read, and observed the same with this process's own recent calls applied; nil when the group
	// was never read.
	view     observe.View
	observed map[gate.Target]gate.Health
	// who are the pods or nodes, and history is what this process has seen of the group's targets.
	who     population
	history *history
	// foreign reports whether no pod or node of this cluster has a target; nil when such may go all the same.
	foreign func(gate.Target) bool
	// plan is what is to change.
	plan membership.Plan
	// look is when to read the group again to see whether what may be somebody else's still serves; zero when not sooner
	// than anyway.
	look time.Time

	// unheard is why AWS Load Balancer Controller may not hear of the pods of an External binding, and again when to nudge
	// it again.
	unheard *lbc.Unheard
	again   time.Time
}

// sync brings a binding's group in step, in five steps over one pass.
func (r *Reconciler) sync(ctx context.Context, b *binding.Binding, group balancer.Group) (reconcile.Result, error) {
	p := r.observe(b, group)
	if err := r.findPods(ctx, p); err != nil {
		return reconcile.Result{}, err
	}

	r.plan(p)
	r.follow(ctx, p)
	if err := r.apply(ctx, p); err != nil {
		return r.unapplied(ctx, p, err)
	}

	return r.applied(ctx, p)
}

// observe takes what is known of the group, and measures what the latest read shows.
func (r *Reconciler) observe(b *binding.Binding, group balancer.Group) *pass {
	view := r.observer.View(group.Ref)
	p := &pass{binding: b, group: group, view: view, observed: r.registrar.pending.overlay(group.Ref, view.Snapshot)}

	r.drains.Read(b.Key(), group.Ref, view.Snapshot)

	// A call counts until a read shows what it did, so that read is asked for.
	if r.registrar.pending.overdue(group.Ref, view.Snapshot) {
		r.observer.Refresh(group.Ref)
	}

	return p
}

// findPods finds the pods and compares them with the group.
func (r *Reconciler) findPods(ctx context.Context, p *pass) error {
	key := p.binding.Key()
	p.history = r.states.history(key, p.group.Ref)

	who, err := r.population(ctx, p.binding, p.group, p.observed, r.lbc.Records.Load(ctx, p.binding), p.history)
	if err != nil {
		return err
	}

	who.vacant = r.vacant(p.group.Ref, p.observed, p.view.Snapshot)
	who.anew = func(ctx context.Context) (membership.Plan, error) { return r.anew(ctx, p) }
	p.who = who

	// The events of unselected pods have to find the binding without a selector.
	r.states.hold(key, who.unselected)

	p.history.observe(p, r.now())

	p.foreign, err = r.foreign(ctx, p)
	return err
}

// plan decides what is to change.
func (r *Reconciler) plan(p *pass) {
	p.plan = r.decide(p)
	if p.binding.External {
		r.drains.Discard(p.binding.Key()) // When they were deregistered, and whether, only somebody else knows.
	}
	p.history.hold(p.plan.Held, r.now())
}

// decide makes the plan of a pass.
func (r *Reconciler) decide(p *pass) membership.Plan {
	key, need := p.binding.Key(), p.binding.Need()
	plan := membership.Make(membership.Input{
		Now: r.now(), Members: p.who.members, Coming: p.who.coming, Observed: p.observed, Drain: need.Time(), Routed: need.Routed(),
		AbsentUntil: r.absence(key, p.who.missing), Floor: r.guards.floor, Ours: p.who.record.Owns, Foreign: p.foreign,
		HeldSince: p.history.held, RemovedAt: p.history.removed, UnknownAt: p.history.unknown, StrangeSince: p.history.orphans,
	})

	if p.binding.External {
		plan = membership.Plan{} // Whatever is missing or too much is somebody else's to change.
	}

	if p.observed == nil && p.view.Err == nil {
		// The first read is under way and wakes this binding; until then registering
		// what may be registered long since would spend calls for nothing.
		plan.Register = nil
	}

	return plan
}

// anew makes a pass's plan again, of what is known now: a call may have waited for its turn meanwhile.
func (r *Reconciler) anew(ctx context.Context, p *pass) (membership.Plan, error) {
	b, err := binding.Get(ctx, r.client, p.binding.Key())
	switch {
	case apierrors.IsNotFound(err):
		return membership.Plan{}, nil
	case err != nil:
		return membership.Plan{}, fmt.Errorf("get binding: %w", err)
	case !b.DeletionTimestamp.IsZero() || b.Generation != p.binding.Generation:
		return membership.Plan{}, nil
	}

	now := r.observe(b, p.group)
	now.history = p.history
	if now.who, err = r.population(ctx, b, p.group, now.observed, p.who.record, p.history); err != nil {
		return membership.Plan{}, err
	}
	if now.foreign, err = r.foreign(ctx, now); err != nil {
		return membership.Plan{}, err
	}
	return r.decide(now), nil
}

// follow has those who follow a pass see it before its calls are made: the drain reports, the status's count of
// targets, and the reports of the guards.
func (r *Reconciler) follow(ctx context.Context, p *pass) {
	r.report.skipped(p.binding, p.who.skipped)
	r.drains.Follow(ctx, record.Pass{Binding: p.binding, Group: p.group, Pods: p.who.pods, Observed: p.observed, LastServing: lastServing(p.plan.Held)})
	p.binding.Count(p.view.Snapshot.Started, p.view.Snapshot.Targets, foreigners(p.plan.Held))

	if p.observed == nil && len(p.plan.Held) > 0 {
		r.observer.Refresh(p.group.Ref) // They are being deleted, and only a read can show that others serve.
	}
	if every := r.looksAgain(p); every > 0 {
		p.look = r.now().Add(every)
		if r.now().Sub(p.view.Snapshot.Started) >= every {
			r.observer.Refresh(p.group.Ref)
		}
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

// apply makes the plan's calls, and has AWS Load Balancer Controller look at the group where it alone can make them.
func (r *Reconciler) apply(ctx context.Context, p *pass) error {
	err := together(r.registrar.apply(ctx, p.group, p.plan, p.who, p.history), p.who.record.Settle(ctx, p.view.Snapshot, p.who.targets()))

	var nudged error
	p.unheard, p.again, nudged = r.lbc.Nudger.Wake(ctx, p.binding, p.group, lbc.Pods{Members: p.who.members, ByTarget: p.who.pods, Observed: p.observed})
	return together(err, nudged)
}

// unapplied reports a plan that could not be carried out.
func (r *Reconciler) unapplied(ctx context.Context, p *pass, err error) (reconcile.Result, error) {
	if lbc.Raced(err) {
		return reconcile.Result{}, err // Another process wrote the record; nothing is wrong with the binding.
	}
	if errors.Is(err, errUnmade) {
		log.FromContext(ctx).Info("Deciding anew what to change in a group", "group", p.group.Ref.Group, "because", err.Error())
		return reconcile.Result{RequeueAfter: time.Millisecond}, nil
	}
	return r.retry(ctx, p.binding, r.verdictOf(err, p.binding.Ref.Provider, groupName(p.binding)), err)
}

// applied reports how the binding stands after its plan was carried out, and when to reconcile again.
func (r *Reconciler) applied(ctx context.Context, p *pass) (reconcile.Result, error) {
	v := r.verdict(p.binding, p.group, p.who, p.view)
	if v.ok() && p.unheard != nil {
		v = verdict{reason: p.unheard.Reason, message: p.unheard.Message}
	}

	soon := r.serviceDue(p)
	v.early = v.early || !soon.IsZero()

	if err := r.report.ready(ctx, p.binding, v); err != nil {
		return reconcile.Result{}, err
	}
	return reconcile.Result{RequeueAfter: r.next(r.registrar.pending.expires(p.group.Ref, p.view.Snapshot), p.plan.Next(), p.again, soon, p.look)}, nil
}

// serviceDue returns until when the Service may still come or change before an event warns of it; zero when that is over, or
// nothing is wrong with it. That a Service is deleted which the binding had is no matter of order.
func (r *Reconciler) serviceDue(p *pass) time.Time {
	wrong := p.who.trouble != nil && p.who.trouble.reason != v1alpha1.ReasonTargetPortNotFound
	gone := wrong && p.who.trouble.reason == v1alpha1.ReasonServiceNotFound

	var until time.Time
	r.states.update(p.binding.Key(), func(s *state) {
		fits := &s.service.fits
		switch {
		case !wrong:
			*fits = fit{generation: p.binding.Generation}
			return
		case gone && (fits.generation == p.binding.Generation || hadService(p.binding)):
			return
		case fits.notSince.IsZero():
			fits.notSince = r.now()
		}
		until = fits.notSince.Add(serviceSoon)
	})

	if !r.now().Before(until) {
		return time.Time{}
	}
	return until
}

// hadService reports whether the binding says that it has worked as it is now.
func hadService(b *binding.Binding) bool {
	c := meta.FindStatusCondition(*b.Conditions, v1alpha1.ConditionReady)
	return c != nil && c.Status == metav1.ConditionTrue && c.ObservedGeneration == b.Generation
}
