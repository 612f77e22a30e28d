// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package binding

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/gate"
)

// Claim is what a binding wants with a pod.
type Claim struct {
	// Kind says whether the binding claims the pod at all.
	Kind gate.Claim
	// Trouble says, for people, why the pod's target is not known; only where Kind is Unresolved.
	Trouble string
	// Recheck is when to ask again though no event says so; 0 when one does.
	Recheck time.Duration
	// Service is what selects the pod; only where Kind is Claimed or Unresolved.
	Service *corev1.Service
	// Group and Target are set only where Kind is Claimed.
	Group  balancer.Group
	Target gate.Target
}

// Claim returns how the binding claims a pod, by what is known of the binding's group.
func (b *Binding) Claim(ctx context.Context, r client.Reader, pod *corev1.Pod, res Resolution) (Claim, error) {
	if !b.DeletionTimestamp.IsZero() {
		return Claim{Kind: gate.Releasing}, nil
	}

	svc, err := b.Service(ctx, r)
	if err != nil {
		return Claim{}, err
	}

	target, kind, trouble := TargetOf(pod, svc, res.Group, b.ServiceRef)
	switch {
	case kind == gate.NotIP || kind == gate.Unclaimed || kind == gate.NotTarget:
		return Claim{Kind: kind}, nil
	case !res.Resolved():
		return Claim{Kind: gate.Unresolved, Trouble: res.Trouble, Service: svc}, nil
	case trouble != nil:
		return b.troubled(ctx, r, pod, svc, res.Group, trouble)
	}

	return Claim{Kind: kind, Group: res.Group, Target: target, Service: svc}, nil
}

// lookAgain is how soon to look whether other pods have a port that a pod lacks: their events do not wake it.
const lookAgain = 5 * time.Second

// troubled returns the claim on a pod that is selected and has no target.
func (b *Binding) troubled(ctx context.Context, r client.Reader, pod *corev1.Pod, svc *corev1.Service, group balancer.Group, trouble error) (Claim, error) {
	c := Claim{Kind: gate.Unresolved, Trouble: sentence(trouble), Service: svc}
	if lacks := (*LacksPortError)(nil); !errors.As(trouble, &lacks) {
		return c, nil
	}

	left, err := LeftOut(ctx, r, Workload(pod), svc, group, b.ServiceRef)
	if err != nil {
		return Claim{}, fmt.Errorf("find pods of service %s: %w", svc.Name, err)
	}
	if left {
		return Claim{Kind: gate.NotTarget}, nil
	}

	c.Recheck = lookAgain
	return c, nil
}

// sentence renders the error of TargetOf for a gate's condition.
func sentence(trouble error) string {
	if noPort := (*NoPortError)(nil); errors.As(trouble, &noPort) {
		return noPort.Error() + "."
	}
	return fmt.Sprintf("The pod has no target: %v.", trouble)
}

// Service reads the Service that the binding refers to; nil when there is none.
func (b *Binding) Service(ctx context.Context, r client.Reader) (*corev1.Service, error) {
	var svc corev1.Service
	err := r.Get(ctx, types.NamespacedName{Namespace: b.Namespace, Name: b.ServiceRef.Name}, &svc)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("get service: %w", err)
	}
	return &svc, nil
}
