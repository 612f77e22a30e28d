// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package awssim

import (
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/google/go-cmp/cmp"
)

// configuration is what somebody writes for one load balancer with a target group, a listener and a rule, as far as the
// API can be asked for it again. Of attributes it has those that were written.
type configuration struct {
	Kind           types.LoadBalancerTypeEnum
	Subnets        []string
	SecurityGroups []string
	AddressType    types.IpAddressType
	Attributes     map[string]string
	Capacity       int32
	Tags           map[string]string

	HealthPath      string
	HealthyCount    int32
	GroupAttributes map[string]string
	Targets         []Target

	Protocol           types.ProtocolEnum
	Port               int32
	Certificate        string
	Policy             string
	Extra              []string
	ListenerAttributes map[string]string

	// Rule is left out for a network load balancer.
	Priority string
	Hosts    []string
	Redirect string
}

// stack are the resources that exist for a configuration.
type stack struct {
	*env
	balancer, group, listener, rule string
}

// must ends the test when a call failed.
func must[T any](e *env) func(T, error) T {
	return func(out T, err error) T {
		e.Helper()
		if err != nil {
			e.Fatal(err)
		}
		return out
	}
}

func tagsOf(of map[string]string) []types.Tag {
	var list []types.Tag
	for key, value := range of {
		list = append(list, types.Tag{Key: &key, Value: &value})
	}
	return list
}

func (s *stack) forwards() []types.Action { return []types.Action{forwardTo(s.group)} }

// encryption are the certificate and policy of the listener, if it has one.
func (c configuration) encryption() ([]types.Certificate, *string) {
	if c.Certificate == "" {
		return nil, nil
	}
	return []types.Certificate{{CertificateArn: &c.Certificate}}, &c.Policy
}

// create makes the resources with the calls that the provider of Terraform, and with it that of Pulumi, makes.
func (e *env) create(name string, c configuration) *stack {
	e.Helper()
	ctx := e.Context()
	if err := second(e.elb.DescribeLoadBalancers(ctx, &elbv2.DescribeLoadBalancersInput{Names: []string{name}})); codeOf(err) != "LoadBalancerNotFound" {
		e.Fatalf("before it is created: %v", err)
	}

	s := &stack{env: e}
	s.balancer = *must[*elbv2.CreateLoadBalancerOutput](e)(e.elb.CreateLoadBalancer(ctx, &elbv2.CreateLoadBalancerInput{
		Name: &name, Type: c.Kind, Subnets: c.Subnets, SecurityGroups: c.SecurityGroups, IpAddressType: c.AddressType, Tags: tagsOf(c.Tags),
	})).LoadBalancers[0].LoadBalancerArn
	if got := e.balancerView(s.balancer).State.Code; got != types.LoadBalancerStateEnumActive {
		e.Fatalf("a new load balancer is %s", got)
	}
	s.writeCapacity(c)
	s.writeBalancerAttributes(c)

	if err := second(e.elb.DescribeTargetGroups(ctx, &elbv2.DescribeTargetGroupsInput{Names: []string{name}})); codeOf(err) != "TargetGroupNotFound" {
		e.Fatalf("before it is created: %v", err)
	}
	protocol := types.ProtocolEnumHttp
	if c.Kind == types.LoadBalancerTypeEnumNetwork {
		protocol = types.ProtocolEnumTcp
	}
	s.group = *must[*elbv2.CreateTargetGroupOutput](e)(e.elb.CreateTargetGroup(ctx, &elbv2.CreateTargetGroupInput{
		Name: &name, Port: aws.Int32(80), Protocol: protocol, TargetType: types.TargetTypeEnumIp, VpcId: aws.String("vpc-0a1b2c3d4e5f60718"),
		IpAddressType: types.TargetGroupIpAddressTypeEnumIpv4, Tags: tagsOf(c.Tags), HealthCheckEnabled: aws.Bool(true),
		HealthCheckIntervalSeconds: aws.Int32(30), HealthCheckPort: aws.String("traffic-port"), HealthCheckProtocol: types.ProtocolEnumHttp,
		HealthCheckPath: &c.HealthPath, HealthyThresholdCount: &c.HealthyCount, UnhealthyThresholdCount: aws.Int32(3),
	})).TargetGroups[0].TargetGroupArn
	s.writeGroupAttributes(c)

	certificate, policy := c.encryption()
	s.listener = *must[*elbv2.CreateListenerOutput](e)(e.elb.CreateListener(ctx, &elbv2.CreateListenerInput{
		LoadBalancerArn: &s.balancer, Protocol: c.Protocol, Port: &c.Port, Certificates: certificate, SslPolicy: policy,
		DefaultActions: s.forwards(), Tags: tagsOf(c.Tags),
	})).Listeners[0].ListenerArn
	s.writeListenerAttributes(c)
	s.addCertificates(c.Extra)

	if c.Priority != "" {
		s.rule = *must[*elbv2.CreateRuleOutput](e)(e.elb.CreateRule(ctx, &elbv2.CreateRuleInput{
			ListenerArn: &s.listener, Priority: aws.Int32(priorityOf(c)), Actions: c.redirect(), Conditions: c.conditions(), Tags: tagsOf(c.Tags),
		})).Rules[0].RuleArn
	}

	e.register(s.group, c.Targets...)
	return s
}

