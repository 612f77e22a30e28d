// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package elbv2 is the provider for target groups of AWS Elastic Load Balancing v2
// (ALB and NLB). It asks the API and changes members; it retries nothing, caches no
// answer, keeps no budget of calls and starts no goroutine: those are its callers'.
//
// It serves targets that are IP addresses; members of instance groups, Lambda
// groups and ALB groups do not appear in what it reports. AdministrativeOverride
// (a zonal shift) is not looked at: a target that AWS calls healthy is healthy here,
// although a shift may keep traffic away from it for a while.
//
// It has never run against AWS itself; what it knows comes from the service's model
// and documentation and from simulators.
package elbv2

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"

	"github.com/podgate/podgate/internal/balancer"
)

// DefaultCallTimeout bounds one call to AWS, getting credentials included.
const DefaultCallTimeout = 10 * time.Second

// api is what this provider uses of AWS.
type api interface {
	DescribeTargetHealth(context.Context, *elb.DescribeTargetHealthInput, ...func(*elb.Options)) (*elb.DescribeTargetHealthOutput, error)
	RegisterTargets(context.Context, *elb.RegisterTargetsInput, ...func(*elb.Options)) (*elb.RegisterTargetsOutput, error)
	DeregisterTargets(context.Context, *elb.DeregisterTargetsInput, ...func(*elb.Options)) (*elb.DeregisterTargetsOutput, error)
	DescribeTargetGroups(context.Context, *elb.DescribeTargetGroupsInput, ...func(*elb.Options)) (*elb.DescribeTargetGroupsOutput, error)
	DescribeTargetGroupAttributes(context.Context, *elb.DescribeTargetGroupAttributesInput, ...func(*elb.Options)) (*elb.DescribeTargetGroupAttributesOutput, error)
}

// Provider is ELBv2 in all regions. It is safe for concurrent use.
type Provider struct {
	// region is podgate's own; empty when it has none.
	region  string
	timeout time.Duration
	// unconfigured is why no call can be made; nil when calls can.
	unconfigured error
	connect      func(role) connection

	mu          sync.Mutex
	connections map[role]connection
}

var (
	_ balancer.Reporter  = (*Provider)(nil)
	_ balancer.Registrar = (*Provider)(nil)
	_ balancer.Resolver  = (*Provider)(nil)
)

// Option changes a Provider that New makes.
type Option func(*Provider)

// WithCallTimeout replaces DefaultCallTimeout.
func WithCallTimeout(d time.Duration) Option {
	return func(p *Provider) { p.timeout = d }
}

// Unconfigured makes a Provider whose calls all fail with the reason why there is no
// configuration, so that a binding says so and a podgate that needs no AWS does not.
func Unconfigured(why error) Option {
	return func(p *Provider) { p.unconfigured = why }
}

// New makes the provider. Groups are in region, but for those whose Ref names another;
// without a region each is where its ARN says. cfg brings credentials, endpoint and HTTP
// client, as the SDK's config package loads them from the environment; the SDK's
// retries are switched off. New makes no call.
func New(cfg aws.Config, region string, opts ...Option) *Provider {
	cfg = cfg.Copy()
	cfg.Retryer = func() aws.Retryer { return aws.NopRetryer{} }
	if cfg.HTTPClient == nil {
		cfg.HTTPClient = awshttp.NewBuildableClient()
	}

	cfg.HTTPClient = document{cfg.HTTPClient}

	p := &Provider{region: region, timeout: DefaultCallTimeout, connections: map[role]connection{}}
	for _, o := range opts {
		o(p)
	}

	p.connect = func(r role) connection { return dial(cfg, r, p.timeout) }
	return p
}

// connection gives the connection for ref's role and region, made once. Making it needs
// no network, so the lock is short.
func (p *Provider) connection(ref balancer.Ref) connection {
	r := role{region: p.regionOf(ref), arn: ref.RoleARN}
	if r.arn != "" {
		r.externalID = ref.ExternalID
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	c, ok := p.connections[r]
	if !ok {
		c = p.connect(r)
		p.connections[r] = c
	}
	return c
}

// call makes one call with its timeout and turns its error into a
// *provider.CallError.
func call[I, O any](ctx context.Context, p *Provider, c connection, op, subject string,
	send func(context.Context, *I, ...func(*elb.Options)) (*O, error), in *I) (*O, error) {
	if p.unconfigured != nil {
		return nil, &balancer.CallError{Op: op, Subject: subject, Kind: balancer.ErrDenied, Text: "the configuration for AWS cannot be read: " + p.unconfigured.Error()}
	}

	callCtx, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	out, err := send(callCtx, in)
	if err == nil {
		return out, nil
	}

	failed := &balancer.CallError{Op: op, Subject: subject}
	switch {
	case ctx.Err() != nil:
		failed.Text, failed.Cause = ctx.Err().Error(), ctx.Err()
	case callCtx.Err() != nil:
		failed.Text = "no answer within " + p.timeout.String()
		if creds := (*credentialsError)(nil); errors.As(err, &creds) {
			failed.Text = creds.what() + ": " + failed.Text
		}
	default:
		explain(failed, err)
	}

	if errors.Is(failed.Kind, balancer.ErrDenied) {
		c.forget()
	}

	return nil, failed
}
