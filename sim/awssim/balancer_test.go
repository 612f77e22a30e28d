// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package awssim

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/go-logr/logr/funcr"
	"github.com/google/go-cmp/cmp"
)

// balancerView is a load balancer as the API describes it.
func (e *env) balancerView(arn string) types.LoadBalancer {
	e.Helper()
	out, err := e.elb.DescribeLoadBalancers(e.Context(), &elbv2.DescribeLoadBalancersInput{LoadBalancerArns: []string{arn}})
	if err != nil {
		e.Fatal(err)
	}
	return out.LoadBalancers[0]
}

func (e *env) balancerAttributes(arn string) map[string]string {
	e.Helper()
	out, err := e.elb.DescribeLoadBalancerAttributes(e.Context(), &elbv2.DescribeLoadBalancerAttributesInput{LoadBalancerArn: &arn})
	if err != nil {
		e.Fatal(err)
	}
	return values(out.Attributes)
}

// values are attributes by key, of a load balancer, a listener or a target group.
func values[A types.LoadBalancerAttribute | types.ListenerAttribute | types.TargetGroupAttribute](all []A) map[string]string {
	found := map[string]string{}
	for _, a := range all {
		attribute := types.LoadBalancerAttribute(a)
		found[*attribute.Key] = *attribute.Value
	}
	return found
}

func (e *env) balancerAttribute(arn, key, value string) error {
	return second(e.elb.ModifyLoadBalancerAttributes(e.Context(), &elbv2.ModifyLoadBalancerAttributesInput{
		LoadBalancerArn: &arn, Attributes: []types.LoadBalancerAttribute{{Key: &key, Value: &value}},
	}))
}

// subnetZones are the zones of a load balancer by subnet.
func subnetZones(b types.LoadBalancer) map[string]string {
	zones := map[string]string{}
	for _, z := range b.AvailabilityZones {
		zones[*z.SubnetId] = *z.ZoneName
	}
	return zones
}

func TestBalancerAttributesByType(t *testing.T) {
	e := start(t, Config{DataPath: DataPath{NoDataPath: true}, Throttle: ThrottleOff})
	app, net := e.balancer("app", types.LoadBalancerTypeEnumApplication), e.balancer("net", types.LoadBalancerTypeEnumNetwork)
	ofApp, ofNet := e.balancerAttributes(app), e.balancerAttributes(net)

	for key, want := range map[string][2]string{
		"deletion_protection.enabled":            {"false", "false"},
		"load_balancing.cross_zone.enabled":      {"true", "false"},
		"zonal_shift.config.enabled":             {"false", "false"},
		"ipv6.deny_all_igw_traffic":              {"false", "false"},
		"idle_timeout.timeout_seconds":           {"60", ""},
		"client_keep_alive.seconds":              {"3600", ""},
		"health_check_logs.s3.enabled":           {"false", ""},
		"dns_record.client_routing_policy":       {"", "any_availability_zone"},
		"secondary_ips.auto_assigned.per_subnet": {"", "0"},
	} {
		if got := [2]string{ofApp[key], ofNet[key]}; got != want {
			t.Errorf("%s is %q, want %q (application, network)", key, got, want)
		}
	}

	many := &elbv2.ModifyLoadBalancerAttributesInput{LoadBalancerArn: &app}
	for range 21 {
		many.Attributes = append(many.Attributes, types.LoadBalancerAttribute{Key: aws.String("routing.http2.enabled"), Value: aws.String("true")})
	}

	for name, tc := range map[string]struct {
		err        error
		code, text string
	}{
		"Unknown":    {err: e.balancerAttribute(app, "color", "red"), code: "ValidationError", text: "Load balancer attribute key 'color' is not recognized"},
		"OtherType":  {err: e.balancerAttribute(net, "idle_timeout.timeout_seconds", "120"), code: "InvalidConfigurationRequest", text: "Load balancer attribute key 'idle_timeout.timeout_seconds' is not supported on load balancers with type 'network'"},
		"CrossZone":  {err: e.balancerAttribute(app, "load_balancing.cross_zone.enabled", "false"), code: "InvalidConfigurationRequest"},
		"KeepAlive":  {err: e.balancerAttribute(app, "client_keep_alive.seconds", "59"), code: "ValidationError"},
		"Mode":       {err: e.balancerAttribute(app, "routing.http.desync_mitigation_mode", "lax"), code: "ValidationError"},
		"LogsBucket": {err: e.balancerAttribute(net, "access_logs.s3.enabled", "true"), code: "InvalidConfigurationRequest"},
		"TooMany":    {err: second(e.elb.ModifyLoadBalancerAttributes(e.Context(), many)), code: "ValidationError", text: "Member must have length less than or equal to 20"},
	} {
		if codeOf(tc.err) != tc.code || !strings.Contains(fmt.Sprint(tc.err), tc.text) {
			t.Errorf("%s: %v, want %s that says %q", name, tc.err, tc.code, tc.text)
		}
	}

	if diff := cmp.Diff(ofApp, e.balancerAttributes(app)); diff != "" {
		t.Errorf("what is refused changes nothing (-before +after):\n%s", diff)
	}
}

