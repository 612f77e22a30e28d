// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package traits

import (
	"slices"
	"strings"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/drain"
)

// manifest reads podgate's own kind. A backend is claimed by its instances, which bindings
// may share among them.
func manifest(o any) (balancer.Manifest, bool) {
	b, ok := o.(*v1alpha1.TargetBinding)
	if !ok || b.Spec.HAProxy == nil {
		return balancer.Manifest{}, false
	}

	h := b.Spec.HAProxy
	m := balancer.Manifest{Group: configOf(b).Group()}
	for _, instance := range h.Instances {
		m.Parts = append(m.Parts, part(h.Backend, instance))
	}

	return m, true
}

// ID names the backend at its instances: who uses the same backend of the same instances
// uses the same group, except that those who only observe it have one of their own.
func ID(backend string, instances []string, observed bool) string {
	sorted := slices.Sorted(slices.Values(instances))
	id := backend + "@" + strings.Join(slices.Compact(sorted), ",")
	if observed {
		return id + " (observed)"
	}
	return id
}

// part is a backend at one instance, whose spelling counts.
func part(backend, instance string) string { return backend + "@" + instance }

// only returns a binding of the backend at those instances that the parts name.
func only(object any, parts []string) any {
	b := object.(*v1alpha1.TargetBinding).DeepCopy()
	h := b.Spec.HAProxy
	h.Instances = slices.DeleteFunc(h.Instances, func(instance string) bool { return !slices.Contains(parts, part(h.Backend, instance)) })
	return b
}

// need returns what a backend's servers need: HAProxy sends a server that drains only
// requests that insist on it, and those for as long as the binding says.
func need(g balancer.Group) drain.Need {
	return drain.Need{Routing: g.DeregistrationDelay, InFlight: drain.MaxInFlight}
}
