// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package traits lists what is true of each load balancer that podgate has, for those who
// ask and call nobody. Package drivers lists who makes the calls.
package traits

import (
	"github.com/podgate/podgate/internal/balancer"
	elbv2 "github.com/podgate/podgate/internal/balancer/elbv2/traits"
	haproxy "github.com/podgate/podgate/internal/balancer/haproxy/traits"
	lattice "github.com/podgate/podgate/internal/balancer/lattice/traits"
)

var all = balancer.Drivers{
	elbv2.Driver(),
	haproxy.Driver(),
	lattice.Driver(),
}

// All lists every driver, one a line, without anybody to call. The list is not to be changed.
func All() balancer.Drivers { return all }
