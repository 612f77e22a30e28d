// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package binding

import (
	"sync"

	"k8s.io/apimachinery/pkg/types"

	"github.com/podgate/podgate/internal/balancer"
)

// Resolution is what is known of a binding's target group.
type Resolution struct {
	// Group is the resolved group; its zero value means that it is not resolved.
	Group balancer.Group
	// Trouble says, for people, why the binding does not work; empty when it does.
	Trouble string
	// Foreign: another controller owns the binding, so podgate only observes.
	Foreign bool
}

// Resolved reports whether the group is known.
func (r Resolution) Resolved() bool { return r.Group.Ref.Group != "" }

// Registry holds the resolutions that the target controller made, for the pod
// controller to read. Subscribers hear of every change.
type Registry struct {
	changed func(types.NamespacedName)

	mu sync.Mutex
	m  map[types.NamespacedName]Resolution
}

// NewRegistry makes an empty Registry that calls changed, without a lock held, for
// every binding whose resolution changed.
func NewRegistry(changed func(types.NamespacedName)) *Registry {
	return &Registry{changed: changed, m: map[types.NamespacedName]Resolution{}}
}

// Get gives a binding's resolution; false when the target controller has not said
// anything about the binding, because it does not serve it or has just started.
func (r *Registry) Get(key types.NamespacedName) (Resolution, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	res, known := r.m[key]
	return res, known
}

// Set stores a binding's resolution.
func (r *Registry) Set(key types.NamespacedName, res Resolution) {
	r.mu.Lock()
	old, existed := r.m[key]
	r.m[key] = res
	r.mu.Unlock()
	if !existed || old != res {
		r.changed(key)
	}
}

// Delete forgets a binding.
func (r *Registry) Delete(key types.NamespacedName) {
	r.mu.Lock()
	_, existed := r.m[key]
	delete(r.m, key)
	r.mu.Unlock()
	if existed {
		r.changed(key)
	}
}

// Users lists the bindings that resolved to a group.
func (r *Registry) Users(ref balancer.Ref) []types.NamespacedName {
	r.mu.Lock()
	defer r.mu.Unlock()
	var users []types.NamespacedName
	for key, res := range r.m {
		if res.Group.Ref == ref {
			users = append(users, key)
		}
	}
	return users
}
