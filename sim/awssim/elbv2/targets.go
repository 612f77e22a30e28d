// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package elbv2

import (
	"cmp"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	api "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/podgate/podgate/sim/awssim/faults"
	"github.com/podgate/podgate/sim/awssim/health"
	"github.com/podgate/podgate/sim/awssim/wire"
)

// key is the identity of a target in a request: without a port it has the
// group's.
func (g *targetGroup) key(t types.TargetDescription) faults.Target {
	k := faults.Target{ID: *t.Id}
	switch {
	case t.Port != nil:
		k.Port = int(*t.Port)
	case g.view.Port != nil:
		k.Port = int(*g.view.Port)
	}
	return k
}

func (s *Service) registerTargets(c *Call, in *api.RegisterTargetsInput) (*api.RegisterTargetsOutput, error) {
	g, err := s.group(c, in.TargetGroupArn)
	if err != nil {
		return nil, err
	}

	fresh := map[faults.Target]bool{}
	for _, t := range in.Targets {
		if err := s.checkTarget(g, t); err != nil {
			return nil, err
		}
		k := g.key(t)
		r := g.registrations[k]
		if r != nil && r.draining && s.cfg.RefuseDraining {
			return nil, wire.Failed("InvalidTarget", "The following targets are deregistering and cannot be registered until that is complete: '%s'", k.ID)
		}
		if r == nil || r.draining {
			fresh[k] = true
		}
	}

	if g.registered()+len(fresh) > s.cfg.Quotas.TargetsPerGroup {
		return nil, wire.Failed("TooManyTargets", "The maximum number of targets has been reached for target group '%s'", g.arn())
	}
	if err := s.checkTargetsPerBalancer(g, fresh); err != nil {
		return nil, err
	}

	for _, t := range in.Targets {
		if k := g.key(t); fresh[k] && !c.Effect.Loses(k) {
			s.add(g, k, t.AvailabilityZone)
			delete(fresh, k) // the same target twice in one call is one target
		}
	}

	return &api.RegisterTargetsOutput{}, nil
}

// checkTarget validates a target that is to be registered.
func (s *Service) checkTarget(g *targetGroup, t types.TargetDescription) error {
	if t.Id == nil || *t.Id == "" {
		return wire.Invalid("A target ID must be specified")
	}

	if err := wire.InRange("targets.member.port", t.Port, 1, 65535); err != nil {
		return err
	}

	switch g.view.TargetType {
	case types.TargetTypeEnumLambda:
		if !strings.HasPrefix(*t.Id, "arn:aws:lambda:") {
			return wire.Invalid("Target ID '%s' is not a valid Lambda function ARN", *t.Id)
		}
		return nil
	case types.TargetTypeEnumInstance:
		if s.instances[*t.Id] == "" { // unknown, or stopped
			return wire.Failed("InvalidTarget", "The following targets are not in a running state and cannot be registered: '%s'", *t.Id)
		}
		if in := s.ec2.InstanceVPC(*t.Id); s.ec2.Elsewhere(in, *g.view.VpcId) {
			return wire.Failed("InvalidTarget", "The following targets are not in the target group VPC '%s': '%s'", *g.view.VpcId, *t.Id)
		}
		return nil
	case types.TargetTypeEnumAlb:
		return wire.Unmodelled("target type 'alb'")
	}

	return s.checkAddress(g, t)
}

// checkAddress holds ip targets to the group's address family and to the VPC.
// The texts about zones are quoted in aws-load-balancer-controller #3714, #561.
func (s *Service) checkAddress(g *targetGroup, t types.TargetDescription) error {
	address, err := netip.ParseAddr(*t.Id)
	v6 := g.view.IpAddressType == types.TargetGroupIpAddressTypeEnumIpv6
	if err != nil || address.Is6() != v6 {
		return wire.Invalid("The IP address '%s' is not a valid %s address", *t.Id, map[bool]string{false: "IPv4", true: "IPv6"}[v6])
	}
	if len(s.cfg.VPCCIDRs) == 0 {
		return nil
	}

	inside := slices.ContainsFunc(s.cfg.VPCCIDRs, func(p netip.Prefix) bool { return p.Contains(address) })
	switch {
	case !inside && t.AvailabilityZone == nil:
		return wire.Invalid("The Availability Zone is required for IP address '%s' because it is not in the VPC", *t.Id)
	case inside && t.AvailabilityZone != nil && *t.AvailabilityZone == "all":
		return wire.Invalid("The IP address '%s' is within the VPC, and cannot have its Availability Zone overridden to 'all' from '%sa'", *t.Id, s.cfg.Region)
	}

	return nil
}

