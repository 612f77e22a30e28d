// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package haproxy

import (
	"context"

	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/gate"
)

const opHealth = "read servers"

// Health implements balancer.Reporter with one line of commands to each instance. It
// only reads.
func (p *Provider) Health(ctx context.Context, of balancer.Group) (map[gate.Target]gate.Health, error) {
	g, err := p.group(opHealth, of)
	if err != nil {
		return nil, err
	}
	views, trouble := p.views(ctx, g)
	if trouble != nil {
		return nil, trouble.call(opHealth, g.id)
	}

	g.memory.keep(views)
	return merge(views, g.Observe), nil
}
