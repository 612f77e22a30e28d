// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package awssim

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/google/go-cmp/cmp"
)

// twoVPCs has a VPC with public and private subnets, and one without an internet gateway.
func twoVPCs() EC2 {
	return EC2{VPCs: []VPC{
		{
			ID: "vpc-a", IPv6CIDR: "2001:db8::/56", Tags: map[string]string{"Name": "a"},
			Subnets: []Subnet{
				{ID: "subnet-a1", Zone: "eu-west-1a", CIDR: "10.0.0.0/24", Tags: map[string]string{"kubernetes.io/role/elb": "1", "Name": "public/1"}},
				{ID: "subnet-a2", Zone: "eu-west-1b", CIDR: "10.0.1.0/24", IPv6CIDR: "2001:db8:0:1::/64", Tags: map[string]string{"kubernetes.io/role/elb": "1"}},
				{ID: "subnet-a3", Zone: "eu-west-1b", CIDR: "10.0.2.0/24", Private: true, Tags: map[string]string{"kubernetes.io/role/internal-elb": "1"}},
				{ID: "subnet-a4", Zone: "eu-west-1c", CIDR: "10.0.3.0/28", Addresses: 7},
			},
			SecurityGroups: []SecurityGroup{{ID: "sg-nodes", Name: "nodes", Tags: map[string]string{"kubernetes.io/cluster/test": "owned"}}},
		},
		{
			ID: "vpc-b", CIDR: "10.1.0.0/16", NoInternetGateway: true,
			Subnets: []Subnet{
				{ID: "subnet-b1", Zone: "eu-west-1a", CIDR: "10.1.0.0/24"},
				{ID: "subnet-b2", Zone: "eu-west-1b", CIDR: "10.1.1.0/24"},
			},
			SecurityGroups: []SecurityGroup{{ID: "sg-far", Name: "far"}},
		},
	}}
}

func ec2Config() Config {
	return Config{DataPath: DataPath{NoDataPath: true}, Throttle: ThrottleOff, EC2: twoVPCs()}
}

