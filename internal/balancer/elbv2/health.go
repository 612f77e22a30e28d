// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package elbv2

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	podaws "github.com/podgate/podgate/internal/aws"
	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/gate"
)

const opHealth = "describe target health"

// Health implements provider.Reporter with one call: the API does not page this list.
func (p *Provider) Health(ctx context.Context, g balancer.Group) (map[gate.Target]gate.Health, error) {
	ref := g.Ref
	if err := p.sessions.CheckARN(opHealth, ref, arns); err != nil {
		return nil, err
	}

	c := p.sessions.Connection(ref)
	out, err := podaws.Call(ctx, c, opHealth, ref.Group, c.API.DescribeTargetHealth,
		&elb.DescribeTargetHealthInput{TargetGroupArn: aws.String(ref.Group)})
	if err != nil {
		return nil, err
	}

	healths, err := readHealths(out.TargetHealthDescriptions)
	if err != nil {
		return nil, &balancer.CallError{Op: opHealth, Subject: ref.Group, Text: "the answer makes no sense: " + err.Error()}
	}

	return healths, nil
}

// readHealths reads all rows or none. Targets that are neither IP addresses nor instances are left out.
// A target with two rows (two zones) is healthy only when both say so.
func readHealths(rows []types.TargetHealthDescription) (map[gate.Target]gate.Health, error) {
	healths := make(map[gate.Target]gate.Health, len(rows))
	for _, row := range rows {
		if row.Target == nil || row.Target.Id == nil {
			return nil, errors.New("a row without a target")
		}

		if _, err := netip.ParseAddr(*row.Target.Id); err != nil && !gate.IsInstance(*row.Target.Id) {
			continue
		}

		target, err := gate.ParseTarget(*row.Target.Id, aws.ToInt32(row.Target.Port))
		if err != nil {
			return nil, fmt.Errorf("target %s: %w", *row.Target.Id, err)
		}
		if row.TargetHealth == nil || row.TargetHealth.State == "" {
			return nil, fmt.Errorf("target %s without a state", target)
		}

		health := readHealth(row.TargetHealth)
		if other, twice := healths[target]; twice {
			health = lesser(health, other)
		}

		healths[target] = health
	}

	return healths, nil
}

var states = map[types.TargetHealthStateEnum]gate.State{
	types.TargetHealthStateEnumInitial:           gate.Initial,
	types.TargetHealthStateEnumHealthy:           gate.Healthy,
	types.TargetHealthStateEnumUnhealthy:         gate.Unhealthy,
	types.TargetHealthStateEnumUnhealthyDraining: gate.UnhealthyDraining,
	types.TargetHealthStateEnumUnused:            gate.Unused,
	types.TargetHealthStateEnumDraining:          gate.Draining,
	types.TargetHealthStateEnumUnavailable:       gate.Unavailable,
}

// ownPrefix begins the reasons that are the load balancer's own state or trouble.
const ownPrefix = "Elb."

// unexplained are the reasons of targets for which the API gives none.
var unexplained = map[gate.State]string{
	gate.Unknown:           "Target.Unknown",
	gate.Initial:           "Target.Initial",
	gate.Unhealthy:         "Target.Unhealthy",
	gate.UnhealthyDraining: "Target.Unhealthy.draining",
	gate.Unused:            "Target.Unused",
	gate.Draining:          "Target.Draining",
	gate.Unavailable:       "Target.Unavailable",
}

// readHealth keeps the API's reason and description, also of a state that this
// version does not know; healthy has neither.
func readHealth(h *types.TargetHealth) gate.Health {
	state := states[h.State]
	if state == gate.Healthy {
		return gate.Health{State: gate.Healthy}
	}

	health := gate.Health{
		State: state, Reason: string(h.Reason), Description: aws.ToString(h.Description),
		Own: strings.HasPrefix(string(h.Reason), ownPrefix),
		// Other targets that are unused are not registered, stopped or reserved: no policy is about them.
		NotInUse: state == gate.Unused && (h.Reason == "" || h.Reason == types.TargetHealthReasonEnumNotInUse),
	}
	if health.Reason == "" {
		health.Reason = unexplained[state]
	}

	return health
}

// lesser picks the row that is not healthy; of two such rows always the same one.
func lesser(a, b gate.Health) gate.Health {
	if a.State == gate.Healthy {
		return b
	}
	if b.State == gate.Healthy || a.State < b.State {
		return a
	}
	return b
}
