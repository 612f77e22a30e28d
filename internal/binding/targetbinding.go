// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package binding

import (
	"context"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/balancer/traits"
	"github.com/podgate/podgate/internal/drain"
	"github.com/podgate/podgate/internal/gate"
	"github.com/podgate/podgate/internal/index"
)

// targetBindings is podgate's own kind. Its bindings go by the condition types of their own gates.
var targetBindings = adapter{
	name: "TargetBinding", prefix: v1alpha1.GatePrefix, gate: v1alpha1.GatePrefix,
	bind: func(o client.Object) *Binding { return OfOwn(o.(*v1alpha1.TargetBinding)) },
	Kind: index.Kind{
		New:     func() client.Object { return &v1alpha1.TargetBinding{} },
		NewList: func() client.ObjectList { return &v1alpha1.TargetBindingList{} },
		Service: func(o client.Object) string { return o.(*v1alpha1.TargetBinding).Spec.ServiceRef.Name },
		Claims:  func(o client.Object) []string { return targetBindingClaims(o.(*v1alpha1.TargetBinding)) },
	},
}

// targetBindingClaims lists what a TargetBinding claims, by what its manifest says of the group or
// else what was resolved. Who only observes claims nothing.
func targetBindingClaims(b *v1alpha1.TargetBinding) []string {
	m := traits.All().Manifest(b)
	group := m.Group.Ref.Group
	if group == "" && b.Status.Group != nil && b.Status.Group.Of == b.UID {
		group = b.Status.Group.ID
	}
	if b.External() || group == "" {
		return nil
	}
	return m.Claims(group)
}

// targetBinding is podgate's own kind, whose status has a place for all that is published.
type targetBinding struct {
	o *v1alpha1.TargetBinding

	// counted is what a read of the group that began at a time said.
	counted *v1alpha1.TargetCounts
	at      time.Time
}

// OfOwn returns the Binding of a TargetBinding.
func OfOwn(b *v1alpha1.TargetBinding) *Binding {
	return (&Binding{
		ObjectMeta: &b.ObjectMeta, Object: b, kind: &targetBinding{o: b},
		ServiceRef: b.Spec.ServiceRef,
		Conditions: &b.Status.Conditions, ObservedGeneration: &b.Status.ObservedGeneration,
		External: b.External(), Wake: b.WokenBy(), NodeSelector: b.Spec.NodeSelector,
	}).read()
}

func (k *targetBinding) adapter() *adapter { return &targetBindings }

func (k *targetBinding) policies() map[string]string { return k.o.Policies() }

func (k *targetBinding) copied() *Binding { return OfOwn(k.o.DeepCopy()) }

func (k *targetBinding) states(annotation string) bool { return !gatePolicy(annotation) }

func (k *targetBinding) published() (balancer.Group, bool) {
	p := k.o.Status.Group
	if p == nil || k.restored() {
		return balancer.Group{}, false
	}
	return balancer.Group{
		Ref: balancer.Ref{Group: p.ID}, Name: p.Name, TargetType: p.TargetType, Protocol: p.Protocol, IPAddressType: p.IPAddressType,
		HealthCheckEnabled:  !p.HealthCheckDisabled,
		HealthCheckInterval: time.Duration(p.HealthCheckIntervalMilliseconds) * time.Millisecond,
		UnhealthyThreshold:  int(p.UnhealthyThreshold),
		HealthCheckPort:     p.HealthCheckPort,
		DeregistrationDelay: time.Duration(p.DrainSeconds) * time.Second,
	}, true
}

// restored reports whether the status was written for another object, of which this one is a copy.
func (k *targetBinding) restored() bool {
	return k.o.Status.Group != nil && k.o.Status.Group.Of != k.o.UID
}

func (k *targetBinding) publish(g balancer.Group) (changed bool, err error) {
	if k.restored() {
		k.o.Status.Drain = nil // It is by another cluster's drains.
	}

	next := v1alpha1.ResolvedGroup{
		Of: k.o.UID, ID: g.Ref.Group, Name: g.Name, TargetType: g.TargetType, Protocol: g.Protocol, IPAddressType: g.IPAddressType,
		HealthCheckIntervalMilliseconds: g.HealthCheckInterval.Milliseconds(), UnhealthyThreshold: int32(g.UnhealthyThreshold),
		HealthCheckPort:     g.HealthCheckPort,
		HealthCheckDisabled: !g.HealthCheckEnabled, DrainSeconds: int64(g.DeregistrationDelay / time.Second),
	}
	changed = k.o.Status.Group == nil || *k.o.Status.Group != next
	k.o.Status.Group = &next
	return changed, nil
}

func (k *targetBinding) followed() time.Duration {
	if k.o.Status.Drain == nil || k.restored() {
		return 0
	}
	return time.Duration(k.o.Status.Drain.RecommendedSeconds) * time.Second
}

func (k *targetBinding) recommend(t drain.Terms) (changed bool) {
	next := v1alpha1.DrainStatus{
		RecommendedSeconds: int64(t.Recommended / time.Second),
		Seconds:            int64((t.Time() + time.Second - 1) / time.Second),
	}
	before := k.o.Status.Drain
	k.o.Status.Drain = &next
	return before == nil || *before != next
}

func (k *targetBinding) recommended() time.Duration {
	if k.o.Status.Drain == nil || k.restored() {
		// As on the other kind, a value that somebody set by hand counts until podgate says one.
		d, _ := drain.Parse(k.o.Annotations[v1alpha1.RecommendedDrainAnnotation])
		return d
	}
	return time.Duration(k.o.Status.Drain.RecommendedSeconds) * time.Second
}

func (k *targetBinding) noted(at time.Time, targets map[gate.Target]gate.Health, foreign []gate.Target) {
	if targets == nil {
		return
	}

	counts := v1alpha1.TargetCounts{Total: int32(len(targets)), Foreign: int32(len(foreign))}
	for _, h := range targets {
		switch h.State {
		case gate.Healthy:
			counts.Healthy++
		case gate.Initial:
			counts.Initial++
		case gate.Unhealthy, gate.UnhealthyDraining:
			counts.Unhealthy++
		case gate.Draining:
			counts.Draining++
		default:
			counts.Other++
		}
	}

	k.counted, k.at = &counts, at
}

func (k *targetBinding) count() (changed bool) {
	if k.counted == nil {
		return false
	}

	status := &k.o.Status
	if status.Targets != nil && *status.Targets == *k.counted {
		return false
	}
	status.Targets, status.ObservedAt = k.counted, &metav1.Time{Time: k.at}
	return true
}

func (k *targetBinding) counts() *v1alpha1.TargetCounts { return k.o.Status.Targets }

func (k *targetBinding) write(ctx context.Context, c client.Client, patch client.Patch) error {
	return c.Status().Patch(ctx, k.o, patch)
}

func (k *targetBinding) inherit(from client.Object) {
	k.o.Status = from.(*v1alpha1.TargetBinding).Status
	k.o.UID = from.GetUID() // It is believed of that object only.
}
