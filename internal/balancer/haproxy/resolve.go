// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package haproxy

import (
	"context"
	"slices"
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
	if trouble == nil && !g.Observe && !g.Ending {
		trouble = p.try(ctx, views)
	}
	if trouble != nil {
		return balancer.Group{}, trouble.call(opResolve, g.id)
	}

	// Where others register the servers, what applies to those applies to pods.
	text := ""
	if !g.Observe {
		text = caveat(views, g)
	}

	return balancer.Group{
		Ref: wanted.Ref, Name: g.id, TargetType: "ip", IPAddressType: g.IPFamily,
		Protocol:           strings.ToUpper(views[0].backend.mode),
		HealthCheckEnabled: true, HealthCheckInterval: g.Check.Interval,
		HealthyThreshold: g.Check.Rise, UnhealthyThreshold: g.Check.Fall,
		DeregistrationDelay: g.Drain,
		Caveat:              text,
	}, nil
}

// serves reports whether an instance has servers that podgate made.
func (v view) serves() bool { return len(v.own()) > 0 }

// try says what cannot work before the first pod waits. Where pods are served already, at whichever instance, Register says
// it: they must drain all the same.
func (p *Provider) try(ctx context.Context, views []view) *troubleError {
	if slices.ContainsFunc(views, view.serves) {
		return nil
	}
	ctx, cancel := p.limit(ctx)
	defer cancel()

	for _, v := range views {
		if trouble := v.suits(ctx); trouble != nil {
			return trouble
		}
	}
	return nil
}
