// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package targets keeps target groups' members in step with the pods of the Services
// that bindings name. It is the only one that registers and deregisters targets,
// and it writes no pod.
package targets

import (
	"context"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
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

// What this package may do in the cluster.
//
// +kubebuilder:rbac:groups=elbv2.k8s.aws,resources=targetgroupbindings,verbs=list;watch;patch
// +kubebuilder:rbac:groups=elbv2.k8s.aws,resources=targetgroupbindings/status,verbs=patch
// +kubebuilder:rbac:groups=podgate.dev,resources=targetbindings,verbs=list;watch;patch
// +kubebuilder:rbac:groups=podgate.dev,resources=targetbindings/status,verbs=patch
// +kubebuilder:rbac:groups="",resources=pods;services,verbs=list;watch
// +kubebuilder:rbac:groups="",resources=nodes,verbs=list;watch
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch

// Observer is the part of observe.Observer that the controller needs.
type Observer interface {
	Track(balancer.Group, types.NamespacedName)
	Untrack(balancer.Ref, types.NamespacedName)
	View(balancer.Ref) observe.View
	Refresh(balancer.Ref)
	Placed(balancer.Ref, gate.Target, types.UID)
	Unsure(balancer.Ref, types.NamespacedName) (time.Time, bool)
}

// resolveAgain is how long a resolved group's settings are taken as they were, less up
// to a fifth. That a group is gone, and what its targets are, the observer finds out
// sooner; two calls for each of a thousand groups have to fit beside its audits.
const resolveAgain = time.Hour

// serveAgain is when a binding is looked at without any event.
const serveAgain = 5 * time.Minute

// resolveSoon is the same after an attempt that told nothing.
const resolveSoon = 30 * time.Second

// releasePoll is how often a binding's removal looks whether its gates are open.
const releasePoll = 200 * time.Millisecond

// drainPoll is how often a binding's removal looks after a group whose targets drain only so.
const drainPoll = time.Second

// Reconciler reconciles one binding at a time.
type Reconciler struct {
	client   client.Client
	provider balancer.Provider
	observer Observer
	registry *binding.Registry
	report   *reporter
	ledger   *pendingCalls
	lbc      lbc.Coexistence
	slots    *accountSlots
	drivers  balancer.Drivers
	allowed  func(ctx context.Context, namespace string, things []string) (refused string, err error)
	metrics  *callMetrics
	states   *states
	nodes    nodes
	drains   *record.Reports
	guards   guards
	now      func() time.Time
	// random gives a duration below its argument.
	random func(time.Duration) time.Duration
}

// resolved is what is remembered of a binding's group. With at and no generation, the
// group was asked for and not found.
type resolved struct {
	generation int64
	at         time.Time
	group      balancer.Group
}

// lasts is how long that is taken as it is: not long when the group cannot be served,
// since the observer does not look at it.
func (r resolved) lasts() time.Duration {
	if !r.group.OfPods() {
		return serveAgain
	}
	return resolveAgain
}

// Reconcile brings one binding's group in step.
func (r *Reconciler) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	b, err := binding.Get(ctx, r.client, req.NamespacedName)
	if err != nil {
		if apierrors.IsNotFound(err) {
			r.forget(req.NamespacedName)
			return reconcile.Result{}, nil
		}
		return reconcile.Result{}, fmt.Errorf("get binding: %w", err)
	}

	release, ok := r.slots.take(b.Ref)
	if !ok {
		return reconcile.Result{RequeueAfter: slotWait}, nil
	}
	defer release()

	res, err := r.reconcile(ctx, b)
	r.states.press(req.NamespacedName, isPressing(err))

	return res, err
}

// reconcile finds out whose the binding is.
func (r *Reconciler) reconcile(ctx context.Context, b *binding.Binding) (reconcile.Result, error) {
	if !b.DeletionTimestamp.IsZero() {
		return r.finalize(ctx, b)
	}
	if !r.lbc.Owners.Serves(b) {
		return r.letGo(ctx, b)
	}

	whose, err := r.lbc.Owners.Of(ctx, b)
	if err != nil {
		return reconcile.Result{}, err
	}

	if !whose.Podgates() {
		r.drains.Discard(b.Key()) // How its pods ended is not podgate's to judge.
		return r.observe(ctx, b, whose)
	}

	return r.serve(ctx, b, whose)
}

