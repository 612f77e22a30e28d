// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package awssim

import (
	"fmt"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/google/go-cmp/cmp"
)

func TestARNsHaveTheRealForm(t *testing.T) {
	e := start(t, Config{DataPath: DataPath{NoDataPath: true}})
	group := e.group("web")
	app, net := e.balancer("a", types.LoadBalancerTypeEnumApplication), e.balancer("n", types.LoadBalancerTypeEnumNetwork)
	listener := e.listen(app, types.ProtocolEnumHttp, 80, forwardTo(group))
	rules, err := e.elb.DescribeRules(e.Context(), &elbv2.DescribeRulesInput{ListenerArn: &listener})
	if err != nil {
		t.Fatal(err)
	}

	for resource, form := range map[string]string{
		group:                   "targetgroup/web/ID",
		app:                     "loadbalancer/app/a/ID",
		net:                     "loadbalancer/net/n/ID",
		listener:                "listener/app/a/ID/ID",
		*rules.Rules[0].RuleArn: "listener-rule/app/a/ID/ID/ID",
	} {
		parsed, err := arn.Parse(resource)
		if err != nil {
			t.Fatal(err)
		}

		parts := strings.Split(parsed.Resource, "/")
		for i, p := range parts {
			if len(p) == 16 && strings.Trim(p, "0123456789abcdef") == "" {
				parts[i] = "ID"
			}
		}

		got := []string{parsed.Service, parsed.Region, parsed.AccountID, strings.Join(parts, "/")}
		if diff := cmp.Diff([]string{"elasticloadbalancing", "eu-west-1", "123456789012", form}, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", resource, diff)
		}
	}
}

