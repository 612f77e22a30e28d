// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/binding"
)

// Prepare asks a cache for the informers of all that reviews are answered from: Services, all kinds of bindings, ReadinessGates, and
// pods, which tell whether a pod is one of a Service's. The function that it returns reports whether all have synced.
func Prepare(ctx context.Context, c cache.Cache) (synced func() bool, err error) {
	var informers []cache.Informer
	for _, o := range append([]client.Object{&corev1.Service{}, &corev1.Pod{}, &v1alpha1.ReadinessGate{}}, binding.Kinds()...) {
		informer, err := c.GetInformer(ctx, o, cache.BlockUntilSynced(false))
		if err != nil {
			return nil, fmt.Errorf("watch %T: %w", o, err)
		}
		informers = append(informers, informer)
	}

	return func() bool {
		for _, informer := range informers {
			if !informer.HasSynced() {
				return false
			}
		}
		return true
	}, nil
}