// serve handles a binding that is podgate's.
func (r *Reconciler) serve(ctx context.Context, b *binding.Binding, whose lbc.Ownership) (reconcile.Result, error) {
	key := b.Key()
	if v, err := r.notAllowed(ctx, b, b.Ref); err != nil || v != nil {
		return r.kept(ctx, b, v, err)
	}

	unwritten, err := r.claim(ctx, b, whose)
	if err != nil {
		return r.unclaimed(ctx, b, err)
	}

	if r.drivers.Of(b.Ref.Provider).ManifestDecides { // Its group is known before anybody is asked.
		if v := r.refused(ctx, b, b.Ref); v != nil {
			return r.unserved(ctx, b, balancer.Group{}, *v, unwritten)
		}
	}

	group, err := r.resolve(ctx, b)
	if err != nil {
		v := r.verdictOf(err, groupName(b))
		r.registry.Set(key, binding.Resolution{Trouble: v.message})
		if errors.Is(err, balancer.ErrNotFound) {
			r.report.guards(b, nil, membership.Plan{}) // There is nothing left to keep.
		}
		return r.failed(ctx, b, v, err)
	}

	if v, err := r.notAllowed(ctx, b, group.Ref); err != nil || v != nil {
		return r.kept(ctx, b, v, err)
	}

	unwritten = errors.Join(unwritten, r.publish(ctx, b, group))
	if v := r.unfit(ctx, b, group); v != nil {
		return r.unserved(ctx, b, group, *v, unwritten)
	}

	r.track(key, group)
	r.registry.Set(key, binding.Resolution{Group: group})
	res, err := r.sync(ctx, b, group)
	return r.written(ctx, res, unwritten), err
}

// written makes a write to the binding be tried again that failed and nothing waits
// for. Such as an admission webhook of somebody who is not there may refuse them all.
func (r *Reconciler) written(ctx context.Context, res reconcile.Result, unwritten error) reconcile.Result {
	if unwritten == nil {
		return res
	}
	log.FromContext(ctx).Error(unwritten, "Writing a binding failed")
	if res.RequeueAfter == 0 || res.RequeueAfter > resolveSoon {
		res.RequeueAfter = resolveSoon
	}
	return res
}

// sync brings a binding's group in step, in five steps over one pass.
func (r *Reconciler) sync(ctx context.Context, b *binding.Binding, group balancer.Group) (reconcile.Result, error) {
	p := r.look(b, group)
	if err := r.meet(ctx, p); err != nil {
		return reconcile.Result{}, err
	}

	r.plan(p)
	r.witness(ctx, p)

	err := errors.Join(r.apply(ctx, group, p.plan, p.who, p.known), p.who.record.Settle(ctx, p.view.Snapshot, p.who.pods))
	unheard, again, nudged := r.lbc.Nudger.Wake(ctx, b, group, lbc.Pods{Members: p.who.members, ByTarget: p.who.pods, Observed: p.observed})
	if err := errors.Join(err, nudged); err != nil {
		return r.unapplied(ctx, p, err)
	}

	return r.applied(ctx, p, unheard, again)
}

// apply makes the plan's calls: what is urgent at once, removals of running targets
// only after the registrations, unless the group is full: then they make room first.
func (r *Reconciler) apply(ctx context.Context, group balancer.Group, plan membership.Plan, who population, known *history) error {
	urgent := press(r.deregister(ctx, group, plan.Urgent, who))
	known.registering(plan.Register)
	registered := r.register(ctx, group, plan.Register, who)
	full := errors.Is(registered, balancer.ErrQuota)
	var partial *balancer.PartialError
	if registered != nil && !full && !errors.As(registered, &partial) {
		return errors.Join(urgent, registered)
	}

	leaving := plan.Deregister
	if full && len(plan.Urgent)+len(leaving) == 0 {
		leaving = plan.Yield
	}

	if !plan.Deliberate {
		known.removing(leaving, r.now()) // before the call, which may succeed and seem to fail
	}

	removed := r.deregister(ctx, group, leaving, who)
	if full && len(plan.Urgent)+len(leaving) > 0 {
		registered = r.register(ctx, group, failed(registered, plan.Register), who)
	}

	return errors.Join(urgent, registered, removed)
}

func (r *Reconciler) register(ctx context.Context, group balancer.Group, targets []gate.Target, who population) error {
	if len(targets) == 0 {
		return nil
	}

	if err := who.record.Add(ctx, targets); err != nil {
		return err
	}

	err := r.provider.Register(ctx, group, targets, who.owners(targets))
	done := except(targets, err)
	for _, t := range done {
		r.drains.Registered(group.Ref, t)
		if pod := who.pods[t]; pod != nil && who.vacant(t) {
			r.observer.Placed(group.Ref, t, pod.UID)
		}
	}

	r.note(group.Ref, targets, err, true)
	r.observer.Refresh(group.Ref)
	r.metrics.registered(group.Ref, done, who, r.now())
	log.FromContext(ctx).Info("Registered targets", "group", group.Ref.Group, "targets", len(done), "failed", len(targets)-len(done))

	return err
}

