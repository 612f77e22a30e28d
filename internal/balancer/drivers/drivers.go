// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package drivers is the one list of the load balancers that podgate has.
package drivers

import (
	aws "github.com/podgate/podgate/internal/aws/traits"
	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/balancer/elbv2"
	"github.com/podgate/podgate/internal/balancer/haproxy"
	"github.com/podgate/podgate/internal/balancer/lattice"
)

// All lists every driver, one a line, each with who makes its calls. limits are those of each of AWS's services, and own is
// where podgate itself is.
func All(groups, latticeGroups balancer.Provider, own *aws.Own, limits balancer.Limits, backends *haproxy.Provider) balancer.Drivers {
	return balancer.Drivers{
		elbv2.Driver(groups, own, limits),
		haproxy.Driver(backends),
		lattice.Driver(latticeGroups, own, limits),
	}
}
