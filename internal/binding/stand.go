// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package binding

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/gate"
	"github.com/podgate/podgate/internal/index"
)

// Stand says how a binding stands to a pod.
type Stand struct {
	Claim gate.Claim
	// Trouble says, for people, why the pod's target is not known; only where it is not.
	Trouble string
	// Group, Target and Service are those of a pod that is Claimed.
	Group   balancer.Group
	Target  gate.Target
	Service *corev1.Service
}

// Stand tells how the binding stands to a pod, by what is known of its group.
func (b *Binding) Stand(ctx context.Context, r client.Reader, pod *corev1.Pod, res Resolution) (Stand, error) {
	if !b.DeletionTimestamp.IsZero() {
		return Stand{Claim: gate.Releasing}, nil
	}
	if res.Resolved() && res.Group.TargetType != string(elbv2.TargetTypeIP) {
		return Stand{Claim: gate.NotIP}, nil
	}
	var svc corev1.Service
	err := r.Get(ctx, types.NamespacedName{Namespace: b.Namespace, Name: b.ServiceRef.Name}, &svc)
	if apierrors.IsNotFound(err) {
		return Stand{Claim: gate.Unclaimed}, nil
	}
	if err != nil {
		return Stand{}, fmt.Errorf("get service: %w", err)
	}
	if !index.Selects(&svc, pod.Labels) {
		return Stand{Claim: gate.Unclaimed}, nil
	}
	if !res.Resolved() {
		return Stand{Claim: gate.Unresolved, Trouble: res.Trouble}, nil
	}
	port, ok := ServicePort(&svc, b.ServiceRef.Port)
	if !ok {
		return Stand{Claim: gate.Unresolved, Trouble: fmt.Sprintf("Service %q has no port %q, which the binding names.", b.ServiceRef.Name, b.ServiceRef.Port.String())}, nil
	}
	t, err := Target(pod, port, res.Group.IPAddressType)
	if err != nil {
		return Stand{Claim: gate.Unresolved, Trouble: fmt.Sprintf("The pod has no target: %v.", err)}, nil
	}
	return Stand{Claim: gate.Claimed, Group: res.Group, Target: t, Service: &svc}, nil
}
