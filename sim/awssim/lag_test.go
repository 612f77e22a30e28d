// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package awssim

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/google/go-cmp/cmp"
)

// TestCreateLag: for a while other calls do not find what a call created, and a group stays in use after its last rule.
func TestCreateLag(t *testing.T) {
	inBubble(t, Config{ELB: ELB{CreateLag: 10 * time.Second}}, func(e *env) {
		group := e.group("web")
		app := e.balancer("app", types.LoadBalancerTypeEnumApplication)

		listener, rule := "", ""
		listen := func() error {
			out, err := e.elb.CreateListener(e.Context(), &elbv2.CreateListenerInput{LoadBalancerArn: &app, Protocol: types.ProtocolEnumHttp, Port: aws.Int32(80), DefaultActions: []types.Action{fixed()}})
			if err == nil {
				listener = *out.Listeners[0].ListenerArn
			}
			return err
		}
		add := func() error {
			out, err := e.elb.CreateRule(e.Context(), &elbv2.CreateRuleInput{ListenerArn: &listener, Priority: aws.Int32(1), Conditions: []types.RuleCondition{hosts(1)}, Actions: []types.Action{forwardTo(group)}})
			if err == nil {
				rule = *out.Rules[0].RuleArn
			}
			return err
		}
		tags := func(arn string) error {
			return second(e.elb.DescribeTags(e.Context(), &elbv2.DescribeTagsInput{ResourceArns: []string{arn}}))
		}
		all, err := e.elb.DescribeLoadBalancers(e.Context(), &elbv2.DescribeLoadBalancersInput{})
		if err != nil || len(all.LoadBalancers) != 0 {
			t.Errorf("a new load balancer is listed: %v, %v", all, err)
		}

		for _, step := range []struct {
			what string
			do   func() error
			code string
		}{
			{"a listener", listen, "LoadBalancerNotFound"},
			{"a rule", add, "ListenerNotFound"},
			{"a change", func() error {
				return second(e.elb.ModifyRule(e.Context(), &elbv2.ModifyRuleInput{RuleArn: &rule, Conditions: []types.RuleCondition{hosts(2)}}))
			}, "RuleNotFound"},
			{"deletion of the rule and of its group", func() error {
				// The rule is gone at the first attempt, the group at the second.
				if err := second(e.elb.DeleteRule(e.Context(), &elbv2.DeleteRuleInput{RuleArn: &rule})); err != nil && codeOf(err) != "RuleNotFound" {
					return err
				}
				return second(e.elb.DeleteTargetGroup(e.Context(), &elbv2.DeleteTargetGroupInput{TargetGroupArn: &group}))
			}, "ResourceInUse"},
		} {
			if err := step.do(); codeOf(err) != step.code {
				t.Errorf("%s at once: %v, want %s", step.what, err, step.code)
			}
			time.Sleep(10 * time.Second)
			if err := step.do(); err != nil {
				t.Fatalf("%s 10 s later: %v", step.what, err)
			}
		}

		last, err := e.elb.CreateListener(e.Context(), &elbv2.CreateListenerInput{LoadBalancerArn: &app, Protocol: types.ProtocolEnumHttp, Port: aws.Int32(81), DefaultActions: []types.Action{fixed()}})
		if err != nil {
			t.Fatal(err)
		}
		if err := tags(*last.Listeners[0].ListenerArn); codeOf(err) != "ListenerNotFound" {
			t.Errorf("the tags of a new listener: %v", err)
		}
		out, err := e.elb.DescribeListeners(e.Context(), &elbv2.DescribeListenersInput{LoadBalancerArn: &app})
		if err != nil || len(out.Listeners) != 1 {
			t.Errorf("listeners: %v, %v, want the first alone", out, err)
		}
	})
}

// TestLagOfSomeCalls lets two calls answer from a time before the listener was there.
func TestLagOfSomeCalls(t *testing.T) {
	inBubble(t, Config{}, func(e *env) {
		listener := e.listen(e.balancer("app", types.LoadBalancerTypeEnumApplication), types.ProtocolEnumHttp, 80, fixed())
		e.fault(Fault{Operation: "DescribeRules", LagSeconds: 1, Count: 2})
		var got []string
		for range 3 {
			got = append(got, codeOf(second(e.elb.DescribeRules(e.Context(), &elbv2.DescribeRulesInput{ListenerArn: &listener}))))
		}
		if diff := cmp.Diff([]string{"ListenerNotFound", "ListenerNotFound", ""}, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// TestLoadBalancerFails ends in the state failed, after it was provisioning.
func TestLoadBalancerFails(t *testing.T) {
	inBubble(t, Config{ELB: ELB{ProvisionDelay: time.Minute}}, func(e *env) {
		e.fault(Fault{Operation: "CreateLoadBalancer", FailLater: true, Count: 1})
		app := e.balancer("app", types.LoadBalancerTypeEnumApplication)
		if got := e.balancerView(app).State.Code; got != types.LoadBalancerStateEnumProvisioning {
			t.Errorf("at first it is %s", got)
		}
		time.Sleep(time.Minute)
		if got := e.balancerView(app).State; got.Code != types.LoadBalancerStateEnumFailed || aws.ToString(got.Reason) == "" {
			t.Errorf("a minute later it is %+v", got)
		}
		if got := e.balancerView(e.balancer("next", types.LoadBalancerTypeEnumApplication)).State.Code; got != types.LoadBalancerStateEnumProvisioning {
			t.Errorf("the next one is %s", got)
		}
	})
}
