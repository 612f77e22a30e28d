// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package haproxy

import (
	"context"
	"strings"

	"github.com/podgate/podgate/internal/balancer"
)

const opResolve = "read backend"

// Resolve implements provider.Resolver. A group's name is its identifier. What it says
// of checks is the configuration's, since HAProxy's own defaults do not hold for
// servers that are added at runtime.
func (p *Provider) Resolve(ctx context.Context, wanted balancer.Group) (balancer.Group, error) {
	if wanted.Ref.Group == "" {
		wanted.Ref.Group = wanted.Name
	}

	g, err := p.group(opResolve, wanted)
	if err != nil {
		return balancer.Group{}, err
	}

	views, trouble := p.views(ctx, g)
	if trouble != nil {
		return balancer.Group{}, trouble.call(opResolve, g.id)
	}

	if v := views[0]; v.backend.algorithm == "static-rr" && !g.Observe {
		text, kind := refusal("must use a dynamic load balancing", g.Backend)
		return balancer.Group{}, v.refuse(kind, text).call(opResolve, g.id)
	}

	return balancer.Group{
		Ref: wanted.Ref, Name: g.id, TargetType: "ip", IPAddressType: g.IPFamily,
		Protocol:           strings.ToUpper(views[0].backend.mode),
		HealthCheckEnabled: true, HealthCheckInterval: g.Check.Interval,
		HealthyThreshold: g.Check.Rise, UnhealthyThreshold: g.Check.Fall,
		DeregistrationDelay: g.Drain,
	}, nil
}
