// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/podgate/podgate/internal/aws/ec2"
	"github.com/podgate/podgate/internal/provision/elb"
	"github.com/podgate/podgate/internal/route"
)

// optional is a setting in a request; nil where it was not asked for.
func optional[T comparable](v T) *T {
	var none T
	if v == none {
		return nil
	}
	return &v
}

func tagsFor(tags map[string]string) []types.Tag {
	var list []types.Tag
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		list = append(list, types.Tag{Key: aws.String(key), Value: aws.String(tags[key])})
	}
	return list
}

func tagsOf(list []types.Tag) map[string]string {
	tags := make(map[string]string, len(list))
	for _, t := range list {
		tags[value(t.Key)] = value(t.Value)
	}
	return tags
}

func createLoadBalancer(lb elb.LoadBalancer) *elbv2.CreateLoadBalancerInput {
	return &elbv2.CreateLoadBalancerInput{
		Name: &lb.Name, Type: types.LoadBalancerTypeEnum(lb.Kind), Scheme: types.LoadBalancerSchemeEnum(lb.Scheme),
		IpAddressType: types.IpAddressType(lb.AddressType), Subnets: lb.Subnets, SecurityGroups: lb.SecurityGroups, Tags: tagsFor(lb.Tags),
	}
}

// loadBalancerOf is a load balancer without its tags, attributes and listeners.
func loadBalancerOf(lb types.LoadBalancer) elb.ObservedLoadBalancer {
	seen := elb.ObservedLoadBalancer{
		LoadBalancer: elb.LoadBalancer{
			Kind: elb.Kind(lb.Type), Name: value(lb.LoadBalancerName), Scheme: string(lb.Scheme), AddressType: string(lb.IpAddressType),
			Subnets: subnetsOf(lb.AvailabilityZones), SecurityGroups: lb.SecurityGroups,
		},
		// Names are not case-sensitive, and those of network load balancers may have either.
		ARN: value(lb.LoadBalancerArn), DNSName: strings.ToLower(value(lb.DNSName)), VPC: value(lb.VpcId),
	}
	if lb.State != nil {
		seen.State = string(lb.State.Code)
	}
	return seen
}

func subnetsOf(zones []types.AvailabilityZone) []string {
	var ids []string
	for _, z := range zones {
		ids = append(ids, value(z.SubnetId))
	}
	return ids
}

func createTargetGroup(g elb.TargetGroup) *elbv2.CreateTargetGroupInput {
	check := modifyTargetGroup("", g.Version, g.HealthCheck)
	return &elbv2.CreateTargetGroupInput{
		Name: &g.Name, VpcId: optional(g.VPC), Protocol: types.ProtocolEnum(g.Protocol), ProtocolVersion: optional(g.Version), Port: &g.Port,
		TargetType: types.TargetTypeEnum(g.TargetType), IpAddressType: types.TargetGroupIpAddressTypeEnum(g.AddressType), Tags: tagsFor(g.Tags),

		HealthCheckProtocol: check.HealthCheckProtocol, HealthCheckPath: check.HealthCheckPath, HealthCheckPort: check.HealthCheckPort,
		HealthCheckIntervalSeconds: check.HealthCheckIntervalSeconds, HealthCheckTimeoutSeconds: check.HealthCheckTimeoutSeconds,
		HealthyThresholdCount: check.HealthyThresholdCount, UnhealthyThresholdCount: check.UnhealthyThresholdCount, Matcher: check.Matcher,
	}
}

// grpc is the version of groups whose health checks have gRPC's codes.
const grpc = "GRPC"

func modifyTargetGroup(arn, version string, check elb.HealthCheck) *elbv2.ModifyTargetGroupInput {
	in := &elbv2.ModifyTargetGroupInput{
		TargetGroupArn: optional(arn), HealthCheckProtocol: types.ProtocolEnum(check.Protocol), HealthCheckPath: optional(check.Path), HealthCheckPort: optional(check.Port),
		HealthCheckIntervalSeconds: optional(check.Interval), HealthCheckTimeoutSeconds: optional(check.Timeout),
		HealthyThresholdCount: optional(check.Healthy), UnhealthyThresholdCount: optional(check.Unhealthy),
	}
	switch {
	case check.Codes == "":
	case version == grpc:
		in.Matcher = &types.Matcher{GrpcCode: &check.Codes}
	default:
		in.Matcher = &types.Matcher{HttpCode: &check.Codes}
	}
	return in
}