func TestGroupAttributeReturnsToItsDefault(t *testing.T) {
	e := start(t, Config{DataPath: DataPath{NoDataPath: true}})
	g := e.group("web")
	for _, value := range []string{"true", "use_load_balancer_configuration", "false"} {
		e.attribute(g, "load_balancing.cross_zone.enabled", value)
	}
	for _, value := range []string{"50", "off"} {
		e.attribute(g, "target_group_health.dns_failover.minimum_healthy_targets.percentage", value)
	}
}

func TestSubnetsAreReplaced(t *testing.T) {
	e := start(t, Config{DataPath: DataPath{NoDataPath: true}})
	app, net := e.balancer("app", types.LoadBalancerTypeEnumApplication), e.balancer("net", types.LoadBalancerTypeEnumNetwork)
	set := func(arn string, subnets ...string) error {
		return second(e.elb.SetSubnets(e.Context(), &elbv2.SetSubnetsInput{LoadBalancerArn: &arn, Subnets: subnets}))
	}

	if err := set(app, "subnet-3", "subnet-2"); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"subnet-2": "eu-west-1b", "subnet-3": "eu-west-1c"}, subnetZones(e.balancerView(app))); diff != "" {
		t.Errorf("a subnet that stays keeps its zone (-want +got):\n%s", diff)
	}

	if err := set(net, "subnet-1", "subnet-2", "subnet-3"); err != nil {
		t.Errorf("a network load balancer gets a subnet: %v", err)
	}
	for name, got := range map[string]error{
		"a network load balancer loses a subnet": set(net, "subnet-1", "subnet-2"),
		"two subnets in one zone":                set(app, "subnet-1", "subnet-1"),
	} {
		if codeOf(got) != "InvalidConfigurationRequest" {
			t.Errorf("%s: %v", name, got)
		}
	}
	if err := set(app, "subnet-1"); codeOf(err) != "ValidationError" {
		t.Errorf("one subnet is too few for an application load balancer: %v", err)
	}
}

func TestSubnetMappingsAreKept(t *testing.T) {
	e := start(t, Config{DataPath: DataPath{NoDataPath: true}})
	out, err := e.elb.CreateLoadBalancer(e.Context(), &elbv2.CreateLoadBalancerInput{
		Name: aws.String("net"), Type: types.LoadBalancerTypeEnumNetwork,
		SubnetMappings: []types.SubnetMapping{{SubnetId: aws.String("subnet-1"), AllocationId: aws.String("eipalloc-1")}},
	})
	if err != nil {
		t.Fatal(err)
	}

	zone := e.balancerView(*out.LoadBalancers[0].LoadBalancerArn).AvailabilityZones[0]
	if len(zone.LoadBalancerAddresses) != 1 || aws.ToString(zone.LoadBalancerAddresses[0].AllocationId) != "eipalloc-1" {
		t.Errorf("addresses %+v, want the allocation that was asked for", zone.LoadBalancerAddresses)
	}
}

func TestSecurityGroupsAreReplaced(t *testing.T) {
	e := start(t, Config{DataPath: DataPath{NoDataPath: true}})
	set := func(arn string, groups ...string) error {
		return second(e.elb.SetSecurityGroups(e.Context(), &elbv2.SetSecurityGroupsInput{LoadBalancerArn: &arn, SecurityGroups: groups}))
	}

	app, bare := e.balancer("app", types.LoadBalancerTypeEnumApplication), e.balancer("bare", types.LoadBalancerTypeEnumNetwork)
	out, err := e.elb.CreateLoadBalancer(e.Context(), &elbv2.CreateLoadBalancerInput{
		Name: aws.String("net"), Type: types.LoadBalancerTypeEnumNetwork, Subnets: []string{"subnet-1"}, SecurityGroups: []string{"sg-1"},
	})
	if err != nil {
		t.Fatal(err)
	}
	net := *out.LoadBalancers[0].LoadBalancerArn

	for _, arn := range []string{app, net} {
		if err := set(arn, "sg-2", "sg-3"); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"sg-2", "sg-3"}, e.balancerView(arn).SecurityGroups); diff != "" {
			t.Errorf("security groups of %s (-want +got):\n%s", arn, diff)
		}
	}

	if got := aws.ToString(e.balancerView(net).EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic); got != "on" {
		t.Errorf("inbound rules on PrivateLink traffic are %q, want on", got)
	}
	if err := set(bare, "sg-2"); codeOf(err) != "InvalidConfigurationRequest" || !strings.Contains(err.Error(), "which was created without any security groups") {
		t.Errorf("a network load balancer that was made without security groups: %v", err)
	}
}

