// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package manager

import (
	"errors"
	"testing"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/types"

	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/binding"
)

func key(name string) types.NamespacedName {
	return types.NamespacedName{Namespace: "shop", Name: name}
}

// A binding whose resolution changes wakes the pods with its gate, and no others; those
// that were found in spite of an error, too.
func TestResolutionWakesPods(t *testing.T) {
	for _, failure := range []error{nil, errors.New("the cache is stopped")} {
		var woken []types.NamespacedName
		registry := binding.NewRegistry(wakePods{
			gated: func(b types.NamespacedName) ([]types.NamespacedName, error) {
				return []types.NamespacedName{key(b.Name + "-1"), key(b.Name + "-2")}, failure
			},
			wake: func(pod types.NamespacedName) { woken = append(woken, pod) },
			log:  logr.Discard(),
		}.resolved)

		known := binding.Resolution{Group: balancer.Group{Ref: balancer.Ref{Group: "one"}}}
		registry.Set(key("web"), known)
		registry.Set(key("web"), known) // nothing new

		if diff := cmp.Diff([]types.NamespacedName{key("web-1"), key("web-2")}, woken); diff != "" {
			t.Errorf("woken with error %v (-want +got):\n%s", failure, diff)
		}
	}
}

// A group that changed wakes the bindings that are resolved to it, and no others.
func TestReadWakesBindings(t *testing.T) {
	one, two := balancer.Ref{Group: "one"}, balancer.Ref{Group: "two"}
	registry := binding.NewRegistry(func(types.NamespacedName) {})
	registry.Set(key("web"), binding.Resolution{Group: balancer.Group{Ref: one}})
	registry.Set(key("pay"), binding.Resolution{Group: balancer.Group{Ref: two}})

	var woken []types.NamespacedName
	w := wakeBindings{users: registry.Users, wake: func(b types.NamespacedName) { woken = append(woken, b) }}
	w.observed(one)
	w.observed(balancer.Ref{Group: "three"})
	if diff := cmp.Diff([]types.NamespacedName{key("web")}, woken); diff != "" {
		t.Errorf("woken (-want +got):\n%s", diff)
	}
}