// targetGroupOf is a target group without its tags and attributes.
func targetGroupOf(g types.TargetGroup) elb.ObservedTargetGroup {
	seen := elb.ObservedTargetGroup{
		TargetGroup: elb.TargetGroup{
			Name: value(g.TargetGroupName), VPC: value(g.VpcId), Protocol: string(g.Protocol), Version: value(g.ProtocolVersion), Port: aws.ToInt32(g.Port),
			TargetType: string(g.TargetType), AddressType: string(g.IpAddressType),
			HealthCheck: elb.HealthCheck{
				Protocol: string(g.HealthCheckProtocol), Path: value(g.HealthCheckPath), Port: value(g.HealthCheckPort),
				Interval: aws.ToInt32(g.HealthCheckIntervalSeconds), Timeout: aws.ToInt32(g.HealthCheckTimeoutSeconds),
				Healthy: aws.ToInt32(g.HealthyThresholdCount), Unhealthy: aws.ToInt32(g.UnhealthyThresholdCount),
			},
		},
		ARN: value(g.TargetGroupArn),
	}
	if g.Matcher != nil {
		seen.HealthCheck.Codes = value(g.Matcher.HttpCode) + value(g.Matcher.GrpcCode) // it has one of the two
	}
	if len(g.LoadBalancerArns) > 0 {
		seen.LoadBalancer = g.LoadBalancerArns[0]
	}
	return seen
}

func createListener(loadBalancer string, l elb.Listener) *elbv2.CreateListenerInput {
	in := &elbv2.CreateListenerInput{
		LoadBalancerArn: &loadBalancer, Port: &l.Port, Protocol: types.ProtocolEnum(l.Protocol), SslPolicy: optional(l.SSLPolicy),
		DefaultActions: actionsFor(l.Default, l.Protocol), Tags: tagsFor(l.Tags),
	}
	in.Certificates, in.AlpnPolicy = encryption(l)
	return in
}

func modifyListener(arn string, l elb.Listener) *elbv2.ModifyListenerInput {
	in := &elbv2.ModifyListenerInput{
		ListenerArn: &arn, Port: &l.Port, Protocol: types.ProtocolEnum(l.Protocol), SslPolicy: optional(l.SSLPolicy), DefaultActions: actionsFor(l.Default, l.Protocol),
	}
	in.Certificates, in.AlpnPolicy = encryption(l)
	return in
}

// encryption are the default certificate of a listener, and its ALPN policy.
func encryption(l elb.Listener) (certificates []types.Certificate, alpn []string) {
	if len(l.Certificates) > 0 {
		certificates = certificatesFor(l.Certificates[:1])
	}
	if l.ALPN != "" {
		alpn = []string{l.ALPN}
	}
	return certificates, alpn
}

func certificatesFor(arns []string) []types.Certificate {
	var list []types.Certificate
	for _, arn := range arns {
		list = append(list, types.Certificate{CertificateArn: aws.String(arn)})
	}
	return list
}

// listenerOf is a listener without its tags, attributes, rules and other certificates.
func listenerOf(l types.Listener) elb.ObservedListener {
	seen := elb.ObservedListener{
		Listener: elb.Listener{Port: aws.ToInt32(l.Port), Protocol: string(l.Protocol), SSLPolicy: value(l.SslPolicy), Default: actionOf(l.DefaultActions)},
		ARN:      value(l.ListenerArn),
	}
	for _, c := range l.Certificates {
		seen.Certificates = append(seen.Certificates, value(c.CertificateArn))
	}
	if len(l.AlpnPolicy) > 0 {
		seen.ALPN = l.AlpnPolicy[0]
	}
	return seen
}

// ruleOf is a rule without its tags.
func ruleOf(r types.Rule) elb.ObservedRule {
	priority, _ := strconv.Atoi(value(r.Priority)) // the default one has none
	return elb.ObservedRule{
		Rule: elb.Rule{Match: matchOf(r.Conditions), Action: actionOf(r.Actions)}, ARN: value(r.RuleArn), Priority: priority,
	}
}

// statuses are the status codes of redirects.
var statuses = map[types.RedirectActionStatusCodeEnum]int{
	types.RedirectActionStatusCodeEnumHttp301: 301,
	types.RedirectActionStatusCodeEnumHttp302: 302,
}

// kept are the parts of a redirect that are as they were, as answers have them.
var kept = struct{ protocol, host, port, path, query string }{"#{protocol}", "#{host}", "#{port}", "/#{path}", "#{query}"}

