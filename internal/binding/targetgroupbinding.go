// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package binding

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/drain"
	"github.com/podgate/podgate/internal/gate"
	"github.com/podgate/podgate/internal/index"
)

// targetGroupBindings is AWS Load Balancer Controller's kind. Its bindings go by their own names.
var targetGroupBindings = adapter{
	name: "TargetGroupBinding", gate: elbv2.GatePrefix, ownGates: true, borrowed: true,
	bind: func(o client.Object) *Binding { return Of(o.(*elbv2.TargetGroupBinding)) },
	Kind: index.Kind{
		New:     func() client.Object { return &elbv2.TargetGroupBinding{} },
		NewList: func() client.ObjectList { return &elbv2.TargetGroupBindingList{} },
		Service: func(o client.Object) string { return o.(*elbv2.TargetGroupBinding).Spec.ServiceRef.Name },
		Claims:  func(o client.Object) []string { return targetGroupOf(o.(*elbv2.TargetGroupBinding)) },
	},
}

// targetGroupOf is the ARN of a binding's group: what its manifest says or else what was
// published; nothing when neither has said it.
func targetGroupOf(b *elbv2.TargetGroupBinding) []string {
	arn := b.Spec.TargetGroupARN
	if arn == "" {
		p, _ := b.Published()
		arn = p.ARN
	}
	if arn == "" {
		return nil
	}
	return []string{arn}
}

// targetGroupBinding is AWS Load Balancer Controller's kind. Its definition is somebody
// else's, so what podgate publishes is in annotations.
type targetGroupBinding struct{ o *elbv2.TargetGroupBinding }

// Of returns the Binding of a TargetGroupBinding.
func Of(b *elbv2.TargetGroupBinding) *Binding {
	return (&Binding{
		ObjectMeta: &b.ObjectMeta, Object: b, kind: &targetGroupBinding{b},
		ServiceRef: v1alpha1.ServiceReference(b.Spec.ServiceRef),
		Conditions: &b.Status.Conditions, ObservedGeneration: &b.Status.ObservedGeneration,
		Shared: b.Spec.MultiClusterTargetGroup, OfLBC: true, NodeSelector: b.Spec.NodeSelector,
	}).read()
}

func (k *targetGroupBinding) adapter() *adapter { return &targetGroupBindings }

func (k *targetGroupBinding) policies() map[string]string { return k.o.Annotations }

func (k *targetGroupBinding) copied() *Binding { return Of(k.o.DeepCopy()) }

func (k *targetGroupBinding) states(string) bool { return true }

func (k *targetGroupBinding) published() (balancer.Group, bool) {
	p, ok := k.o.Published()
	return balancer.Group{
		Ref: balancer.Ref{Group: p.ARN}, Name: p.Name, TargetType: p.TargetType, Protocol: p.Protocol, IPAddressType: p.IPAddressType,
		HealthCheckInterval: time.Duration(p.HealthCheckIntervalSeconds) * time.Second,
		UnhealthyThreshold:  p.UnhealthyThreshold,
		HealthCheckPort:     p.HealthCheckPort,
		DeregistrationDelay: time.Duration(p.DeregistrationDelaySeconds) * time.Second,
	}, ok
}

// restored reports whether what is published was published on another object, of which this one is a copy.
func (k *targetGroupBinding) restored() bool {
	_, believed := k.o.Published()
	return k.o.Annotations[v1alpha1.PublishedAnnotation] != "" && !believed
}

func (k *targetGroupBinding) publish(g balancer.Group) (changed bool, err error) {
	if k.restored() {
		k.annotate(v1alpha1.RecommendedDrainAnnotation, "") // It is by another cluster's drains.
	}

	next, err := json.Marshal(elbv2.Published{
		Of: k.o.UID, ARN: g.Ref.Group, Name: g.Name, TargetType: g.TargetType, Protocol: g.Protocol, IPAddressType: g.IPAddressType,
		HealthCheckIntervalSeconds: int64(g.HealthCheckInterval / time.Second),
		UnhealthyThreshold:         g.UnhealthyThreshold,
		HealthCheckPort:            g.HealthCheckPort,
		DeregistrationDelaySeconds: int64(g.DeregistrationDelay / time.Second),
	})
	if err != nil {
		return false, fmt.Errorf("encode %s: %w", v1alpha1.PublishedAnnotation, err)
	}
	return k.annotate(v1alpha1.PublishedAnnotation, string(next)), nil
}

func (k *targetGroupBinding) followed() time.Duration { return k.recommended() }

func (k *targetGroupBinding) recommend(t drain.Terms) (changed bool) {
	if t.Recommended > 0 {
		return k.annotate(v1alpha1.RecommendedDrainAnnotation, t.Recommended.String())
	}
	return k.annotate(v1alpha1.RecommendedDrainAnnotation, "")
}

func (k *targetGroupBinding) recommended() time.Duration {
	if k.restored() {
		return 0
	}
	d, _ := drain.Parse(k.o.Annotations[v1alpha1.RecommendedDrainAnnotation])
	return d
}

// noted and count do nothing: the kind has no place for counts.
func (k *targetGroupBinding) noted(time.Time, map[gate.Target]gate.Health, []gate.Target) {}

func (k *targetGroupBinding) count() (changed bool) { return false }

func (k *targetGroupBinding) counts() *v1alpha1.TargetCounts { return nil }

func (k *targetGroupBinding) write(ctx context.Context, c client.Client, patch client.Patch) error {
	return c.Patch(ctx, k.o, patch)
}

func (k *targetGroupBinding) inherit(from client.Object) {
	k.o.Status = from.(*elbv2.TargetGroupBinding).Status
	k.o.UID = from.GetUID() // It is believed of that object only.
	if published, ok := from.GetAnnotations()[v1alpha1.PublishedAnnotation]; ok {
		k.annotate(v1alpha1.PublishedAnnotation, published)
	}
}

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
