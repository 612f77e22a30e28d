// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package gatestest

import (
	"cmp"
	"context"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/gates"
	"github.com/podgate/podgate/internal/injection"
)

// ToyGate is the type of the one gate of kind Toy.
const ToyGate = "toy.example.com/every-target"

// Toy is a kind that nothing in podgate knows: one gate for all of a pod's bindings.
type Toy struct{}

// Name implements gates.Kind.
func (Toy) Name() string { return "toy" }

// Owns implements gates.Kind.
func (Toy) Owns(conditionType string) bool { return conditionType == ToyGate }

// Origin implements gates.Kind.
func (Toy) Origin(string) string { return "every binding that takes the pod for a target" }

// Wanted implements gates.Kind: a pod that is anybody's target gets the gate.
func (Toy) Wanted(pod injection.Pod, c injection.Candidates) map[string]injection.Cause {
	claiming := c.Claiming(pod)
	if len(claiming) == 0 {
		return nil
	}
	return map[string]injection.Cause{ToyGate: {Binding: claiming[0]}}
}

// Holds implements gates.Kind.
func (Toy) Holds() bool { return false }

// Sees implements gates.Kind.
func (Toy) Sees() bool { return false }

// FedBy implements gates.Kind: every binding may select a pod with the gate.
func (Toy) FedBy(types.NamespacedName) []string { return []string{ToyGate} }

// Sources implements gates.Kind.
func (y Toy) Sources(ctx context.Context, in gates.Cluster, pod *corev1.Pod, conditionType string) ([]gates.Source, bool, error) {
	if !y.Owns(conditionType) {
		return nil, false, nil
	}

	bindings, err := binding.ForPod(ctx, in.Reader, pod)
	if err != nil {
		return nil, false, err
	}

	sources := make([]gates.Source, 0, len(bindings))
	for _, b := range bindings {
		// What another controller serves feeds no gate of podgate's.
		if res, _ := in.Registry.Get(b.Key()); res.Foreign {
			continue
		}

		s, ours, err := gates.FromBinding(ctx, in, pod, b)
		if err != nil || !ours {
			return nil, false, err
		}

		s.Name = b.Key().Name
		sources = append(sources, s)
	}

	slices.SortFunc(sources, func(a, b gates.Source) int { return cmp.Compare(a.Name, b.Name) })
	return sources, true, nil
}