// actionsFor is an action, for a listener of a protocol.
func actionsFor(a elb.Action, protocol string) []types.Action {
	switch {
	case a.Redirect != nil:
		r := a.Redirect
		config := &types.RedirectActionConfig{Protocol: optional(r.Protocol), Host: optional(r.Host), Port: optional(r.Port), Path: optional(r.Path), Query: optional(r.Query)}
		for code, status := range statuses {
			if status == r.Status {
				config.StatusCode = code
			}
		}
		return []types.Action{{Type: types.ActionTypeEnumRedirect, RedirectConfig: config}}

	case a.Answer != nil:
		return []types.Action{{Type: types.ActionTypeEnumFixedResponse, FixedResponseConfig: &types.FixedResponseActionConfig{
			StatusCode: aws.String(strconv.Itoa(a.Answer.Status)), ContentType: optional(a.Answer.ContentType), MessageBody: optional(a.Answer.Body),
		}}}

	case len(a.Forward) == 0:
		return nil
	}

	// Network load balancers have several target groups only for as long as one replaces another one, and no stickiness here.
	network := protocol != "HTTP" && protocol != "HTTPS"
	if network && len(a.Forward) == 1 {
		return []types.Action{{Type: types.ActionTypeEnumForward, TargetGroupArn: &a.Forward[0].Group}}
	}

	config := &types.ForwardActionConfig{}
	for _, f := range a.Forward {
		config.TargetGroups = append(config.TargetGroups, types.TargetGroupTuple{TargetGroupArn: aws.String(f.Group), Weight: aws.Int32(f.Weight)})
	}
	if network {
		return []types.Action{{Type: types.ActionTypeEnumForward, ForwardConfig: config}}
	}
	// It is said of an action that has none, too: one that had it would keep it.
	config.TargetGroupStickinessConfig = &types.TargetGroupStickinessConfig{Enabled: aws.Bool(a.Sticky > 0)}
	if a.Sticky > 0 {
		config.TargetGroupStickinessConfig.DurationSeconds = aws.Int32(int32(a.Sticky / time.Second))
	}
	return []types.Action{{Type: types.ActionTypeEnumForward, ForwardConfig: config}}
}

// actionOf is what becomes of requests. Of an action that podgate does not make it has nothing, so that it equals none.
func actionOf(actions []types.Action) elb.Action {
	if len(actions) != 1 {
		return elb.Action{}
	}

	a := actions[0]
	switch {
	case a.Type == types.ActionTypeEnumRedirect && a.RedirectConfig != nil:
		r := a.RedirectConfig
		part := func(p *string, kept string) string {
			if value(p) == kept {
				return ""
			}
			return value(p)
		}
		return elb.Action{Redirect: &route.Redirect{
			Status: statuses[r.StatusCode], Protocol: part(r.Protocol, kept.protocol), Host: part(r.Host, kept.host), Port: part(r.Port, kept.port),
			Path: part(r.Path, kept.path), Query: part(r.Query, kept.query),
		}}

	case a.Type == types.ActionTypeEnumFixedResponse && a.FixedResponseConfig != nil:
		f := a.FixedResponseConfig
		status, _ := strconv.Atoi(value(f.StatusCode)) // AWS takes no other
		return elb.Action{Answer: &route.Answer{Status: status, ContentType: value(f.ContentType), Body: value(f.MessageBody)}}

	case a.Type == types.ActionTypeEnumForward && a.ForwardConfig != nil && len(a.ForwardConfig.TargetGroups) > 0:
		var seen elb.Action
		for _, t := range a.ForwardConfig.TargetGroups {
			weight := int32(1) // AWS's default
			if t.Weight != nil {
				weight = *t.Weight
			}
			seen.Forward = append(seen.Forward, elb.Forward{Group: value(t.TargetGroupArn), Weight: weight})
		}
		if s := a.ForwardConfig.TargetGroupStickinessConfig; s != nil && aws.ToBool(s.Enabled) {
			seen.Sticky = time.Duration(aws.ToInt32(s.DurationSeconds)) * time.Second
		}
		return seen

	case a.Type == types.ActionTypeEnumForward && a.TargetGroupArn != nil:
		return elb.Action{Forward: []elb.Forward{{Group: *a.TargetGroupArn, Weight: 1}}}
	}
	return elb.Action{}
}

// Fields of conditions.
const (
	fieldHost    = "host-header"
	fieldPath    = "path-pattern"
	fieldMethod  = "http-request-method"
	fieldHeader  = "http-header"
	fieldQuery   = "query-string"
	fieldSource  = "source-ip"
	unknownMatch = "condition that podgate does not make: "
)

