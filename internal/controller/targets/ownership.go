// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package targets

import (
	"context"
	"fmt"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/binding"
)

// ownershipPoll is how often, at least, a binding that AWS Load Balancer Controller
// owns is looked at again, and one whose group an older binding has.
const ownershipPoll = 10 * time.Second

// handBackPatience is how long a binding that podgate serves no more waits for that
// controller's finalizer.
const handBackPatience = time.Minute

// standing says whose a binding is. Finalizers hold a binding, the lease alone
// decides who writes.
type standing int

const (
	// mine: the other controller has no finalizer on it.
	mine standing = iota
	// theirs: it has one, and lives.
	theirs
	// unclear: it has one, and whether it lives is not known yet. Nobody's finalizer is removed.
	unclear
	// abandoned: it has one, and has been silent for long.
	abandoned
)

// ownership decides whether a binding is podgate's.
type ownership struct {
	binding.Ownership
	lease *lease

	mu sync.Mutex
	// free are the bindings seen without the other controller's finalizer.
	free map[types.NamespacedName]bool
	// leaving is since when a binding that is served no more waits for the other controller's finalizer.
	leaving map[types.NamespacedName]time.Time
}

func newOwnership(serves binding.Ownership, reader client.Reader, namespace string, now func() time.Time) *ownership {
	return &ownership{
		Ownership: serves, lease: &lease{reader: reader, namespace: namespace, now: now},
		free: map[types.NamespacedName]bool{}, leaving: map[types.NamespacedName]time.Time{},
	}
}

// standing tells whose a binding is. A binding whose finalizer of the other controller
// came back is a sign of its life as good as a lease, which may be in another namespace.
func (o *ownership) standing(ctx context.Context, b *binding.Binding) (standing, error) {
	held := controllerutil.ContainsFinalizer(b.Object, elbv2.LBCFinalizer)
	if cameBack := o.noteFree(b.Key(), !held); cameBack {
		o.lease.signOfLife()
	}
	if !held {
		return mine, nil
	}
	l, err := o.lease.life(ctx)
	if err == nil && l == lifeSilent {
		// That controller has its lease renewed before it puts a finalizer on, so a read
		// that begins only now cannot miss that it is back.
		l, err = o.lease.read(ctx)
	}
	switch {
	case err != nil:
		return unclear, err
	case l == lifeRenewed:
		return theirs, nil
	case l == lifeSilent:
		return abandoned, nil
	}
	return unclear, nil
}

// noteFree notes whether the binding is free of the other controller's finalizer, and
// tells whether it was and no more is.
func (o *ownership) noteFree(key types.NamespacedName, free bool) (cameBack bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	cameBack = o.free[key] && !free
	delete(o.free, key)
	if free {
		o.free[key] = true
	}
	return cameBack
}

// awaits tells whether the other controller, which lives or may live, is still to put
// its finalizer on a binding that podgate serves no more: without one its deletion
// would leave its targets registered.
func (o *ownership) awaits(ctx context.Context, b *binding.Binding) (bool, error) {
	key := b.Key()
	if controllerutil.ContainsFinalizer(b.Object, elbv2.LBCFinalizer) {
		o.forget(key)
		return false, nil
	}
	l, err := o.lease.life(ctx)
	if err != nil {
		return false, err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if _, known := o.leaving[key]; !known {
		o.leaving[key] = o.lease.now()
	}
	if l != lifeSilent && o.lease.exists() && o.lease.now().Sub(o.leaving[key]) < handBackPatience {
		return true, nil
	}
	delete(o.leaving, key)
	return false, nil
}

// forget drops what is remembered of a binding that is gone.
func (o *ownership) forget(key types.NamespacedName) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.free, key)
	delete(o.leaving, key)
}

// finalizersOf names what podgate takes off a binding at the end of its deletion.
func finalizersOf(whose standing) []string {
	if whose == abandoned {
		return []string{v1alpha1.Finalizer, elbv2.LBCFinalizer}
	}
	return []string{v1alpha1.Finalizer}
}

// takeOver replaces an abandoned binding's finalizer by podgate's, in one write, so
// that there is always one of the two. What is registered stays as it is. The
// checkpoint goes with it: it would let that controller, once it is back, take for
// done what is not.
func (r *Reconciler) takeOver(ctx context.Context, b *binding.Binding) error {
	before := b.Copy()
	controllerutil.AddFinalizer(b.Object, v1alpha1.Finalizer)
	controllerutil.RemoveFinalizer(b.Object, elbv2.LBCFinalizer)
	delete(b.Annotations, elbv2.LBCCheckpoint)
	delete(b.Annotations, elbv2.LBCCheckpointTime)
	patch := client.MergeFromWithOptions(before.Object, client.MergeFromWithOptimisticLock{})
	if err := r.client.Patch(ctx, b.Object, patch); err != nil {
		*b.ObjectMeta = *before.ObjectMeta
		return fmt.Errorf("take binding over: %w", err)
	}
	return nil
}

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
