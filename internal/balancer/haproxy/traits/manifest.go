// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package traits

import (
	"time"

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
	m := balancer.Manifest{Group: balancer.Group{
		Ref:                 balancer.Ref{Group: h.ID(b.External())},
		DeregistrationDelay: time.Duration(h.DrainSeconds) * time.Second,
	}}
	for _, instance := range h.Instances {
		m.Parts = append(m.Parts, v1alpha1.Claim(h.Backend, instance))
	}

	return m, true
}

// need returns what a backend's servers need: HAProxy sends a server that drains only
// requests that insist on it, and those for as long as the binding says.
func need(g balancer.Group) drain.Need {
	return drain.Need{Routing: g.DeregistrationDelay, InFlight: drain.MaxInFlight}
}
