// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package sdk

import (
	"context"
	"errors"
	"net/http/httptest"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"

	"github.com/podgate/podgate/sim/awssim"
)

// start runs a simulator with one VPC and returns a client.
func start(t *testing.T) (*awssim.Sim, *ec2.Client) {
	t.Helper()
	vpc := awssim.DefaultVPC("eu-west-1")
	vpc.Tags = map[string]string{"Name": "net"}
	vpc.Subnets[0].Tags = map[string]string{"kubernetes.io/role/elb": "1"}
	vpc.Subnets[2].Private = true
	sim, err := awssim.New(awssim.Config{EC2: awssim.EC2{VPCs: []awssim.VPC{vpc}}, Throttle: awssim.ThrottleOff})
	if err != nil {
		t.Fatal(err)
	}
	if err := sim.PlaceInstances(awssim.Instance{ID: "i-1", Subnet: "subnet-1", Address: "10.0.0.10"}); err != nil {
		t.Fatal(err)
	}

	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- sim.Run(ctx) }()
	server := httptest.NewServer(sim.Handler())
	t.Cleanup(func() {
		server.Close()
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})

	return sim, ec2.NewFromConfig(aws.Config{
		Region: "eu-west-1", Credentials: credentials.NewStaticCredentialsProvider("AKIATEST", "secret", ""), Retryer: func() aws.Retryer { return aws.NopRetryer{} },
	}, func(o *ec2.Options) { o.BaseEndpoint = &server.URL })
}

func filter(name string, values ...string) types.Filter {
	return types.Filter{Name: &name, Values: values}
}

// answer fails the test unless a call succeeds.
func answer[T any](t *testing.T) func(*T, error) *T {
	return func(out *T, err error) *T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
}

func TestDescribes(t *testing.T) {
	_, client := start(t)
	ctx := t.Context()

	vpcs := answer[ec2.DescribeVpcsOutput](t)(client.DescribeVpcs(ctx, &ec2.DescribeVpcsInput{Filters: []types.Filter{filter("tag:Name", "n*")}}))
	if v := vpcs.Vpcs[0]; *v.CidrBlock != "10.0.0.0/16" || *v.CidrBlockAssociationSet[0].CidrBlock != "10.0.0.0/16" || v.CidrBlockAssociationSet[0].CidrBlockState.State != types.VpcCidrBlockStateCodeAssociated || *v.Tags[0].Value != "net" {
		t.Errorf("VPC %+v", v)
	}

	var subnets []types.Subnet
	pages := ec2.NewDescribeSubnetsPaginator(client, &ec2.DescribeSubnetsInput{MaxResults: aws.Int32(5), Filters: []types.Filter{filter("vpc-id", *vpcs.Vpcs[0].VpcId)}})
	for pages.HasMorePages() {
		out, err := pages.NextPage(ctx)
		if err != nil {
			t.Fatal(err)
		}
		subnets = append(subnets, out.Subnets...)
	}
	if s := subnets[0]; len(subnets) != 3 || *s.AvailabilityZone != "eu-west-1a" || *s.AvailabilityZoneId != "euw1-az1" || *s.AvailableIpAddressCount != 250 || s.State != types.SubnetStateAvailable ||
		*s.Ipv6CidrBlockAssociationSet[0].Ipv6CidrBlock != "2001:db8:0:1::/64" || *s.Tags[0].Key != "kubernetes.io/role/elb" {
		t.Errorf("subnets %+v", subnets)
	}

	zones := answer[ec2.DescribeAvailabilityZonesOutput](t)(client.DescribeAvailabilityZones(ctx, &ec2.DescribeAvailabilityZonesInput{ZoneIds: []string{"euw1-az2"}}))
	if z := zones.AvailabilityZones[0]; *z.ZoneName != "eu-west-1b" || *z.ZoneType != "availability-zone" || z.State != types.AvailabilityZoneStateAvailable {
		t.Errorf("zone %+v", z)
	}

	tables := answer[ec2.DescribeRouteTablesOutput](t)(client.DescribeRouteTables(ctx, &ec2.DescribeRouteTablesInput{Filters: []types.Filter{filter("association.main", "true")}}))
	if r := tables.RouteTables[0]; !*r.Associations[0].Main || *r.Routes[1].DestinationCidrBlock != "0.0.0.0/0" || *r.Routes[1].GatewayId != "igw-0a1b2c3d4e5f60718" {
		t.Errorf("route table %+v", r)
	}
	tables = answer[ec2.DescribeRouteTablesOutput](t)(client.DescribeRouteTables(ctx, &ec2.DescribeRouteTablesInput{Filters: []types.Filter{filter("association.subnet-id", "subnet-3")}}))
	if r := tables.RouteTables[0]; *r.Associations[0].SubnetId != "subnet-3" || r.Routes[1].NatGatewayId == nil {
		t.Errorf("route table %+v", r)
	}

	instances := answer[ec2.DescribeInstancesOutput](t)(client.DescribeInstances(ctx, &ec2.DescribeInstancesInput{InstanceIds: []string{"i-1"}}))
	if i := instances.Reservations[0].Instances[0]; i.State.Name != types.InstanceStateNameRunning || *i.State.Code != 16 || *i.PrivateIpAddress != "10.0.0.10" || *i.Placement.AvailabilityZone != "eu-west-1a" ||
		*i.NetworkInterfaces[0].Groups[0].GroupName != "default" || *i.NetworkInterfaces[0].Attachment.DeviceIndex != 0 || !*i.NetworkInterfaces[0].PrivateIpAddresses[0].Primary {
		t.Errorf("instance %+v", i)
	}

	interfaces := answer[ec2.DescribeNetworkInterfacesOutput](t)(client.DescribeNetworkInterfaces(ctx, &ec2.DescribeNetworkInterfacesInput{Filters: []types.Filter{filter("attachment.instance-id", "i-1")}}))
	if i := interfaces.NetworkInterfaces[0]; *i.Attachment.InstanceId != "i-1" || i.Status != types.NetworkInterfaceStatusInUse || *i.Groups[0].GroupId != "sg-0a1b2c3d4e5f60718" {
		t.Errorf("interface %+v", i)
	}
}