func (s *Service) deregisterTargets(c *Call, in *api.DeregisterTargetsInput) (*api.DeregisterTargetsOutput, error) {
	g, err := s.group(c, in.TargetGroupArn)
	if err != nil {
		return nil, err
	}

	for _, t := range in.Targets {
		if t.Id == nil || *t.Id == "" {
			return nil, wire.Invalid("A target ID must be specified")
		}
	}

	for _, t := range in.Targets {
		if r := g.registrations[g.key(t)]; r != nil && !r.draining { // an unknown target is no error
			s.drain(g, r)
		}
	}

	return &api.DeregisterTargetsOutput{}, nil
}

func (s *Service) describeTargetHealth(c *Call, in *api.DescribeTargetHealthInput) (*api.DescribeTargetHealthOutput, error) {
	g, err := s.group(c, in.TargetGroupArn)
	if err != nil {
		return nil, err
	}

	at := time.Now().Add(-s.clock.Scaled(max(s.cfg.DescribeLag, c.Effect.Lag)))
	descriptions := []types.TargetHealthDescription{}
	if in.Targets == nil {
		for _, k := range g.known() {
			if h, ok := g.healthAt(k, at); ok {
				descriptions = append(descriptions, g.description(k, h))
			}
		}
		return &api.DescribeTargetHealthOutput{TargetHealthDescriptions: descriptions}, nil
	}

	for _, t := range in.Targets {
		if t.Id == nil || *t.Id == "" {
			return nil, wire.Invalid("A target ID must be specified")
		}
		k := g.key(t)
		h, ok := g.healthAt(k, at)
		if !ok {
			h = shown{Health: health.Of("unused", "Target.NotRegistered")}
		}
		descriptions = append(descriptions, g.description(k, h))
	}

	return &api.DescribeTargetHealthOutput{TargetHealthDescriptions: descriptions}, nil
}

// known are the targets that are or lately were in the group, oldest first.
func (g *targetGroup) known() []faults.Target {
	keys := make([]faults.Target, 0, len(g.history))
	for k := range g.history {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b faults.Target) int {
		return cmp.Or(cmp.Compare(g.history[a][0].seq, g.history[b][0].seq), cmp.Compare(a.ID, b.ID), cmp.Compare(a.Port, b.Port))
	})
	return keys
}

// description is one row of DescribeTargetHealth.
func (g *targetGroup) description(k faults.Target, h shown) types.TargetHealthDescription {
	d := types.TargetHealthDescription{
		Target:       &types.TargetDescription{Id: &k.ID, AvailabilityZone: h.zone},
		TargetHealth: &types.TargetHealth{State: types.TargetHealthStateEnum(h.State)},
	}
	if !g.lambda() {
		d.Target.Port = new(int32(k.Port))
		d.HealthCheckPort = g.view.HealthCheckPort
		if *g.view.HealthCheckPort == "traffic-port" {
			d.HealthCheckPort = new(strconv.Itoa(k.Port))
		}
	}

	if h.Reason != "" {
		d.TargetHealth.Reason = types.TargetHealthReasonEnum(h.Reason)
		d.TargetHealth.Description = &h.Description
	}

	if h.NoTraffic {
		d.AdministrativeOverride = &types.AdministrativeOverride{
			State:       types.TargetAdministrativeOverrideStateEnumZonalShiftActive,
			Reason:      types.TargetAdministrativeOverrideReasonEnumZonalShiftEngaged,
			Description: new("A zonal shift is active for the target's Availability Zone"),
		}
	}

	return d
}
