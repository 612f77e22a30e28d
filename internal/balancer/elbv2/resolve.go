// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package elbv2

import (
	"context"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	podaws "github.com/podgate/podgate/internal/aws"
	"github.com/podgate/podgate/internal/balancer"
)

const (
	opResolve    = "describe target group"
	opAttributes = "describe target group attributes"

	delayAttribute = "deregistration_delay.timeout_seconds"
	// defaultDelay is AWS's, for a group whose attributes do not say.
	defaultDelay = 300 * time.Second
)

// Resolve implements provider.Resolver with two calls: the group and its attributes.
func (p *Provider) Resolve(ctx context.Context, wanted balancer.Group) (balancer.Group, error) {
	ref, name := wanted.Ref, wanted.Name
	in, subject := &elb.DescribeTargetGroupsInput{}, ref.Group
	switch {
	case ref.Group != "":
		if err := p.sessions.CheckARN(opResolve, ref, arns); err != nil {
			return balancer.Group{}, err
		}
		in.TargetGroupArns = []string{ref.Group}
	case name != "" && p.sessions.Region(ref) == "":
		return balancer.Group{}, podaws.NoRegion(opResolve, name, arns)
	case name != "":
		subject, in.Names = name, []string{name}
	default:
		return balancer.Group{}, &balancer.CallError{Op: opResolve, Kind: balancer.ErrInvalid, Text: "neither an ARN nor a name is given"}
	}

	c := p.sessions.Connection(ref)
	out, err := podaws.Call(ctx, c, opResolve, subject, c.API.DescribeTargetGroups, in)
	if err != nil {
		return balancer.Group{}, err
	}

	found, ok := pick(out.TargetGroups, ref.Group, name)
	if !ok {
		return balancer.Group{}, &balancer.CallError{Op: opResolve, Subject: subject, Kind: balancer.ErrNotFound,
			Text: "no such target group in region " + p.sessions.Region(ref)}
	}

	ref.Group = aws.ToString(found.TargetGroupArn)
	attributes, err := podaws.Call(ctx, c, opAttributes, ref.Group, c.API.DescribeTargetGroupAttributes,
		&elb.DescribeTargetGroupAttributesInput{TargetGroupArn: found.TargetGroupArn})
	if err != nil {
		return balancer.Group{}, err
	}

	return readGroup(ref, found, attributes.Attributes), nil
}

// pick finds what was asked for in the answer.
func pick(groups []types.TargetGroup, arn, name string) (types.TargetGroup, bool) {
	for _, g := range groups {
		if g.TargetGroupArn == nil {
			continue
		}
		if *g.TargetGroupArn == arn || (arn == "" && aws.ToString(g.TargetGroupName) == name) {
			return g, true
		}
	}
	return types.TargetGroup{}, false
}

func readGroup(ref balancer.Ref, g types.TargetGroup, attributes []types.TargetGroupAttribute) balancer.Group {
	return balancer.Group{
		Ref:           ref,
		Name:          aws.ToString(g.TargetGroupName),
		TargetType:    string(g.TargetType),
		Protocol:      string(g.Protocol),
		Version:       aws.ToString(g.ProtocolVersion),
		IPAddressType: string(g.IpAddressType),
		// An answer that does not say must not pass for checks switched off.
		HealthCheckEnabled:  g.HealthCheckEnabled == nil || *g.HealthCheckEnabled,
		HealthCheckInterval: time.Duration(aws.ToInt32(g.HealthCheckIntervalSeconds)) * time.Second,
		HealthCheckPort:     checked(g),
		HealthyThreshold:    int(aws.ToInt32(g.HealthyThresholdCount)),
		UnhealthyThreshold:  int(aws.ToInt32(g.UnhealthyThresholdCount)),
		DeregistrationDelay: delay(attributes),
	}
}

// checked is the port at which all targets of a group are checked; 0 when it is that of each target's requests.
func checked(g types.TargetGroup) int32 {
	port, err := strconv.ParseInt(aws.ToString(g.HealthCheckPort), 10, 32)
	if err != nil {
		return 0 // traffic-port
	}
	return int32(port)
}

func delay(attributes []types.TargetGroupAttribute) time.Duration {
	for _, a := range attributes {
		if aws.ToString(a.Key) != delayAttribute {
			continue
		}
		if seconds, err := strconv.Atoi(aws.ToString(a.Value)); err == nil && seconds >= 0 {
			return time.Duration(seconds) * time.Second
		}
	}
	return defaultDelay
}