// TestEC2Describes asks for what was configured, by ids and by filters.
func TestEC2Describes(t *testing.T) {
	e := start(t, ec2Config())
	if err := e.sim.PlaceInstances(
		Instance{ID: "i-1", Subnet: "subnet-a1", Address: "10.0.0.10", SecurityGroups: []string{"sg-nodes"}, Tags: map[string]string{"kubernetes.io/cluster/test": "owned"}},
		Instance{ID: "i-2", Subnet: "subnet-a3", State: "stopped"},
	); err != nil {
		t.Fatal(err)
	}

	cases := map[string]struct {
		reason    string
		operation string
		asks      []string
		path      string
		want      []string
	}{
		"VPCs":          {"all of them", "DescribeVpcs", nil, "vpcSet.item.vpcId", []string{"vpc-a", "vpc-b"}},
		"VPC":           {"one", "DescribeVpcs", []string{"VpcId.1=vpc-b"}, "vpcSet.item.cidrBlockAssociationSet.item.cidrBlock", []string{"10.1.0.0/16"}},
		"VPCTag":        {"by a tag", "DescribeVpcs", []string{"Filter.1.Name=tag:Name", "Filter.1.Value.1=a"}, "vpcSet.item.ipv6CidrBlockAssociationSet.item.ipv6CidrBlock", []string{"2001:db8::/56"}},
		"RoleTag":       {"filters are ANDed", "DescribeSubnets", []string{"Filter.1.Name=vpc-id", "Filter.1.Value.1=vpc-a", "Filter.2.Name=tag:kubernetes.io/role/elb", "Filter.2.Value.1=", "Filter.2.Value.2=1"}, "subnetSet.item.subnetId", []string{"subnet-a1", "subnet-a2"}},
		"TagKey":        {"a tag of any value", "DescribeSubnets", []string{"Filter.1.Name=tag-key", "Filter.1.Value.1=kubernetes.io/role/internal-elb"}, "subnetSet.item.availabilityZone", []string{"eu-west-1b"}},
		"Wildcard":      {"* is any run, ? one character", "DescribeSubnets", []string{"Filter.1.Name=tag:Name", "Filter.1.Value.1=p*c?1"}, "subnetSet.item.subnetId", []string{"subnet-a1"}},
		"Case":          {"case matters", "DescribeSubnets", []string{"Filter.1.Name=tag:Name", "Filter.1.Value.1=Public*"}, "subnetSet.item.subnetId", nil},
		"NoMatch":       {"no match is no error", "DescribeSubnets", []string{"Filter.1.Name=vpc-id", "Filter.1.Value.1=vpc-z"}, "subnetSet.item.subnetId", nil},
		"Free":          {"free addresses", "DescribeSubnets", []string{"SubnetId.1=subnet-a4", "SubnetId.2=subnet-a2"}, "subnetSet.item.availableIpAddressCount", []string{"250", "7"}},
		"ZoneIds":       {"zones have ids that accounts share", "DescribeSubnets", []string{"SubnetId.1=subnet-a2"}, "subnetSet.item.availabilityZoneId", []string{"euw1-az2"}},
		"IPv6":          {"a range of IPv6", "DescribeSubnets", []string{"Filter.1.Name=vpc-id", "Filter.1.Value.1=vpc-a"}, "subnetSet.item.ipv6CidrBlockAssociationSet.item.ipv6CidrBlock", []string{"2001:db8:0:1::/64"}},
		"Quotas":        {"how many security groups an interface may have", "DescribeAccountAttributes", []string{"AttributeName.1=vpc-max-security-groups-per-interface"}, "accountAttributeSet.item.attributeValueSet.item.attributeValue", []string{"5"}},
		"AllQuotas":     {"all attributes", "DescribeAccountAttributes", nil, "accountAttributeSet.item.attributeName", []string{"supported-platforms", "vpc-max-security-groups-per-interface"}},
		"Zones":         {"the zones of the region", "DescribeAvailabilityZones", nil, "availabilityZoneInfo.item.zoneName", []string{"eu-west-1a", "eu-west-1b", "eu-west-1c"}},
		"ZoneId":        {"a zone by its id", "DescribeAvailabilityZones", []string{"ZoneId.1=euw1-az3"}, "availabilityZoneInfo.item.zoneName", []string{"eu-west-1c"}},
		"Public":        {"a main table has a route to the internet gateway", "DescribeRouteTables", []string{"Filter.1.Name=vpc-id", "Filter.1.Value.1=vpc-a", "Filter.2.Name=association.main", "Filter.2.Value.1=true"}, "routeTableSet.item.routeSet.item.gatewayId", []string{"local", "igw-a"}},
		"Private":       {"a private subnet has a table of its own", "DescribeRouteTables", []string{"Filter.1.Name=association.subnet-id", "Filter.1.Value.1=subnet-a3"}, "routeTableSet.item.routeSet.item.natGatewayId", []string{"nat-a"}},
		"Unreached":     {"a VPC without a gateway has no such route", "DescribeRouteTables", []string{"Filter.1.Name=vpc-id", "Filter.1.Value.1=vpc-b"}, "routeTableSet.item.routeSet.item.gatewayId", []string{"local"}},
		"Groups":        {"each VPC has its default group", "DescribeSecurityGroups", []string{"Filter.1.Name=group-name", "Filter.1.Value.1=default"}, "securityGroupInfo.item.groupId", []string{"sg-a", "sg-b"}},
		"GroupOfTag":    {"a group by its tag", "DescribeSecurityGroups", []string{"Filter.1.Name=tag:kubernetes.io/cluster/test", "Filter.1.Value.1=owned", "Filter.1.Value.2=shared"}, "securityGroupInfo.item.groupName", []string{"nodes"}},
		"Instance":      {"an instance", "DescribeInstances", []string{"InstanceId.1=i-1"}, "reservationSet.item.instancesSet.item.networkInterfaceSet.item.groupSet.item.groupName", []string{"nodes"}},
		"States":        {"their states", "DescribeInstances", nil, "reservationSet.item.instancesSet.item.instanceState.code", []string{"16", "80"}},
		"Running":       {"by state", "DescribeInstances", []string{"Filter.1.Name=instance-state-name", "Filter.1.Value.1=running"}, "reservationSet.item.instancesSet.item.privateIpAddress", []string{"10.0.0.10"}},
		"Interface":     {"the interface that has an address", "DescribeNetworkInterfaces", []string{"Filter.1.Name=addresses.private-ip-address", "Filter.1.Value.1=10.0.0.10"}, "networkInterfaceSet.item.attachment.instanceId", []string{"i-1"}},
		"InterfaceIn":   {"interfaces of an instance", "DescribeNetworkInterfaces", []string{"Filter.1.Name=attachment.instance-id", "Filter.1.Value.1=i-1"}, "networkInterfaceSet.item.groupSet.item.groupId", []string{"sg-nodes"}},
		"Tags":          {"tags by resource", "DescribeTags", []string{"Filter.1.Name=resource-id", "Filter.1.Value.1=subnet-a1"}, "tagSet.item.key", []string{"Name", "kubernetes.io/role/elb"}},
		"NothingFilter": {"a filter without values matches nothing", "DescribeVpcs", []string{"Filter.1.Name=vpc-id"}, "vpcSet.item.vpcId", nil},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, texts(e.does(tc.operation, tc.asks...), tc.path)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
}

func TestEC2Pages(t *testing.T) {
	e := start(t, ec2Config())
	first := e.does("DescribeSubnets", "MaxResults=5")
	token := texts(first, "nextToken")
	if len(texts(first, "subnetSet.item.subnetId")) != 5 || len(token) != 1 {
		t.Fatalf("first page has %q, token %q", texts(first, "subnetSet.item.subnetId"), token)
	}
	last := e.does("DescribeSubnets", "MaxResults=5", "NextToken="+token[0])
	if diff := cmp.Diff([]string{"subnet-b2"}, texts(last, "subnetSet.item.subnetId")); diff != "" || texts(last, "nextToken") != nil {
		t.Errorf("last page, token %q (-want +got):\n%s", texts(last, "nextToken"), diff)
	}
}

// TestEC2Refuses are requests that the service refuses, with its code.
func TestEC2Refuses(t *testing.T) {
	e := start(t, func() Config {
		cfg := ec2Config()
		cfg.EC2.Quotas.SecurityGroups, cfg.EC2.Quotas.RulesPerGroup = 5, 3
		return cfg
	}())
	web := texts(e.does("CreateSecurityGroup", "GroupName=web", "GroupDescription=d", "VpcId=vpc-a"), "groupId")[0]
	allow := func(peer ...string) []string {
		return append([]string{"GroupId=" + web, "IpPermissions.1.IpProtocol=tcp", "IpPermissions.1.FromPort=80", "IpPermissions.1.ToPort=80"}, peer...)
	}
	e.does("AuthorizeSecurityGroupIngress", allow("IpPermissions.1.IpRanges.1.CidrIp=0.0.0.0/0")...)
	e.does("AuthorizeSecurityGroupIngress", "GroupId=sg-nodes", "IpPermissions.1.IpProtocol=-1", "IpPermissions.1.Groups.1.GroupId="+web)
	create := func(name, description, vpc string) []string {
		return []string{"GroupName=" + name, "GroupDescription=" + description, "VpcId=" + vpc}
	}

	cases := map[string]struct {
		reason    string
		operation string
		asks      []string
		want      string
	}{
		"NoSubnet":      {"an id that is not there", "DescribeSubnets", []string{"SubnetId.1=subnet-z"}, "InvalidSubnetID.NotFound The subnet ID 'subnet-z' does not exist"},
		"NoVPC":         {"likewise", "DescribeVpcs", []string{"VpcId.1=vpc-z"}, "InvalidVpcID.NotFound The vpc ID 'vpc-z' does not exist"},
		"NoGroup":       {"likewise", "DescribeSecurityGroups", []string{"GroupId.1=sg-z"}, "InvalidGroup.NotFound The security group 'sg-z' does not exist"},
		"NoTable":       {"likewise", "DescribeRouteTables", []string{"RouteTableId.1=rtb-z"}, "InvalidRouteTableID.NotFound"},
		"NoInstance":    {"likewise", "DescribeInstances", []string{"InstanceId.1=i-z"}, "InvalidInstanceID.NotFound The instance ID 'i-z' does not exist"},
		"Malformed":     {"an id of something else", "DescribeInstances", []string{"InstanceId.1=node-1"}, "InvalidInstanceID.Malformed Invalid id: \"node-1\""},
		"NoInterface":   {"likewise", "DescribeNetworkInterfaces", []string{"NetworkInterfaceId.1=eni-z"}, "InvalidNetworkInterfaceID.NotFound"},
		"NoAttribute":   {"likewise", "DescribeAccountAttributes", []string{"AttributeName.1=max-somethings"}, "InvalidParameterValue Invalid attribute name: max-somethings"},
		"NoZone":        {"likewise", "DescribeAvailabilityZones", []string{"ZoneName.1=eu-west-1z"}, "InvalidParameterValue Invalid availability zone: [eu-west-1z]"},
		"NoRule":        {"likewise", "DescribeSecurityGroupRules", []string{"SecurityGroupRuleId.1=sgr-z"}, "InvalidSecurityGroupRuleId.NotFound"},
		"Filter":        {"a filter that there is not", "DescribeSubnets", []string{"Filter.1.Name=color", "Filter.1.Value.1=red"}, "InvalidParameterValue The filter 'color' is invalid"},
		"SmallPage":     {"pages have at least five", "DescribeSubnets", []string{"MaxResults=4"}, "InvalidParameterValue"},
		"PageOfIDs":     {"ids have no pages", "DescribeSubnets", []string{"MaxResults=5", "SubnetId.1=subnet-a1"}, "InvalidParameterCombination"},
		"Token":         {"a token that is none", "DescribeSubnets", []string{"NextToken=x"}, "InvalidNextToken"},
		"Unknown":       {"a parameter that there is not", "DescribeSubnets", []string{"Colour=red"}, "UnknownParameter Colour"},
		"NotANumber":    {"a number that is none", "DescribeSubnets", []string{"MaxResults=many"}, "InvalidParameterValue"},
		"Operation":     {"what is not modelled", "RunInstances", nil, "InvalidAction The action RunInstances is not valid for this web service."},
		"NoName":        {"a group wants a name", "CreateSecurityGroup", []string{"GroupDescription=d", "VpcId=vpc-a"}, "MissingParameter The request must contain the parameter GroupName"},
		"SameName":      {"a name is taken in its VPC", "CreateSecurityGroup", create("web", "d", "vpc-a"), "InvalidGroup.Duplicate The security group 'web' already exists for VPC 'vpc-a'"},
		"ReservedName":  {"a name is no id", "CreateSecurityGroup", create("sg-x", "d", "vpc-a"), "InvalidParameterValue Group names may not be in the format sg-*."},
		"Description":   {"a description has its characters", "CreateSecurityGroup", create("x", "ä", "vpc-a"), "InvalidParameterValue Invalid security group description"},
		"LongName":      {"a name has at most 255 characters", "CreateSecurityGroup", create(strings.Repeat("x", 256), "d", "vpc-a"), "InvalidParameterValue"},
		"GroupOfNoVPC":  {"there is no default VPC", "CreateSecurityGroup", []string{"GroupName=x", "GroupDescription=d"}, "VPCIdNotSpecified"},
		"GroupOfVPC":    {"a VPC that is not there", "CreateSecurityGroup", create("x", "d", "vpc-z"), "InvalidVpcID.NotFound"},
		"TooManyGroups": {"a sixth group", "CreateSecurityGroup", create("x", "d", "vpc-a"), "SecurityGroupLimitExceeded"},
		"ReservedTag":   {"tags of AWS", "CreateTags", []string{"ResourceId.1=" + web, "Tag.1.Key=aws:x", "Tag.1.Value="}, "InvalidParameterValue Tag keys starting with 'aws:'"},
		"TagOfNothing":  {"tags of a group that is gone", "CreateTags", []string{"ResourceId.1=sg-z", "Tag.1.Key=x"}, "InvalidGroup.NotFound"},
		"Twice":         {"a rule that is there", "AuthorizeSecurityGroupIngress", allow("IpPermissions.1.IpRanges.1.CidrIp=0.0.0.0/0"), `InvalidPermission.Duplicate the specified rule "peer: 0.0.0.0/0, TCP, from port: 80, to port: 80, ALLOW" already exists`},
		"TwiceInOne":    {"the same rule twice", "AuthorizeSecurityGroupIngress", allow("IpPermissions.1.IpRanges.1.CidrIp=10.0.0.0/8", "IpPermissions.1.IpRanges.2.CidrIp=10.1.0.0/8"), "InvalidParameterValue The same permission must not appear multiple times"},
		"NoPeer":        {"a rule without a peer", "AuthorizeSecurityGroupIngress", allow(), "MissingParameter"},
		"NoPermissions": {"no rule", "AuthorizeSecurityGroupIngress", []string{"GroupId=" + web}, "MissingParameter"},
		"BadCIDR":       {"no address range", "AuthorizeSecurityGroupIngress", allow("IpPermissions.1.IpRanges.1.CidrIp=everyone"), "InvalidParameterValue CIDR block everyone is malformed"},
		"WrongFamily":   {"IPv6 where IPv4 belongs", "AuthorizeSecurityGroupIngress", allow("IpPermissions.1.IpRanges.1.CidrIp=::/0"), "InvalidParameterValue"},
		"Protocol":      {"a protocol that there is not", "AuthorizeSecurityGroupIngress", []string{"GroupId=" + web, "IpPermissions.1.IpProtocol=http", "IpPermissions.1.IpRanges.1.CidrIp=0.0.0.0/0"}, "InvalidParameterValue"},
		"Ports":         {"ports the wrong way round", "AuthorizeSecurityGroupIngress", []string{"GroupId=" + web, "IpPermissions.1.IpProtocol=tcp", "IpPermissions.1.FromPort=81", "IpPermissions.1.ToPort=80", "IpPermissions.1.IpRanges.1.CidrIp=0.0.0.0/0"}, "InvalidParameterValue"},
		"PeerOfVPC":     {"a peer in another VPC", "AuthorizeSecurityGroupIngress", allow("IpPermissions.1.Groups.1.GroupId=sg-far"), "InvalidGroup.NotFound"},
		"TooManyRules": {"a fourth rule", "AuthorizeSecurityGroupIngress", allow("IpPermissions.1.IpRanges.1.CidrIp=10.0.0.0/16", "IpPermissions.1.IpRanges.2.CidrIp=10.1.0.0/16", "IpPermissions.1.IpRanges.3.CidrIp=10.2.0.0/16"),
			"RulesPerSecurityGroupLimitExceeded The maximum number of rules per security group has been reached."},
		"RevokeUnknown": {"a rule that is not there", "RevokeSecurityGroupIngress", allow("IpPermissions.1.IpRanges.1.CidrIp=10.0.0.0/8"), "InvalidPermission.NotFound The specified rule does not exist in this security group."},
		"RevokeHalf":    {"nothing goes if one is not there", "RevokeSecurityGroupIngress", allow("IpPermissions.1.IpRanges.1.CidrIp=0.0.0.0/0", "IpPermissions.1.IpRanges.2.CidrIp=10.0.0.0/8"), "InvalidPermission.NotFound"},
		"RevokeGone":    {"of a group that is not there", "RevokeSecurityGroupIngress", []string{"GroupId=sg-z"}, "InvalidGroup.NotFound"},
		"Named":         {"a group that a rule of another names", "DeleteSecurityGroup", []string{"GroupId=" + web}, "DependencyViolation resource " + web + " has a dependent object"},
		"Default":       {"the default group stays", "DeleteSecurityGroup", []string{"GroupId=sg-a"}, "CannotDelete"},
		"DeleteGone":    {"a group that is not there", "DeleteSecurityGroup", []string{"GroupId=sg-z"}, "InvalidGroup.NotFound"},
		"DeleteNothing": {"no group", "DeleteSecurityGroup", nil, "MissingParameter"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if _, got := e.ec2(tc.operation, tc.asks...); !strings.HasPrefix(got, tc.want) {
				t.Errorf("%s: %q, want %q", tc.reason, got, tc.want)
			}
		})
	}

	if got := texts(e.does("DescribeSecurityGroups", "GroupId.1="+web), "securityGroupInfo.item.ipPermissions.item.ipRanges.item.cidrIp"); len(got) != 1 {
		t.Errorf("refused changes left %q", got)
	}
}

