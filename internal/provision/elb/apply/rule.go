// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/provision/elb"
)

// rule returns a rule that carries the stack's tags, and its listener.
func (p performer) rule(arn string) (*elb.ObservedListener, *elb.ObservedRule) {
	for i := range p.seen.LoadBalancers {
		lb := &p.seen.LoadBalancers[i]
		for j := range lb.Listeners {
			l := &lb.Listeners[j]
			for k := range l.Has {
				if r := &l.Has[k]; r.ARN == arn && r.Own {
					return l, r
				}
			}
		}
	}
	return nil, nil
}

func (p performer) changeRule(ctx context.Context, step elb.Step) error {
	switch s := step.(type) {
	case elb.CreateRule:
		return p.createRule(ctx, s)

	case elb.ModifyRule:
		l, r := p.rule(s.ARN)
		if r == nil {
			return strange(step)
		}
		in := &elbv2.ModifyRuleInput{RuleArn: &s.ARN, Actions: actionsFor(s.Action, l.Protocol)}
		out, err := call(ctx, p.Cloud, "ModifyRule", s.ARN, (*elbv2.Client).ModifyRule, in)
		if err != nil {
			return err
		}
		for _, now := range out.Rules {
			r.Action = actionOf(now.Actions)
		}

	case elb.ReplaceRule:
		l, r := p.rule(s.ARN)
		if r == nil {
			return strange(step)
		}
		in := &elbv2.ModifyRuleInput{RuleArn: &s.ARN, Conditions: conditionsFor(s.Rule.Match), Actions: actionsFor(s.Rule.Action, l.Protocol)}
		out, err := call(ctx, p.Cloud, "ModifyRule", s.ARN, (*elbv2.Client).ModifyRule, in)
		if err != nil {
			return err
		}
		for _, answer := range out.Rules {
			now := ruleOf(answer)
			r.Match, r.Action = now.Match, now.Action
		}

	case elb.SetPriorities:
		return p.setPriorities(ctx, s)

	case elb.DeleteRule:
		l, r := p.rule(s.ARN)
		if r == nil {
			return strange(step)
		}
		_, err := call(ctx, p.Cloud, "DeleteRule", s.ARN, (*elbv2.Client).DeleteRule, &elbv2.DeleteRuleInput{RuleArn: &s.ARN})
		if err != nil && !errors.Is(err, balancer.ErrNotFound) {
			return err
		}
		l.Has = slices.DeleteFunc(slices.Clone(l.Has), func(r elb.ObservedRule) bool { return r.ARN == s.ARN })
	}
	return nil
}

func (p performer) createRule(ctx context.Context, s elb.CreateRule) error {
	l := p.listener(s.Listener)
	if l == nil {
		return strange(s)
	}

	tags := p.stack.All(s.Rule.Owner, s.Rule.Tags)
	out, err := call(ctx, p.Cloud, "CreateRule", s.Listener, (*elbv2.Client).CreateRule, &elbv2.CreateRuleInput{
		ListenerArn: &s.Listener, Priority: aws.Int32(int32(s.Priority)), Conditions: conditionsFor(s.Rule.Match),
		Actions: actionsFor(s.Rule.Action, l.Protocol), Tags: tagsFor(tags),
	})
	if err != nil {
		return err
	}
	if len(out.Rules) == 0 {
		return noAnswer("CreateRule", s.Listener)
	}

	// Nobody else's rule is answered: a priority has one rule, and AWS refuses another one.
	made := ruleOf(out.Rules[0])
	made.Own, made.Owner, made.Tags = true, s.Rule.Owner, tags
	l.Has = inOrder(append(slices.Clone(l.Has), made))
	return nil
}

func (p performer) setPriorities(ctx context.Context, s elb.SetPriorities) error {
	in := &elbv2.SetRulePrioritiesInput{}
	var listener *elb.ObservedListener
	for _, arn := range slices.Sorted(maps.Keys(s.Priorities)) {
		l, r := p.rule(arn)
		if r == nil {
			return strange(s)
		}
		listener = l
		in.RulePriorities = append(in.RulePriorities, types.RulePriorityPair{RuleArn: aws.String(arn), Priority: aws.Int32(int32(s.Priorities[arn]))})
	}
	if listener == nil {
		return nil
	}
	if _, err := call(ctx, p.Cloud, "SetRulePriorities", s.Listener, (*elbv2.Client).SetRulePriorities, in); err != nil {
		return err
	}

	moved := slices.Clone(listener.Has)
	for i := range moved {
		if to, ok := s.Priorities[moved[i].ARN]; ok {
			moved[i].Priority = to
		}
	}
	listener.Has = inOrder(moved)
	return nil
}

// inOrder sorts rules by their priorities.
func inOrder(rules []elb.ObservedRule) []elb.ObservedRule {
	slices.SortStableFunc(rules, func(a, b elb.ObservedRule) int { return cmp.Compare(a.Priority, b.Priority) })
	return rules
}
