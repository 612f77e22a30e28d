// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package elbv2

import "github.com/podgate/podgate/internal/balancer"

// Limits is what AWS documents for ELBv2 per account and region; other clients of the
// account draw on the same allowance.
var Limits = balancer.Limits{DescribeRate: 10, DescribeBurst: 40, ChangeRate: 4, ChangeBurst: 20, Batch: BatchSize}

// Driver is ELBv2 with its traits, through p and within limits. A target's row in the
// API says nothing of routing, which goes on for some time after it is gone.
func Driver(p balancer.Provider, limits balancer.Limits) balancer.Driver {
	return balancer.Driver{Kind: balancer.ELBv2, Provider: p, Traits: balancer.Traits{
		Limits:  limits,
		Account: Account,
		Quiet:   func(g balancer.Group) bool { return connects(g.Protocol) },
	}}
}

// connects reports whether a protocol's traffic shows in the table of TCP sockets.
func connects(protocol string) bool {
	switch protocol {
	case "HTTP", "HTTPS", "TCP", "TLS":
		return true
	}
	return false
}
