// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package elbv2

import (
	"slices"

	api "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/podgate/podgate/sim/awssim/wire"
)

// sslPolicy is a predefined security policy: the oldest and the newest version of TLS that it allows, by the last number.
type sslPolicy struct {
	name           string
	oldest, newest int
}

// sslPolicies are the policies of the guides, without their ciphers. The first is what a listener without a policy gets.
var sslPolicies = []sslPolicy{
	{"ELBSecurityPolicy-2016-08", 0, 2},
	{"ELBSecurityPolicy-2015-05", 0, 2},
	{"ELBSecurityPolicy-TLS-1-0-2015-04", 0, 2},
	{"ELBSecurityPolicy-TLS-1-1-2017-01", 1, 2},
	{"ELBSecurityPolicy-TLS-1-2-2017-01", 2, 2},
	{"ELBSecurityPolicy-TLS-1-2-Ext-2018-06", 2, 2},
	{"ELBSecurityPolicy-FS-2018-06", 0, 2},
	{"ELBSecurityPolicy-FS-1-1-2019-08", 1, 2},
	{"ELBSecurityPolicy-FS-1-2-2019-08", 2, 2},
	{"ELBSecurityPolicy-FS-1-2-Res-2019-08", 2, 2},
	{"ELBSecurityPolicy-FS-1-2-Res-2020-10", 2, 2},
	{"ELBSecurityPolicy-TLS13-1-0-2021-06", 0, 3},
	{"ELBSecurityPolicy-TLS13-1-1-2021-06", 1, 3},
	{"ELBSecurityPolicy-TLS13-1-2-2021-06", 2, 3},
	{"ELBSecurityPolicy-TLS13-1-2-Res-2021-06", 2, 3},
	{"ELBSecurityPolicy-TLS13-1-2-Ext1-2021-06", 2, 3},
	{"ELBSecurityPolicy-TLS13-1-2-Ext2-2021-06", 2, 3},
	{"ELBSecurityPolicy-TLS13-1-3-2021-06", 3, 3},
	{"ELBSecurityPolicy-TLS13-1-0-FIPS-2023-04", 0, 3},
	{"ELBSecurityPolicy-TLS13-1-1-FIPS-2023-04", 1, 3},
	{"ELBSecurityPolicy-TLS13-1-2-FIPS-2023-04", 2, 3},
	{"ELBSecurityPolicy-TLS13-1-2-Res-FIPS-2023-04", 2, 3},
	{"ELBSecurityPolicy-TLS13-1-2-Ext0-FIPS-2023-04", 2, 3},
	{"ELBSecurityPolicy-TLS13-1-2-Ext1-FIPS-2023-04", 2, 3},
	{"ELBSecurityPolicy-TLS13-1-2-Ext2-FIPS-2023-04", 2, 3},
	{"ELBSecurityPolicy-TLS13-1-3-FIPS-2023-04", 3, 3},
	{"ELBSecurityPolicy-TLS13-1-2-PQ-2025-09", 2, 3},
	{"ELBSecurityPolicy-TLS13-1-2-Res-PQ-2025-09", 2, 3},
	{"ELBSecurityPolicy-TLS13-1-3-PQ-2025-09", 3, 3},
}

var tlsVersions = []string{"TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"}

func (s *Service) describeSSLPolicies(_ *Call, in *api.DescribeSSLPoliciesInput) (*api.DescribeSSLPoliciesOutput, error) {
	found := []types.SslPolicy{}
	for _, p := range sslPolicies {
		if in.Names != nil && !slices.Contains(in.Names, p.name) || in.LoadBalancerType == types.LoadBalancerTypeEnumGateway {
			continue
		}
		found = append(found, types.SslPolicy{
			Name: &p.name, SslProtocols: tlsVersions[p.oldest : p.newest+1], SupportedLoadBalancerTypes: []string{"application", "network"},
		})
	}

	for _, name := range in.Names {
		if !slices.ContainsFunc(sslPolicies, func(p sslPolicy) bool { return p.name == name }) {
			return nil, wire.Failed("SSLPolicyNotFound", "SSL policy '%s' not found", name).Lacking("SSL policy '%s'", name)
		}
	}

	found, marker, err := wire.Page(found, func(p types.SslPolicy) string { return *p.Name }, in.Marker, in.PageSize)
	if err != nil {
		return nil, err
	}

	return &api.DescribeSSLPoliciesOutput{SslPolicies: found, NextMarker: marker}, nil
}
