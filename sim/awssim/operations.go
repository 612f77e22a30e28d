// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package awssim

import (
	"maps"
	"net/url"
	"slices"

	"github.com/podgate/podgate/sim/awssim/elbv2"
	"github.com/podgate/podgate/sim/awssim/faults"
	"github.com/podgate/podgate/sim/awssim/lattice"
	"github.com/podgate/podgate/sim/awssim/sts"
)

// call is one call on its way through the simulator.
type call struct {
	sts.Identity
	effect faults.Effect
}

// operation is one operation of a service.
type operation struct {
	service string
	run     func(*call, url.Values) (any, error)
}

// modelled are all operations that there are, by name.
func modelled(elb *elbv2.Service, tokens *sts.Service) map[string]operation {
	all := map[string]operation{}
	for name, op := range elb.Operations() {
		all[name] = operation{"elasticloadbalancing", func(c *call, form url.Values) (any, error) {
			return op.Run(&elbv2.Call{Account: c.Account, Effect: c.effect}, form)
		}}
	}

	for name, op := range tokens.Operations() {
		all[name] = operation{"sts", func(c *call, form url.Values) (any, error) { return op.Run(&c.Identity, form) }}
	}

	return all
}

// LatticeOperations returns the names of VPC Lattice's operations that are modelled.
func LatticeOperations() []string {
	return slices.Sorted(maps.Keys((&lattice.Service{}).Operations()))
}

// Operations returns the names of the operations of the other services that are modelled.
func Operations() []string {
	return slices.Sorted(maps.Keys(modelled(&elbv2.Service{}, &sts.Service{})))
}