func priorityOf(c configuration) int32 {
	var n int32
	for _, digit := range c.Priority {
		n = n*10 + digit - '0'
	}
	return n
}

// redirect is written in full: the provider fills in the parts that are kept.
func (c configuration) redirect() []types.Action {
	return []types.Action{{Type: types.ActionTypeEnumRedirect, Order: aws.Int32(1), RedirectConfig: &types.RedirectActionConfig{
		Host: &c.Redirect, Path: aws.String("/#{path}"), Port: aws.String("#{port}"), Protocol: aws.String("#{protocol}"),
		Query: aws.String("#{query}"), StatusCode: types.RedirectActionStatusCodeEnumHttp301,
	}}}
}

func (c configuration) conditions() []types.RuleCondition {
	return []types.RuleCondition{{Field: aws.String("host-header"), HostHeaderConfig: &types.HostHeaderConditionConfig{Values: c.Hosts}}}
}

func (s *stack) writeBalancerAttributes(c configuration) {
	s.Helper()
	var list []types.LoadBalancerAttribute
	for key, value := range c.Attributes {
		list = append(list, types.LoadBalancerAttribute{Key: &key, Value: &value})
	}
	must[*elbv2.ModifyLoadBalancerAttributesOutput](s.env)(s.elb.ModifyLoadBalancerAttributes(s.Context(), &elbv2.ModifyLoadBalancerAttributesInput{LoadBalancerArn: &s.balancer, Attributes: list}))
}

func (s *stack) writeGroupAttributes(c configuration) {
	s.Helper()
	for key, value := range c.GroupAttributes {
		s.attribute(s.group, key, value)
	}
}

func (s *stack) writeListenerAttributes(c configuration) {
	s.Helper()
	var list []types.ListenerAttribute
	for key, value := range c.ListenerAttributes {
		list = append(list, types.ListenerAttribute{Key: &key, Value: &value})
	}
	must[*elbv2.ModifyListenerAttributesOutput](s.env)(s.elb.ModifyListenerAttributes(s.Context(), &elbv2.ModifyListenerAttributesInput{ListenerArn: &s.listener, Attributes: list}))
}

func (s *stack) writeCapacity(c configuration) {
	s.Helper()
	in := &elbv2.ModifyCapacityReservationInput{LoadBalancerArn: &s.balancer, ResetCapacityReservation: aws.Bool(c.Capacity == 0)}
	if c.Capacity != 0 {
		in.MinimumLoadBalancerCapacity = &types.MinimumLoadBalancerCapacity{CapacityUnits: &c.Capacity}
	}
	must[*elbv2.ModifyCapacityReservationOutput](s.env)(s.elb.ModifyCapacityReservation(s.Context(), in))
}

func (s *stack) addCertificates(arns []string) {
	s.Helper()
	for _, arn := range arns {
		must[*elbv2.AddListenerCertificatesOutput](s.env)(s.elb.AddListenerCertificates(s.Context(), &elbv2.AddListenerCertificatesInput{
			ListenerArn: &s.listener, Certificates: []types.Certificate{{CertificateArn: &arn}},
		}))
	}
}

