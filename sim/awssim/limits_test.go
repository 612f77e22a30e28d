// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package awssim

import (
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

// hosts is a condition on so many host names.
func hosts(n int) types.RuleCondition {
	var values []string
	for i := range n {
		values = append(values, fmt.Sprintf("%d.example.com", i))
	}
	return types.RuleCondition{Field: aws.String("host-header"), HostHeaderConfig: &types.HostHeaderConditionConfig{Values: values}}
}

// paths is a condition on paths.
func paths(values ...string) types.RuleCondition {
	return types.RuleCondition{Field: aws.String("path-pattern"), PathPatternConfig: &types.PathPatternConditionConfig{Values: values}}
}

// forwardEqually is an action that forwards to several groups.
func forwardEqually(groups ...string) types.Action {
	var tuples []types.TargetGroupTuple
	for _, g := range groups {
		tuples = append(tuples, types.TargetGroupTuple{TargetGroupArn: &g})
	}
	return types.Action{Type: types.ActionTypeEnumForward, ForwardConfig: &types.ForwardActionConfig{TargetGroups: tuples}}
}

func TestRuleLimits(t *testing.T) {
	e := start(t, Config{DataPath: DataPath{NoDataPath: true}, Throttle: ThrottleOff})
	listener := e.listen(e.balancer("app", types.LoadBalancerTypeEnumApplication), types.ProtocolEnumHttp, 80, fixed())
	var groups []string
	for i := range 6 {
		groups = append(groups, e.group(fmt.Sprintf("web-%d", i)))
	}
	key := func(n int) (list []types.QueryStringKeyValuePair) {
		for i := range n {
			list = append(list, types.QueryStringKeyValuePair{Key: aws.String("k"), Value: aws.String(fmt.Sprint(i, "*"))})
		}
		return list
	}
	all := []types.RuleCondition{
		hosts(1), paths("/a"),
		{Field: aws.String("http-header"), HttpHeaderConfig: &types.HttpHeaderConditionConfig{HttpHeaderName: aws.String("X"), Values: []string{"a"}}},
		{Field: aws.String("http-request-method"), HttpRequestMethodConfig: &types.HttpRequestMethodConditionConfig{Values: []string{"GET"}}},
		{Field: aws.String("source-ip"), SourceIpConfig: &types.SourceIpConditionConfig{Values: []string{"10.0.0.0/8"}}},
	}

	cases := map[string]struct {
		reason     string
		conditions []types.RuleCondition
		action     types.Action
		code, text string
	}{
		"FiveValues":    {reason: "five values are allowed, of all conditions together", conditions: all, action: fixed()},
		"SixValues":     {reason: "a sixth is not", conditions: append(all[:5:5], types.RuleCondition{Field: aws.String("query-string"), QueryStringConfig: &types.QueryStringConditionConfig{Values: key(1)}}), action: fixed(), code: "ValidationError", text: "A rule can only have '5' condition values"},
		"SixOfOne":      {reason: "nor in one condition", conditions: []types.RuleCondition{hosts(6)}, action: fixed(), code: "ValidationError", text: "A rule can only have '5' condition values"},
		"FiveWildcards": {reason: "five wildcards are allowed", conditions: []types.RuleCondition{paths("/*/*", "/?/?/?")}, action: fixed()},
		"SixWildcards":  {reason: "a sixth is not", conditions: []types.RuleCondition{paths("/*/*", "/?/?/?/*")}, action: fixed(), code: "ValidationError", text: "A rule can only have '5' condition wildcards"},
		"QueryWildcards": {reason: "those of query strings count", conditions: []types.RuleCondition{paths("/*/*/*/*/*"), {Field: aws.String("query-string"), QueryStringConfig: &types.QueryStringConditionConfig{Values: key(1)}}},
			action: fixed(), code: "ValidationError", text: "wildcards"},
		"FiveGroups": {reason: "an action has at most five groups", conditions: []types.RuleCondition{hosts(1)}, action: forwardEqually(groups[:5]...)},
		"SixGroups":  {reason: "not six", conditions: []types.RuleCondition{hosts(1)}, action: forwardEqually(groups...), code: "ValidationError", text: "'5' target groups"},
	}

	priority := int32(0)
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			priority++
			created, err := e.elb.CreateRule(e.Context(), &elbv2.CreateRuleInput{ListenerArn: &listener, Priority: aws.Int32(priority), Conditions: tc.conditions, Actions: []types.Action{tc.action}})
			if codeOf(err) != tc.code || err != nil && !strings.Contains(err.Error(), tc.text) {
				t.Fatalf("%s: %v, want %q that says %q", tc.reason, err, tc.code, tc.text)
			}
			if err == nil {
				if err := second(e.elb.ModifyRule(e.Context(), &elbv2.ModifyRuleInput{RuleArn: created.Rules[0].RuleArn, Conditions: []types.RuleCondition{hosts(6)}})); codeOf(err) != "ValidationError" {
					t.Errorf("a change to six values: %v", err)
				}
			}
		})
	}
}

