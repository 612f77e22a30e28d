// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package awssim

import (
	"net/url"

	"github.com/podgate/podgate/sim/awssim/wire"
)

// operation is one operation of a service.
type operation struct {
	service string
	run     func(*call, url.Values) (any, error)
}

// elb is an operation of Elastic Load Balancing.
func elb[I, O any](f func(*call, *I) (*O, error), required ...string) operation {
	return operation{"elasticloadbalancing", wire.Decoded(f, required...).Run}
}

// modelled are all operations that there are, by name.
func (s *Sim) modelled() map[string]operation {
	all := map[string]operation{
		"CreateTargetGroup":              elb(s.createTargetGroup, "Name"),
		"DescribeTargetGroups":           elb(s.describeTargetGroups),
		"ModifyTargetGroup":              elb(s.modifyTargetGroup, "TargetGroupArn"),
		"DeleteTargetGroup":              elb(s.deleteTargetGroup, "TargetGroupArn"),
		"DescribeTargetGroupAttributes":  elb(s.describeTargetGroupAttributes, "TargetGroupArn"),
		"ModifyTargetGroupAttributes":    elb(s.modifyTargetGroupAttributes, "TargetGroupArn", "Attributes"),
		"RegisterTargets":                elb(s.registerTargets, "TargetGroupArn", "Targets"),
		"DeregisterTargets":              elb(s.deregisterTargets, "TargetGroupArn", "Targets"),
		"DescribeTargetHealth":           elb(s.describeTargetHealth, "TargetGroupArn"),
		"CreateLoadBalancer":             elb(s.createLoadBalancer, "Name"),
		"DescribeLoadBalancers":          elb(s.describeLoadBalancers),
		"DeleteLoadBalancer":             elb(s.deleteLoadBalancer, "LoadBalancerArn"),
		"DescribeLoadBalancerAttributes": elb(s.describeLoadBalancerAttributes, "LoadBalancerArn"),
		"ModifyLoadBalancerAttributes":   elb(s.modifyLoadBalancerAttributes, "LoadBalancerArn", "Attributes"),
		"CreateListener":                 elb(s.createListener, "LoadBalancerArn", "DefaultActions"),
		"DescribeListeners":              elb(s.describeListeners),
		"ModifyListener":                 elb(s.modifyListener, "ListenerArn"),
		"DeleteListener":                 elb(s.deleteListener, "ListenerArn"),
		"CreateRule":                     elb(s.createRule, "ListenerArn", "Conditions", "Priority", "Actions"),
		"DescribeRules":                  elb(s.describeRules),
		"ModifyRule":                     elb(s.modifyRule, "RuleArn"),
		"DeleteRule":                     elb(s.deleteRule, "RuleArn"),
		"SetRulePriorities":              elb(s.setRulePriorities, "RulePriorities"),
		"AddTags":                        elb(s.addTags, "ResourceArns", "Tags"),
		"RemoveTags":                     elb(s.removeTags, "ResourceArns", "TagKeys"),
		"DescribeTags":                   elb(s.describeTags, "ResourceArns"),
		"DescribeAccountLimits":          elb(s.describeAccountLimits),
	}

	for name, op := range s.sts.Operations() {
		all[name] = operation{"sts", func(c *call, form url.Values) (any, error) { return op.Run(&c.Identity, form) }}
	}

	return all
}