// update changes everything that can be changed in place.
func (s *stack) update(from, to configuration) {
	s.Helper()
	ctx := s.Context()
	s.writeBalancerAttributes(to)
	must[*elbv2.SetSecurityGroupsOutput](s.env)(s.elb.SetSecurityGroups(ctx, &elbv2.SetSecurityGroupsInput{LoadBalancerArn: &s.balancer, SecurityGroups: to.SecurityGroups}))
	must[*elbv2.SetSubnetsOutput](s.env)(s.elb.SetSubnets(ctx, &elbv2.SetSubnetsInput{LoadBalancerArn: &s.balancer, Subnets: to.Subnets}))
	must[*elbv2.SetIpAddressTypeOutput](s.env)(s.elb.SetIpAddressType(ctx, &elbv2.SetIpAddressTypeInput{LoadBalancerArn: &s.balancer, IpAddressType: to.AddressType}))
	s.writeCapacity(to)

	must[*elbv2.ModifyTargetGroupOutput](s.env)(s.elb.ModifyTargetGroup(ctx, &elbv2.ModifyTargetGroupInput{
		TargetGroupArn: &s.group, HealthCheckEnabled: aws.Bool(true), HealthCheckIntervalSeconds: aws.Int32(30), HealthCheckPort: aws.String("traffic-port"),
		HealthCheckProtocol: types.ProtocolEnumHttp, HealthCheckPath: &to.HealthPath, HealthyThresholdCount: &to.HealthyCount, UnhealthyThresholdCount: aws.Int32(3),
	}))
	s.writeGroupAttributes(to)

	certificate, policy := to.encryption()
	must[*elbv2.ModifyListenerOutput](s.env)(s.elb.ModifyListener(ctx, &elbv2.ModifyListenerInput{
		ListenerArn: &s.listener, Protocol: to.Protocol, Port: &to.Port, Certificates: certificate, SslPolicy: policy, DefaultActions: s.forwards(),
	}))
	s.writeListenerAttributes(to)
	for _, arn := range from.Extra {
		must[*elbv2.RemoveListenerCertificatesOutput](s.env)(s.elb.RemoveListenerCertificates(ctx, &elbv2.RemoveListenerCertificatesInput{
			ListenerArn: &s.listener, Certificates: []types.Certificate{{CertificateArn: &arn}},
		}))
	}
	s.addCertificates(to.Extra)

	if s.rule != "" {
		must[*elbv2.SetRulePrioritiesOutput](s.env)(s.elb.SetRulePriorities(ctx, &elbv2.SetRulePrioritiesInput{
			RulePriorities: []types.RulePriorityPair{{RuleArn: &s.rule, Priority: aws.Int32(priorityOf(to))}},
		}))
		must[*elbv2.ModifyRuleOutput](s.env)(s.elb.ModifyRule(ctx, &elbv2.ModifyRuleInput{RuleArn: &s.rule, Actions: to.redirect(), Conditions: to.conditions()}))
	}

	for _, arn := range s.tagged() {
		for key := range from.Tags {
			must[*elbv2.RemoveTagsOutput](s.env)(s.elb.RemoveTags(ctx, &elbv2.RemoveTagsInput{ResourceArns: []string{arn}, TagKeys: []string{key}}))
		}
		must[*elbv2.AddTagsOutput](s.env)(s.elb.AddTags(ctx, &elbv2.AddTagsInput{ResourceArns: []string{arn}, Tags: tagsOf(to.Tags)}))
	}

	s.deregister(s.group, from.Targets...)
	s.register(s.group, to.Targets...)
}

// tagged are the resources that have tags.
func (s *stack) tagged() []string {
	return slices.DeleteFunc([]string{s.balancer, s.group, s.listener, s.rule}, func(arn string) bool { return arn == "" })
}

