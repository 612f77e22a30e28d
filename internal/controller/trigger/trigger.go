// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package trigger lets something outside the cluster (an observation, another
// controller) add work to a controller's queue.
package trigger

import (
	"context"
	"sync"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// Source is a controller-runtime source whose events are calls of Wake. Its zero
// value is ready to use.
type Source struct {
	mu    sync.Mutex
	queue workqueue.TypedRateLimitingInterface[reconcile.Request]
	// pending are the calls before Start, each once: a replica may wait for months to lead.
	pending map[reconcile.Request]struct{}
}

// Start implements source.Source.
func (s *Source) Start(_ context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.queue = queue
	for req := range s.pending {
		queue.Add(req)
	}
	s.pending = nil
	return nil
}

// Wake asks for a reconciliation of key. It never blocks; before Start it is remembered.
func (s *Source) Wake(key types.NamespacedName) {
	req := reconcile.Request{NamespacedName: key}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.queue == nil {
		if s.pending == nil {
			s.pending = map[reconcile.Request]struct{}{}
		}
		s.pending[req] = struct{}{}
		return
	}
	s.queue.Add(req)
}
