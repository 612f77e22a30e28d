// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package target

import (
	"context"
	"fmt"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/internal/binding"
)

// What this package may do in the cluster.
//
// +kubebuilder:rbac:groups=coordination.k8s.io,resources=leases,verbs=get,resourceNames=aws-load-balancer-controller-leader

// ownershipPoll is how often a binding that AWS Load Balancer Controller owns is
// looked at again.
const ownershipPoll = 10 * time.Second

// ownership decides whether a binding is podgate's.
type ownership struct {
	binding.Ownership
	// reader is uncached: one small object, read rarely.
	reader client.Reader
	// leaseNamespace is where AWS Load Balancer Controller has its lease.
	leaseNamespace string
	now            func() time.Time
}

// foreign tells whether a live AWS Load Balancer Controller owns the binding.
func (o ownership) foreign(ctx context.Context, b *elbv2.TargetGroupBinding) (bool, error) {
	if !controllerutil.ContainsFinalizer(b, elbv2.LBCFinalizer) {
		return false, nil
	}
	var lease coordinationv1.Lease
	err := o.reader.Get(ctx, types.NamespacedName{Namespace: o.leaseNamespace, Name: elbv2.LBCLease}, &lease)
	if apierrors.IsNotFound(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("get lease %s/%s: %w", o.leaseNamespace, elbv2.LBCLease, err)
	}
	return live(&lease, o.now()), nil
}

// live tells whether a lease was renewed within twice its duration.
func live(lease *coordinationv1.Lease, now time.Time) bool {
	s := lease.Spec
	if s.HolderIdentity == nil || *s.HolderIdentity == "" || s.RenewTime == nil || s.LeaseDurationSeconds == nil {
		return false
	}
	return now.Sub(s.RenewTime.Time) < 2*time.Duration(*s.LeaseDurationSeconds)*time.Second
}
