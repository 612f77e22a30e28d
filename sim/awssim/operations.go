// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package awssim

import (
	"maps"
	"net/url"
	"slices"

	"github.com/podgate/podgate/sim/awssim/acm"
	"github.com/podgate/podgate/sim/awssim/ec2"
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
type operation func(*call, url.Values) (any, error)

// modelled are all operations of the query protocol that there are, by service and name.
func modelled(elb *elbv2.Service, tokens *sts.Service, network *ec2.Service) map[string]operation {
	all := map[string]operation{}
	for name, op := range elb.Operations() {
		all["elasticloadbalancing:"+name] = func(c *call, form url.Values) (any, error) {
			return op.Run(&elbv2.Call{Account: c.Account, Effect: c.effect}, form)
		}
	}

	for name, op := range tokens.Operations() {
		all["sts:"+name] = func(c *call, form url.Values) (any, error) { return op.Run(&c.Identity, form) }
	}

	for name, op := range network.Operations() {
		all["ec2:"+name] = func(c *call, form url.Values) (any, error) {
			return op.Run(&ec2.Call{Account: c.Account, Effect: c.effect}, form)
		}
	}

	return all
}

// LatticeOperations returns the names of VPC Lattice's operations that are modelled.
func LatticeOperations() []string {
	return slices.Sorted(maps.Keys((&lattice.Service{}).Operations()))
}

// EC2Operations returns the names of EC2's operations that are modelled.
func EC2Operations() []string {
	return slices.Sorted(maps.Keys((&ec2.Service{}).Operations()))
}

// ACMOperations returns the names of ACM's operations that are modelled.
func ACMOperations() []string {
	return slices.Sorted(maps.Keys((&acm.Service{}).Operations()))
}

// Operations returns the names of ELBv2's and STS's operations that are modelled.
func Operations() []string {
	names := slices.Collect(maps.Keys((&elbv2.Service{}).Operations()))
	names = slices.AppendSeq(names, maps.Keys((&sts.Service{}).Operations()))
	slices.Sort(names)
	return names
}
