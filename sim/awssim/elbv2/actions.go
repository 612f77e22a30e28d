// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package elbv2

import (
	"net/netip"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/podgate/podgate/sim/awssim/wire"
)

// groupsOf are the target groups that actions forward to.
func groupsOf(actions []types.Action) []string {
	var arns []string
	for _, a := range actions {
		if a.ForwardConfig == nil {
			continue
		}
		for _, t := range a.ForwardConfig.TargetGroups {
			arns = append(arns, *t.TargetGroupArn)
		}
	}
	return arns
}

// checkActions validates actions, and returns them as
// answers show them: a forward to one group in both of its forms.
func (s *Service) checkActions(c *Call, b *loadBalancer, actions []types.Action) ([]types.Action, error) {
	if len(actions) == 0 {
		return nil, wire.Invalid("An action must be specified")
	}
	if len(actions) > 1 {
		return nil, wire.Failed("TooManyActions", "awssim models one action a rule: forward, redirect or fixed-response").Lacking("several actions of one rule")
	}

	a := actions[0]
	if !b.application() && a.Type != types.ActionTypeEnumForward {
		return nil, wire.Failed("InvalidLoadBalancerAction", "Network load balancers support only forward actions")
	}

	switch a.Type {
	case types.ActionTypeEnumForward:
		checked, err := s.checkForward(c, b, a)
		return []types.Action{checked}, err

	case types.ActionTypeEnumFixedResponse:
		if a.FixedResponseConfig == nil || a.FixedResponseConfig.StatusCode == nil {
			return nil, wire.Invalid("A fixed-response action must have a status code")
		}

	case types.ActionTypeEnumRedirect:
		if a.RedirectConfig == nil || a.RedirectConfig.StatusCode == "" {
			return nil, wire.Invalid("A redirect action must have a status code")
		}
		a.RedirectConfig = wholeRedirect(*a.RedirectConfig)

	default:
		return nil, wire.Failed("InvalidLoadBalancerAction", "awssim does not model actions of type '%s'", a.Type).Lacking("actions of type '%s'", a.Type)
	}

	return []types.Action{a}, nil
}

// wholeRedirect is a redirect as answers show it: the parts that it keeps are placeholders (API_RedirectActionConfig).
func wholeRedirect(r types.RedirectActionConfig) *types.RedirectActionConfig {
	for part, kept := range map[**string]string{
		&r.Protocol: "#{protocol}", &r.Host: "#{host}", &r.Port: "#{port}", &r.Path: "/#{path}", &r.Query: "#{query}",
	} {
		if *part == nil {
			*part = &kept
		}
	}
	return &r
}

// checkForward validates a forward action, and returns
// it with both of its forms filled in.
func (s *Service) checkForward(c *Call, b *loadBalancer, a types.Action) (types.Action, error) {
	tuples, err := tuplesOf(a)
	if err != nil {
		return a, err
	}

	if len(tuples) > s.cfg.Quotas.TargetGroupsPerAction {
		return a, wire.Invalid("A forward action can only have '%d' target groups", s.cfg.Quotas.TargetGroupsPerAction)
	}
	for i := range tuples {
		if err := s.checkTuple(c, b, &tuples[i]); err != nil {
			return a, err
		}
	}

	sticky := &types.TargetGroupStickinessConfig{Enabled: new(false)}
	if a.ForwardConfig != nil && a.ForwardConfig.TargetGroupStickinessConfig != nil {
		sticky = a.ForwardConfig.TargetGroupStickinessConfig
	}

	a.ForwardConfig = &types.ForwardActionConfig{TargetGroups: tuples, TargetGroupStickinessConfig: sticky}
	if len(tuples) == 1 {
		a.TargetGroupArn = tuples[0].TargetGroupArn
	}

	return a, nil
}

// tuplesOf are the target groups of a forward action, in whichever form it names them.
func tuplesOf(a types.Action) ([]types.TargetGroupTuple, error) {
	var tuples []types.TargetGroupTuple
	if a.ForwardConfig != nil {
		tuples = slices.Clone(a.ForwardConfig.TargetGroups)
	}

	switch {
	case a.TargetGroupArn == nil && len(tuples) == 0:
		return nil, wire.Invalid("A target group ARN must be specified")
	case a.TargetGroupArn != nil && len(tuples) == 0:
		return []types.TargetGroupTuple{{TargetGroupArn: a.TargetGroupArn}}, nil
	case a.TargetGroupArn != nil && (len(tuples) > 1 || tuples[0].TargetGroupArn == nil || *tuples[0].TargetGroupArn != *a.TargetGroupArn):
		return nil, wire.Invalid("You can't specify both a target group ARN and a forward config that names other target groups")
	}

	return tuples, nil
}

