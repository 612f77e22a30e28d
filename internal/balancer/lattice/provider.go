// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package lattice is the provider for target groups of Amazon VPC Lattice. It asks the API
// and changes members; it retries nothing, keeps no budget of calls and starts no goroutine:
// those are its callers'. Of answers it remembers little, and only where groups are found by
// tags: which groups there are, for some seconds, what they are like, for a minute, which Service
// their tags name, for some minutes, and which of them are for different ports, for a day.
//
// It serves targets that are IP addresses; members of groups of instances, Lambda functions
// and ALBs do not appear in what it reports.
//
// It has never run against AWS itself; what it knows comes from the service's model
// and documentation and from simulators.
package lattice

import (
	"bytes"
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/vpclattice"

	podaws "github.com/podgate/podgate/internal/aws"
	"github.com/podgate/podgate/internal/balancer"
)

// api is what this provider uses of AWS.
type api interface {
	ListTargets(context.Context, *vpclattice.ListTargetsInput, ...func(*vpclattice.Options)) (*vpclattice.ListTargetsOutput, error)
	RegisterTargets(context.Context, *vpclattice.RegisterTargetsInput, ...func(*vpclattice.Options)) (*vpclattice.RegisterTargetsOutput, error)
	DeregisterTargets(context.Context, *vpclattice.DeregisterTargetsInput, ...func(*vpclattice.Options)) (*vpclattice.DeregisterTargetsOutput, error)
	GetTargetGroup(context.Context, *vpclattice.GetTargetGroupInput, ...func(*vpclattice.Options)) (*vpclattice.GetTargetGroupOutput, error)
	ListTargetGroups(context.Context, *vpclattice.ListTargetGroupsInput, ...func(*vpclattice.Options)) (*vpclattice.ListTargetGroupsOutput, error)
	ListTagsForResource(context.Context, *vpclattice.ListTagsForResourceInput, ...func(*vpclattice.Options)) (*vpclattice.ListTagsForResourceOutput, error)
}

// connection is a client with one role in one region.
type connection = podaws.Connection[api]

// Provider is VPC Lattice in all regions. It is safe for concurrent use.
type Provider struct {
	sessions *podaws.Sessions[api]
	searches searches
	ports    ports
	now      func() time.Time
}

var (
	_ balancer.Reporter  = (*Provider)(nil)
	_ balancer.Registrar = (*Provider)(nil)
	_ balancer.Resolver  = (*Provider)(nil)
)

// New makes the provider, without a call. podaws.New says what its arguments are.
func New(cfg aws.Config, region string, opts ...podaws.Option) *Provider {
	return over(cfg, region, func(cfg aws.Config) api { return vpclattice.NewFromConfig(cfg) }, opts...)
}

// over makes the provider with clients that client makes.
func over(cfg aws.Config, region string, client func(aws.Config) api, opts ...podaws.Option) *Provider {
	return &Provider{now: time.Now, sessions: podaws.New(cfg, region, podaws.Service[api]{Client: client, Kinds: kinds, Document: isObject}, opts...)}
}

// isObject reports whether an answer begins as a JSON object. The SDK takes an empty answer for one
// without content, and a group without targets is news.
func isObject(head []byte) bool { return bytes.HasPrefix(bytes.TrimLeft(head, " \t\r\n"), []byte("{")) }
