// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package injection

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/drain"
	"github.com/podgate/podgate/internal/index"
)

// Lookup reads the Services of a namespace that select a pod with these labels, and
// their bindings, from a cache with the indexes of index.Bindings. serves tells whose
// gates podgate opens.
func Lookup(ctx context.Context, r client.Reader, serves func(binding client.Object) bool, namespace string, labels map[string]string) ([]Service, []Binding, error) {
	selecting, err := index.ServicesSelecting(ctx, r, namespace, labels)
	if err != nil {
		return nil, nil, err
	}

	var services []Service
	var bindings []Binding
	for i := range selecting {
		s := &selecting[i]
		found, err := index.BindingsOf(ctx, r, client.ObjectKeyFromObject(s))
		if err != nil {
			return nil, nil, err
		}

		services = append(services, Service{Name: s.Name, Selector: s.Spec.Selector, Created: s.CreationTimestamp.Time})
		for j := range found {
			bindings = append(bindings, BindingOf(&found[j], serves(&found[j])))
		}

		own, err := index.OwnBindingsOf(ctx, r, client.ObjectKeyFromObject(s))
		if err != nil {
			return nil, nil, err
		}

		for j := range own {
			bindings = append(bindings, BindingOf(&own[j], serves(&own[j])))
		}
	}

	return services, bindings, nil
}

// PodOf is what Explain reads of a pod that exists.
func PodOf(pod *corev1.Pod) Pod {
	p := Pod{Labels: pod.Labels, Created: pod.CreationTimestamp.Time}
	for _, g := range pod.Spec.ReadinessGates {
		p.Gates = append(p.Gates, string(g.ConditionType))
	}
	return p
}

// BindingOf is what injection reads of a binding of either kind; served reports whether
// podgate opens its gates.
func BindingOf(o client.Object, served bool) Binding {
	b := Binding{Name: o.GetName(), Deleting: !o.GetDeletionTimestamp().IsZero(), Unserved: !served, Created: o.GetCreationTimestamp().Time}
	switch o := o.(type) {
	case *elbv2.TargetGroupBinding:
		b.Service, b.TargetType, b.Drain, b.Group = o.Spec.ServiceRef.Name, targetType(o), drain.Of(o), o.Group()
		b.Adaptive = drain.SettingsOf(o.Annotations).Adaptive
	case *v1alpha1.TargetBinding:
		b.Name, b.Service, b.TargetType = v1alpha1.GatePrefix+o.Name, o.Spec.ServiceRef.Name, ownTargetType(o)
		b.Drain, b.Adaptive = drain.OfOwn(o), drain.SettingsOf(o.Policies()).Adaptive
		b.Group, b.BesideLBC = o.Group(), o.WokenBy() == v1alpha1.WakeGate
	}
	return b
}

// ownTargetType is what the leader found out; empty when it has not yet.
func ownTargetType(b *v1alpha1.TargetBinding) elbv2.TargetType {
	if g := b.Status.Group; g != nil && g.ID == b.GroupID() {
		return elbv2.TargetType(g.TargetType)
	}
	return ""
}

// targetType is what the manifest says or else what the leader published.
func targetType(b *elbv2.TargetGroupBinding) elbv2.TargetType {
	if b.Spec.TargetType != nil {
		return *b.Spec.TargetType
	}
	if p, ok := b.Published(); ok {
		return elbv2.TargetType(p.TargetType)
	}
	return ""
}
