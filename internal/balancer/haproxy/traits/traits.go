// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package traits is what is true of HAProxy. It calls nobody, so that those may use it who
// must not reach a load balancer.
package traits

import (
	"strings"
	"time"

	"github.com/podgate/podgate/internal/balancer"
)

// Kind is of backends of HAProxy.
const Kind balancer.Kind = "haproxy"

// Limits is for the instances of one or more backends: a read is one line on each
// socket, and the thread that answers it serves requests, too.
var Limits = balancer.Limits{DescribeRate: 50, DescribeBurst: 100, ChangeRate: 50, ChangeBurst: 100}

// Audit is the time between two reads of a backend where nothing is expected. A reload
// loses what was registered, and servers whose drain has ended go by Tend, which follows a read.
const Audit = 2 * time.Second

// Driver is HAProxy with nobody to call.
func Driver() balancer.Driver {
	return balancer.Driver{Kind: Kind, Traits: balancer.Traits{
		Immediate: true,
		Audit:     Audit,
		Limits:    Limits,
		Account:   account,

		Manifest:          manifest,
		Only:              only,
		ManifestDecides:   true,
		EmptyUntilReached: true,
		Need:              need,
		// A server is removed from an instance when it has no connection left there.
		GoneIsDone: true,

		Words: words,
	}}
}

// account is that of the same HAProxy processes.
func account(ref balancer.Ref) string {
	_, instances, _ := strings.Cut(ref.Group, "@")
	return "haproxy " + instances
}
