// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/internal/index"
	"github.com/podgate/podgate/internal/injection"
)

// Prepare asks a cache for the informers of Services and TargetGroupBindings. The
// function that it returns tells whether both have synced.
func Prepare(ctx context.Context, c cache.Cache) (synced func() bool, err error) {
	services, err := c.GetInformer(ctx, &corev1.Service{}, cache.BlockUntilSynced(false))
	if err != nil {
		return nil, fmt.Errorf("watch services: %w", err)
	}
	bindings, err := c.GetInformer(ctx, &elbv2.TargetGroupBinding{}, cache.BlockUntilSynced(false))
	if err != nil {
		return nil, fmt.Errorf("watch target group bindings: %w", err)
	}
	return func() bool { return services.HasSynced() && bindings.HasSynced() }, nil
}

// lookup reads the Services of a namespace that select a pod with these labels, and
// their bindings.
func lookup(ctx context.Context, r client.Reader, serves func(client.Object) bool, namespace string, labels map[string]string) ([]injection.Service, []injection.Binding, error) {
	selecting, err := index.ServicesSelecting(ctx, r, namespace, labels)
	if err != nil {
		return nil, nil, err
	}
	var services []injection.Service
	var bindings []injection.Binding
	for i := range selecting {
		s := &selecting[i]
		found, err := index.BindingsOf(ctx, r, client.ObjectKeyFromObject(s))
		if err != nil {
			return nil, nil, err
		}
		services = append(services, injection.Service{Name: s.Name, Selector: s.Spec.Selector})
		for j := range found {
			if b := &found[j]; serves(b) {
				bindings = append(bindings, injection.Binding{Name: b.Name, Service: s.Name, TargetType: targetType(b), Deleting: !b.DeletionTimestamp.IsZero()})
			}
		}
	}
	return services, bindings, nil
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
