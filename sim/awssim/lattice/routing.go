// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package lattice

import (
	"github.com/podgate/podgate/sim/awssim/datapath"
	"github.com/podgate/podgate/sim/awssim/faults"
)

// routed is a target group as the data path reads it.
type routed struct {
	service *Service
	group   *targetGroup
}

// ARN implements datapath.TargetGroup.
func (r routed) ARN() string { return r.group.arn }

// Host implements datapath.TargetGroup.
func (r routed) Host(k faults.Target) string { return k.ID }

// Registered implements datapath.TargetGroup.
func (r routed) Registered(k faults.Target) bool { return r.group.registrations[k] != nil }

// Routing implements datapath.TargetGroup. A group without a healthy target fails open (user guide, target groups).
func (r routed) Routing() datapath.Routing {
	delays := *r.service.cfg.Timing
	if !r.group.config.HealthCheck.on() && !r.service.cfg.StopUnchecked {
		delays.DrainRoutingDelay = max(delays.DrainRoutingDelay, r.service.cfg.DrainDelay)
	}

	return datapath.Routing{
		HTTP: true, TLS: r.group.config.Protocol == "HTTPS", Lambda: r.group.groupType == "LAMBDA",
		Delays: &delays, MinimumHealthy: 1, Finish: true,
	}
}
