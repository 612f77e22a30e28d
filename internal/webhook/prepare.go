// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/cache"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/v1alpha1"
)

// Prepare asks a cache for the informers of Services and of both kinds of bindings. The
// function that it returns reports whether all have synced.
func Prepare(ctx context.Context, c cache.Cache) (synced func() bool, err error) {
	services, err := c.GetInformer(ctx, &corev1.Service{}, cache.BlockUntilSynced(false))
	if err != nil {
		return nil, fmt.Errorf("watch services: %w", err)
	}

	bindings, err := c.GetInformer(ctx, &elbv2.TargetGroupBinding{}, cache.BlockUntilSynced(false))
	if err != nil {
		return nil, fmt.Errorf("watch target group bindings: %w", err)
	}

	own, err := c.GetInformer(ctx, &v1alpha1.TargetBinding{}, cache.BlockUntilSynced(false))
	if err != nil {
		return nil, fmt.Errorf("watch target bindings: %w", err)
	}

	return func() bool { return services.HasSynced() && bindings.HasSynced() && own.HasSynced() }, nil
}
