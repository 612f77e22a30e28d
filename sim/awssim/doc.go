// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package awssim is a simulator of Elastic Load Balancing v2, of VPC Lattice and
// of the parts of EC2 and of Certificate Manager that load balancers need: the
// APIs on their real wire protocols, health checks that really go out, and load balancers
// that really route. It has two clocks, as the service has: what the API says
// of a target, and what the data path does with it.
//
// A test makes a Sim with New, runs it, and points an AWS client at its
// Handler. The methods of Sim, and the control API under /_awssim/, script the
// health of targets, inject faults, and return what happened.
//
// It refuses to be a general AWS emulator: an operation that is not modelled
// answers an error naming it, a parameter that is not known is an error, and
// nothing is claimed that docs/awssim.md does not give a source for. Its data
// path never sends a request twice.
//
// This package wires the others, reads requests, and serves the control API.
// Each of them can be imported alone:
//
//	elbv2     Elastic Load Balancing: load balancers, listeners, rules, target groups, targets
//	acm       AWS Certificate Manager
//	ec2       EC2: subnets, route tables, security groups, instances, interfaces
//	lattice   VPC Lattice: services, listeners, rules, target groups, networks
//	datapath  listeners that are really open, routing, proxies, health checks
//	health    states, reasons, scripts and timings
//	sts       AWS Security Token Service
//	faults    faults, throttling, and the record of what happened
//	clock     simulated time, and the lock under which everything changes
//	wire      what all services share on the wire
//	query     the query protocol
//	rest      the REST-JSON protocol
package awssim
