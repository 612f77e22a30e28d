// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package elbv2

import (
	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/balancer/elbv2/traits"
)

// Driver is ELBv2 with its traits, through p and within limits.
func Driver(p balancer.Provider, limits balancer.Limits) balancer.Driver {
	d := traits.Driver()
	d.Provider, d.Limits = p, limits
	return d
}
