// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package gates

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/gate"
	"github.com/podgate/podgate/internal/injection"
)

// OfLegacy is the kind of the gates that the ALB ingress controller v1 had, as far as somebody still writes them into
// manifests. One names an Ingress, a Service and its port, and waits for the pod's target in the group that the Ingress has for
// them; another is content with any group. What makes the groups says in labels of the bindings of which Ingress they are. That
// controller may still run and set such a gate: what it says stays, unless podgate has a binding for the gate.
type OfLegacy struct{ injection.OfLegacy }

// Name implements Kind.
func (OfLegacy) Name() string { return "legacy" }

// Origin implements Kind.
func (OfLegacy) Origin(conditionType string) string {
	if conditionType == elbv2.LegacyAnyGate {
		return "the ALB ingress controller v1's way to ask for any target group of the pod"
	}
	if ingress, service, port, ok := elbv2.LegacyBackend(conditionType); ok {
		return fmt.Sprintf("the ALB ingress controller v1's name for Ingress %q, Service %q, port %s", ingress, service, port)
	}
	return "the ALB ingress controller v1, by its prefix"
}

// Holds implements Kind.
func (OfLegacy) Holds() bool { return false }

// Sees implements Kind.
func (OfLegacy) Sees() bool { return false }

// FedBy implements Kind: a binding's name does not tell of which Ingress it is, so it may be any of these gates.
func (OfLegacy) FedBy(owner types.NamespacedName) []string {
	if strings.Contains(owner.Name, "/") {
		return nil // It is no TargetGroupBinding.
	}
	return []string{elbv2.LegacyGatePrefix}
}

// Sources implements Kind: one for each binding that the gate names and podgate serves, or one that says why there is none.
func (k OfLegacy) Sources(ctx context.Context, in Cluster, pod *corev1.Pod, conditionType string) ([]Source, bool, error) {
	if !k.Owns(conditionType) {
		return nil, false, nil
	}

	found, err := k.bindings(ctx, in, pod, conditionType)
	if err != nil {
		return nil, false, err
	}

	var sources []Source
	foreign := false
	for _, b := range found {
		if res, _ := in.Registry.Get(b.Key()); res.Foreign {
			foreign = true
			continue
		}

		s, ours, err := FromBinding(ctx, in, pod, b)
		if err != nil || !ours {
			return nil, false, err
		}

		s.Name, s.Alternative = b.Key().Name, conditionType == elbv2.LegacyAnyGate
		sources = append(sources, s)
	}

	if len(sources) == 0 && foreign {
		return nil, false, nil
	}

	slices.SortFunc(sources, func(a, b Source) int { return cmp.Compare(a.Name, b.Name) })
	if conditionType == elbv2.LegacyAnyGate {
		sources = able(sources)
	}

	// Released, it would open for pods that whoever else wrote it still holds back.
	if !slices.ContainsFunc(sources, claims) && OtherWriter(pod, conditionType) != "" {
		return nil, false, nil
	}
	if len(sources) == 0 {
		sources = []Source{{Claim: gate.Unclaimed, Trouble: k.nothing(conditionType)}}
	}

	return sources, true, nil
}

// bindings lists those that a gate of the pod names.
func (k OfLegacy) bindings(ctx context.Context, in Cluster, pod *corev1.Pod, conditionType string) ([]*binding.Binding, error) {
	var all []*binding.Binding
	var err error
	if _, service, _, ok := elbv2.LegacyBackend(conditionType); ok {
		all, err = binding.OfService(ctx, in.Reader, types.NamespacedName{Namespace: pod.Namespace, Name: service})
	} else if conditionType == elbv2.LegacyAnyGate {
		all, err = feeding(ctx, in, pod)
	}
	return k.Named(conditionType, all), err
}

// nothing says why a gate names no binding.
func (OfLegacy) nothing(conditionType string) string {
	if conditionType == elbv2.LegacyAnyGate {
		return "No TargetGroupBinding has a Service that selects this pod."
	}
	if ingress, service, port, ok := elbv2.LegacyBackend(conditionType); ok {
		return fmt.Sprintf("No TargetGroupBinding for Service %q, port %s has the labels of Ingress %q or of a group of Ingresses.", service, port, ingress)
	}
	return "The gate names no Ingress, Service and port, as in <ingress>_<service>_<port>."
}

// able leaves the sources of which one is enough and that may still say healthy, or else those that may come back: what no
// longer waits for the pod says nothing of the others.
func able(sources []Source) []Source {
	for _, claimed := range [][]gate.Claim{{gate.Claimed, gate.Unresolved}, {gate.Unclaimed}} {
		left := slices.DeleteFunc(slices.Clone(sources), func(s Source) bool { return !slices.Contains(claimed, s.Claim) })
		if len(left) > 0 {
			return left
		}
	}
	return sources
}
