// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package gates

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"

	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/gate"
	"github.com/podgate/podgate/internal/injection"
)

// OfLoadBalancers is the kind of which a pod has one gate for all of its groups of a kind of load
// balancer, and which opens when all of them say healthy. Another controller may set such a gate,
// too: without a binding of podgate's the gate is left to whoever wrote it last.
type OfLoadBalancers struct{ injection.OfLoadBalancers }

// Name implements Kind.
func (OfLoadBalancers) Name() string { return "load balancer" }

// Origin implements Kind.
func (OfLoadBalancers) Origin(string) string {
	return "all bindings of this kind of load balancer that take the pod for a target"
}

// Holds implements Kind.
func (OfLoadBalancers) Holds() bool { return false }

// Sees implements Kind.
func (OfLoadBalancers) Sees() bool { return false }

// FedBy implements Kind.
func (OfLoadBalancers) FedBy(owner types.NamespacedName) []string {
	return binding.SharedBy(owner.Name)
}

// Sources implements Kind: one for each binding that shares the gate, whose Service selects the
// pod or did so before, and that podgate serves.
func (k OfLoadBalancers) Sources(ctx context.Context, in Cluster, pod *corev1.Pod, conditionType string) ([]Source, bool, error) {
	if !k.Owns(conditionType) {
		return nil, false, nil
	}

	bindings, err := feeding(ctx, in, pod)
	if err != nil {
		return nil, false, err
	}

	var sources []Source
	for _, b := range bindings {
		res, _ := in.Registry.Get(b.Key())
		if b.Gate() != conditionType || res.Foreign {
			continue
		}

		s, ours, err := FromBinding(ctx, in, pod, b)
		if err != nil || !ours {
			return nil, false, err
		}

		s.Name = b.Key().Name
		sources = append(sources, s)
	}

	slices.SortFunc(sources, func(a, b Source) int { return cmp.Compare(a.Name, b.Name) })
	// A gate that no binding is to feed any more is left to whoever else wrote it: released, it would
	// open for pods that the other one still holds back.
	if !slices.ContainsFunc(sources, claims) && OtherWriter(pod, conditionType) != "" {
		return nil, false, nil
	}
	return sources, true, nil
}

// claims reports whether a source's binding wants the pod.
func claims(s Source) bool { return s.Claim != gate.Releasing && s.Claim != gate.Unclaimed }

// feeding lists the bindings whose Services select the pod, and those that fed its gate before and
// whose Services do not, as while one is made again: like a binding with a gate of its own, such
// a binding is waited for until its absence counts.
func feeding(ctx context.Context, in Cluster, pod *corev1.Pod) ([]*binding.Binding, error) {
	found, err := binding.ForPod(ctx, in.Reader, pod)
	if err != nil {
		return nil, err
	}

	for _, name := range in.Had {
		if slices.ContainsFunc(found, func(b *binding.Binding) bool { return b.Key().Name == name }) {
			continue
		}

		b, err := binding.Get(ctx, in.Reader, types.NamespacedName{Namespace: pod.Namespace, Name: name})
		if apierrors.IsNotFound(err) {
			continue // Its deletion released its part of the gate.
		}
		if err != nil {
			return nil, fmt.Errorf("get binding: %w", err)
		}
		found = append(found, b)
	}

	return found, nil
}
