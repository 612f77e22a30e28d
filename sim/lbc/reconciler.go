// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package lbc

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
)

// lookAgain is how soon it looks again while one of its own gates is closed.
const lookAgain = 15 * time.Second

// reconciler brings one binding's targets in step.
type reconciler struct {
	client.Client // reads caches
	targets       *targets
}

// Reconcile implements reconcile.Reconciler.
func (r *reconciler) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	var b elbv2.TargetGroupBinding
	if err := r.Get(ctx, req.NamespacedName, &b); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}

	if !b.DeletionTimestamp.IsZero() {
		return reconcile.Result{}, r.end(ctx, &b)
	}

	if err := r.hold(ctx, &b, true); err != nil {
		return reconcile.Result{}, err
	}

	if !ofIP(&b) {
		return reconcile.Result{}, fmt.Errorf("binding %s is not of ip targets, which is all that is played here", req)
	}

	return r.sync(ctx, &b)
}

// hold puts the finalizer on a binding, or takes it off.
func (r *reconciler) hold(ctx context.Context, b *elbv2.TargetGroupBinding, on bool) error {
	return retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		if err := r.Get(ctx, client.ObjectKeyFromObject(b), b); err != nil {
			return err
		}
		before := b.DeepCopy()
		change := controllerutil.RemoveFinalizer
		if on {
			change = controllerutil.AddFinalizer
		}
		if !change(b, elbv2.LBCFinalizer) {
			return nil
		}
		return r.Patch(ctx, b, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}))
	})
}

// sync compares pods and targets, unless the checkpoint says that it did so already.
func (r *reconciler) sync(ctx context.Context, b *elbv2.TargetGroupBinding) (reconcile.Result, error) {
	pods, err := r.endpoints(ctx, b)
	if errors.Is(err, errNoBackend) {
		return reconcile.Result{}, r.empty(ctx, b)
	}
	if err != nil {
		return reconcile.Result{}, err
	}

	next, err := checkpoint(b, pods)
	if err != nil {
		return reconcile.Result{}, err
	}

	kind := gateOf(b)
	if next == b.Annotations[elbv2.LBCCheckpoint] && !slices.ContainsFunc(pods, func(e endpoint) bool { return closed(e.pod, kind) }) {
		return reconcile.Result{}, nil
	}

	rows, err := r.targets.list(ctx, b.Spec.TargetGroupARN)
	if err != nil {
		return reconcile.Result{}, fmt.Errorf("list targets: %w", err)
	}

	newcomers, strangers := compare(pods, rows)
	if len(newcomers)+len(strangers) > 0 {
		if err := r.note(ctx, b, ""); err != nil {
			return reconcile.Result{}, err
		}
	}

	// In this order.
	if err := r.targets.deregister(ctx, b.Spec.TargetGroupARN, strangers); err != nil {
		return reconcile.Result{}, fmt.Errorf("deregister targets: %w", err)
	}

	if err := r.targets.register(ctx, b.Spec.TargetGroupARN, newcomers); err != nil {
		return reconcile.Result{}, fmt.Errorf("register targets: %w", err)
	}

	waiting, err := r.tell(ctx, kind, pods, rows)
	if err != nil {
		return reconcile.Result{}, err
	}
	if waiting {
		return reconcile.Result{RequeueAfter: lookAgain}, nil
	}

	return reconcile.Result{}, errors.Join(r.note(ctx, b, next), r.seen(ctx, b))
}

// compare gives the pods that are no targets and the targets that are no pods'. What
// drains is neither.
func compare(pods []endpoint, rows states) (newcomers, strangers []row) {
	wanted := map[row]bool{}
	for _, e := range pods {
		h, there := rows[e.row]
		if (!there || leaving(h)) && !wanted[e.row] {
			newcomers = append(newcomers, e.row)
		}
		wanted[e.row] = true
	}

	for t, h := range rows {
		if !wanted[t] && !leaving(h) {
			strangers = append(strangers, t)
		}
	}

	return newcomers, strangers
}

// note writes the checkpoint, with the time, if it is another.
func (r *reconciler) note(ctx context.Context, b *elbv2.TargetGroupBinding, next string) error {
	if b.Annotations[elbv2.LBCCheckpoint] == next {
		return nil
	}

	before := b.DeepCopy()
	if b.Annotations == nil {
		b.Annotations = map[string]string{}
	}

	b.Annotations[elbv2.LBCCheckpoint] = next
	b.Annotations[elbv2.LBCCheckpointTime] = strconv.FormatInt(time.Now().Unix(), 10)
	if err := r.Patch(ctx, b, client.MergeFrom(before)); err != nil {
		return fmt.Errorf("note checkpoint: %w", err)
	}

	return nil
}

// seen writes the generation that was looked at.
func (r *reconciler) seen(ctx context.Context, b *elbv2.TargetGroupBinding) error {
	if b.Status.ObservedGeneration != nil && *b.Status.ObservedGeneration == b.Generation {
		return nil
	}
	before := b.DeepCopy()
	b.Status.ObservedGeneration = &b.Generation
	return r.Status().Patch(ctx, b, client.MergeFrom(before))
}

// end lets a deleted binding go.
func (r *reconciler) end(ctx context.Context, b *elbv2.TargetGroupBinding) error {
	if !controllerutil.ContainsFinalizer(b, elbv2.LBCFinalizer) {
		return nil
	}
	if err := r.empty(ctx, b); err != nil {
		return err
	}
	return client.IgnoreNotFound(r.hold(ctx, b, false))
}

// empty deregisters all targets of a binding's group and opens its gates.
func (r *reconciler) empty(ctx context.Context, b *elbv2.TargetGroupBinding) error {
	rows, err := r.targets.list(ctx, b.Spec.TargetGroupARN)
	if err != nil {
		return fmt.Errorf("list targets: %w", err)
	}
	var all []row
	for t := range rows {
		all = append(all, t)
	}
	if err := r.targets.deregister(ctx, b.Spec.TargetGroupARN, all); err != nil {
		return fmt.Errorf("deregister targets: %w", err)
	}
	return r.release(ctx, b)
}
