// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package drivers is the one list of the load balancers that podgate has.
package drivers

import (
	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/balancer/elbv2"
	"github.com/podgate/podgate/internal/balancer/haproxy"
	"github.com/podgate/podgate/internal/balancer/lattice"
)

// All lists every driver, one a line, each with who makes its calls. limits are those of each of AWS's services, of which
// podgate's own are in region.
func All(groups, latticeGroups balancer.Provider, region string, limits balancer.Limits, backends *haproxy.Provider) balancer.Drivers {
	return balancer.Drivers{
		elbv2.Driver(groups, region, limits),
		haproxy.Driver(backends),
		lattice.Driver(latticeGroups, region, limits),
	}
}
