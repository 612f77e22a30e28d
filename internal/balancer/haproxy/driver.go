// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package haproxy

import (
	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/balancer/haproxy/traits"
)

// Driver is HAProxy with its traits, through p.
func Driver(p *Provider) balancer.Driver {
	d := traits.Driver()
	d.Provider = p
	return d
}
