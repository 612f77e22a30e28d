// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package awssim

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/google/go-cmp/cmp"
)

func TestRules(t *testing.T) {
	e := start(t, instant())
	group, address := e.front(serve(t, say("default")).Target)
	listener := e.sim.Listeners()[0].ListenerARN
	other := e.group("other")
	priority := int32(0)
	add := func(field string, edit func(*types.RuleCondition), action types.Action) {
		t.Helper()
		priority++
		c := types.RuleCondition{Field: &field}
		edit(&c)
		if err := second(e.elb.CreateRule(e.Context(), &elbv2.CreateRuleInput{ListenerArn: &listener, Priority: aws.Int32(priority), Conditions: []types.RuleCondition{c}, Actions: []types.Action{action}})); err != nil {
			t.Fatal(err)
		}
	}

	text := func(status, body string) types.Action {
		return types.Action{Type: types.ActionTypeEnumFixedResponse, FixedResponseConfig: &types.FixedResponseActionConfig{StatusCode: &status, MessageBody: &body, ContentType: aws.String("text/plain")}}
	}

	values := func(v ...string) func(*types.RuleCondition) { return func(c *types.RuleCondition) { c.Values = v } }
	add("path-pattern", values("/api/*", "/v?"), forwardTo(other))
	add("host-header", values("*.Example.com"), text("404", "no such host"))
	add("http-request-method", func(c *types.RuleCondition) {
		c.HttpRequestMethodConfig = &types.HttpRequestMethodConditionConfig{Values: []string{"DELETE"}}
	}, text("403", "no"))

	add("http-header", func(c *types.RuleCondition) {
		c.HttpHeaderConfig = &types.HttpHeaderConditionConfig{HttpHeaderName: aws.String("X-Blue"), Values: []string{"y*"}}
	}, text("200", "blue"))

	add("query-string", func(c *types.RuleCondition) {
		c.QueryStringConfig = &types.QueryStringConditionConfig{Values: []types.QueryStringKeyValuePair{{Key: aws.String("v"), Value: aws.String("2")}}}
	}, text("200", "two"))

	add("path-pattern", values("/old/*"), types.Action{Type: types.ActionTypeEnumRedirect, RedirectConfig: &types.RedirectActionConfig{
		Protocol: aws.String("HTTPS"), Port: aws.String("443"), StatusCode: types.RedirectActionStatusCodeEnumHttp301,
	}})

	add("source-ip", func(c *types.RuleCondition) {
		c.SourceIpConfig = &types.SourceIpConditionConfig{Values: []string{"10.0.0.0/8"}}
	}, text("200", "from ten"))

	none := func(*http.Request) {}
	cases := map[string]struct {
		reason string
		path   string
		edit   func(*http.Request)
		want   string
	}{
		"Default":   {reason: "no rule applies", path: "/", edit: none, want: "200 default"},
		"Path":      {reason: "a star is any run of characters; that group is empty", path: "/api/x/y", edit: none, want: "503"},
		"PathOne":   {reason: "a question mark is one character", path: "/v1", edit: none, want: "503"},
		"PathNot":   {reason: "but not two", path: "/v12", edit: none, want: "200 default"},
		"Host":      {reason: "hosts have no case and no port", path: "/", edit: func(r *http.Request) { r.Host = "a.example.COM:80" }, want: "404 no such host"},
		"Method":    {reason: "methods are exact", path: "/", edit: func(r *http.Request) { r.Method = "DELETE" }, want: "403 no"},
		"Header":    {reason: "header values match by pattern", path: "/", edit: func(r *http.Request) { r.Header.Set("X-Blue", "yes") }, want: "200 blue"},
		"Query":     {reason: "key and value", path: "/?v=2", edit: none, want: "200 two"},
		"Redirect":  {reason: "what is not given stays", path: "/old/x?q=1", edit: func(r *http.Request) { r.Host = "web.test" }, want: "301 https://web.test:443/old/x?q=1"},
		"FromOther": {reason: "the client is not in 10/8", path: "/plain", edit: none, want: "200 default"},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			status, body, header := e.get(address, tc.path, tc.edit)
			got := fmt.Sprintf("%d %s%s", status, header.Get("Location"), body)
			if status == 503 {
				got = "503"
			}
			if got != tc.want {
				t.Errorf("%s: %q, want %q", tc.reason, got, tc.want)
			}
		})
	}

	rules, err := e.elb.DescribeRules(e.Context(), &elbv2.DescribeRulesInput{ListenerArn: &listener})
	if err != nil {
		t.Fatal(err)
	}

	if n := len(rules.Rules); n != 8 || *rules.Rules[n-1].Priority != "default" {
		t.Fatalf("%d rules, the last of priority %s", n, *rules.Rules[n-1].Priority)
	}

	if err := second(e.elb.SetRulePriorities(e.Context(), &elbv2.SetRulePrioritiesInput{RulePriorities: []types.RulePriorityPair{{RuleArn: rules.Rules[0].RuleArn, Priority: aws.Int32(2)}}})); codeOf(err) != "PriorityInUse" {
		t.Errorf("a priority that is taken: %v", err)
	}

	if err := second(e.elb.SetRulePriorities(e.Context(), &elbv2.SetRulePrioritiesInput{RulePriorities: []types.RulePriorityPair{{RuleArn: rules.Rules[0].RuleArn, Priority: aws.Int32(100)}}})); err != nil {
		t.Fatal(err)
	}

	if err := second(e.elb.ModifyRule(e.Context(), &elbv2.ModifyRuleInput{RuleArn: rules.Rules[0].RuleArn, Actions: []types.Action{forwardTo(group)}})); err != nil {
		t.Fatal(err)
	}

	if status, body, _ := e.get(address, "/api/x"); status != 200 || body != "default" {
		t.Errorf("after the rule was modified: %d %q", status, body)
	}

	if err := second(e.elb.DeleteRule(e.Context(), &elbv2.DeleteRuleInput{RuleArn: rules.Rules[1].RuleArn})); err != nil {
		t.Fatal(err)
	}

	if status, _, _ := e.get(address, "/", func(r *http.Request) { r.Host = "a.example.com" }); status != 200 {
		t.Errorf("after the rule was deleted: %d", status)
	}

	if err := second(e.elb.DeleteRule(e.Context(), &elbv2.DeleteRuleInput{RuleArn: rules.Rules[7].RuleArn})); codeOf(err) != "OperationNotPermitted" {
		t.Errorf("deleting the default rule: %v", err)
	}
}

func TestWeights(t *testing.T) {
	e := start(t, instant())
	blue, green := e.group("blue"), e.group("green")
	e.listen(e.balancer("web", types.LoadBalancerTypeEnumApplication), types.ProtocolEnumHttp, 80, types.Action{
		Type: types.ActionTypeEnumForward, ForwardConfig: &types.ForwardActionConfig{TargetGroups: []types.TargetGroupTuple{
			{TargetGroupArn: &blue, Weight: aws.Int32(3)}, {TargetGroupArn: &green, Weight: aws.Int32(1)},
		}},
	})

	for group, b := range map[string]*backend{blue: serve(t, say("blue")), green: serve(t, say("green"))} {
		e.script(group, Script{State: "healthy"})
		e.register(group, b.Target)
	}

	counts := map[string]int{}
	for range 40 {
		_, body, _ := e.get(e.sim.Listeners()[0].Address, "/")
		counts[body]++
	}

	if diff := cmp.Diff(map[string]int{"blue": 30, "green": 10}, counts); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
