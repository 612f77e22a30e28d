// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package manager

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrlmanager "sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/podgate/podgate/internal/disruption"
)

// newNodes makes a cache of what nodes say of their pods' end. It is one of its own: every
// controller waits for the manager's cache, and podgate may be forbidden to read nodes. It ends with the lasting context.
func newNodes(lasting context.Context, mgr ctrlmanager.Manager) (cache.Cache, error) {
	nodes, err := cache.New(mgr.GetConfig(), cache.Options{
		HTTPClient: mgr.GetHTTPClient(), Scheme: mgr.GetScheme(), Mapper: mgr.GetRESTMapper(), NewInformer: newInformer(mgr.GetLogger()),
		ByObject: map[client.Object]cache.ByObject{&corev1.Node{}: {Transform: disruption.Slim}},
	})
	if err != nil {
		return nil, fmt.Errorf("make cache of nodes: %w", err)
	}
	// The manager would have it wait to lead if it did not say otherwise, as it does not know a cache with options for a kind.
	return nodes, mgr.Add(lastingCache{nodes, lasting})
}

// followNodes gives the cache's events to a handler, and returns what reports whether the handler has seen all nodes. Every
// replica follows them: the next leader has to know what was said before.
func followNodes(ctx context.Context, nodes cache.Cache, h toolscache.ResourceEventHandler) (synced func() bool, err error) {
	informer, err := nodes.GetInformer(ctx, &corev1.Node{}, cache.BlockUntilSynced(false))
	if err != nil {
		return nil, fmt.Errorf("watch nodes: %w", err)
	}
	registration, err := informer.AddEventHandler(h)
	if err != nil {
		return nil, fmt.Errorf("follow nodes: %w", err)
	}
	return registration.HasSynced, nil
}