// read asks for everything with the calls of a refresh. written says which attributes and targets to look for.
func (s *stack) read(written configuration) configuration {
	s.Helper()
	b := s.balancerView(s.balancer)
	got := configuration{Kind: b.Type, SecurityGroups: b.SecurityGroups, AddressType: b.IpAddressType}
	for _, z := range b.AvailabilityZones {
		got.Subnets = append(got.Subnets, *z.SubnetId)
	}
	got.Attributes = keysOf(s.balancerAttributes(s.balancer), written.Attributes)
	capacity := must[*elbv2.DescribeCapacityReservationOutput](s.env)(s.elb.DescribeCapacityReservation(s.Context(), &elbv2.DescribeCapacityReservationInput{LoadBalancerArn: &s.balancer}))
	if m := capacity.MinimumLoadBalancerCapacity; m != nil {
		got.Capacity = *m.CapacityUnits
	}

	s.readTags(&got)
	s.readGroup(&got, written)
	s.readListener(&got, written)
	return got
}

// keysOf returns the entries of got that have a key of written.
func keysOf(got, written map[string]string) map[string]string {
	kept := map[string]string{}
	for key := range written {
		if value, ok := got[key]; ok {
			kept[key] = value
		}
	}
	return kept
}

// readTags reads the tags of all resources, which must be the same.
func (s *stack) readTags(got *configuration) {
	s.Helper()
	out := must[*elbv2.DescribeTagsOutput](s.env)(s.elb.DescribeTags(s.Context(), &elbv2.DescribeTagsInput{ResourceArns: s.tagged()}))
	for _, d := range out.TagDescriptions {
		tags := map[string]string{}
		for _, t := range d.Tags {
			tags[*t.Key] = *t.Value
		}
		if got.Tags != nil && !cmp.Equal(got.Tags, tags) {
			s.Errorf("tags of %s are %v, others are %v", *d.ResourceArn, tags, got.Tags)
		}
		got.Tags = tags
	}
}

func (s *stack) readGroup(got *configuration, written configuration) {
	s.Helper()
	g := must[*elbv2.DescribeTargetGroupsOutput](s.env)(s.elb.DescribeTargetGroups(s.Context(), &elbv2.DescribeTargetGroupsInput{TargetGroupArns: []string{s.group}})).TargetGroups[0]
	got.HealthPath, got.HealthyCount = *g.HealthCheckPath, *g.HealthyThresholdCount

	attributes := must[*elbv2.DescribeTargetGroupAttributesOutput](s.env)(s.elb.DescribeTargetGroupAttributes(s.Context(), &elbv2.DescribeTargetGroupAttributesInput{TargetGroupArn: &s.group})).Attributes
	got.GroupAttributes = keysOf(values(attributes), written.GroupAttributes)

	for _, row := range s.describe(s.group, written.Targets...) {
		if row.TargetHealth.Reason != types.TargetHealthReasonEnumNotRegistered && row.TargetHealth.Reason != types.TargetHealthReasonEnumDeregistrationInProgress {
			got.Targets = append(got.Targets, Target{ID: *row.Target.Id, Port: int(*row.Target.Port)})
		}
	}
}

func (s *stack) readListener(got *configuration, written configuration) {
	s.Helper()
	l := must[*elbv2.DescribeListenersOutput](s.env)(s.elb.DescribeListeners(s.Context(), &elbv2.DescribeListenersInput{ListenerArns: []string{s.listener}})).Listeners[0]
	got.Protocol, got.Port, got.Policy = l.Protocol, *l.Port, aws.ToString(l.SslPolicy)
	if len(l.DefaultActions) != 1 || aws.ToString(l.DefaultActions[0].TargetGroupArn) != s.group {
		s.Errorf("default actions %+v, want a forward to %s", l.DefaultActions, s.group)
	}

	attributes := must[*elbv2.DescribeListenerAttributesOutput](s.env)(s.elb.DescribeListenerAttributes(s.Context(), &elbv2.DescribeListenerAttributesInput{ListenerArn: &s.listener})).Attributes
	got.ListenerAttributes = keysOf(values(attributes), written.ListenerAttributes)

	for _, c := range must[*elbv2.DescribeListenerCertificatesOutput](s.env)(s.elb.DescribeListenerCertificates(s.Context(), &elbv2.DescribeListenerCertificatesInput{ListenerArn: &s.listener})).Certificates {
		if *c.IsDefault {
			got.Certificate = *c.CertificateArn
		} else {
			got.Extra = append(got.Extra, *c.CertificateArn)
		}
	}

	if s.rule == "" {
		return
	}
	r := must[*elbv2.DescribeRulesOutput](s.env)(s.elb.DescribeRules(s.Context(), &elbv2.DescribeRulesInput{RuleArns: []string{s.rule}})).Rules[0]
	got.Priority, got.Hosts, got.Redirect = *r.Priority, r.Conditions[0].HostHeaderConfig.Values, *r.Actions[0].RedirectConfig.Host
}

