// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package elbv2

import (
	"cmp"
	"strconv"

	api "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

// Quotas are the account's limits; a zero is AWS's own default.
type Quotas struct {
	TargetsPerGroup      int `json:"targetsPerGroup"`      // 1,000
	TargetGroups         int `json:"targetGroups"`         // 3,000
	LoadBalancers        int `json:"loadBalancers"`        // 50 of each type
	ListenersPerBalancer int `json:"listenersPerBalancer"` // 50
	RulesPerBalancer     int `json:"rulesPerBalancer"`     // 100, default rules not counted
	TagsPerResource      int `json:"tagsPerResource"`      // 50
}

// WithDefaults fills in what is not given.
func (q Quotas) WithDefaults() Quotas {
	return Quotas{
		TargetsPerGroup:      cmp.Or(q.TargetsPerGroup, 1000),
		TargetGroups:         cmp.Or(q.TargetGroups, 3000),
		LoadBalancers:        cmp.Or(q.LoadBalancers, 50),
		ListenersPerBalancer: cmp.Or(q.ListenersPerBalancer, 50),
		RulesPerBalancer:     cmp.Or(q.RulesPerBalancer, 100),
		TagsPerResource:      cmp.Or(q.TagsPerResource, 50),
	}
}

func (s *Service) describeAccountLimits(_ *Call, _ *api.DescribeAccountLimitsInput) (*api.DescribeAccountLimitsOutput, error) {
	limit := func(name string, value int) types.Limit {
		return types.Limit{Name: &name, Max: new(strconv.Itoa(value))}
	}

	q := s.cfg.Quotas
	return &api.DescribeAccountLimitsOutput{Limits: []types.Limit{
		limit("target-groups", q.TargetGroups),
		limit("targets-per-application-load-balancer", q.TargetsPerGroup),
		limit("targets-per-network-load-balancer", q.TargetsPerGroup),
		limit("application-load-balancers", q.LoadBalancers),
		limit("network-load-balancers", q.LoadBalancers),
		limit("listeners-per-application-load-balancer", q.ListenersPerBalancer),
		limit("listeners-per-network-load-balancer", q.ListenersPerBalancer),
		limit("rules-per-application-load-balancer", q.RulesPerBalancer),
		limit("certificates-per-application-load-balancer", extraCertificates),
		limit("certificates-per-network-load-balancer", extraCertificates),
	}}, nil
}
