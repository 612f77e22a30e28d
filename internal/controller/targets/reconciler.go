// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package targets keeps target groups' members in step with the pods of the Services
// that bindings name. It is the only one that registers and deregisters targets,
// and it writes no pod.
//
// A Reconciler finds out whose a binding is (reconciler.go) and resolves its group
// (group.go). A pass over it has five steps (pass.go): observe the group, find the pods,
// plan, let others follow, and apply the plan (registrar.go). What is remembered of a
// binding between two passes is its state (state.go).
package targets

import (
	"cmp"
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
	"github.com/podgate/podgate/internal/gates"
	"github.com/podgate/podgate/internal/lbc"
	"github.com/podgate/podgate/internal/membership"
	"github.com/podgate/podgate/internal/observe"
	"github.com/podgate/podgate/internal/observe/groups"
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
	Track(observe.Subject, types.NamespacedName, observe.Description)
	Untrack(observe.Subject, types.NamespacedName)
	View(observe.Subject) observe.View
	Refresh(observe.Subject)
	Changed(observe.Subject, ...observe.Placement)
	Unsure(in observe.Subject, pod types.NamespacedName, target gate.Target) (time.Time, bool)
}

// resolveAgain is how long a resolved group's settings are taken as they were, less up
// to a fifth. That a group is gone, and what its targets are, the observer finds out
// sooner; two calls for each of a thousand groups have to fit in with its audits: these
// take 19 calls a minute where quiet groups' audits take 33.
const resolveAgain = 2 * time.Hour

const (
	// servedAgain is when a binding that is served is reconciled without any event, less up to a fifth. All that it is
	// made of is watched or has a time of its own, so that this only makes up for an event that got lost.
	servedAgain = 30 * time.Minute
	// labelsAgain is the same where the labels of namespaces, which nobody watches, say what a binding may name.
	labelsAgain = 5 * time.Minute
	// unservedAgain is the same of a binding that cannot be served.
	unservedAgain = 5 * time.Minute
)

// readyAgain is the same where the load balancer makes or changes the group, which takes it seconds.
const readyAgain = 2 * time.Second

// resolveSoon is the same after an attempt that found out nothing.
const resolveSoon = 30 * time.Second

// serviceSoon is how long a binding's Service, or a change of it, may come after the binding before an event warns that it
// does not fit: people apply both in any order.
const serviceSoon = 10 * time.Second

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
	// registrar is the only one that changes groups.
	registrar *registrar
	lbc       lbc.Coexistence
	slots     *accountSlots
	drivers   balancer.Drivers
	// allowed is nil where bindings may name everything.
	allowed func(ctx context.Context, namespace string, things []string) (refused string, err error)
	states  *states
	kinds   gates.Kinds
	nodes   nodes
	drains  *record.Reports
	guards  guards
	clock
}

// clock is what tests turn.
type clock struct {
	now func() time.Time
	// random returns a duration below its argument.
	random func(time.Duration) time.Duration
}

// resolved is what is remembered of a binding's group. With at and no generation, the
// group was asked for and not found; of group there is the name with which it was found before that.
type resolved struct {
	generation int64
	at         time.Time
	group      balancer.Group
	// again is how long that counts when it is not as long as usual: the driver says so, or part of it is still to come.
	again time.Duration
}

// lasts is how long that is taken as it is: not long when the group cannot be served,
// since the observer does not look at it.
func (r resolved) lasts() time.Duration {
	switch {
	case r.again > 0:
		return r.again
	case !r.group.OfPods() && !r.group.OfNodes():
		return unservedAgain
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
		return r.leaveToLBC(ctx, b, whose)
	}

	return r.serve(ctx, b, whose)
}

// serve handles a binding that is podgate's.
func (r *Reconciler) serve(ctx context.Context, b *binding.Binding, whose lbc.Ownership) (reconcile.Result, error) {
	if v, err := r.notAllowed(ctx, b, b.Ref); err != nil || v != nil {
		return r.keptOut(ctx, b, v, err)
	}

	unwritten, err := r.claim(ctx, b, whose)
	if err != nil {
		return r.unclaimed(ctx, b, err)
	}

	// Where the manifest decides, the group is known before anybody is asked.
	if r.drivers.Of(b.Ref.Provider).ManifestDecides {
		if v := r.refused(ctx, b, b.Ref); v != nil {
			return r.unserved(ctx, b, balancer.Group{}, *v, unwritten)
		}
	}

	group, err := r.resolve(ctx, b)
	if err != nil {
		return r.unresolved(ctx, b, err)
	}

	// A group that was found by its name is known only now.
	if v, err := r.notAllowed(ctx, b, group.Ref); err != nil || v != nil {
		return r.keptOut(ctx, b, v, err)
	}

	unwritten = errors.Join(unwritten, r.publish(ctx, b, group))
	if v := r.unfit(ctx, b, group); v != nil {
		return r.unserved(ctx, b, group, *v, unwritten)
	}

	r.track(b.Key(), group, b.External)
	r.registry.Set(b.Key(), binding.Resolution{Group: group})
	if r.ofNodes(b, group) && !r.nodes.known() {
		return r.withoutNodes(ctx, b, unwritten)
	}

	res, err := r.sync(ctx, b, group)
	if r.lookedUp(b) > 0 && err == nil {
		due := r.lookUpDue(b.Key())
		res.RequeueAfter = min(cmp.Or(res.RequeueAfter, due), due)
	}
	return r.written(ctx, res, unwritten), err
}