// checkTuple validates forwarding to one target group, and gives it a weight.
func (s *Service) checkTuple(c *Call, b *loadBalancer, t *types.TargetGroupTuple) error {
	if t.TargetGroupArn == nil {
		return wire.Invalid("A target group ARN must be specified")
	}

	g, err := s.group(c, t.TargetGroupArn)
	if err != nil {
		return err
	}
	if b.application() != (g.http() || g.lambda()) {
		return wire.Failed("InvalidConfigurationRequest", "The target group '%s' has a protocol that load balancers of type '%s' do not support", g.arn(), b.view.Type)
	}

	if g.view.VpcId != nil && s.ec2.Elsewhere(*g.view.VpcId, *b.view.VpcId) {
		return wire.Failed("InvalidConfigurationRequest", "The target group '%s' is not in the VPC of the load balancer, '%s'", g.arn(), *b.view.VpcId)
	}

	for _, other := range s.usedBy(g) {
		if other != b.arn() {
			return wire.Failed("TargetGroupAssociationLimit", "The following target groups cannot be associated with more than one load balancer: '%s'", g.arn())
		}
	}

	if t.Weight == nil {
		t.Weight = new(int32(1))
	}

	return wire.InRange("weight", t.Weight, 0, 999)
}

// checkConditions validates conditions, and returns
// them with both forms of path and host conditions filled in.
func (q Quotas) checkConditions(conditions []types.RuleCondition) ([]types.RuleCondition, error) {
	if len(conditions) == 0 {
		return nil, wire.Invalid("A condition must be specified")
	}

	checked := []types.RuleCondition{}
	for _, c := range conditions {
		if c.Field == nil {
			return nil, wire.Invalid("A condition field must be specified")
		}
		if c.RegexValues != nil {
			return nil, wire.Unmodelled("regular expressions in conditions")
		}
		if err := checkCondition(&c); err != nil {
			return nil, err
		}
		checked = append(checked, c)
	}

	return checked, q.checkValues(checked)
}

func checkCondition(c *types.RuleCondition) error {
	missing := wire.Invalid("A condition value must be specified for '%s'", *c.Field)
	switch *c.Field {
	case "path-pattern":
		if c.PathPatternConfig == nil {
			c.PathPatternConfig = &types.PathPatternConditionConfig{Values: c.Values}
		}
		c.Values = c.PathPatternConfig.Values
		return whenEmpty(c.Values, missing)

	case "host-header":
		if c.HostHeaderConfig == nil {
			c.HostHeaderConfig = &types.HostHeaderConditionConfig{Values: c.Values}
		}
		c.Values = c.HostHeaderConfig.Values
		return whenEmpty(c.Values, missing)

	case "http-header":
		if c.HttpHeaderConfig == nil || c.HttpHeaderConfig.HttpHeaderName == nil {
			return missing
		}
		return whenEmpty(c.HttpHeaderConfig.Values, missing)

	case "http-request-method":
		if c.HttpRequestMethodConfig == nil {
			return missing
		}
		return whenEmpty(c.HttpRequestMethodConfig.Values, missing)

	case "query-string":
		if c.QueryStringConfig == nil {
			return missing
		}
		return whenEmpty(c.QueryStringConfig.Values, missing)

	case "source-ip":
		if c.SourceIpConfig == nil {
			return missing
		}
		for _, v := range c.SourceIpConfig.Values {
			if _, err := netip.ParsePrefix(v); err != nil {
				return wire.Invalid("Condition value '%s' is not a valid CIDR", v)
			}
		}
		return whenEmpty(c.SourceIpConfig.Values, missing)
	}

	return wire.Invalid("Condition field '%s' must be one of '[path-pattern,host-header,http-header,http-request-method,query-string,source-ip]'", *c.Field)
}

func whenEmpty[T any](values []T, problem *wire.APIError) error {
	if len(values) == 0 {
		return problem
	}
	return nil
}