// destroy deletes everything, in the order that dependencies allow.
func (s *stack) destroy(c configuration) {
	s.Helper()
	ctx := s.Context()
	s.deregister(s.group, c.Targets...)
	if s.rule != "" {
		must[*elbv2.DeleteRuleOutput](s.env)(s.elb.DeleteRule(ctx, &elbv2.DeleteRuleInput{RuleArn: &s.rule}))
	}
	must[*elbv2.DeleteListenerOutput](s.env)(s.elb.DeleteListener(ctx, &elbv2.DeleteListenerInput{ListenerArn: &s.listener}))
	must[*elbv2.DeleteTargetGroupOutput](s.env)(s.elb.DeleteTargetGroup(ctx, &elbv2.DeleteTargetGroupInput{TargetGroupArn: &s.group}))
	must[*elbv2.DeleteLoadBalancerOutput](s.env)(s.elb.DeleteLoadBalancer(ctx, &elbv2.DeleteLoadBalancerInput{LoadBalancerArn: &s.balancer}))

	for want, err := range map[string]error{
		"LoadBalancerNotFound": second(s.elb.DescribeLoadBalancers(ctx, &elbv2.DescribeLoadBalancersInput{LoadBalancerArns: []string{s.balancer}})),
		"TargetGroupNotFound":  second(s.elb.DescribeTargetGroups(ctx, &elbv2.DescribeTargetGroupsInput{TargetGroupArns: []string{s.group}})),
		"ListenerNotFound":     second(s.elb.DescribeListeners(ctx, &elbv2.DescribeListenersInput{ListenerArns: []string{s.listener}})),
	} {
		if codeOf(err) != want {
			s.Errorf("after the deletion: %v, want %s", err, want)
		}
	}
}