// TestEC2SecurityGroup goes through the life of one.
func TestEC2SecurityGroup(t *testing.T) {
	e := start(t, ec2Config())
	made := e.does("CreateSecurityGroup", "GroupName=web", "GroupDescription=for the load balancer", "VpcId=vpc-a",
		"TagSpecification.1.ResourceType=security-group", "TagSpecification.1.Tag.1.Key=elbv2.k8s.aws/cluster", "TagSpecification.1.Tag.1.Value=test")
	id := texts(made, "groupId")[0]
	if diff := cmp.Diff([]string{"test"}, texts(made, "tagSet.item.value")); diff != "" {
		t.Errorf("tags at creation (-want +got):\n%s", diff)
	}

	added := e.does("AuthorizeSecurityGroupIngress", "GroupId="+id,
		"IpPermissions.1.IpProtocol=tcp", "IpPermissions.1.FromPort=80", "IpPermissions.1.ToPort=80",
		"IpPermissions.1.IpRanges.1.CidrIp=10.0.0.1/8", "IpPermissions.1.IpRanges.1.Description=ours", "IpPermissions.1.Ipv6Ranges.1.CidrIpv6=::/0",
		"IpPermissions.2.IpProtocol=6", "IpPermissions.2.FromPort=80", "IpPermissions.2.ToPort=80", "IpPermissions.2.PrefixListIds.1.PrefixListId=pl-1",
		"IpPermissions.3.IpProtocol=-1", "IpPermissions.3.FromPort=1", "IpPermissions.3.Groups.1.GroupId=sg-nodes")
	if got := texts(added, "securityGroupRuleSet.item.securityGroupRuleId"); len(got) != 4 {
		t.Errorf("rules %q, want four", got)
	}

	describe := func() []string {
		info := e.does("DescribeSecurityGroups", "GroupId.1="+id)
		list := []string{}
		for _, path := range []string{
			"ipPermissions.item.ipProtocol", "ipPermissions.item.fromPort", "ipPermissions.item.ipRanges.item.cidrIp", "ipPermissions.item.ipRanges.item.description",
			"ipPermissions.item.ipv6Ranges.item.cidrIpv6", "ipPermissions.item.prefixListIds.item.prefixListId", "ipPermissions.item.groups.item.groupId",
			"ipPermissionsEgress.item.ipRanges.item.cidrIp",
		} {
			list = append(list, strings.Join(texts(info, "securityGroupInfo.item."+path), " "))
		}
		return list
	}
	if diff := cmp.Diff([]string{"tcp -1", "80", "10.0.0.0/8", "ours", "::/0", "pl-1", "sg-nodes", "0.0.0.0/0"}, describe()); diff != "" {
		t.Errorf("equal protocols and ports are one permission (-want +got):\n%s", diff)
	}

	// The description does not count.
	e.does("RevokeSecurityGroupIngress", "GroupId="+id, "IpPermissions.1.IpProtocol=tcp", "IpPermissions.1.FromPort=80", "IpPermissions.1.ToPort=80", "IpPermissions.1.IpRanges.1.CidrIp=10.0.0.0/8")
	e.does("RevokeSecurityGroupIngress", "GroupId="+id, "SecurityGroupRuleId.1="+texts(added, "securityGroupRuleSet.item.securityGroupRuleId")[3])
	e.does("RevokeSecurityGroupEgress", "GroupId="+id, "IpPermissions.1.IpProtocol=-1", "IpPermissions.1.IpRanges.1.CidrIp=0.0.0.0/0")
	e.does("AuthorizeSecurityGroupEgress", "GroupId="+id, "IpPermissions.1.IpProtocol=udp", "IpPermissions.1.FromPort=53", "IpPermissions.1.ToPort=53", "IpPermissions.1.IpRanges.1.CidrIp=10.0.0.2/32")
	if diff := cmp.Diff([]string{"tcp", "80", "", "", "::/0", "pl-1", "", "10.0.0.2/32"}, describe()); diff != "" {
		t.Errorf("after revoking (-want +got):\n%s", diff)
	}
	if got := texts(e.does("DescribeSecurityGroupRules", "Filter.1.Name=group-id", "Filter.1.Value.1="+id), "securityGroupRuleSet.item.isEgress"); len(got) != 3 {
		t.Errorf("rules %q, want three", got)
	}

	e.does("CreateTags", "ResourceId.1="+id, "Tag.1.Key=Name", "Tag.1.Value=web", "Tag.2.Key=elbv2.k8s.aws/cluster", "Tag.2.Value=other")
	e.does("DeleteTags", "ResourceId.1="+id, "Tag.1.Key=Name", "Tag.2.Key=elbv2.k8s.aws/cluster", "Tag.2.Value=test")
	if diff := cmp.Diff([]string{"other"}, texts(e.does("DescribeSecurityGroups", "GroupId.1="+id), "securityGroupInfo.item.tagSet.item.value")); diff != "" {
		t.Errorf("a tag goes with its value alone (-want +got):\n%s", diff)
	}

	e.does("DeleteSecurityGroup", "GroupId="+id)
	if _, failure := e.ec2("DescribeSecurityGroups", "GroupId.1="+id); !strings.HasPrefix(failure, "InvalidGroup.NotFound") {
		t.Errorf("after deletion: %s", failure)
	}
}

