// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/google/go-cmp/cmp"

	"github.com/podgate/podgate/internal/aws/ec2"
	"github.com/podgate/podgate/internal/provision/elb"
	"github.com/podgate/podgate/internal/route"
)

// TestActions: an action is read as it was written, also in the form in which AWS answers it.
func TestActions(t *testing.T) {
	forward := func(config *types.ForwardActionConfig, group string) []types.Action {
		return []types.Action{{Type: types.ActionTypeEnumForward, ForwardConfig: config, TargetGroupArn: optional(group)}}
	}
	tuple := func(arn string, weight *int32) types.TargetGroupTuple {
		return types.TargetGroupTuple{TargetGroupArn: &arn, Weight: weight}
	}

	for _, tc := range []struct {
		reason   string
		action   elb.Action
		protocol string
		// answered is what AWS answers; nil: what it was sent.
		answered []types.Action
	}{
		{"weights", elb.Action{Forward: []elb.Forward{{Group: "arn:a", Weight: 0}, {Group: "arn:b", Weight: 999}}}, "HTTP", nil},
		{"stickiness", elb.Action{Forward: []elb.Forward{{Group: "arn:a", Weight: 1}}, Sticky: 90 * time.Second}, "HTTPS", nil},
		{"a network load balancer's", elb.Action{Forward: []elb.Forward{{Group: "arn:a", Weight: 1}}}, "TCP", nil},
		{"both forms", elb.Action{Forward: []elb.Forward{{Group: "arn:a", Weight: 1}}}, "HTTP", forward(&types.ForwardActionConfig{
			TargetGroups: []types.TargetGroupTuple{tuple("arn:a", nil)}, TargetGroupStickinessConfig: &types.TargetGroupStickinessConfig{Enabled: aws.Bool(false), DurationSeconds: aws.Int32(60)},
		}, "arn:a")},
		{"a redirect", elb.Action{Redirect: &route.Redirect{Status: 301, Protocol: "HTTPS", Host: "a.example", Port: "443", Path: "/b", Query: "c"}}, "HTTP", nil},
		{"a redirect of which the rest stays", elb.Action{Redirect: &route.Redirect{Status: 302, Protocol: "HTTPS"}}, "HTTP", []types.Action{{
			Type: types.ActionTypeEnumRedirect, RedirectConfig: &types.RedirectActionConfig{
				StatusCode: types.RedirectActionStatusCodeEnumHttp302, Protocol: aws.String("HTTPS"), Host: aws.String("#{host}"), Port: aws.String("#{port}"), Path: aws.String("/#{path}"), Query: aws.String("#{query}"),
			},
		}}},
		{"its protocol, too", elb.Action{Redirect: &route.Redirect{Status: 302, Path: "/a"}}, "HTTP", []types.Action{{
			Type: types.ActionTypeEnumRedirect, RedirectConfig: &types.RedirectActionConfig{
				StatusCode: types.RedirectActionStatusCodeEnumHttp302, Protocol: aws.String("#{protocol}"), Path: aws.String("/a"),
			},
		}}},
		{"an answer", elb.Action{Answer: &route.Answer{Status: 503, ContentType: "text/html", Body: "<p>"}}, "HTTP", nil},
		{"an answer without a body", elb.Action{Answer: &route.Answer{Status: 404}}, "HTTP", nil},
		{"none", elb.Action{}, "HTTP", nil},
		{"authentication before it", elb.Action{}, "HTTPS", append([]types.Action{{Type: types.ActionTypeEnumAuthenticateOidc}}, forward(nil, "arn:a")...)},
		{"something that podgate does not make", elb.Action{}, "HTTPS", []types.Action{{Type: types.ActionTypeEnumJwtValidation}}},
	} {
		actions := tc.answered
		if actions == nil {
			actions = actionsFor(tc.action, tc.protocol)
		}
		if diff := cmp.Diff(tc.action, actionOf(actions)); diff != "" {
			t.Errorf("%s: %s", tc.reason, diff)
		}
	}

	// An action that has no stickiness says so: otherwise one that had it would keep it.
	if s := actionsFor(elb.Action{Forward: []elb.Forward{{Group: "arn:a"}}}, "HTTP")[0].ForwardConfig.TargetGroupStickinessConfig; s == nil || aws.ToBool(s.Enabled) {
		t.Errorf("got stickiness %+v", s)
	}
	if a := actionsFor(elb.Action{Forward: []elb.Forward{{Group: "arn:a"}}}, "TCP")[0]; a.ForwardConfig != nil || value(a.TargetGroupArn) != "arn:a" {
		t.Errorf("a network load balancer is sent %+v", a)
	}
}