// TestRefusals are requests that the service refuses, with its code and, where
// a public source quotes it, its words.
func TestRefusals(t *testing.T) {
	elsewhere := "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/web/0123456789abcdef"
	foreign := "arn:aws:elasticloadbalancing:eu-west-1:999999999999:targetgroup/web/0123456789abcdef"
	gone := "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/web/0123456789abcdef"
	e := start(t, Config{DataPath: DataPath{NoDataPath: true}, Throttle: ThrottleOff, ELB: ELB{Quotas: Quotas{TargetsPerGroup: 2, TagsPerResource: 2}, VPCCIDRs: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}})
	group := e.used()
	register := func(arn string, targets ...types.TargetDescription) error {
		_, err := e.elb.RegisterTargets(e.Context(), &elbv2.RegisterTargetsInput{TargetGroupArn: &arn, Targets: targets})
		return err
	}

	create := func(edit func(*elbv2.CreateTargetGroupInput)) error {
		in := &elbv2.CreateTargetGroupInput{Name: aws.String("new"), Protocol: types.ProtocolEnumHttp, Port: aws.Int32(80), VpcId: aws.String("vpc-0a1b2c3d4e5f60718"), TargetType: types.TargetTypeEnumIp}
		edit(in)
		_, err := e.elb.CreateTargetGroup(e.Context(), in)
		return err
	}

	health := func(arn string) error {
		_, err := e.elb.DescribeTargetHealth(e.Context(), &elbv2.DescribeTargetHealthInput{TargetGroupArn: &arn})
		return err
	}

	id := func(id string) types.TargetDescription { return types.TargetDescription{Id: &id} }
	cases := map[string]struct {
		reason     string
		err        error
		code, text string
	}{
		"RegionOfARN":      {reason: "an ARN of another region is not a valid one", err: health(elsewhere), code: "ValidationError", text: "'" + elsewhere + "' is not a valid target group ARN"},
		"AccountOfARN":     {reason: "nor is one of another account", err: health(foreign), code: "ValidationError", text: "'" + foreign + "' is not a valid target group ARN"},
		"NoARN":            {reason: "nor is a name", err: health("web"), code: "ValidationError", text: "'web' is not a valid target group ARN"},
		"GroupGone":        {reason: "a group that is not there", err: health(gone), code: "TargetGroupNotFound", text: "One or more target groups not found"},
		"RegisterGone":     {reason: "registering in it", err: register(gone, id("10.0.0.1")), code: "TargetGroupNotFound"},
		"TooManyTargets":   {reason: "three where two are allowed", err: register(group, id("10.0.0.1"), id("10.0.0.2"), id("10.0.0.3")), code: "TooManyTargets"},
		"NotAnAddress":     {reason: "an ip group wants addresses", err: register(group, id("web-1")), code: "ValidationError"},
		"WrongFamily":      {reason: "an IPv4 group wants IPv4", err: register(group, id("fd00::1")), code: "ValidationError"},
		"OutsideVPC":       {reason: "an address outside wants a zone", err: register(group, id("192.168.0.1")), code: "ValidationError", text: "The Availability Zone is required for IP address '192.168.0.1' because it is not in the VPC"},
		"InsideVPC":        {reason: "an address inside cannot be in all zones", err: register(group, types.TargetDescription{Id: aws.String("10.0.0.1"), AvailabilityZone: aws.String("all")}), code: "ValidationError"},
		"Port":             {reason: "ports end at 65535", err: register(group, types.TargetDescription{Id: aws.String("10.0.0.1"), Port: aws.Int32(70000)}), code: "ValidationError"},
		"Interval":         {reason: "AWS's shortest interval is 5 s", err: create(func(in *elbv2.CreateTargetGroupInput) { in.HealthCheckIntervalSeconds = aws.Int32(4) }), code: "ValidationError"},
		"Timeout":          {reason: "a time-out is shorter than the interval", err: create(func(in *elbv2.CreateTargetGroupInput) { in.HealthCheckTimeoutSeconds = aws.Int32(30) }), code: "ValidationError"},
		"Threshold":        {reason: "thresholds begin at 2", err: create(func(in *elbv2.CreateTargetGroupInput) { in.HealthyThresholdCount = aws.Int32(1) }), code: "ValidationError"},
		"Matcher":          {reason: "a matcher is of status codes", err: create(func(in *elbv2.CreateTargetGroupInput) { in.Matcher = &types.Matcher{HttpCode: aws.String("2xx")} }), code: "ValidationError"},
		"ChecksOff":        {reason: "only Lambda groups may switch checks off", err: create(func(in *elbv2.CreateTargetGroupInput) { in.HealthCheckEnabled = aws.Bool(false) }), code: "ValidationError"},
		"LongName":         {reason: "names end at 32 characters", err: create(func(in *elbv2.CreateTargetGroupInput) { in.Name = aws.String(strings.Repeat("a", 33)) }), code: "ValidationError", text: "Target group name '" + strings.Repeat("a", 33) + "' cannot be longer than '32' characters"},
		"Protocol":         {reason: "an enum has its values", err: create(func(in *elbv2.CreateTargetGroupInput) { in.Protocol = "SCTP" }), code: "ValidationError"},
		"NotModelled":      {reason: "what is not modelled is said to be so", err: create(func(in *elbv2.CreateTargetGroupInput) { in.ProtocolVersion = aws.String("GRPC") }), code: "ValidationError", text: "awssim does not model protocol version 'GRPC'"},
		"SameName":         {reason: "a name is taken by a group with other settings", err: create(func(in *elbv2.CreateTargetGroupInput) { in.Name, in.Port = aws.String("web"), aws.Int32(81) }), code: "DuplicateTargetGroupName"},
		"GroupInUse":       {reason: "a group behind a listener stays", err: second(e.elb.DeleteTargetGroup(e.Context(), &elbv2.DeleteTargetGroupInput{TargetGroupArn: &group})), code: "ResourceInUse", text: "Target group '" + group + "' is currently in use by a listener or a rule"},
		"AttributeKey":     {reason: "attributes have names", err: attribute(e, group, "color", "red"), code: "ValidationError"},
		"AttributeRange":   {reason: "a deregistration delay is at most an hour", err: attribute(e, group, "deregistration_delay.timeout_seconds", "3601"), code: "ValidationError"},
		"AttributeOfOther": {reason: "an attribute that only groups of the other load balancers have", err: attribute(e, group, "proxy_protocol_v2.enabled", "true"), code: "InvalidConfigurationRequest", text: "Target group attribute key 'proxy_protocol_v2.enabled' is not supported on target groups with protocol 'HTTP'"},
		"AttributeWord":    {reason: "an algorithm has its words", err: attribute(e, group, "load_balancing.algorithm.type", "hash"), code: "ValidationError"},
		"AttributeSticky":  {reason: "stickiness by address is for network load balancers", err: attribute(e, group, "stickiness.type", "source_ip"), code: "InvalidConfigurationRequest", text: "Stickiness type 'source_ip' is not supported for target groups with the HTTP protocol"},
		"AttributeSlow":    {reason: "a slow start takes at least 30 s", err: attribute(e, group, "slow_start.duration_seconds", "29"), code: "ValidationError"},
		"AttributeSwitch":  {reason: "a switch is true or false", err: attribute(e, group, "stickiness.enabled", "yes"), code: "ValidationError"},
		"TagsOfElsewhere":  {reason: "tags have words of their own for a foreign ARN", err: second(e.elb.DescribeTags(e.Context(), &elbv2.DescribeTagsInput{ResourceArns: []string{elsewhere}})), code: "ValidationError", text: "'" + elsewhere + "' must be in ARN format"},
		"TooManyTags":      {reason: "three where two are allowed", err: second(e.elb.AddTags(e.Context(), &elbv2.AddTagsInput{ResourceArns: []string{group}, Tags: []types.Tag{{Key: aws.String("a")}, {Key: aws.String("b")}, {Key: aws.String("c")}}})), code: "TooManyTags"},
		"OneSubnet":        {reason: "an application load balancer wants two zones", err: second(e.elb.CreateLoadBalancer(e.Context(), &elbv2.CreateLoadBalancerInput{Name: aws.String("x"), Subnets: []string{"subnet-1"}})), code: "ValidationError", text: "At least two subnets in two different Availability Zones must be specified"},
		"BalancerGone":     {reason: "a load balancer that is not there, by name", err: second(e.elb.DescribeLoadBalancers(e.Context(), &elbv2.DescribeLoadBalancersInput{Names: []string{"ghost"}})), code: "LoadBalancerNotFound", text: "Load balancers '[ghost]' not found"},
		"GroupNameGone":    {reason: "a group that is not there, by name", err: second(e.elb.DescribeTargetGroups(e.Context(), &elbv2.DescribeTargetGroupsInput{Names: []string{"ghost"}})), code: "TargetGroupNotFound"},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := codeOf(tc.err); got != tc.code {
				t.Fatalf("%s: code %q, want %q", tc.reason, got, tc.code)
			}
			if !strings.Contains(tc.err.Error(), tc.text) {
				t.Errorf("%s: %q does not say %q", tc.reason, tc.err, tc.text)
			}
		})
	}
}

