// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package elbv2

import (
	aws "github.com/podgate/podgate/internal/aws/traits"
	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/balancer/elbv2/traits"
)

// Driver is ELBv2 with its traits, through p and within limits. own is where podgate itself is.
func Driver(p balancer.Provider, own *aws.Own, limits balancer.Limits) balancer.Driver {
	d := traits.Driver()
	d.Provider, d.Account, d.Limits = p, own.Account, limits
	return d
}
