// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package elbv2

import (
	"cmp"
	"slices"
	"strconv"
	"time"

	api "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/podgate/podgate/sim/awssim/wire"
)

type rule struct {
	account  string
	seq      int64
	listener *listener
	view     types.Rule
	made     time.Time
}

func (r *rule) arn() string { return *r.view.RuleArn }

// priority orders rules; the default rule is the last.
func (r *rule) priority() int {
	if *r.view.IsDefault {
		return 1 << 20
	}
	n, _ := strconv.Atoi(*r.view.Priority) // written by setPriority
	return n
}

func (s *Service) rule(c *Call, arn *string) (*rule, error) {
	if err := s.checkARN(c, kindRule, *arn); err != nil {
		return nil, err
	}
	r := s.rules[*arn]
	if r == nil || s.unseen(c, r.made) {
		return nil, kindRule.notFound()
	}
	return r, nil
}

// rulesOf are the rules of a listener in the order in which they apply.
func (s *Service) rulesOf(l *listener) []*rule {
	list := slices.DeleteFunc(sorted(s.rules), func(r *rule) bool { return r.listener != l })
	slices.SortStableFunc(list, func(a, b *rule) int { return cmp.Compare(a.priority(), b.priority()) })
	return list
}

func (s *Service) defaultRule(l *listener) *rule {
	list := s.rulesOf(l)
	return list[len(list)-1]
}

func (s *Service) addRule(l *listener, view types.Rule) *rule {
	view.RuleArn = new(s.arn(l.account, "listener-rule/"+l.path()+"/"+wire.Suffix()))
	r := &rule{account: l.account, seq: s.next(), listener: l, view: view, made: time.Now()}
	s.rules[r.arn()] = r
	s.reroute(l)
	return r
}

func (s *Service) dropRule(r *rule) {
	delete(s.rules, r.arn())
	delete(s.tags, r.arn())
	s.reroute(r.listener)
}

func (s *Service) createRule(c *Call, in *api.CreateRuleInput) (*api.CreateRuleOutput, error) {
	l, err := s.listener(c, in.ListenerArn)
	if err != nil {
		return nil, err
	}

	view, err := s.newRuleView(c, l, in)
	if err != nil {
		return nil, err
	}

	if err := s.checkPriority(l, int(*in.Priority)); err != nil {
		return nil, err
	}
	if err := s.checkReach(l.balancer, view.Actions, nil); err != nil {
		return nil, err
	}

	r := s.addRule(l, view)
	if err := s.tagNew(r.arn(), in.Tags); err != nil {
		s.dropRule(r)
		return nil, err
	}

	s.refreshUse()
	return &api.CreateRuleOutput{Rules: []types.Rule{r.view}}, nil
}

// newRuleView checks a request for a rule, and returns the rule as answers show it.
func (s *Service) newRuleView(c *Call, l *listener, in *api.CreateRuleInput) (types.Rule, error) {
	if !l.balancer.application() {
		return types.Rule{}, wire.Failed("UnsupportedProtocol", "Rules are not supported for listeners of network load balancers")
	}
	if in.Transforms != nil {
		return types.Rule{}, wire.Unmodelled("rule transforms")
	}

	if err := wire.InRange("priority", in.Priority, 1, 50000); err != nil {
		return types.Rule{}, err
	}

	actions, err := s.checkActions(c, l.balancer, in.Actions)
	if err != nil {
		return types.Rule{}, err
	}

	conditions, err := s.cfg.Quotas.checkConditions(in.Conditions)
	if err != nil {
		return types.Rule{}, err
	}

	return types.Rule{IsDefault: new(false), Priority: new(strconv.Itoa(int(*in.Priority))), Actions: actions, Conditions: conditions}, nil
}

// checkPriority returns an error unless a listener has room for a rule: its priority is free, and the quota not used up.
func (s *Service) checkPriority(l *listener, priority int) error {
	count := 0
	for _, r := range s.rules {
		if r.listener.balancer == l.balancer && !*r.view.IsDefault {
			count++
		}
		if r.listener == l && r.priority() == priority {
			return wire.Failed("PriorityInUse", "Priority '%d' is currently in use", priority)
		}
	}

	if count >= s.cfg.Quotas.RulesPerBalancer {
		return wire.Failed("TooManyRules", "The maximum number of rules has been reached for load balancer '%s'", l.balancer.arn())
	}

	return nil
}