// lookUpDue is how long what is remembered of a binding's group counts from now.
func (r *Reconciler) lookUpDue(key types.NamespacedName) time.Duration {
	known := r.states.get(key).service.resolved
	return max(known.at.Add(known.lasts()).Sub(r.now()), time.Millisecond)
}

// unresolved reports that a binding's group could not be found.
func (r *Reconciler) unresolved(ctx context.Context, b *binding.Binding, err error) (reconcile.Result, error) {
	v := r.verdictOf(err, b.Ref.Provider, groupName(b))
	r.registry.Set(b.Key(), binding.Resolution{Trouble: v.message})
	if errors.Is(err, balancer.ErrNotFound) {
		r.report.guards(b, nil, membership.Plan{}) // There is nothing left to keep.
	}

	return r.retry(ctx, b, v, err)
}

// written has a failed write to the binding tried again that nothing waits for: the
// admission webhook of somebody who is not there may refuse all writes.
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

// retry reports a failure and hands the error to the queue's backoff. What the load balancer is at work on is waited for, and
// for as long as it asks unless a pod ends. That the account is throttled its budget of calls takes care of.
func (r *Reconciler) retry(ctx context.Context, b *binding.Binding, v verdict, err error) (reconcile.Result, error) {
	unreported := r.report.ready(ctx, b, v)
	if errors.Is(err, balancer.ErrNotReady) {
		return reconcile.Result{RequeueAfter: readyAgain}, unreported
	}
	if after := balancer.RetryAfter(err); after > 0 && !isPressing(err) && !errors.Is(err, balancer.ErrThrottled) {
		log.FromContext(ctx).Error(err, "The load balancer asks for a pause", "pause", after)
		return reconcile.Result{RequeueAfter: after}, unreported
	}
	return reconcile.Result{}, errors.Join(err, unreported)
}

// absence notes whether something is missing, and returns until when it is too early to act on that; zero when nothing is.
func (r *Reconciler) absence(key types.NamespacedName, missing bool) time.Time {
	since := r.states.absentSince(key, missing, r.now())
	if since.IsZero() {
		return time.Time{}
	}
	return since.Add(r.guards.absenceGrace)
}

// next is when to reconcile again without an event: at the first of some times that are not zero.
func (r *Reconciler) next(times ...time.Time) time.Duration {
	wait := servedAgain
	if r.allowed != nil {
		wait = labelsAgain
	}
	wait -= r.random(wait / 5)

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
	case view.Err != nil:
		return r.verdictOf(view.Err, group.Ref.Provider, group.Name)
	case r.ofNodes(b, group):
		return verdict{reason: v1alpha1.ReasonSynced, message: "The target group follows the cluster's nodes, which forward requests to the Service's pods."}
	case b.NameTooLong():
		return verdict{reason: v1alpha1.ReasonNameTooLong, message: "Targets are registered, but pods get no gate: a gate's name is at most 63 characters. Make a binding with a shorter name."}
	}
	if b.External {
		return verdict{reason: v1alpha1.ReasonSynced, message: "The group is observed; somebody else registers and deregisters the Service's pods."}
	}
	return verdict{reason: v1alpha1.ReasonSynced, message: "The target group follows the Service's pods."}
}

// groupName is what people know a binding's group by.
func groupName(b *binding.Binding) string {
	if b.Ref.Group != "" {
		return b.Ref.Group
	}
	return b.GroupName
}

// track has the binding's group observed, and the one before no longer; an empty group means none.
func (r *Reconciler) track(key types.NamespacedName, group balancer.Group, external bool) {
	before := r.states.track(key, group.Ref)
	if group.Ref.Group != "" {
		r.observer.Track(group.Ref, key, groups.Describe(group, r.drivers, external))
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
	r.track(key, balancer.Group{}, false)
	r.states.stop(key)
	r.lbc.Stop(key)
	r.drains.Forget(key)
	r.report.metrics.forget(key)
}
