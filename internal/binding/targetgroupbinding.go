// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package binding

import (
	"encoding/json"
	"fmt"
	"time"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/drain"
	"github.com/podgate/podgate/internal/gate"
)

// targetGroupBinding is AWS Load Balancer Controller's kind. Its definition is somebody
// else's, so what podgate publishes is in annotations.
type targetGroupBinding struct{ o *elbv2.TargetGroupBinding }

// Of returns the Binding of a TargetGroupBinding.
func Of(b *elbv2.TargetGroupBinding) *Binding {
	bound := &Binding{
		ObjectMeta: &b.ObjectMeta, Object: b, kind: &targetGroupBinding{b},
		ServiceRef: v1alpha1.ServiceReference(b.Spec.ServiceRef),
		Conditions: &b.Status.Conditions, ObservedGeneration: &b.Status.ObservedGeneration,
		Ref:       balancer.Ref{Group: b.Spec.TargetGroupARN, RoleARN: b.Spec.IamRoleArnToAssume, ExternalID: b.Spec.AssumeRoleExternalId},
		GroupName: b.Spec.TargetGroupName, Shared: b.Spec.MultiClusterTargetGroup,
		OfLBC: true,
	}
	if t := b.Spec.TargetType; t != nil {
		bound.TargetType = string(*t)
	}

	if f := b.Spec.IPAddressType; f != nil {
		bound.IPAddressType = *f
	}

	return bound
}

func (k *targetGroupBinding) key() string { return k.o.Name }

func (k *targetGroupBinding) copied() *Binding { return Of(k.o.DeepCopy()) }

func (k *targetGroupBinding) claims(group string) []string { return []string{group} }

func (k *targetGroupBinding) names(ref balancer.Ref) []string { return groupNames(ref) }

func (k *targetGroupBinding) states(string) bool { return true }

func (k *targetGroupBinding) published() (balancer.Group, bool) {
	p, ok := k.o.Published()
	return balancer.Group{
		Ref: balancer.Ref{Group: p.ARN}, Name: p.Name, TargetType: p.TargetType, Protocol: p.Protocol, IPAddressType: p.IPAddressType,
		HealthCheckInterval: time.Duration(p.HealthCheckIntervalSeconds) * time.Second,
		UnhealthyThreshold:  p.UnhealthyThreshold,
		DeregistrationDelay: time.Duration(p.DeregistrationDelaySeconds) * time.Second,
	}, ok
}

func (k *targetGroupBinding) publish(g balancer.Group) (changed bool, err error) {
	next, err := json.Marshal(elbv2.Published{
		ARN: g.Ref.Group, Name: g.Name, TargetType: g.TargetType, Protocol: g.Protocol, IPAddressType: g.IPAddressType,
		HealthCheckIntervalSeconds: int64(g.HealthCheckInterval / time.Second),
		UnhealthyThreshold:         g.UnhealthyThreshold,
		DeregistrationDelaySeconds: int64(g.DeregistrationDelay / time.Second),
	})
	if err != nil {
		return false, fmt.Errorf("encode %s: %w", v1alpha1.PublishedAnnotation, err)
	}
	return k.annotate(v1alpha1.PublishedAnnotation, string(next)), nil
}

func (k *targetGroupBinding) need() drain.Need { return drain.NeedOf(k.o) }

func (k *targetGroupBinding) drainTime() time.Duration { return drain.Of(k.o) }

func (k *targetGroupBinding) recommend(w *drain.Window) (recommended time.Duration, changed bool) {
	recommended = drain.Recommend(k.o, w)
	if recommended > 0 {
		return recommended, k.annotate(v1alpha1.RecommendedDrainAnnotation, recommended.String())
	}
	return recommended, k.annotate(v1alpha1.RecommendedDrainAnnotation, "")
}

func (k *targetGroupBinding) recommended() time.Duration {
	d, _ := drain.Parse(k.o.Annotations[v1alpha1.RecommendedDrainAnnotation])
	return d
}

// noted and count do nothing: the kind has no place for counts.
func (k *targetGroupBinding) noted(time.Time, map[gate.Target]gate.Health) {}

func (k *targetGroupBinding) count() (changed bool) { return false }

// annotate sets an annotation, or removes it when the value is empty, and reports whether that
// changed the object.
func (k *targetGroupBinding) annotate(name, value string) (changed bool) {
	if k.o.Annotations[name] == value {
		return false
	}

	if value == "" {
		delete(k.o.Annotations, name)
		return true
	}

	if k.o.Annotations == nil {
		k.o.Annotations = map[string]string{}
	}

	k.o.Annotations[name] = value
	return true
}