func TestSecurityGroups(t *testing.T) {
	_, client := start(t)
	ctx := t.Context()
	made := answer[ec2.CreateSecurityGroupOutput](t)(client.CreateSecurityGroup(ctx, &ec2.CreateSecurityGroupInput{
		GroupName: aws.String("web"), Description: aws.String("for web"), VpcId: aws.String("vpc-0a1b2c3d4e5f60718"),
		TagSpecifications: []types.TagSpecification{{ResourceType: types.ResourceTypeSecurityGroup, Tags: []types.Tag{{Key: aws.String("k"), Value: aws.String("v")}}}},
	}))
	permissions := []types.IpPermission{
		{
			IpProtocol: aws.String("tcp"), FromPort: aws.Int32(80), ToPort: aws.Int32(80),
			IpRanges:   []types.IpRange{{CidrIp: aws.String("0.0.0.0/0"), Description: aws.String("all")}},
			Ipv6Ranges: []types.Ipv6Range{{CidrIpv6: aws.String("::/0")}}, PrefixListIds: []types.PrefixListId{{PrefixListId: aws.String("pl-1")}},
		},
		{IpProtocol: aws.String("-1"), UserIdGroupPairs: []types.UserIdGroupPair{{GroupId: aws.String("sg-0a1b2c3d4e5f60718")}}},
	}
	added := answer[ec2.AuthorizeSecurityGroupIngressOutput](t)(client.AuthorizeSecurityGroupIngress(ctx, &ec2.AuthorizeSecurityGroupIngressInput{GroupId: made.GroupId, IpPermissions: permissions}))
	if r := added.SecurityGroupRules; !*added.Return || len(r) != 4 || *r[0].CidrIpv4 != "0.0.0.0/0" || *r[3].ReferencedGroupInfo.GroupId != "sg-0a1b2c3d4e5f60718" {
		t.Errorf("rules %+v", r)
	}
	answer[ec2.AuthorizeSecurityGroupEgressOutput](t)(client.AuthorizeSecurityGroupEgress(ctx, &ec2.AuthorizeSecurityGroupEgressInput{GroupId: made.GroupId, IpPermissions: permissions[:1]}))
	answer[ec2.RevokeSecurityGroupEgressOutput](t)(client.RevokeSecurityGroupEgress(ctx, &ec2.RevokeSecurityGroupEgressInput{GroupId: made.GroupId, IpPermissions: permissions[:1]}))

	pages := ec2.NewDescribeSecurityGroupsPaginator(client, &ec2.DescribeSecurityGroupsInput{Filters: []types.Filter{filter("tag:k", "v")}})
	page, err := pages.NextPage(ctx)
	if err != nil {
		t.Fatal(err)
	}
	g := page.SecurityGroups[0]
	if len(g.IpPermissions) != 2 || *g.IpPermissions[0].IpRanges[0].Description != "all" || *g.IpPermissions[0].PrefixListIds[0].PrefixListId != "pl-1" || g.IpPermissions[1].FromPort != nil || *g.Description != "for web" {
		t.Errorf("group %+v", g)
	}
	rules := answer[ec2.DescribeSecurityGroupRulesOutput](t)(client.DescribeSecurityGroupRules(ctx, &ec2.DescribeSecurityGroupRulesInput{Filters: []types.Filter{filter("group-id", *made.GroupId)}}))
	if len(rules.SecurityGroupRules) != 5 {
		t.Errorf("%d rules, want 5 with that for egress", len(rules.SecurityGroupRules))
	}

	if out := answer[ec2.RevokeSecurityGroupIngressOutput](t)(client.RevokeSecurityGroupIngress(ctx, &ec2.RevokeSecurityGroupIngressInput{GroupId: made.GroupId, IpPermissions: permissions})); len(out.RevokedSecurityGroupRules) != 4 {
		t.Errorf("revoked %+v", out.RevokedSecurityGroupRules)
	}
	answer[ec2.CreateTagsOutput](t)(client.CreateTags(ctx, &ec2.CreateTagsInput{Resources: []string{*made.GroupId}, Tags: []types.Tag{{Key: aws.String("a"), Value: aws.String("b")}}}))
	answer[ec2.DeleteTagsOutput](t)(client.DeleteTags(ctx, &ec2.DeleteTagsInput{Resources: []string{*made.GroupId}, Tags: []types.Tag{{Key: aws.String("k")}}}))
	tags := answer[ec2.DescribeTagsOutput](t)(client.DescribeTags(ctx, &ec2.DescribeTagsInput{Filters: []types.Filter{filter("resource-id", *made.GroupId)}}))
	if len(tags.Tags) != 1 || *tags.Tags[0].Key != "a" || tags.Tags[0].ResourceType != types.ResourceTypeSecurityGroup {
		t.Errorf("tags %+v", tags.Tags)
	}
	if out := answer[ec2.DeleteSecurityGroupOutput](t)(client.DeleteSecurityGroup(ctx, &ec2.DeleteSecurityGroupInput{GroupId: made.GroupId})); !*out.Return {
		t.Error("deletion says no")
	}
}

// TestErrors: the client understands them, and takes throttling for what can be tried again.
func TestErrors(t *testing.T) {
	sim, client := start(t)
	code := func() string {
		_, err := client.DescribeSubnets(t.Context(), &ec2.DescribeSubnetsInput{SubnetIds: []string{"subnet-9"}})
		var api smithy.APIError
		if !errors.As(err, &api) {
			t.Fatalf("not an error of the API: %v", err)
		}
		return api.ErrorCode()
	}
	got := []string{code()}
	if _, err := sim.AddFault(awssim.Fault{Service: "ec2", Error: &awssim.APIError{Code: "RequestLimitExceeded", Status: 503}}); err != nil {
		t.Fatal(err)
	}
	got = append(got, code())
	if diff := cmp.Diff([]string{"InvalidSubnetID.NotFound", "RequestLimitExceeded"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
