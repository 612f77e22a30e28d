// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package target

import (
	"context"
	"errors"
	"fmt"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/gate"
	"github.com/podgate/podgate/internal/health"
	"github.com/podgate/podgate/internal/provider"
)

// finalize deregisters a deleted binding's targets, unless another binding claims
// the group, waits until its gates are released, and lets the binding go.
func (r *Reconciler) finalize(ctx context.Context, b *elbv2.TargetGroupBinding) (reconcile.Result, error) {
	key := client.ObjectKeyFromObject(b)
	if !controllerutil.ContainsFinalizer(b, elbv2.Finalizer) {
		r.forget(key)
		r.report.forget(b.UID)
		return reconcile.Result{}, nil
	}
	known, _ := r.registry.Get(key)
	r.registry.Set(key, binding.Resolution{Group: known.Group, Trouble: "The binding is being deleted."})
	if err := r.empty(ctx, b); err != nil {
		v := verdictOf(err, groupName(b))
		v.message += fmt.Sprintf(" The binding stays until its targets are deregistered; to give that up, remove its finalizer %s.", elbv2.Finalizer)
		return r.failed(ctx, b, v, err)
	}
	waiting, err := binding.Waiting(ctx, r.client, key)
	if err != nil {
		return reconcile.Result{}, err
	}
	if len(waiting) > 0 {
		return reconcile.Result{RequeueAfter: releasePoll}, nil
	}
	if err := r.removeFinalizer(ctx, b); err != nil {
		return reconcile.Result{}, err
	}
	r.forget(key)
	r.report.forget(b.UID)
	return reconcile.Result{}, nil
}

// empty deregisters what a deleted binding registered. It asks the load balancer
// afresh: what is remembered may be of another time.
func (r *Reconciler) empty(ctx context.Context, b *elbv2.TargetGroupBinding) error {
	group, err := r.resolve(ctx, b)
	if errors.Is(err, provider.ErrNotFound) || errors.Is(err, provider.ErrInvalid) {
		return nil
	}
	if err != nil {
		return err
	}
	other, err := r.claimant(ctx, b, group.Ref)
	if err != nil || other != nil || group.TargetType != string(elbv2.TargetTypeIP) {
		return err
	}
	begun := r.now()
	rows, err := r.provider.Health(ctx, group.Ref)
	if errors.Is(err, provider.ErrNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read target group: %w", err)
	}
	// What was registered a moment ago may not be shown yet, and nobody would look again.
	rows = r.ledger.overlay(group.Ref, health.Snapshot{Started: begun, Targets: rows})
	who, err := r.population(ctx, b, group, rows)
	if err != nil {
		return err
	}
	var targets []gate.Target
	for t, h := range rows {
		if !h.Leaving() && (!b.Spec.MultiClusterTargetGroup || who.pods[t] != nil) {
			targets = append(targets, t)
		}
	}
	return r.deregister(ctx, group.Ref, targets, who)
}