// TestEC2DefaultVPCForgives a revocation of what is not there, as the documentation says.
func TestEC2DefaultVPCForgives(t *testing.T) {
	cfg := ec2Config()
	cfg.EC2.VPCs[0].Default = true
	e := start(t, cfg)
	out := e.does("RevokeSecurityGroupIngress", "GroupId=sg-nodes", "IpPermissions.1.IpProtocol=tcp", "IpPermissions.1.FromPort=80", "IpPermissions.1.ToPort=80", "IpPermissions.1.IpRanges.1.CidrIp=0.0.0.0/0")
	if diff := cmp.Diff([]string{"0.0.0.0/0"}, texts(out, "unknownIpPermissionSet.item.ipRanges.item.cidrIp")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestEC2Lags: calls see what was true some time ago, all of them or as many as a fault says.
func TestEC2Lags(t *testing.T) {
	for _, tc := range []struct {
		reason string
		lag    time.Duration
		fault  *Fault
	}{
		{reason: "by configuration", lag: 5 * time.Second},
		{reason: "by a fault, which also lasts for that long", fault: &Fault{Service: "ec2", LagSeconds: 5, DurationSeconds: 5}},
	} {
		cfg := ec2Config()
		cfg.EC2.Lag = tc.lag
		inBubble(t, cfg, func(e *env) {
			time.Sleep(time.Minute)
			if tc.fault != nil {
				e.fault(*tc.fault)
			}
			id := texts(e.does("CreateSecurityGroup", "GroupName=web", "GroupDescription=d", "VpcId=vpc-a"), "groupId")[0]
			for _, call := range [][]string{
				{"DescribeSecurityGroups", "GroupId.1=" + id},
				{"CreateTags", "ResourceId.1=" + id, "Tag.1.Key=x", "Tag.1.Value=y"},
				{"AuthorizeSecurityGroupIngress", "GroupId=" + id, "IpPermissions.1.IpProtocol=-1", "IpPermissions.1.IpRanges.1.CidrIp=0.0.0.0/0"},
				{"DeleteSecurityGroup", "GroupId=" + id},
			} {
				if _, failure := e.ec2(call[0], call[1:]...); !strings.HasPrefix(failure, "InvalidGroup.NotFound") {
					t.Errorf("%s: %s at once: %q", tc.reason, call[0], failure)
				}
			}
			if got := texts(e.does("DescribeSecurityGroups", "Filter.1.Name=group-name", "Filter.1.Value.1=web"), "securityGroupInfo.item.groupId"); got != nil {
				t.Errorf("%s: listed at once: %q", tc.reason, got)
			}
			time.Sleep(5 * time.Second)
			e.does("DescribeSecurityGroups", "GroupId.1="+id)
			e.does("DeleteSecurityGroup", "GroupId="+id)
		})
	}
}

// TestEC2Throttles by buckets of its own, with its own code.
func TestEC2Throttles(t *testing.T) {
	inBubble(t, Config{}, func(e *env) {
		refused := ""
		n := 0
		for ; refused == "" && n < 200; n++ {
			_, refused = e.ec2("DescribeVpcs")
		}
		if n != 101 || refused != "RequestLimitExceeded Request limit exceeded." {
			t.Errorf("call %d: %q", n, refused)
		}
		if status, _ := e.rawAs("ec2", url.Values{"Action": {"DescribeVpcs"}, "Version": {ec2Version}}); status != 503 {
			t.Errorf("status %d", status)
		}
		if _, failure := e.ec2("CreateTags", "ResourceId.1=subnet-1", "Tag.1.Key=x"); failure != "" {
			t.Errorf("changes have a bucket of their own: %s", failure)
		}
		if _, err := e.elb.DescribeLoadBalancers(e.Context(), &elbv2.DescribeLoadBalancersInput{}); err != nil {
			t.Errorf("ELBv2 has buckets of its own: %v", err)
		}
	})
}

// TestEC2Denies in its own words.
func TestEC2Denies(t *testing.T) {
	e := start(t, ec2Config())
	e.fault(Fault{Service: "ec2", Operation: "DescribeSubnets", Error: &APIError{Code: "AccessDenied"}})
	if _, failure := e.ec2("DescribeSubnets"); !strings.HasPrefix(failure, "UnauthorizedOperation You are not authorized to perform this operation. User: ") || !strings.Contains(failure, "ec2:DescribeSubnets") {
		t.Errorf("%s", failure)
	}
}

// TestLoadBalancerNeedsItsNetwork: subnets and security groups are checked at creation and at changes.
func TestLoadBalancerNeedsItsNetwork(t *testing.T) {
	e := start(t, ec2Config())
	create := func(edit func(*elbv2.CreateLoadBalancerInput)) error {
		name := "app"
		in := &elbv2.CreateLoadBalancerInput{Name: &name, Subnets: []string{"subnet-a1", "subnet-a2"}}
		edit(in)
		return second(e.elb.CreateLoadBalancer(e.Context(), in))
	}
	subnets := func(ids ...string) error {
		return create(func(in *elbv2.CreateLoadBalancerInput) { in.Subnets = ids })
	}

	if err := create(func(in *elbv2.CreateLoadBalancerInput) {}); err != nil {
		t.Fatal(err)
	}
	all, err := e.elb.DescribeLoadBalancers(e.Context(), &elbv2.DescribeLoadBalancersInput{})
	if err != nil {
		t.Fatal(err)
	}
	app := all.LoadBalancers[0]
	if *app.VpcId != "vpc-a" || !cmp.Equal(app.SecurityGroups, []string{"sg-a"}) || *app.AvailabilityZones[1].ZoneName != "eu-west-1b" {
		t.Errorf("it is %+v", app)
	}
	set := func(ids ...string) error {
		return second(e.elb.SetSubnets(e.Context(), &elbv2.SetSubnetsInput{LoadBalancerArn: app.LoadBalancerArn, Subnets: ids}))
	}
	secure := func(ids ...string) error {
		return second(e.elb.SetSecurityGroups(e.Context(), &elbv2.SetSecurityGroupsInput{LoadBalancerArn: app.LoadBalancerArn, SecurityGroups: ids}))
	}
	dual := func() error {
		return second(e.elb.SetIpAddressType(e.Context(), &elbv2.SetIpAddressTypeInput{LoadBalancerArn: app.LoadBalancerArn, IpAddressType: types.IpAddressTypeDualstack}))
	}

	for name, tc := range map[string]struct {
		err        error
		code, text string
	}{
		"Unknown":  {subnets("subnet-a1", "subnet-z"), "SubnetNotFound", "The subnet ID 'subnet-z' does not exist"},
		"SameZone": {subnets("subnet-a2", "subnet-a3"), "InvalidConfigurationRequest", "multiple subnets in the same Availability Zone"},
		"TwoVPCs": {create(func(in *elbv2.CreateLoadBalancerInput) {
			in.Subnets, in.Scheme = []string{"subnet-a1", "subnet-b2"}, "internal"
		}), "InvalidSubnet", "same VPC"},
		"NoWayOut": {subnets("subnet-b1", "subnet-b2"), "InvalidSubnet", "VPC vpc-b has no internet gateway"},
		"Full":     {subnets("subnet-a1", "subnet-a4"), "InvalidSubnet", "at least 8 free IP addresses"},
		"NoIPv6":   {create(func(in *elbv2.CreateLoadBalancerInput) { in.IpAddressType = "dualstack" }), "InvalidSubnet", "subnet-a1"},
		"NoGroup":  {create(func(in *elbv2.CreateLoadBalancerInput) { in.SecurityGroups = []string{"sg-z"} }), "InvalidSecurityGroup", "sg-z"},
		"FarGroup": {create(func(in *elbv2.CreateLoadBalancerInput) { in.SecurityGroups = []string{"sg-far"} }), "InvalidConfigurationRequest", "Security group 'sg-far' does not belong to VPC 'vpc-a'"},
		"Internal": {create(func(in *elbv2.CreateLoadBalancerInput) {
			name := "inside"
			in.Name, in.Subnets, in.Scheme = &name, []string{"subnet-b1", "subnet-b2"}, "internal"
		}), "", ""},
		"SetUnknown":   {set("subnet-a1", "subnet-z"), "SubnetNotFound", ""},
		"SetOtherVPC":  {set("subnet-b1", "subnet-b2"), "InvalidSubnet", ""},
		"SecureNobody": {secure("sg-z"), "InvalidSecurityGroup", ""},
		"SecureFar":    {secure("sg-far"), "InvalidConfigurationRequest", ""},
		"DualNoIPv6":   {dual(), "InvalidSubnet", ""},
	} {
		if codeOf(tc.err) != tc.code || tc.err != nil && !strings.Contains(tc.err.Error(), tc.text) {
			t.Errorf("%s: %v, want %s that says %q", name, tc.err, tc.code, tc.text)
		}
	}
}

// TestInterfacesOutliveTheirLoadBalancer, so that its security group cannot be deleted at once.
func TestInterfacesOutliveTheirLoadBalancer(t *testing.T) {
	cfg := ec2Config()
	cfg.EC2.InterfaceLinger = time.Minute
	inBubble(t, cfg, func(e *env) {
		id := texts(e.does("CreateSecurityGroup", "GroupName=web", "GroupDescription=d", "VpcId=vpc-a"), "groupId")[0]
		name := "app"
		made, err := e.elb.CreateLoadBalancer(e.Context(), &elbv2.CreateLoadBalancerInput{Name: &name, Subnets: []string{"subnet-a1", "subnet-a2"}, SecurityGroups: []string{id}})
		if err != nil {
			t.Fatal(err)
		}
		arn := made.LoadBalancers[0].LoadBalancerArn
		interfaces := func() string {
			t.Helper()
			list := e.does("DescribeNetworkInterfaces", "Filter.1.Name=group-id", "Filter.1.Value.1="+id, "Filter.2.Name=description", "Filter.2.Value.1=ELB app/app/*")
			return fmt.Sprint(texts(list, "networkInterfaceSet.item.subnetId"), texts(list, "networkInterfaceSet.item.requesterManaged"))
		}
		free := func() string {
			return texts(e.does("DescribeSubnets", "SubnetId.1=subnet-a1"), "subnetSet.item.availableIpAddressCount")[0]
		}

		if got := interfaces(); len(got) != len("[subnet-a1 subnet-a2] [true true]") || free() != "249" {
			t.Errorf("interfaces %s, %s addresses are free", got, free())
		}
		if err := second(e.elb.SetSubnets(e.Context(), &elbv2.SetSubnetsInput{LoadBalancerArn: arn, Subnets: []string{"subnet-a1", "subnet-a3"}})); err != nil {
			t.Fatal(err)
		}
		if got := interfaces(); len(texts(e.does("DescribeNetworkInterfaces"), "networkInterfaceSet.item.subnetId")) != 3 {
			t.Errorf("the one in the subnet that it left stays for a while: %s", got)
		}
		time.Sleep(61 * time.Second)
		if got := texts(e.does("DescribeNetworkInterfaces"), "networkInterfaceSet.item.subnetId"); len(got) != 2 {
			t.Errorf("a minute later there are interfaces in %q", got)
		}

		if err := second(e.elb.DeleteLoadBalancer(e.Context(), &elbv2.DeleteLoadBalancerInput{LoadBalancerArn: arn})); err != nil {
			t.Fatal(err)
		}
		if _, failure := e.ec2("DeleteSecurityGroup", "GroupId="+id); failure != "DependencyViolation resource "+id+" has a dependent object" {
			t.Errorf("its security group at once: %s", failure)
		}
		time.Sleep(61 * time.Second)
		e.does("DeleteSecurityGroup", "GroupId="+id)
		if free() != "250" {
			t.Errorf("%s addresses are free", free())
		}
	})
}

// TestNetworkCanBeChanged by the control API, while what is in it stays.
func TestNetworkCanBeChanged(t *testing.T) {
	e := start(t, ec2Config())
	e.does("CreateSecurityGroup", "GroupName=web", "GroupDescription=d", "VpcId=vpc-a")
	next := twoVPCs().VPCs[0]
	next.Subnets[0].Addresses = 3
	if err := e.sim.SetVPC(next); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"3"}, texts(e.does("DescribeSubnets", "SubnetId.1=subnet-a1"), "subnetSet.item.availableIpAddressCount")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := texts(e.does("DescribeSecurityGroups", "Filter.1.Name=vpc-id", "Filter.1.Value.1=vpc-a"), "securityGroupInfo.item.groupName"); len(got) != 3 {
		t.Errorf("groups %q, want three", got)
	}

	next.Subnets[0].CIDR = "everything"
	if err := e.sim.SetVPC(next); err == nil {
		t.Error("an address range that is none is taken")
	}
	if err := e.sim.PlaceInstances(Instance{ID: "i-9", Subnet: "subnet-z"}); err == nil {
		t.Error("an instance is in a subnet that is not there")
	}
	if err := e.sim.PlaceInstances(Instance{ID: "i-9", State: "dreaming"}); err == nil {
		t.Error("an instance has a state that there is not")
	}
	e.does("DescribeSubnets", "SubnetId.1=subnet-a1")
}
