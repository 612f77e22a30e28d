// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package elbv2 is the provider for target groups of AWS Elastic Load Balancing v2
// (ALB and NLB). It asks the API and changes members; it retries nothing, caches no
// answer, keeps no budget of calls and starts no goroutine: those are its callers'.
//
// It serves targets that are IP addresses or instances; members of Lambda groups and
// ALB groups do not appear in what it reports. AdministrativeOverride
// (a zonal shift) is not looked at: a target that AWS calls healthy is healthy here,
// although a shift may keep traffic away from it for a while.
//
// It has never run against AWS itself; what it knows comes from the service's model
// and documentation and from simulators.
package elbv2

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"

	podaws "github.com/podgate/podgate/internal/aws"
	"github.com/podgate/podgate/internal/balancer"
)

// api is what this provider uses of AWS.
type api interface {
	DescribeTargetHealth(context.Context, *elb.DescribeTargetHealthInput, ...func(*elb.Options)) (*elb.DescribeTargetHealthOutput, error)
	RegisterTargets(context.Context, *elb.RegisterTargetsInput, ...func(*elb.Options)) (*elb.RegisterTargetsOutput, error)
	DeregisterTargets(context.Context, *elb.DeregisterTargetsInput, ...func(*elb.Options)) (*elb.DeregisterTargetsOutput, error)
	DescribeTargetGroups(context.Context, *elb.DescribeTargetGroupsInput, ...func(*elb.Options)) (*elb.DescribeTargetGroupsOutput, error)
	DescribeTargetGroupAttributes(context.Context, *elb.DescribeTargetGroupAttributesInput, ...func(*elb.Options)) (*elb.DescribeTargetGroupAttributesOutput, error)
}

// Provider is ELBv2 in all regions. It is safe for concurrent use.
type Provider struct{ sessions *podaws.Sessions[api] }

var (
	_ balancer.Reporter  = (*Provider)(nil)
	_ balancer.Registrar = (*Provider)(nil)
	_ balancer.Resolver  = (*Provider)(nil)
)

// New makes the provider, without a call. podaws.New says what its arguments are.
func New(cfg aws.Config, region string, opts ...podaws.Option) *Provider {
	return over(cfg, region, func(cfg aws.Config) api { return elb.NewFromConfig(cfg) }, opts...)
}

// over makes the provider with clients that client makes.
func over(cfg aws.Config, region string, client func(aws.Config) api, opts ...podaws.Option) *Provider {
	return &Provider{podaws.New(cfg, region, podaws.Service[api]{Client: client, Kinds: kinds, Document: podaws.HasElement}, opts...)}
}