// conditionsFor are the conditions of a rule.
func conditionsFor(m route.Match) []types.RuleCondition {
	var list []types.RuleCondition
	add := func(n int, field string, config types.RuleCondition) {
		if n > 0 {
			config.Field = aws.String(field)
			list = append(list, config)
		}
	}

	add(len(m.Hosts), fieldHost, types.RuleCondition{HostHeaderConfig: &types.HostHeaderConditionConfig{Values: m.Hosts}})
	add(len(m.Paths), fieldPath, types.RuleCondition{PathPatternConfig: &types.PathPatternConditionConfig{Values: m.Paths}})
	add(len(m.Methods), fieldMethod, types.RuleCondition{HttpRequestMethodConfig: &types.HttpRequestMethodConditionConfig{Values: m.Methods}})
	for _, h := range m.Headers {
		add(1, fieldHeader, types.RuleCondition{HttpHeaderConfig: &types.HttpHeaderConditionConfig{HttpHeaderName: aws.String(h.Name), Values: h.Values}})
	}
	for _, list := range m.Queries {
		var pairs []types.QueryStringKeyValuePair
		for _, q := range list {
			pairs = append(pairs, types.QueryStringKeyValuePair{Key: optional(q.Key), Value: aws.String(q.Value)})
		}
		add(len(pairs), fieldQuery, types.RuleCondition{QueryStringConfig: &types.QueryStringConditionConfig{Values: pairs}})
	}
	add(len(m.Sources), fieldSource, types.RuleCondition{SourceIpConfig: &types.SourceIpConditionConfig{Values: m.Sources}})
	return list
}

// matchOf is what requests have to be like. A condition that podgate does not make is a path that no rule has, so that the
// match equals none.
func matchOf(conditions []types.RuleCondition) route.Match {
	var m route.Match
	for _, c := range conditions {
		switch field := value(c.Field); {
		case len(c.RegexValues) > 0:
			m.Paths = append(m.Paths, unknownMatch+field)
		case field == fieldHost && c.HostHeaderConfig != nil && len(c.HostHeaderConfig.RegexValues) == 0:
			m.Hosts = append(m.Hosts, c.HostHeaderConfig.Values...)
		case field == fieldHost && c.HostHeaderConfig == nil:
			m.Hosts = append(m.Hosts, c.Values...)
		case field == fieldPath && c.PathPatternConfig != nil && len(c.PathPatternConfig.RegexValues) == 0:
			m.Paths = append(m.Paths, c.PathPatternConfig.Values...)
		case field == fieldPath && c.PathPatternConfig == nil:
			m.Paths = append(m.Paths, c.Values...)
		case field == fieldMethod && c.HttpRequestMethodConfig != nil:
			m.Methods = append(m.Methods, c.HttpRequestMethodConfig.Values...)
		case field == fieldHeader && c.HttpHeaderConfig != nil && len(c.HttpHeaderConfig.RegexValues) == 0:
			m.Headers = append(m.Headers, route.Header{Name: value(c.HttpHeaderConfig.HttpHeaderName), Values: c.HttpHeaderConfig.Values})
		case field == fieldQuery && c.QueryStringConfig != nil:
			var list []route.Query
			for _, q := range c.QueryStringConfig.Values {
				list = append(list, route.Query{Key: value(q.Key), Value: value(q.Value)})
			}
			m.Queries = append(m.Queries, list)
		case field == fieldSource && c.SourceIpConfig != nil:
			m.Sources = append(m.Sources, c.SourceIpConfig.Values...)
		default:
			m.Paths = append(m.Paths, unknownMatch+field)
		}
	}
	return m
}

// permissionsFor are rules of a security group in EC2's words, and permissionsOf is the reverse. A rule that podgate does
// not make, such as one for another security group, has that as its prefix list.
func permissionsFor(list []elb.Permission) []ec2.Permission {
	var rules []ec2.Permission
	for _, p := range list {
		rules = append(rules, ruleFor(p))
	}
	return rules
}

func ruleFor(p elb.Permission) ec2.Permission {
	r := ec2.Permission{Protocol: p.Protocol, From: p.From, To: p.To, CIDR: p.CIDR, PrefixList: p.PrefixList}
	if strings.HasPrefix(p.PrefixList, "sg-") {
		r.PrefixList, r.Group = "", p.PrefixList
	}
	return r
}

func permissionsOf(rules []ec2.Permission) []elb.Permission {
	var list []elb.Permission
	for _, r := range rules {
		p := elb.Permission{Protocol: r.Protocol, From: r.From, To: r.To, CIDR: r.CIDR, PrefixList: r.PrefixList + r.Group}
		if r.Protocol == "-1" {
			p.From, p.To = 0, 0
		}
		list = append(list, p)
	}
	return list
}

func securityGroupOf(g ec2.SecurityGroup) elb.ObservedSecurityGroup {
	return elb.ObservedSecurityGroup{
		SecurityGroup: elb.SecurityGroup{Name: g.Name, Description: g.Description, VPC: g.VPC, Ingress: permissionsOf(g.Ingress), Tags: g.Tags}, ID: g.ID,
	}
}