func TestAddressTypeAndPoolsAreChanged(t *testing.T) {
	e := start(t, Config{DataPath: DataPath{NoDataPath: true}})
	app, net := e.balancer("app", types.LoadBalancerTypeEnumApplication), e.balancer("net", types.LoadBalancerTypeEnumNetwork)
	set := func(arn string, to types.IpAddressType) error {
		return second(e.elb.SetIpAddressType(e.Context(), &elbv2.SetIpAddressTypeInput{LoadBalancerArn: &arn, IpAddressType: to}))
	}

	if err := set(app, types.IpAddressTypeDualstackWithoutPublicIpv4); err != nil {
		t.Fatal(err)
	}
	if got := e.balancerView(app).IpAddressType; got != types.IpAddressTypeDualstackWithoutPublicIpv4 {
		t.Errorf("address type %q", got)
	}
	if err := set(net, types.IpAddressTypeDualstackWithoutPublicIpv4); codeOf(err) != "InvalidConfigurationRequest" {
		t.Errorf("a network load balancer without public IPv4: %v", err)
	}

	pool := &types.IpamPools{Ipv4IpamPoolId: aws.String("ipam-pool-1")}
	if err := second(e.elb.ModifyIpPools(e.Context(), &elbv2.ModifyIpPoolsInput{LoadBalancerArn: &app, IpamPools: pool})); err != nil {
		t.Fatal(err)
	}
	if got := e.balancerView(app).IpamPools; got == nil || aws.ToString(got.Ipv4IpamPoolId) != "ipam-pool-1" {
		t.Errorf("pools %+v", got)
	}
	if err := second(e.elb.ModifyIpPools(e.Context(), &elbv2.ModifyIpPoolsInput{LoadBalancerArn: &app, RemoveIpamPools: []types.RemoveIpamPoolEnum{types.RemoveIpamPoolEnumIpv4}})); err != nil {
		t.Fatal(err)
	}
	if got := e.balancerView(app).IpamPools; got != nil {
		t.Errorf("pools %+v after they were removed", got)
	}
}

func TestCapacityIsReserved(t *testing.T) {
	inBubble(t, Config{}, func(e *env) {
		app := e.balancer("app", types.LoadBalancerTypeEnumApplication)
		describe := func() *elbv2.DescribeCapacityReservationOutput {
			e.Helper()
			out, err := e.elb.DescribeCapacityReservation(e.Context(), &elbv2.DescribeCapacityReservationInput{LoadBalancerArn: &app})
			if err != nil {
				e.Fatal(err)
			}
			return out
		}
		reserve := func(units int32) error {
			in := &elbv2.ModifyCapacityReservationInput{LoadBalancerArn: &app, ResetCapacityReservation: aws.Bool(units == 0)}
			if units != 0 {
				in.MinimumLoadBalancerCapacity = &types.MinimumLoadBalancerCapacity{CapacityUnits: &units}
			}
			return second(e.elb.ModifyCapacityReservation(e.Context(), in))
		}

		if out := describe(); out.MinimumLoadBalancerCapacity != nil || len(out.CapacityReservationState) != 0 {
			e.Errorf("a new load balancer has reserved %+v", out)
		}

		if err := reserve(100); err != nil {
			e.Fatal(err)
		}
		out := describe()
		if *out.MinimumLoadBalancerCapacity.CapacityUnits != 100 || len(out.CapacityReservationState) != 2 ||
			*out.CapacityReservationState[0].EffectiveCapacityUnits != 50 || out.CapacityReservationState[0].State.Code != types.CapacityReservationStateEnumProvisioned {
			e.Errorf("reserved %+v", out)
		}

		for _, units := range []int32{90, 0} {
			if err := reserve(units); err != nil {
				e.Errorf("decrease to %d: %v", units, err)
			}
		}
		if err := reserve(80); err != nil {
			e.Fatal(err)
		}
		if err := reserve(0); codeOf(err) != "CapacityDecreaseRequestsLimitExceeded" {
			e.Errorf("a third decrease within a day: %v", err)
		}
		time.Sleep(25 * time.Hour)
		if err := reserve(0); err != nil {
			e.Errorf("a decrease on the next day: %v", err)
		}
	})
}

// TestWhatIsNotModelledIsLogged reads the log of calls that awssim cannot serve though AWS might.
func TestWhatIsNotModelledIsLogged(t *testing.T) {
	var log strings.Builder
	sink := funcr.New(func(_, args string) { log.WriteString(args + "\n") }, funcr.Options{})
	e := start(t, Config{DataPath: DataPath{NoDataPath: true}, Log: sink})
	b := e.balancer("web", types.LoadBalancerTypeEnumApplication)

	e.raw(url.Values{"Action": {"CreateTrustStore"}, "Version": {"2015-12-01"}})
	e.raw(url.Values{"Action": {"DescribeTargetGroups"}, "Version": {"2015-12-01"}, "Colour": {"red"}})
	if err := e.balancerAttribute(b, "colour", "red"); codeOf(err) != "ValidationError" {
		t.Error(err)
	}
	if err := e.balancerAttribute(b, "idle_timeout.timeout_seconds", "0"); codeOf(err) != "ValidationError" {
		t.Error(err)
	}

	for _, want := range []string{"operation CreateTrustStore", "parameter Colour", "attribute 'colour'"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log does not name %s:\n%s", want, log.String())
		}
	}
	if strings.Contains(log.String(), "idle_timeout") {
		t.Errorf("what AWS refuses as well is logged:\n%s", log.String())
	}
}
