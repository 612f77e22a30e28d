// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package elbv2

import (
	"strconv"

	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/podgate/podgate/sim/awssim/datapath"
	"github.com/podgate/podgate/sim/awssim/faults"
	"github.com/podgate/podgate/sim/awssim/health"
)

// routed is a target group as the data path reads it.
type routed struct {
	service *Service
	group   *targetGroup
}

// ARN implements datapath.TargetGroup.
func (r routed) ARN() string { return r.group.arn() }

// Host implements datapath.TargetGroup.
func (r routed) Host(k faults.Target) string { return r.service.hostOf(r.group, k) }

// Registered implements datapath.TargetGroup.
func (r routed) Registered(k faults.Target) bool { return r.group.registrations[k] != nil }

// Routing implements datapath.TargetGroup.
func (r routed) Routing() datapath.Routing {
	g := r.group
	minimum, err := strconv.Atoi(g.attributes[attrMinimumHealthy])
	if err != nil {
		minimum = 1 // it is off
	}

	return datapath.Routing{
		HTTP: g.http(), TLS: g.view.Protocol == types.ProtocolEnumHttps, Lambda: g.lambda(),
		Delays:                r.service.profile(g),
		MinimumHealthy:        minimum,
		TerminateUnhealthy:    g.attributes[attrUnhealthyTermination] == "true",
		TerminateDeregistered: g.attributes[attrTerminateAtDelay] == "true",
	}
}

// profile is how fast a group's load balancer moves.
func (s *Service) profile(g *targetGroup) *health.Profile {
	return s.cfg.For(g.http() || g.lambda())
}

// hostOf is the address of a target.
func (s *Service) hostOf(g *targetGroup, k faults.Target) string {
	if g.view.TargetType == types.TargetTypeEnumInstance {
		return s.instances[k.ID]
	}
	return k.ID
}
