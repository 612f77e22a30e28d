// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package traits is what is true of target groups of Amazon VPC Lattice. It calls nobody, so
// that those may use it who must not reach a load balancer.
package traits

import (
	"cmp"
	"time"

	"github.com/podgate/podgate/api/gwc"
	aws "github.com/podgate/podgate/internal/aws/traits"
	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/drain"
)

// Kind is of target groups of VPC Lattice.
const Kind balancer.Kind = "lattice"

// BatchSize is how many targets one call carries at most (the API's model).
const BatchSize = 100

// Limits are careful: AWS publishes no rates for VPC Lattice, and other clients of the account
// draw on the same allowance. Their rates are those of ELBv2, the lowest that AWS is known to give. The limits of
// podgate's flags take their place in the controller.
var Limits = balancer.Limits{DescribeRate: 10, DescribeBurst: 20, ChangeRate: 4, ChangeBurst: 10, Batch: BatchSize}

// Driver is VPC Lattice with nobody to call. A target is listed until its drain has ended.
func Driver() balancer.Driver {
	return balancer.Driver{Kind: Kind, Traits: balancer.Traits{
		Limits:      Limits,
		Account:     aws.Account,
		Manifest:    manifest,
		Called:      called,
		Identifiers: identifiers,
		Need:        need,
		GoneIsDone:  true,
		OpensWithin: opensWithin,
		Gate:        gwc.Gate,
		Words:       words,

		ResolveAgain: resolveAgain,
	}}
}

// discoverAgain is how long the groups of a Service are taken to be those that were found. Routes
// come and go; a search takes a call for each hundred groups of the account.
const discoverAgain = time.Minute

// resolveAgain returns how long what was found of a group counts. A group that is named stays the same.
func resolveAgain(g balancer.Group) time.Duration {
	if _, discovered := ParseDiscovery(g.Name); discovered {
		return discoverAgain
	}
	return 0
}

const (
	// DrainTime is how long a deregistered target stays listed, and requests under way may
	// finish; nobody can change it (user guide, register targets).
	DrainTime = time.Minute
	// dataPath is for how long VPC Lattice may start new requests at a target that drains.
	// AWS says that it stops at once, and nobody has published a measurement. With requests in
	// flight it makes up the DrainTime, after which there are none in any case.
	dataPath = DrainTime - drain.MaxInFlight
	// dataPathUnchecked is the same of groups without health checks: requests came for some
	// five minutes (aws/aws-application-networking-k8s#582).
	dataPathUnchecked = 5 * time.Minute
)

// need returns what a group's targets need. Whether a group that was not resolved is checked
// nobody knows, so that it counts as one that is not.
func need(g balancer.Group) drain.Need {
	if !g.HealthCheckEnabled {
		return drain.Need{Routing: dataPathUnchecked, InFlight: drain.MaxInFlight}
	}
	return drain.Need{Routing: dataPath, InFlight: drain.MaxInFlight}
}

const (
	// register is how long it may take until a new target is checked, as podgate estimates it.
	register = 30 * time.Second
	// interval is that of a group that is not resolved: AWS's default.
	interval = 30 * time.Second
)

// opensWithin is an estimate: one passed check makes a new target healthy (user guide, target
// group health checks), and where there are none, it needs none.
func opensWithin(g balancer.Group) time.Duration {
	if g.Ref.Group != "" && !g.HealthCheckEnabled {
		return register
	}
	return register + cmp.Or(g.HealthCheckInterval, interval)
}
