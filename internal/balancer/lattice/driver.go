// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package lattice

import (
	aws "github.com/podgate/podgate/internal/aws/traits"
	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/balancer/lattice/traits"
)

// Driver is VPC Lattice with its traits, through p and within limits, whose batches are no larger than one call bears.
// own is where podgate itself is.
func Driver(p balancer.Provider, own *aws.Own, limits balancer.Limits) balancer.Driver {
	limits.Batch = min(limits.Batch, BatchSize)
	d := traits.Driver()
	d.Provider, d.Account, d.Limits = p, own.Account, limits
	return d
}