// TestGroupsOfALoadBalancerAreLimited counts those of all its listeners and rules, each once.
func TestGroupsOfALoadBalancerAreLimited(t *testing.T) {
	e := start(t, Config{DataPath: DataPath{NoDataPath: true}, Throttle: ThrottleOff, ELB: ELB{Quotas: Quotas{TargetGroupsPerBalancer: 2}}})
	app := e.balancer("app", types.LoadBalancerTypeEnumApplication)
	one, two, three := e.group("one"), e.group("two"), e.group("three")
	listener := e.listen(app, types.ProtocolEnumHttp, 80, forwardTo(one))
	rule := func(priority int32, action types.Action) (*elbv2.CreateRuleOutput, error) {
		return e.elb.CreateRule(e.Context(), &elbv2.CreateRuleInput{ListenerArn: &listener, Priority: &priority, Conditions: []types.RuleCondition{hosts(1)}, Actions: []types.Action{action}})
	}

	if _, err := rule(1, forwardTo(one)); err != nil {
		t.Fatal(err)
	}
	last, err := rule(2, forwardTo(two))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := rule(3, forwardTo(three)); codeOf(err) != "TooManyUniqueTargetGroupsPerLoadBalancer" {
		t.Errorf("a third group: %v", err)
	}
	if err := second(e.elb.CreateListener(e.Context(), &elbv2.CreateListenerInput{LoadBalancerArn: &app, Protocol: types.ProtocolEnumHttp, Port: aws.Int32(81), DefaultActions: []types.Action{forwardTo(three)}})); codeOf(err) != "TooManyUniqueTargetGroupsPerLoadBalancer" {
		t.Errorf("a listener with a third group: %v", err)
	}
	if err := second(e.elb.ModifyListener(e.Context(), &elbv2.ModifyListenerInput{ListenerArn: &listener, DefaultActions: []types.Action{forwardTo(three)}})); codeOf(err) != "TooManyUniqueTargetGroupsPerLoadBalancer" {
		t.Errorf("a default action with a third group, while a rule has the first: %v", err)
	}
	if err := second(e.elb.ModifyRule(e.Context(), &elbv2.ModifyRuleInput{RuleArn: last.Rules[0].RuleArn, Actions: []types.Action{forwardTo(three)}})); err != nil {
		t.Errorf("a rule that gives up its group for another: %v", err)
	}
}

// TestTargetsOfALoadBalancerAreLimited counts the registrations in all its groups.
func TestTargetsOfALoadBalancerAreLimited(t *testing.T) {
	e := start(t, Config{DataPath: DataPath{NoDataPath: true}, Throttle: ThrottleOff, ELB: ELB{Quotas: Quotas{TargetsPerBalancer: 2}}})
	one, two := e.group("one"), e.group("two")
	listener := e.listen(e.balancer("app", types.LoadBalancerTypeEnumApplication), types.ProtocolEnumHttp, 80, forwardTo(one))
	register := func(group, address string) error {
		return second(e.elb.RegisterTargets(e.Context(), &elbv2.RegisterTargetsInput{TargetGroupArn: &group, Targets: described(Target{ID: address})}))
	}
	rule := func() error {
		return second(e.elb.CreateRule(e.Context(), &elbv2.CreateRuleInput{ListenerArn: &listener, Priority: aws.Int32(1), Conditions: []types.RuleCondition{hosts(1)}, Actions: []types.Action{forwardTo(two)}}))
	}

	e.register(one, Target{ID: "10.0.0.1"})
	e.register(two, Target{ID: "10.0.0.1"}, Target{ID: "10.0.0.2"})
	if err := rule(); codeOf(err) != "TooManyTargets" {
		t.Errorf("a rule that brings two more: %v", err)
	}

	e.deregister(two, Target{ID: "10.0.0.2"})
	if err := rule(); err != nil {
		t.Fatal(err)
	}
	if err := register(two, "10.0.0.3"); codeOf(err) != "TooManyTargets" {
		t.Errorf("a third target, in the other group: %v", err)
	}
	if err := register(two, "10.0.0.1"); err != nil {
		t.Errorf("a target that is there: %v", err)
	}
}