func second[T any](_ T, err error) error { return err }

func attribute(e *env, group, key, value string) error {
	return second(e.elb.ModifyTargetGroupAttributes(e.Context(), &elbv2.ModifyTargetGroupAttributesInput{
		TargetGroupArn: &group, Attributes: []types.TargetGroupAttribute{{Key: &key, Value: &value}},
	}))
}

func TestUnknownOperationIsNamed(t *testing.T) {
	e := start(t, Config{DataPath: DataPath{NoDataPath: true}})
	status, body := e.raw(url.Values{"Action": {"CreateTrustStore"}, "Version": {"2015-12-01"}})
	if status != 400 || !strings.Contains(body, "<Code>InvalidAction</Code>") || !strings.Contains(body, "CreateTrustStore") {
		t.Errorf("status %d, body %s", status, body)
	}

	status, body = e.raw(url.Values{"Action": {"DescribeLoadBalancers"}, "Version": {"2012-06-01"}})
	if status != 400 || !strings.Contains(body, "<Code>InvalidAction</Code>") || !strings.Contains(body, "2012-06-01") {
		t.Errorf("an operation of another API: status %d, body %s", status, body)
	}

	status, body = e.raw(url.Values{"Action": {"DescribeTargetGroups"}, "Version": {"2015-12-01"}, "Colour": {"red"}})
	if status != 400 || !strings.Contains(body, "Colour: is not a parameter that awssim knows") {
		t.Errorf("an unknown parameter: status %d, body %s", status, body)
	}

	status, body = e.raw(url.Values{"Action": {"RegisterTargets"}, "Version": {"2015-12-01"}})
	if status != 400 || !strings.Contains(body, "Value null at &#39;targetGroupArn&#39; failed to satisfy constraint: Member must not be null") {
		t.Errorf("a missing parameter: status %d, body %s", status, body)
	}
}