// TestTerraformSeesWhatItWrote replays the calls of Terraform's provider: what a refresh reads is what was written, so
// that a second plan has nothing to do.
func TestTerraformSeesWhatItWrote(t *testing.T) {
	acm := "arn:aws:acm:eu-west-1:123456789012:certificate/"
	for name, steps := range map[string][2]configuration{
		"application": {
			{
				Kind: types.LoadBalancerTypeEnumApplication, Subnets: []string{"subnet-1", "subnet-2"}, SecurityGroups: []string{"sg-1"}, AddressType: types.IpAddressTypeIpv4,
				Attributes: map[string]string{
					"access_logs.s3.enabled": "false", "connection_logs.s3.enabled": "false", "client_keep_alive.seconds": "3600",
					"deletion_protection.enabled": "false", "idle_timeout.timeout_seconds": "60", "routing.http.desync_mitigation_mode": "defensive",
					"routing.http.drop_invalid_header_fields.enabled": "false", "routing.http.preserve_host_header.enabled": "false",
					"routing.http.x_amzn_tls_version_and_cipher_suite.enabled": "false", "routing.http.xff_client_port.enabled": "false",
					"routing.http.xff_header_processing.mode": "append", "routing.http2.enabled": "true", "waf.fail_open.enabled": "false",
					"zonal_shift.config.enabled": "false",
				},
				Capacity: 100, Tags: map[string]string{"team": "web"},
				HealthPath: "/healthz", HealthyCount: 3, Targets: []Target{{ID: "10.0.0.1", Port: 8080}},
				GroupAttributes: map[string]string{"deregistration_delay.timeout_seconds": "30", "load_balancing.cross_zone.enabled": "true", "stickiness.type": "lb_cookie", "stickiness.enabled": "true"},
				Protocol:        types.ProtocolEnumHttps, Port: 443, Certificate: acm + "one", Policy: "ELBSecurityPolicy-2016-08", Extra: []string{acm + "two", acm + "three"},
				ListenerAttributes: map[string]string{"routing.http.response.server.enabled": "false", "routing.http.request.x_amzn_tls_version.header_name": "X-Tls"},
				Priority:           "100", Hosts: []string{"a.example.com", "b.example.com"}, Redirect: "c.example.com",
			}, {
				Kind: types.LoadBalancerTypeEnumApplication, Subnets: []string{"subnet-2", "subnet-3"}, SecurityGroups: []string{"sg-2", "sg-3"}, AddressType: types.IpAddressTypeDualstack,
				Attributes: map[string]string{"idle_timeout.timeout_seconds": "120", "routing.http.xff_header_processing.mode": "preserve", "access_logs.s3.enabled": "true", "access_logs.s3.bucket": "logs", "access_logs.s3.prefix": ""},
				Tags:       map[string]string{"team": "shop", "stage": "test"},
				HealthPath: "/ready", HealthyCount: 2, Targets: []Target{{ID: "10.0.0.2", Port: 8080}},
				GroupAttributes: map[string]string{"load_balancing.cross_zone.enabled": "use_load_balancer_configuration", "load_balancing.algorithm.type": "least_outstanding_requests", "stickiness.enabled": "false"},
				Protocol:        types.ProtocolEnumHttps, Port: 8443, Certificate: acm + "two", Policy: "ELBSecurityPolicy-TLS13-1-2-2021-06", Extra: []string{acm + "four"},
				ListenerAttributes: map[string]string{"routing.http.response.server.enabled": "true", "routing.http.response.x_content_type_options.header_value": "nosniff"},
				Priority:           "7", Hosts: []string{"a.example.com"}, Redirect: "#{host}",
			},
		},
		"network": {
			{
				Kind: types.LoadBalancerTypeEnumNetwork, Subnets: []string{"subnet-1"}, SecurityGroups: []string{"sg-1"}, AddressType: types.IpAddressTypeIpv4,
				Attributes: map[string]string{"access_logs.s3.enabled": "false", "deletion_protection.enabled": "false", "load_balancing.cross_zone.enabled": "false", "dns_record.client_routing_policy": "any_availability_zone", "zonal_shift.config.enabled": "false"},
				Tags:       map[string]string{"team": "web"},
				HealthPath: "/healthz", HealthyCount: 3, Targets: []Target{{ID: "10.0.0.1", Port: 8080}},
				GroupAttributes:    map[string]string{"proxy_protocol_v2.enabled": "true", "preserve_client_ip.enabled": "false"},
				Protocol:           types.ProtocolEnumTcp,
				Port:               80,
				ListenerAttributes: map[string]string{"tcp.idle_timeout.seconds": "600"},
			}, {
				Kind: types.LoadBalancerTypeEnumNetwork, Subnets: []string{"subnet-1", "subnet-2"}, SecurityGroups: []string{"sg-2"}, AddressType: types.IpAddressTypeDualstack,
				Attributes: map[string]string{"load_balancing.cross_zone.enabled": "true", "dns_record.client_routing_policy": "availability_zone_affinity"},
				Tags:       map[string]string{"team": "web"},
				HealthPath: "/ready", HealthyCount: 2, Targets: []Target{{ID: "10.0.0.2", Port: 8080}},
				GroupAttributes:    map[string]string{"proxy_protocol_v2.enabled": "false", "deregistration_delay.connection_termination.enabled": "true"},
				Protocol:           types.ProtocolEnumTcp,
				Port:               81,
				ListenerAttributes: map[string]string{"tcp.idle_timeout.seconds": "350"},
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			e := start(t, Config{DataPath: DataPath{EphemeralPorts: true}, Throttle: ThrottleOff})
			s := e.create("web", steps[0])
			unchanged := func(written configuration) {
				t.Helper()
				for range 2 {
					if diff := cmp.Diff(written, s.read(written)); diff != "" {
						t.Errorf("a plan finds a difference (-written +read):\n%s", diff)
					}
				}
			}

			unchanged(steps[0])
			s.update(steps[0], steps[1])
			unchanged(steps[1])
			s.destroy(steps[1])
		})
	}
}