// TestMatches: conditions are read as they were written, in whichever form AWS answers them.
func TestMatches(t *testing.T) {
	all := route.Match{
		Hosts: []string{"a.example", "*.b.example"}, Paths: []string{"/a", "/a/*"}, Methods: []string{"GET", "PUT"},
		Headers: []route.Header{{Name: "X-A", Values: []string{"b", "c"}}, {Name: "X-D", Values: []string{"e"}}},
		Queries: [][]route.Query{{{Key: "f", Value: "g"}, {Value: "h"}}, {{Key: "i", Value: "j"}}}, Sources: []string{"10.0.0.0/8"},
	}
	if diff := cmp.Diff(all, matchOf(conditionsFor(all))); diff != "" {
		t.Error(diff)
	}

	old := []types.RuleCondition{{Field: aws.String("host-header"), Values: []string{"a.example"}}, {Field: aws.String("path-pattern"), Values: []string{"/a"}}}
	if diff := cmp.Diff(route.Match{Hosts: []string{"a.example"}, Paths: []string{"/a"}}, matchOf(old)); diff != "" {
		t.Error(diff)
	}

	// A condition that podgate does not make must not be read as none: the rule would match more than it does.
	for _, strange := range []types.RuleCondition{
		{Field: aws.String("moon-phase"), Values: []string{"full"}},
		{Field: aws.String("path-pattern"), RegexValues: []string{"^a"}},
		{Field: aws.String("path-pattern"), PathPatternConfig: &types.PathPatternConditionConfig{RegexValues: []string{"^a"}}},
		{Field: aws.String("host-header"), HostHeaderConfig: &types.HostHeaderConditionConfig{RegexValues: []string{"^a"}}},
		{Field: aws.String("http-header"), HttpHeaderConfig: &types.HttpHeaderConditionConfig{HttpHeaderName: aws.String("a"), RegexValues: []string{"^a"}}},
	} {
		got := matchOf(append(conditionsFor(route.Match{Hosts: []string{"a.example"}}), strange))
		if len(got.Paths) != 1 || len(got.Hosts) != 1 {
			t.Errorf("%+v was read as %+v", strange, got)
		}
	}
}

func TestTargetGroups(t *testing.T) {
	want := elb.TargetGroup{
		Name: "k8s-web", VPC: "vpc-1", Protocol: "HTTP", Version: "GRPC", Port: 80, TargetType: "ip", AddressType: "ipv6",
		HealthCheck: elb.HealthCheck{Protocol: "HTTP", Path: "/AWS.ALB/healthcheck", Port: "traffic-port", Interval: 15, Timeout: 5, Healthy: 2, Unhealthy: 3, Codes: "12"},
	}
	in := createTargetGroup(want)
	got := targetGroupOf(types.TargetGroup{
		TargetGroupName: in.Name, VpcId: in.VpcId, Protocol: in.Protocol, ProtocolVersion: in.ProtocolVersion, Port: in.Port, TargetType: in.TargetType, IpAddressType: in.IpAddressType,
		HealthCheckProtocol: in.HealthCheckProtocol, HealthCheckPath: in.HealthCheckPath, HealthCheckPort: in.HealthCheckPort, HealthCheckIntervalSeconds: in.HealthCheckIntervalSeconds,
		HealthCheckTimeoutSeconds: in.HealthCheckTimeoutSeconds, HealthyThresholdCount: in.HealthyThresholdCount, UnhealthyThresholdCount: in.UnhealthyThresholdCount, Matcher: in.Matcher,
		LoadBalancerArns: []string{"arn:lb"}, TargetGroupArn: aws.String("arn:tg"),
	})
	if diff := cmp.Diff(elb.ObservedTargetGroup{TargetGroup: want, ARN: "arn:tg", LoadBalancer: "arn:lb"}, got); diff != "" {
		t.Error(diff)
	}
	if in.Matcher.HttpCode != nil || value(modifyTargetGroup("arn:tg", "HTTP1", want.HealthCheck).Matcher.HttpCode) != "12" {
		t.Error("the matcher is of the other protocol")
	}

	// What nobody asked for is left to AWS.
	bare := createTargetGroup(elb.TargetGroup{Name: "k8s-web", Protocol: "TCP", Port: 80, TargetType: "ip"})
	if bare.HealthCheckPath != nil || bare.Matcher != nil || bare.ProtocolVersion != nil || bare.HealthCheckIntervalSeconds != nil {
		t.Errorf("got %+v", bare)
	}
}