func (s *Service) describeRules(c *Call, in *api.DescribeRulesInput) (*api.DescribeRulesOutput, error) {
	if (in.ListenerArn == nil) == (in.RuleArns == nil) {
		return nil, wire.Invalid("You must specify either listener rule ARNs or a listener ARN")
	}

	found := []types.Rule{}
	for _, arn := range in.RuleArns {
		r, err := s.rule(c, &arn)
		if err != nil {
			return nil, err
		}
		found = append(found, r.view)
	}

	if in.ListenerArn != nil {
		l, err := s.listener(c, in.ListenerArn)
		if err != nil {
			return nil, err
		}
		for _, r := range s.rulesOf(l) {
			if !s.unseen(c, r.made) {
				found = append(found, r.view)
			}
		}
	}

	found, marker, err := wire.Page(found, func(r types.Rule) string { return *r.RuleArn }, in.Marker, in.PageSize)
	if err != nil {
		return nil, err
	}

	return &api.DescribeRulesOutput{Rules: found, NextMarker: marker}, nil
}

func (s *Service) modifyRule(c *Call, in *api.ModifyRuleInput) (*api.ModifyRuleOutput, error) {
	r, err := s.rule(c, in.RuleArn)
	if err != nil {
		return nil, err
	}
	if *r.view.IsDefault {
		return nil, wire.Failed("OperationNotPermitted", "Default rule '%s' cannot be modified", r.arn())
	}
	if in.Transforms != nil {
		return nil, wire.Unmodelled("rule transforms")
	}

	view := r.view
	if in.Actions != nil {
		if view.Actions, err = s.checkActions(c, r.listener.balancer, in.Actions); err != nil {
			return nil, err
		}
		if err := s.checkReach(r.listener.balancer, view.Actions, r); err != nil {
			return nil, err
		}
	}

	if in.Conditions != nil {
		if view.Conditions, err = s.cfg.Quotas.checkConditions(in.Conditions); err != nil {
			return nil, err
		}
	}

	r.view = view
	s.reroute(r.listener)
	s.refreshUse()

	return &api.ModifyRuleOutput{Rules: []types.Rule{r.view}}, nil
}

func (s *Service) deleteRule(c *Call, in *api.DeleteRuleInput) (*api.DeleteRuleOutput, error) {
	r, err := s.rule(c, in.RuleArn)
	if err != nil {
		return nil, err
	}
	if *r.view.IsDefault {
		return nil, wire.Failed("OperationNotPermitted", "Default rule '%s' cannot be deleted", r.arn())
	}
	s.dropRule(r)
	s.refreshUse()
	return &api.DeleteRuleOutput{}, nil
}

func (s *Service) setRulePriorities(c *Call, in *api.SetRulePrioritiesInput) (*api.SetRulePrioritiesOutput, error) {
	wanted := map[*rule]int32{}
	for _, p := range in.RulePriorities {
		if p.RuleArn == nil || p.Priority == nil {
			return nil, wire.Invalid("A rule ARN and a priority must be specified")
		}

		r, err := s.rule(c, p.RuleArn)
		if err != nil {
			return nil, err
		}
		if *r.view.IsDefault {
			return nil, wire.Failed("OperationNotPermitted", "The priority of default rule '%s' cannot be modified", r.arn())
		}

		if err := wire.InRange("priority", p.Priority, 1, 50000); err != nil {
			return nil, err
		}

		wanted[r] = *p.Priority
	}

	for r, priority := range wanted {
		for _, other := range s.rulesOf(r.listener) {
			at := other.priority()
			if moved, ok := wanted[other]; ok {
				at = int(moved)
			}
			if other != r && at == int(priority) {
				return nil, wire.Failed("PriorityInUse", "Priority '%d' is currently in use", priority)
			}
		}
	}

	changed := []types.Rule{}
	for _, p := range in.RulePriorities {
		r := s.rules[*p.RuleArn]
		r.view.Priority = new(strconv.Itoa(int(*p.Priority)))
		s.reroute(r.listener)
		changed = append(changed, r.view)
	}

	return &api.SetRulePrioritiesOutput{Rules: changed}, nil
}
