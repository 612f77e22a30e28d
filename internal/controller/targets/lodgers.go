// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package targets

import (
	"slices"
	"sync"

	"k8s.io/apimachinery/pkg/types"
)

// lodgers remembers which pods hold rows of a binding's group without being selected,
// as those that a blue/green switch replaced: no selector tells that their deletion
// concerns the binding. Its zero value is ready to use.
type lodgers struct {
	mu sync.Mutex
	of map[types.NamespacedName][]types.NamespacedName
}

// set replaces a binding's lodgers.
func (l *lodgers) set(binding types.NamespacedName, pods []types.NamespacedName) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(pods) == 0 {
		delete(l.of, binding)
		return
	}
	if l.of == nil {
		l.of = map[types.NamespacedName][]types.NamespacedName{}
	}
	l.of[binding] = pods
}

// hosts lists the bindings whose groups hold a row of the pod.
func (l *lodgers) hosts(pod types.NamespacedName) []types.NamespacedName {
	l.mu.Lock()
	defer l.mu.Unlock()
	var hosts []types.NamespacedName
	for binding, pods := range l.of {
		if slices.Contains(pods, pod) {
			hosts = append(hosts, binding)
		}
	}
	return hosts
}
