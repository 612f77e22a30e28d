// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package gates

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"

	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/gate"
	"github.com/podgate/podgate/internal/injection"
)

// OfBindings is the kind of which every binding has one: the gate has the binding's name
// and waits for the pod's target in the binding's group. A binding's owner may create it
// after the pod, so the gate waits for a while for a binding that is not there. Which are
// its gates, and which pods get them, is injection's to say.
type OfBindings struct{ injection.OfBindings }

// Name implements Kind.
func (OfBindings) Name() string { return "binding" }

// Origin implements Kind.
func (OfBindings) Origin(conditionType string) string {
	name, _ := binding.OfGate(conditionType)
	return binding.Named(name)
}

// Holds implements Kind.
func (OfBindings) Holds() bool { return false }

// Sees implements Kind.
func (OfBindings) Sees() bool { return false }

// FedBy implements Kind.
func (OfBindings) FedBy(owner types.NamespacedName) []string {
	return []string{binding.GateType(owner.Name)}
}

// Sources implements Kind: there is always one, whether the binding exists or not.
func (OfBindings) Sources(ctx context.Context, in Cluster, pod *corev1.Pod, conditionType string) ([]Source, bool, error) {
	name, owned := binding.OfGate(conditionType)
	if !owned {
		return nil, false, nil
	}

	key := types.NamespacedName{Namespace: pod.Namespace, Name: name}
	b, err := binding.Get(ctx, in.Reader, key)
	if apierrors.IsNotFound(err) {
		res, _ := in.Registry.Get(key) // As long as it is remembered.
		return []Source{Source{Owner: key, Claim: gate.Unclaimed}.in(res.Group)}, true, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("get binding: %w", err)
	}

	s, ours, err := FromBinding(ctx, in, pod, b)
	if err != nil || !ours {
		return nil, false, err
	}

	return []Source{s}, true, nil
}

// FromBinding returns a pod's target in a binding's group as a source without a name, for
// every kind that bindings feed. ours is false while another controller serves the binding,
// or may: that is known once the target controller has looked at it. A gate of several
// sources waits for that, too, and goes on without those that are another controller's.
func FromBinding(ctx context.Context, in Cluster, pod *corev1.Pod, b *binding.Binding) (source Source, ours bool, err error) {
	res, known := in.Registry.Get(b.Key())
	if !known || res.Foreign {
		return Source{}, false, nil
	}

	c, err := b.Claim(ctx, in.Reader, pod, res)
	if err != nil {
		return Source{}, false, err
	}

	// What a policy says wrongly is reported on the binding.
	settings, _ := b.Settings()

	return Source{
		Owner: b.Key(), Claim: c.Kind, Trouble: c.Trouble, Recheck: c.Recheck,
		Target: c.Target, Service: c.Service, Policy: settings.Gate, FollowsOthers: b.Follows(settings, c.Service),
	}.in(res.Group), true, nil
}

// in returns the source with its target in a load balancer's group, as far as that is known.
func (s Source) in(g balancer.Group) Source {
	if g.Ref.Group != "" {
		s.Subject, s.Detection = g.Ref, g.DetectionTime()
	}
	return s
}