func TestListeners(t *testing.T) {
	want := elb.Listener{
		Port: 443, Protocol: "TLS", Certificates: []string{"arn:a"}, SSLPolicy: "policy", ALPN: "HTTP2Preferred", Default: elb.Action{Forward: []elb.Forward{{Group: "arn:tg", Weight: 1}}},
	}
	in := createListener("arn:lb", want)
	got := listenerOf(types.Listener{
		ListenerArn: aws.String("arn:l"), Port: in.Port, Protocol: in.Protocol, Certificates: in.Certificates, SslPolicy: in.SslPolicy, AlpnPolicy: in.AlpnPolicy, DefaultActions: in.DefaultActions,
	})
	if diff := cmp.Diff(elb.ObservedListener{Listener: want, ARN: "arn:l"}, got); diff != "" {
		t.Error(diff)
	}
	two := want
	two.Certificates = []string{"arn:a", "arn:b"}
	if n := len(createListener("arn:lb", two).Certificates); n != 1 {
		t.Errorf("made with %d certificates, and AWS takes one", n)
	}

	lb := loadBalancerOf(types.LoadBalancer{DNSName: aws.String("K8S-Web-1.elb.eu-west-1.amazonaws.com"), State: &types.LoadBalancerState{Code: "active_impaired"}})
	if lb.DNSName != "k8s-web-1.elb.eu-west-1.amazonaws.com" || lb.State != "active_impaired" {
		t.Errorf("got %+v", lb)
	}
}

func TestPermissions(t *testing.T) {
	rules := []ec2.Permission{
		{Protocol: "tcp", From: 80, To: 81, CIDR: "10.0.0.0/8"},
		{Protocol: "udp", From: 53, To: 53, PrefixList: "pl-1"},
		{Protocol: "-1", From: -1, To: -1, Group: "sg-1"}, // not podgate's, and it can be removed
	}
	list := permissionsOf(rules)
	if list[2].From != 0 || list[2].To != 0 {
		t.Errorf("got %+v", list)
	}
	back := permissionsFor(list)
	back[2].From, back[2].To = -1, -1 // EC2 takes none
	if diff := cmp.Diff(rules, back); diff != "" {
		t.Error(diff)
	}
}

func TestHealthCounts(t *testing.T) {
	row := func(state types.TargetHealthStateEnum) types.TargetHealthDescription {
		return types.TargetHealthDescription{TargetHealth: &types.TargetHealth{State: state}}
	}
	got := healthOf([]types.TargetHealthDescription{
		row("healthy"), row("unavailable"), row("initial"), row("unhealthy"), row("unused"), row("draining"), row("unhealthy.draining"), {},
	})
	if *got != (elb.Health{Registered: 5, Healthy: 2, Draining: 2}) {
		t.Errorf("got %+v", *got)
	}
	if got := healthOf(nil); *got != (elb.Health{}) {
		t.Errorf("of no target got %+v", *got)
	}
}
