// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package drivers is the one list of the load balancers that podgate has.
package drivers

import (
	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/balancer/elbv2"
	"github.com/podgate/podgate/internal/balancer/haproxy"
)

// All lists every driver, one a line, each with who makes its calls.
func All(groups balancer.Provider, limits balancer.Limits, backends *haproxy.Provider) balancer.Drivers {
	return balancer.Drivers{
		elbv2.Driver(groups, limits),
		haproxy.Driver(backends),
	}
}
