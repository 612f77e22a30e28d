// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package awssim

import (
	"fmt"
	"net/url"
	"reflect"
	"slices"
	"strings"

	"github.com/podgate/podgate/sim/awssim/query"
)

// operation is one operation of a service.
type operation struct {
	service  string
	required []string
	run      func(*Sim, *call, url.Values) (any, error)
}

// elb is an operation of Elastic Load Balancing; required are the parameters
// that the service model says must be there.
func elb[I, O any](f func(*Sim, *call, *I) (*O, error), required ...string) operation {
	return operation{"elasticloadbalancing", required, decoded(f)}
}

func token[I, O any](f func(*Sim, *call, *I) (*O, error), required ...string) operation {
	return operation{"sts", required, decoded(f)}
}

func decoded[I, O any](f func(*Sim, *call, *I) (*O, error)) func(*Sim, *call, url.Values) (any, error) {
	return func(s *Sim, c *call, form url.Values) (any, error) {
		var in I
		if err := query.Decode(form, &in); err != nil {
			return nil, err
		}
		if err := checkEnums(reflect.ValueOf(&in).Elem()); err != nil {
			return nil, err
		}
		return f(s, c, &in)
	}
}

// modelled are all operations that there are, by name.
func modelled() map[string]operation {
	return map[string]operation{
		"CreateTargetGroup":              elb((*Sim).createTargetGroup, "Name"),
		"DescribeTargetGroups":           elb((*Sim).describeTargetGroups),
		"ModifyTargetGroup":              elb((*Sim).modifyTargetGroup, "TargetGroupArn"),
		"DeleteTargetGroup":              elb((*Sim).deleteTargetGroup, "TargetGroupArn"),
		"DescribeTargetGroupAttributes":  elb((*Sim).describeTargetGroupAttributes, "TargetGroupArn"),
		"ModifyTargetGroupAttributes":    elb((*Sim).modifyTargetGroupAttributes, "TargetGroupArn", "Attributes"),
		"RegisterTargets":                elb((*Sim).registerTargets, "TargetGroupArn", "Targets"),
		"DeregisterTargets":              elb((*Sim).deregisterTargets, "TargetGroupArn", "Targets"),
		"DescribeTargetHealth":           elb((*Sim).describeTargetHealth, "TargetGroupArn"),
		"CreateLoadBalancer":             elb((*Sim).createLoadBalancer, "Name"),
		"DescribeLoadBalancers":          elb((*Sim).describeLoadBalancers),
		"DeleteLoadBalancer":             elb((*Sim).deleteLoadBalancer, "LoadBalancerArn"),
		"DescribeLoadBalancerAttributes": elb((*Sim).describeLoadBalancerAttributes, "LoadBalancerArn"),
		"ModifyLoadBalancerAttributes":   elb((*Sim).modifyLoadBalancerAttributes, "LoadBalancerArn", "Attributes"),
		"CreateListener":                 elb((*Sim).createListener, "LoadBalancerArn", "DefaultActions"),
		"DescribeListeners":              elb((*Sim).describeListeners),
		"ModifyListener":                 elb((*Sim).modifyListener, "ListenerArn"),
		"DeleteListener":                 elb((*Sim).deleteListener, "ListenerArn"),
		"CreateRule":                     elb((*Sim).createRule, "ListenerArn", "Conditions", "Priority", "Actions"),
		"DescribeRules":                  elb((*Sim).describeRules),
		"ModifyRule":                     elb((*Sim).modifyRule, "RuleArn"),
		"DeleteRule":                     elb((*Sim).deleteRule, "RuleArn"),
		"SetRulePriorities":              elb((*Sim).setRulePriorities, "RulePriorities"),
		"AddTags":                        elb((*Sim).addTags, "ResourceArns", "Tags"),
		"RemoveTags":                     elb((*Sim).removeTags, "ResourceArns", "TagKeys"),
		"DescribeTags":                   elb((*Sim).describeTags, "ResourceArns"),
		"DescribeAccountLimits":          elb((*Sim).describeAccountLimits),
		"AssumeRole":                     token((*Sim).assumeRole, "RoleArn", "RoleSessionName"),
		"GetCallerIdentity":              token((*Sim).getCallerIdentity),
	}
}

// checkEnums refuses a value that is none of its enum's, at the top level and
// in the words of AWS's front end.
func checkEnums(in reflect.Value) error {
	for i := range in.NumField() {
		field := in.Field(i)
		values := field.MethodByName("Values")
		if field.Kind() != reflect.String || field.String() == "" || !values.IsValid() {
			continue
		}
		allowed := values.Call(nil)[0]
		names := []string{}
		for j := range allowed.Len() {
			names = append(names, allowed.Index(j).String())
		}
		if name := in.Type().Field(i).Name; !slices.Contains(names, field.String()) {
			return invalid("1 validation error detected: Value '%s' at '%s' failed to satisfy constraint: Member must satisfy enum value set: %s",
				field.String(), strings.ToLower(name[:1])+name[1:], fmt.Sprintf("[%s]", strings.Join(names, ", ")))
		}
	}
	return nil
}
