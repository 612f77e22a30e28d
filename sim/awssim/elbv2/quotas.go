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

	// These are per application load balancer, or per one of its rules.
	TargetGroupsPerBalancer   int `json:"targetGroupsPerBalancer"`   // 100
	TargetGroupsPerAction     int `json:"targetGroupsPerAction"`     // 5
	ConditionValuesPerRule    int `json:"conditionValuesPerRule"`    // 5
	ConditionWildcardsPerRule int `json:"conditionWildcardsPerRule"` // 5; 6 in older accounts

	// CertificatesPerBalancer is how many certificates its listeners may have together, default ones not counted.
	CertificatesPerBalancer int `json:"certificatesPerBalancer"` // 25
	// TargetsPerBalancer counts the registrations in all groups of an application load balancer; a network load
	// balancer may have three times as many.
	TargetsPerBalancer int `json:"targetsPerBalancer"` // 1,000
	// RegistrationsPerTarget is how often a load balancer may have the same instance or address in its groups. 0: AWS no
	// longer documents such a quota; it was 100 (aws-load-balancer-controller #1068).
	RegistrationsPerTarget int `json:"registrationsPerTarget"`
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

		TargetGroupsPerBalancer:   cmp.Or(q.TargetGroupsPerBalancer, 100),
		TargetGroupsPerAction:     cmp.Or(q.TargetGroupsPerAction, 5),
		ConditionValuesPerRule:    cmp.Or(q.ConditionValuesPerRule, 5),
		ConditionWildcardsPerRule: cmp.Or(q.ConditionWildcardsPerRule, 5),
		CertificatesPerBalancer:   cmp.Or(q.CertificatesPerBalancer, 25),
		TargetsPerBalancer:        cmp.Or(q.TargetsPerBalancer, 1000),
		RegistrationsPerTarget:    q.RegistrationsPerTarget,
	}
}

// targetsOf is how many targets a load balancer may have (ALB guide and NLB guide, quotas).
func (q Quotas) targetsOf(b *loadBalancer) int {
	if b.application() {
		return q.TargetsPerBalancer
	}
	return 3 * q.TargetsPerBalancer
}

func (s *Service) describeAccountLimits(_ *Call, _ *api.DescribeAccountLimitsInput) (*api.DescribeAccountLimitsOutput, error) {
	limit := func(name string, value int) types.Limit {
		return types.Limit{Name: &name, Max: new(strconv.Itoa(value))}
	}

	q := s.cfg.Quotas
	return &api.DescribeAccountLimitsOutput{Limits: []types.Limit{
		limit("target-groups", q.TargetGroups),
		limit("targets-per-application-load-balancer", q.TargetsPerBalancer),
		limit("targets-per-network-load-balancer", 3*q.TargetsPerBalancer),
		limit("application-load-balancers", q.LoadBalancers),
		limit("network-load-balancers", q.LoadBalancers),
		limit("listeners-per-application-load-balancer", q.ListenersPerBalancer),
		limit("listeners-per-network-load-balancer", q.ListenersPerBalancer),
		limit("rules-per-application-load-balancer", q.RulesPerBalancer),
		limit("target-groups-per-application-load-balancer", q.TargetGroupsPerBalancer),
		limit("target-groups-per-action-on-application-load-balancer", q.TargetGroupsPerAction),
		limit("condition-values-per-alb-rule", q.ConditionValuesPerRule),
		limit("condition-wildcards-per-alb-rule", q.ConditionWildcardsPerRule),
		limit("certificates-per-application-load-balancer", q.CertificatesPerBalancer),
		limit("certificates-per-network-load-balancer", q.CertificatesPerBalancer),
	}}, nil
}
