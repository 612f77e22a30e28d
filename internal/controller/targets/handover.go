// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package targets

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/lbc"
)

// claim makes sure that a finalizer holds a binding before anything is registered for
// it. An abandoned one is held already, so that a take-over that cannot be written is
// no reason not to serve it; it is given back as unwritten.
func (r *Reconciler) claim(ctx context.Context, b *binding.Binding, whose lbc.Ownership) (unwritten, err error) {
	if whose != lbc.Abandoned {
		return nil, r.addFinalizer(ctx, b)
	}

	err = lbc.TakeOver(ctx, r.client, b)
	switch {
	case apierrors.IsConflict(err), apierrors.IsNotFound(err):
		return nil, err
	case err != nil:
		return err, nil
	}

	log.FromContext(ctx).Info("Took over a binding of AWS Load Balancer Controller")
	r.report.recorder.Eventf(b.Object, nil, corev1.EventTypeNormal, v1alpha1.ReasonTakenOverFromLBC, "TakeOver", "%s",
		"AWS Load Balancer Controller no longer renews its lease, so podgate took the binding over. Registered targets and open gates stay as they are.")

	return nil, nil
}

// unclaimed reports that podgate cannot put its finalizer on a binding. Pods hear of
// it too: nothing else would say why their gates stay closed.
func (r *Reconciler) unclaimed(ctx context.Context, b *binding.Binding, err error) (reconcile.Result, error) {
	if apierrors.IsConflict(err) || apierrors.IsNotFound(err) {
		return reconcile.Result{}, err
	}
	v := verdict{reason: v1alpha1.ReasonBindingNotWritable, message: "podgate cannot write its finalizer to this binding, so it registers nothing: " + refusal(err)}
	key := b.Key()
	if known, _ := r.registry.Get(key); !known.Resolved() {
		r.registry.Set(key, binding.Resolution{Trouble: v.message})
	}
	return r.retry(ctx, b, v, err)
}

// refusal is the API server's own words, or that there are none.
func refusal(err error) string {
	var status apierrors.APIStatus
	if errors.As(err, &status) {
		return fmt.Sprintf("%s. It is tried again.", status.Status().Message)
	}
	return "the API server does not answer. It is tried again."
}

// leaveToLBC leaves a binding to AWS Load Balancer Controller. podgate's finalizer goes
// once that controller is known to live: its own is on, as the write makes sure.
func (r *Reconciler) leaveToLBC(ctx context.Context, b *binding.Binding, whose lbc.Ownership) (reconcile.Result, error) {
	key := b.Key()
	r.stop(key)
	r.registry.Set(key, binding.Resolution{Foreign: true})
	var err error
	if whose == lbc.OwnedByLBC {
		err = r.removeFinalizers(ctx, b, v1alpha1.Finalizer)
	}
	return reconcile.Result{RequeueAfter: r.lbc.Owners.Poll()}, errors.Join(err, r.report.ownedByLBC(ctx, b))
}

// letGo hands back a binding that podgate is not to serve, as it is. While AWS
// Load Balancer Controller lives podgate's finalizer waits for that controller's.
func (r *Reconciler) letGo(ctx context.Context, b *binding.Binding) (reconcile.Result, error) {
	key := b.Key()
	r.stop(key)
	r.registry.Delete(key)

	// Reported first: the write wakes that controller, should it have missed the change.
	if err := r.report.notServed(ctx, b); err != nil {
		return reconcile.Result{}, err
	}

	if !controllerutil.ContainsFinalizer(b.Object, v1alpha1.Finalizer) {
		r.lbc.Owners.Forget(key)
		return reconcile.Result{}, nil
	}

	awaits, err := r.lbc.Owners.Awaits(ctx, b)
	if err != nil {
		return reconcile.Result{}, err
	}
	if awaits {
		return reconcile.Result{RequeueAfter: lbc.LeaseMemo}, nil
	}

	return reconcile.Result{}, r.removeFinalizers(ctx, b, v1alpha1.Finalizer)
}

// addFinalizer has podgate hold a binding.
func (r *Reconciler) addFinalizer(ctx context.Context, b *binding.Binding) error {
	before := b.Copy()
	if !controllerutil.AddFinalizer(b.Object, v1alpha1.Finalizer) {
		return nil
	}
	// The resource version makes the patch fail when somebody else's finalizer came in between.
	patch := client.MergeFromWithOptions(before.Object, client.MergeFromWithOptimisticLock{})
	if err := r.client.Patch(ctx, b.Object, patch); err != nil {
		return fmt.Errorf("add finalizer: %w", err)
	}
	return nil
}

// removeFinalizers lets a binding go: its targets are deregistered, or somebody else's now.
func (r *Reconciler) removeFinalizers(ctx context.Context, b *binding.Binding, finalizers ...string) error {
	before := b.Copy()
	changed := false
	for _, f := range finalizers {
		changed = controllerutil.RemoveFinalizer(b.Object, f) || changed
	}

	if !changed {
		return nil
	}

	patch := client.MergeFromWithOptions(before.Object, client.MergeFromWithOptimisticLock{})
	if err := r.client.Patch(ctx, b.Object, patch); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("remove finalizer: %w", err)
	}

	return nil
}
