// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package binding

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/drain"
	"github.com/podgate/podgate/internal/gate"
)

// targetBinding is podgate's own kind, whose status has a place for all that is published.
type targetBinding struct {
	o *v1alpha1.TargetBinding

	// counted is what a read of the group that began at a time said.
	counted *v1alpha1.TargetCounts
	at      time.Time
}

// OfOwn returns the Binding of a TargetBinding.
func OfOwn(b *v1alpha1.TargetBinding) *Binding {
	bound := &Binding{
		ObjectMeta: &b.ObjectMeta, Object: b, kind: &targetBinding{o: b},
		ServiceRef: b.Spec.ServiceRef,
		Conditions: &b.Status.Conditions, ObservedGeneration: &b.Status.ObservedGeneration,
		External: b.External(), Wake: b.WokenBy(),
	}

	switch {
	case b.Spec.HAProxy != nil:
		bound.Ref = balancer.Ref{Provider: balancer.HAProxy, Group: b.Spec.HAProxy.ID(b.External())}
	case b.Spec.ELBv2 != nil:
		e := b.Spec.ELBv2
		bound.Ref = balancer.Ref{Group: e.TargetGroupARN, Region: e.Region, RoleARN: e.RoleARN, ExternalID: e.ExternalID}
		bound.GroupName = e.TargetGroupName
	}

	return bound
}

func (k *targetBinding) key() string { return v1alpha1.GatePrefix + k.o.Name }

func (k *targetBinding) copied() *Binding { return OfOwn(k.o.DeepCopy()) }

func (k *targetBinding) claims(group string) []string {
	if k.o.Spec.HAProxy != nil {
		return k.o.Claims()
	}
	return []string{group}
}

func (k *targetBinding) names(ref balancer.Ref) []string {
	h := k.o.Spec.HAProxy
	if h == nil {
		return groupNames(ref)
	}

	var all []string
	for _, instance := range h.Instances {
		all = append(all, v1alpha1.Claim(h.Backend, instance))
	}
	return all
}

func (k *targetBinding) states(annotation string) bool { return !gatePolicy(annotation) }

func (k *targetBinding) published() (balancer.Group, bool) {
	p := k.o.Status.Group
	if p == nil {
		return balancer.Group{}, false
	}
	return balancer.Group{
		Ref: balancer.Ref{Group: p.ID}, Name: p.Name, TargetType: p.TargetType, Protocol: p.Protocol, IPAddressType: p.IPAddressType,
		HealthCheckInterval: time.Duration(p.HealthCheckIntervalMilliseconds) * time.Millisecond,
		UnhealthyThreshold:  int(p.UnhealthyThreshold),
		DeregistrationDelay: time.Duration(p.DrainSeconds) * time.Second,
	}, true
}

func (k *targetBinding) publish(g balancer.Group) (changed bool, err error) {
	next := v1alpha1.ResolvedGroup{
		ID: g.Ref.Group, Name: g.Name, TargetType: g.TargetType, Protocol: g.Protocol, IPAddressType: g.IPAddressType,
		HealthCheckIntervalMilliseconds: g.HealthCheckInterval.Milliseconds(), UnhealthyThreshold: int32(g.UnhealthyThreshold),
		DrainSeconds: int64(g.DeregistrationDelay / time.Second),
	}
	changed = k.o.Status.Group == nil || *k.o.Status.Group != next
	k.o.Status.Group = &next
	return changed, nil
}

func (k *targetBinding) need() drain.Need { return drain.NeedOfOwn(k.o) }

func (k *targetBinding) drainTime() time.Duration { return drain.OfOwn(k.o) }

func (k *targetBinding) recommend(w *drain.Window) (recommended time.Duration, changed bool) {
	next := v1alpha1.DrainStatus{RecommendedSeconds: int64(drain.RecommendOwn(k.o, w) / time.Second)}
	before := k.o.Status.Drain

	k.o.Status.Drain = &next // What it says counts for the time.
	next.Seconds = int64((drain.OfOwn(k.o) + time.Second - 1) / time.Second)
	return time.Duration(next.RecommendedSeconds) * time.Second, before == nil || *before != next
}

func (k *targetBinding) recommended() time.Duration {
	if k.o.Status.Drain == nil {
		// As on the other kind, a value that somebody set by hand counts until podgate says one.
		d, _ := drain.Parse(k.o.Annotations[v1alpha1.RecommendedDrainAnnotation])
		return d
	}
	return time.Duration(k.o.Status.Drain.RecommendedSeconds) * time.Second
}

func (k *targetBinding) noted(at time.Time, targets map[gate.Target]gate.Health) {
	if targets == nil {
		return
	}

	counts := v1alpha1.TargetCounts{Total: int32(len(targets))}
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
