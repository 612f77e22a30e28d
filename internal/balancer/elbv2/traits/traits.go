// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package traits is what is true of target groups at ELBv2. It calls nobody, so that those
// may use it who must not reach a load balancer.
package traits

import (
	"time"

	aws "github.com/podgate/podgate/internal/aws/traits"
	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/drain"
)

// Kind is of target groups of ALBs and NLBs.
const Kind balancer.Kind = "elbv2"

// BatchSize is how many targets one call carries. The API's model has no limit;
// other controllers are known to send this many.
const BatchSize = 200

// Limits is what AWS documents for ELBv2 per account and region; other clients of the
// account draw on the same allowance.
var Limits = balancer.Limits{DescribeRate: 10, DescribeBurst: 40, ChangeRate: 4, ChangeBurst: 20, Batch: BatchSize}

// Driver is ELBv2 with nobody to call. A target's row in the API says nothing of routing,
// which goes on for some time after it is gone.
func Driver() balancer.Driver {
	return balancer.Driver{Kind: Kind, Traits: balancer.Traits{
		Limits:   Limits,
		Account:  aws.Account,
		Manifest: manifest,
		Nodes:    true,
		Need:     need,
		Quiet:    func(g balancer.Group) bool { return connects(g.Protocol) },
		// TLS sends records of its own, and HTTP/2 frames, while a request waits for its answer.
		TakesTurns: func(g balancer.Group) bool { return g.Protocol == "HTTP" && g.Version == "HTTP1" },

		OpensWithin: opensWithin,
		Words:       words,
	}}
}

const (
	// dataPathALB is for how long an Application Load Balancer starts new requests at a
	// target that says draining: 17 s were seen (kubernetes-sigs/aws-load-balancer-controller#2366).
	dataPathALB = 20 * time.Second
	// dataPathNLB is the same of a Network Load Balancer and new connections: some 120 s were
	// seen, whatever the deregistration delay (same issue).
	dataPathNLB = 120 * time.Second
)

// need returns what a target group's targets need. Requests that are under way when the
// load balancer sends the last one get what the group's deregistration delay leaves them, up
// to drain.MaxInFlight: what takes longer than the delay the load balancer cuts anyway.
func need(g balancer.Group) drain.Need {
	n := drain.Need{Routing: dataPathNLB, InFlight: min(g.DeregistrationDelay, drain.MaxInFlight)}
	if g.Protocol == "HTTP" || g.Protocol == "HTTPS" {
		n.Routing = dataPathALB
	}
	return n
}

// connects reports whether a protocol's traffic shows in the table of TCP sockets.
func connects(protocol string) bool {
	switch protocol {
	case "HTTP", "HTTPS", "TCP", "TLS":
		return true
	}
	return false
}

// How long a target may take to become healthy once it is registered: the load balancer's
// own time, and how many checks it wants.
const (
	// An ALB wants one passed check.
	registerALB, checksALB = 30 * time.Second, 1
	// NLBs took 70 to 300 s (kubernetes-sigs/aws-load-balancer-controller#1834).
	registerNLB, checksNLB = 300 * time.Second, 3
	// interval is that of a group that is not resolved: AWS's default.
	interval = 30 * time.Second
)

// opensWithin is an estimate: AWS does not say, and the group's own threshold of passed checks
// is not published. A group that was not resolved is taken for one of an ALB.
func opensWithin(g balancer.Group) time.Duration {
	every := interval
	if g.HealthCheckInterval > 0 {
		every = g.HealthCheckInterval
	}

	switch g.Protocol {
	case "", "HTTP", "HTTPS":
		return registerALB + checksALB*every
	}
	return registerNLB + checksNLB*every
}
