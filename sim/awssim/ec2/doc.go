// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package ec2 is the part of Amazon EC2 that a controller of load balancers
// asks: VPCs, subnets, zones, route tables, security groups with their rules,
// instances and network interfaces, and the tags of all of them. VPCs and what
// is fixed in them come from the configuration.
//
// It refuses to create networks or instances, and to let security groups have
// any effect on traffic. All accounts share one network.
package ec2
