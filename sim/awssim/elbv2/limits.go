// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package elbv2

import (
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/podgate/podgate/sim/awssim/faults"
	"github.com/podgate/podgate/sim/awssim/wire"
)

// checkValues holds the conditions of a rule to the quotas of values and wildcards, which count those of all its
// conditions. The text about values is quoted in aws/aws-cdk #10065; the other is built like it.
func (q Quotas) checkValues(conditions []types.RuleCondition) error {
	values, wildcards := 0, 0
	for _, c := range conditions {
		for _, v := range valuesOf(c) {
			values++
			wildcards += strings.Count(v, "*") + strings.Count(v, "?")
		}
	}

	switch {
	case values > q.ConditionValuesPerRule:
		return wire.Invalid("A rule can only have '%d' condition values", q.ConditionValuesPerRule)
	case wildcards > q.ConditionWildcardsPerRule:
		return wire.Invalid("A rule can only have '%d' condition wildcards", q.ConditionWildcardsPerRule)
	}

	return nil
}

// valuesOf are the values of a checked condition. A query string's key and value are one.
func valuesOf(c types.RuleCondition) []string {
	switch {
	case c.HttpHeaderConfig != nil:
		return c.HttpHeaderConfig.Values
	case c.HttpRequestMethodConfig != nil:
		return c.HttpRequestMethodConfig.Values
	case c.SourceIpConfig != nil:
		return c.SourceIpConfig.Values
	case c.QueryStringConfig != nil:
		var values []string
		for _, pair := range c.QueryStringConfig.Values {
			text := ""
			if pair.Key != nil {
				text = *pair.Key
			}
			if pair.Value != nil {
				text += *pair.Value
			}
			values = append(values, text)
		}
		return values
	}
	return c.Values
}

// checkReach holds a load balancer to the quotas of target groups and targets, as they will be once it has these actions
// in place of those of replaced, or beside the others if that is nil.
func (s *Service) checkReach(b *loadBalancer, actions []types.Action, replaced *rule) error {
	reached := s.reached(b, replaced)
	for _, arn := range groupsOf(actions) {
		reached[arn] = true
	}

	if b.application() && len(reached) > s.cfg.Quotas.TargetGroupsPerBalancer {
		return wire.Failed("TooManyUniqueTargetGroupsPerLoadBalancer", "The maximum number of unique target groups has been reached for load balancer '%s'", b.arn())
	}
	return s.checkTargetsOf(b, reached, nil)
}

// checkTargetsPerBalancer holds the load balancer of a group to its quotas, if targets are added to the group.
func (s *Service) checkTargetsPerBalancer(g *targetGroup, added map[faults.Target]bool) error {
	for _, r := range s.rules {
		if slices.Contains(groupsOf(r.view.Actions), g.arn()) {
			b := r.listener.balancer // a group has one
			return s.checkTargetsOf(b, s.reached(b, nil), added)
		}
	}
	return nil
}

func (s *Service) checkTargetsOf(b *loadBalancer, groups map[string]bool, added map[faults.Target]bool) error {
	times := map[string]int{} // by id
	for k := range added {
		times[k.ID]++
	}
	targets := len(added)
	for arn := range groups {
		for k, r := range s.groups[arn].registrations {
			if !r.draining {
				times[k.ID]++
				targets++
			}
		}
	}

	if targets > s.cfg.Quotas.targetsOf(b) {
		return wire.Failed("TooManyTargets", "The maximum number of targets has been reached for load balancer '%s'", b.arn())
	}

	for _, id := range slices.Sorted(maps.Keys(times)) {
		if most := s.cfg.Quotas.RegistrationsPerTarget; most > 0 && times[id] > most {
			return wire.Failed("TooManyRegistrationsForTargetId", "The maximum number of registrations of target '%s' has been reached for load balancer '%s'", id, b.arn())
		}
	}

	return nil
}

// reached are the target groups that a load balancer forwards to, but for one of its rules.
func (s *Service) reached(b *loadBalancer, but *rule) map[string]bool {
	groups := map[string]bool{}
	for _, r := range s.rules {
		if r.listener.balancer != b || r == but {
			continue
		}
		for _, arn := range groupsOf(r.view.Actions) {
			groups[arn] = true
		}
	}
	return groups
}

// registered is how many targets of a group are not draining.
func (g *targetGroup) registered() int {
	n := 0
	for _, r := range g.registrations {
		if !r.draining {
			n++
		}
	}
	return n
}
