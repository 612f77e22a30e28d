// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package elbv2

import (
	aws "github.com/podgate/podgate/internal/aws/traits"
	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/balancer/elbv2/traits"
)

// Driver is ELBv2 with its traits, through p, of a podgate in a region, and within limits.
func Driver(p balancer.Provider, region string, limits balancer.Limits) balancer.Driver {
	d := traits.Driver()
	d.Provider, d.Account, d.Limits = p, aws.AccountIn(region), limits
	return d
}
