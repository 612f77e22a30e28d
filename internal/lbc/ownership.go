// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package lbc is everything about AWS Load Balancer Controller beside podgate: which of the two a binding belongs to, when
// podgate may take one over, the record of registered targets that both keep in one format, and how that controller hears of
// pods that wait. It never registers or deregisters a target.
package lbc

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

// Poll is how often, at least, a binding that AWS Load Balancer Controller
// owns is looked at again, and one whose group an older binding has.
const Poll = 10 * time.Second

// handBackPatience is how long a binding that podgate serves no more waits for that
// controller's finalizer.
const handBackPatience = time.Minute

// Ownership says which controller a binding belongs to. Finalizers hold a binding, the lease alone decides who writes.
type Ownership int

const (
	// Unknown means that AWS Load Balancer Controller has a finalizer on it, and whether that controller lives is not known yet.
	// Nobody's finalizer is removed.
	Unknown Ownership = iota
	// OwnedByPodgate means that the other controller has no finalizer on it.
	OwnedByPodgate
	// OwnedByLBC means that it has one, and lives.
	OwnedByLBC
	// Abandoned means that it has one, and has been silent for long.
	Abandoned
)

// Podgates reports whether podgate alone may write the binding and its targets.
func (o Ownership) Podgates() bool { return o == OwnedByPodgate || o == Abandoned }

// Owners decides which controller each binding belongs to.
type Owners struct {
	binding.Ownership
	lease *lease

	mu sync.Mutex
	// free are the bindings seen without the other controller's finalizer.
	free map[types.NamespacedName]bool
	// leaving is since when a binding that is served no more waits for the other controller's finalizer.
	leaving map[types.NamespacedName]time.Time
}

// NewOwners makes Owners that know nothing yet. The reader is uncached, and namespace is that of the other controller's lease.
func NewOwners(serves binding.Ownership, reader client.Reader, namespace string, now func() time.Time) *Owners {
	return &Owners{
		Ownership: serves, lease: &lease{reader: reader, namespace: namespace, now: now},
		free: map[types.NamespacedName]bool{}, leaving: map[types.NamespacedName]time.Time{},
	}
}

// Poll is how long to wait before an answer about a binding may be another one.
func (o *Owners) Poll() time.Duration { return o.lease.poll() }

// Of returns the owner of a binding. The other controller's finalizer that came back is a sign of its life as good as a
// lease, which may be in another namespace.
func (o *Owners) Of(ctx context.Context, b *binding.Binding) (Ownership, error) {
	held := controllerutil.ContainsFinalizer(b.Object, elbv2.LBCFinalizer)
	if cameBack := o.noteFree(b.Key(), !held); cameBack {
		o.lease.signOfLife()
	}

	if !held {
		return OwnedByPodgate, nil
	}

	l, err := o.lease.life(ctx)
	if err == nil && l == lifeSilent {
		// That controller has its lease renewed before it puts a finalizer on, so a read
		// that begins only now cannot miss that it is back.
		l, err = o.lease.read(ctx)
	}

	switch {
	case err != nil:
		return Unknown, err
	case l == lifeRenewed:
		return OwnedByLBC, nil
	case l == lifeSilent:
		return Abandoned, nil
	}

	return Unknown, nil
}

// noteFree notes whether the binding is free of the other controller's finalizer, and
// reports whether it was and no longer is.
func (o *Owners) noteFree(key types.NamespacedName, free bool) (cameBack bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	cameBack = o.free[key] && !free
	delete(o.free, key)
	if free {
		o.free[key] = true
	}
	return cameBack
}

// Awaits reports whether the other controller, which lives or may live, is still to put
// its finalizer on a binding that podgate serves no more: without one its deletion
// would leave its targets registered.
func (o *Owners) Awaits(ctx context.Context, b *binding.Binding) (bool, error) {
	key := b.Key()
	if controllerutil.ContainsFinalizer(b.Object, elbv2.LBCFinalizer) {
		o.Forget(key)
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

// Forget drops what is remembered of a binding that is gone.
func (o *Owners) Forget(key types.NamespacedName) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.free, key)
	delete(o.leaving, key)
}

// Finalizers names what podgate takes off a binding at the end of its deletion.
func Finalizers(owner Ownership) []string {
	if owner == Abandoned {
		return []string{v1alpha1.Finalizer, elbv2.LBCFinalizer}
	}
	return []string{v1alpha1.Finalizer}
}

// TakeOver replaces an abandoned binding's finalizer by podgate's, in one write, so
// that there is always one of the two. What is registered stays as it is. The
// checkpoint goes with it: it would let that controller, once it is back, take for
// done what is not.
func TakeOver(ctx context.Context, c client.Writer, b *binding.Binding) error {
	before := b.Copy()
	controllerutil.AddFinalizer(b.Object, v1alpha1.Finalizer)
	controllerutil.RemoveFinalizer(b.Object, elbv2.LBCFinalizer)
	delete(b.Annotations, elbv2.LBCCheckpoint)
	delete(b.Annotations, elbv2.LBCCheckpointTime)

	patch := client.MergeFromWithOptions(before.Object, client.MergeFromWithOptimisticLock{})
	if err := c.Patch(ctx, b.Object, patch); err != nil {
		*b.ObjectMeta = *before.ObjectMeta
		return fmt.Errorf("take binding over: %w", err)
	}
	return nil
}
