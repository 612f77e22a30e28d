// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package targets

import (
	"context"
	"sync"

	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/podgate/podgate/internal/balancer"
)

// tends are the groups whose drains are looked after at the moment.
type tends struct {
	mu   sync.Mutex
	busy map[balancer.Ref]bool
	all  sync.WaitGroup
}

// tend looks after a group's drains, unless that is under way. It returns at once: the call gives way to all others of
// the account, which a worker must not wait for, since the account's other bindings wait for the worker.
func (r *registrar) tend(ctx context.Context, group balancer.Group) {
	if !r.tends.begin(group.Ref) {
		return
	}

	r.tends.all.Go(func() {
		defer r.tends.end(group.Ref)
		if err := balancer.Tend(ctx, r.provider, group); err != nil && ctx.Err() == nil {
			log.FromContext(ctx).V(1).Info("Looking after a target group's drains failed", "group", group.Ref.Group, "error", err.Error())
		}
	})
}

// begin reports whether nobody looks after the group yet, and notes that somebody does now.
func (t *tends) begin(ref balancer.Ref) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.busy[ref] {
		return false
	}

	if t.busy == nil {
		t.busy = map[balancer.Ref]bool{}
	}
	t.busy[ref] = true
	return true
}

func (t *tends) end(ref balancer.Ref) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.busy, ref)
}