func TestTargetsHaveIDAndPort(t *testing.T) {
	inBubble(t, Config{}, func(e *env) {
		g := e.used()
		e.register(g, Target{ID: "10.0.0.1"}, Target{ID: "10.0.0.1", Port: 8080}, Target{ID: "10.0.0.1", Port: 80})
		want := map[Target]string{{ID: "10.0.0.1", Port: 80}: "initial", {ID: "10.0.0.1", Port: 8080}: "initial"}
		if diff := cmp.Diff(want, e.states(g)); diff != "" {
			t.Errorf("without a port it is the group's (-want +got):\n%s", diff)
		}

		e.deregister(g, Target{ID: "10.0.0.1", Port: 8080}, Target{ID: "10.9.9.9", Port: 1})
		want[Target{ID: "10.0.0.1", Port: 8080}] = "draining"
		if diff := cmp.Diff(want, e.states(g)); diff != "" {
			t.Errorf("one port drains, an unknown target is no error (-want +got):\n%s", diff)
		}

		rows := e.describe(g, Target{ID: "10.0.0.7"}, Target{ID: "10.0.0.1", Port: 8080})
		got := []string{}
		for _, r := range rows {
			got = append(got, fmt.Sprintf("%s:%d %s %s", *r.Target.Id, *r.Target.Port, *r.HealthCheckPort, r.TargetHealth.Reason))
		}

		if diff := cmp.Diff([]string{"10.0.0.7:80 80 Target.NotRegistered", "10.0.0.1:8080 8080 Target.DeregistrationInProgress"}, got); diff != "" {
			t.Errorf("explicit question (-want +got):\n%s", diff)
		}
	})
}

func TestQuotaWantsDeregisterFirst(t *testing.T) {
	inBubble(t, Config{ELB: ELB{Quotas: Quotas{TargetsPerGroup: 1}}}, func(e *env) {
		g := e.used()
		one, two := Target{ID: "10.0.0.1"}, Target{ID: "10.0.0.2"}
		e.register(g, one)
		if _, err := e.elb.RegisterTargets(e.Context(), &elbv2.RegisterTargetsInput{TargetGroupArn: &g, Targets: described(two)}); codeOf(err) != "TooManyTargets" {
			t.Errorf("beyond the quota: %v", err)
		}
		e.deregister(g, one)
		e.register(g, two)
	})
}