func (r *Reconciler) deregister(ctx context.Context, group balancer.Group, targets []gate.Target, who population) error {
	if len(targets) == 0 {
		return nil
	}

	err := r.provider.Deregister(ctx, group, targets)
	done := except(targets, err)
	r.note(group.Ref, targets, err, false)

	for _, t := range done {
		r.observer.Placed(group.Ref, t, "")
	}

	r.observer.Refresh(group.Ref)
	r.metrics.deregistered(done, who, r.now())
	r.drains.Accepted(group.Ref, done, who.pods)
	log.FromContext(ctx).Info("Deregistered targets", "group", group.Ref.Group, "targets", len(done), "failed", len(targets)-len(done))

	return err
}

// note remembers what a call did, and what it may have done though it failed.
func (r *Reconciler) note(ref balancer.Ref, targets []gate.Target, err error, registered bool) {
	r.ledger.record(ref, except(targets, err), registered)
	if doubtful(err) {
		r.ledger.doubt(ref, failed(err, targets), registered)
	}
}

// doubtful reports whether an error leaves open whether the call was done, as that of an
// answer that was lost; a refusal does not.
func doubtful(err error) bool {
	return err != nil && transient(err) && !errors.Is(err, balancer.ErrThrottled) && !errors.Is(err, balancer.ErrQuota)
}

// failed gives the targets that a call did not handle.
func failed(err error, all []gate.Target) []gate.Target {
	var partial *balancer.PartialError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &partial):
		return partial.Failed
	}
	return all
}

// except gives the targets that a call did handle.
func except(all []gate.Target, err error) []gate.Target {
	bad := map[gate.Target]bool{}
	for _, t := range failed(err, all) {
		bad[t] = true
	}
	var done []gate.Target
	for _, t := range all {
		if !bad[t] {
			done = append(done, t)
		}
	}
	return done
}

// failed reports a failure and hands the error to the queue's backoff.
func (r *Reconciler) failed(ctx context.Context, b *binding.Binding, v verdict, err error) (reconcile.Result, error) {
	return reconcile.Result{}, errors.Join(err, r.report.ready(ctx, b, v))
}

// absence notes whether something is missing, and returns until when it is too early to act on that; zero when nothing is.
func (r *Reconciler) absence(key types.NamespacedName, missing bool) time.Time {
	since := r.states.absentSince(key, missing, r.now())
	if since.IsZero() {
		return time.Time{}
	}
	return since.Add(r.guards.absenceGrace)
}

// next is when to look again without an event: at the first of some times that are not zero.
func (r *Reconciler) next(times ...time.Time) time.Duration {
	wait := serveAgain
	for _, at := range times {
		if !at.IsZero() {
			wait = min(wait, max(at.Sub(r.now()), time.Millisecond))
		}
	}
	return wait
}

// verdict says how a binding stands after its plan was applied.
func (r *Reconciler) verdict(b *binding.Binding, group balancer.Group, who population, view observe.View) verdict {
	switch {
	case who.trouble != nil:
		return *who.trouble
	case b.NameTooLong():
		return verdict{v1alpha1.ReasonNameTooLong, "Targets are registered, but pods get no gate: a gate's name is at most 63 characters. Make a binding with a shorter name."}
	case view.Err != nil:
		return r.verdictOf(view.Err, group.Name)
	}
	if b.External {
		return verdict{v1alpha1.ReasonSynced, "The group is observed; somebody else registers and deregisters the Service's pods."}
	}
	return verdict{v1alpha1.ReasonSynced, "The target group follows the Service's pods."}
}

func groupName(b *binding.Binding) string {
	if b.Ref.Group != "" {
		return b.Ref.Group
	}
	return b.GroupName
}

// track has the binding's group observed, and the one that it had before no more;
// an empty group means none.
func (r *Reconciler) track(key types.NamespacedName, group balancer.Group) {
	before := r.states.track(key, group.Ref)
	if group.Ref.Group != "" {
		r.observer.Track(group, key)
	}

	if before.Group != "" && before != group.Ref {
		r.observer.Untrack(before, key)
	}
}

// forget drops all that is remembered of a binding that is gone.
func (r *Reconciler) forget(key types.NamespacedName) {
	r.stop(key)
	r.states.forget(key)
	r.registry.Delete(key)
	r.lbc.Forget(key)
}

// stop drops what is remembered of a binding for as long as it is served.
func (r *Reconciler) stop(key types.NamespacedName) {
	r.track(key, balancer.Group{})
	r.states.stop(key)
	r.lbc.Stop(key)
	r.drains.Forget(key)
	r.report.metrics.forget(key)
}