func TestGroupsAreFoundAndPaged(t *testing.T) {
	e := start(t, Config{DataPath: DataPath{NoDataPath: true}, Throttle: ThrottleOff})
	var arns []string
	for i := range 5 {
		arns = append(arns, e.group(fmt.Sprintf("g%d", i)))
	}

	listener := e.balance(arns[3], types.LoadBalancerTypeEnumApplication)
	balancer := "arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/" + strings.Split(listener, ":listener/")[1]
	balancer = balancer[:strings.LastIndex(balancer, "/")]
	list := func(in *elbv2.DescribeTargetGroupsInput) []string {
		t.Helper()
		out, err := e.elb.DescribeTargetGroups(e.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		var found []string
		for _, g := range out.TargetGroups {
			found = append(found, *g.TargetGroupArn)
		}
		return found
	}
	if diff := cmp.Diff(arns[2:3], list(&elbv2.DescribeTargetGroupsInput{Names: []string{"g2"}})); diff != "" {
		t.Errorf("by name (-want +got):\n%s", diff)
	}

	if diff := cmp.Diff(arns[1:2], list(&elbv2.DescribeTargetGroupsInput{TargetGroupArns: arns[1:2]})); diff != "" {
		t.Errorf("by ARN (-want +got):\n%s", diff)
	}

	if diff := cmp.Diff(arns[3:4], list(&elbv2.DescribeTargetGroupsInput{LoadBalancerArn: &balancer})); diff != "" {
		t.Errorf("by load balancer (-want +got):\n%s", diff)
	}

	var paged []string
	pages := elbv2.NewDescribeTargetGroupsPaginator(e.elb, &elbv2.DescribeTargetGroupsInput{PageSize: aws.Int32(2)})
	for pages.HasMorePages() {
		out, err := pages.NextPage(e.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, g := range out.TargetGroups {
			paged = append(paged, *g.TargetGroupArn)
		}
	}

	if diff := cmp.Diff(arns, paged); diff != "" {
		t.Errorf("in pages of two (-want +got):\n%s", diff)
	}

	if again := e.group("g2"); again != arns[2] {
		t.Errorf("creating the same group again answers %s, want %s", again, arns[2])
	}
}

func TestTagsAndAttributesAreKept(t *testing.T) {
	e := start(t, Config{DataPath: DataPath{NoDataPath: true}})
	g := e.group("web", func(in *elbv2.CreateTargetGroupInput) {
		in.Tags = []types.Tag{{Key: aws.String("a"), Value: aws.String("1")}}
	})

	b := e.balancer("web", types.LoadBalancerTypeEnumApplication)
	if err := second(e.elb.AddTags(e.Context(), &elbv2.AddTagsInput{ResourceArns: []string{g, b}, Tags: []types.Tag{{Key: aws.String("b"), Value: aws.String("2")}}})); err != nil {
		t.Fatal(err)
	}

	if err := second(e.elb.RemoveTags(e.Context(), &elbv2.RemoveTagsInput{ResourceArns: []string{g}, TagKeys: []string{"a"}})); err != nil {
		t.Fatal(err)
	}

	out, err := e.elb.DescribeTags(e.Context(), &elbv2.DescribeTagsInput{ResourceArns: []string{g, b}})
	if err != nil {
		t.Fatal(err)
	}

	for _, d := range out.TagDescriptions {
		if len(d.Tags) != 1 || *d.Tags[0].Key != "b" || *d.Tags[0].Value != "2" {
			t.Errorf("tags of %s: %+v, want b=2", *d.ResourceArn, d.Tags)
		}
	}

	e.attribute(g, "deregistration_delay.timeout_seconds", "30")
	attributes, err := e.elb.DescribeTargetGroupAttributes(e.Context(), &elbv2.DescribeTargetGroupAttributesInput{TargetGroupArn: &g})
	if err != nil {
		t.Fatal(err)
	}

	got := values(attributes.Attributes)
	if got["deregistration_delay.timeout_seconds"] != "30" || got["stickiness.enabled"] != "false" {
		t.Errorf("attributes of the group: %v", got)
	}

	key, on := "deletion_protection.enabled", "true"
	if err := second(e.elb.ModifyLoadBalancerAttributes(e.Context(), &elbv2.ModifyLoadBalancerAttributesInput{LoadBalancerArn: &b, Attributes: []types.LoadBalancerAttribute{{Key: &key, Value: &on}}})); err != nil {
		t.Fatal(err)
	}

	if err := second(e.elb.DescribeLoadBalancerAttributes(e.Context(), &elbv2.DescribeLoadBalancerAttributesInput{LoadBalancerArn: &b})); err != nil {
		t.Fatal(err)
	}

	if err := second(e.elb.DeleteLoadBalancer(e.Context(), &elbv2.DeleteLoadBalancerInput{LoadBalancerArn: &b})); codeOf(err) != "OperationNotPermitted" {
		t.Errorf("deleting a protected load balancer: %v", err)
	}
}

func TestLoadBalancerIsProvisionedAndDeleted(t *testing.T) {
	inBubble(t, Config{ELB: ELB{ProvisionDelay: time.Minute}}, func(e *env) {
		g := e.group("web")
		e.balance(g, types.LoadBalancerTypeEnumApplication)
		state := func() types.LoadBalancer {
			t.Helper()
			out, err := e.elb.DescribeLoadBalancers(e.Context(), &elbv2.DescribeLoadBalancersInput{Names: []string{"web"}})
			if err != nil {
				t.Fatal(err)
			}
			return out.LoadBalancers[0]
		}
		if got := state().State.Code; got != types.LoadBalancerStateEnumProvisioning {
			t.Errorf("at first: %s", got)
		}

		time.Sleep(time.Minute)
		b := state()
		if b.State.Code != types.LoadBalancerStateEnumActive || !strings.HasSuffix(*b.DNSName, ".eu-west-1.elb.amazonaws.com") {
			t.Errorf("after a minute: %s at %s", b.State.Code, *b.DNSName)
		}

		if err := second(e.elb.DeleteLoadBalancer(e.Context(), &elbv2.DeleteLoadBalancerInput{LoadBalancerArn: b.LoadBalancerArn})); err != nil {
			t.Fatal(err)
		}

		if err := second(e.elb.DeleteTargetGroup(e.Context(), &elbv2.DeleteTargetGroupInput{TargetGroupArn: &g})); err != nil {
			t.Errorf("its group is free: %v", err)
		}
	})
}

func TestAccountLimits(t *testing.T) {
	e := start(t, Config{DataPath: DataPath{NoDataPath: true}, ELB: ELB{Quotas: Quotas{TargetsPerBalancer: 7}}})
	out, err := e.elb.DescribeAccountLimits(e.Context(), &elbv2.DescribeAccountLimitsInput{})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, l := range out.Limits {
		got[*l.Name] = *l.Max
	}
	if got["targets-per-application-load-balancer"] != "7" || got["target-groups"] != "3000" {
		t.Errorf("limits %v", got)
	}
}
