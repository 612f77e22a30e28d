// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package elbv2

import (
	"slices"

	api "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/podgate/podgate/sim/awssim/ec2"
	"github.com/podgate/podgate/sim/awssim/wire"
)

// zones checks the subnets that a load balancer of a scheme is to have, and returns them as answers show them, with
// their VPC. A subnet that it has already keeps its addresses.
func (s *Service) zones(b settings, subnets []string, mappings []types.SubnetMapping, current []types.AvailabilityZone) ([]types.AvailabilityZone, string, error) {
	if subnets != nil && mappings != nil {
		return nil, "", wire.Invalid("You must specify either subnets or subnet mappings, not both")
	}

	mappings = slices.Clone(mappings)
	for _, subnet := range subnets {
		mappings = append(mappings, types.SubnetMapping{SubnetId: &subnet})
	}
	mappings = slices.DeleteFunc(mappings, func(m types.SubnetMapping) bool { return m.SubnetId == nil })

	switch {
	case len(mappings) == 0:
		return nil, "", wire.Invalid("You must specify subnets")
	case len(mappings) == 1 && b.kind == types.LoadBalancerTypeEnumApplication:
		return nil, "", wire.Invalid("At least two subnets in two different Availability Zones must be specified")
	}

	vpc := ""
	zones := []types.AvailabilityZone{}
	for _, m := range mappings {
		old := zoneOf(current, *m.SubnetId)
		place, err := s.place(b, *m.SubnetId, old != nil)
		if err != nil {
			return nil, "", err
		}

		switch {
		case vpc != "" && place.VPC != vpc:
			return nil, "", wire.Failed("InvalidSubnet", "All subnets must belong to the same VPC: '%s'", vpc)
		case slices.ContainsFunc(zones, func(z types.AvailabilityZone) bool { return *z.ZoneName == place.Zone }):
			return nil, "", wire.Failed("InvalidConfigurationRequest", "A load balancer cannot be attached to multiple subnets in the same Availability Zone")
		}
		vpc = place.VPC

		zone := types.AvailabilityZone{SubnetId: m.SubnetId, ZoneName: &place.Zone, LoadBalancerAddresses: addressesOf(m)}
		if old != nil && m.AllocationId == nil && m.PrivateIPv4Address == nil && m.IPv6Address == nil {
			zone.LoadBalancerAddresses = old.LoadBalancerAddresses
		}
		zones = append(zones, zone)
	}

	return zones, vpc, nil
}

// settings are what decides which subnets a load balancer can have.
type settings struct {
	kind      types.LoadBalancerTypeEnum
	scheme    types.LoadBalancerSchemeEnum
	addresses types.IpAddressType
}

// leastFree is how many free addresses a subnet must have for an application load balancer (ALB guide, subnets).
const leastFree = 8

// place returns where a subnet is, or what the service has against it. The words about gateways are quoted in
// openshift/installer #1110.
func (s *Service) place(b settings, subnet string, has bool) (ec2.Place, error) {
	place, known := s.ec2.Place(subnet)
	switch {
	case !known:
		return place, wire.Failed("SubnetNotFound", "The subnet ID '%s' does not exist", subnet)
	case b.scheme != types.LoadBalancerSchemeEnumInternal && !place.Gateway:
		return place, wire.Failed("InvalidSubnet", "VPC %s has no internet gateway", place.VPC)
	case b.kind == types.LoadBalancerTypeEnumApplication && !has && place.Free < leastFree:
		return place, wire.Failed("InvalidSubnet", "Not enough IP space available in %s. ELB requires at least %d free IP addresses in each subnet.", subnet, leastFree)
	case b.addresses != "" && b.addresses != types.IpAddressTypeIpv4 && !place.IPv6:
		return place, wire.Failed("InvalidSubnet", "You must specify subnets with an associated IPv6 CIDR block: '%s' has none", subnet)
	}
	return place, nil
}

// checkSecurityGroups says what the service has against security groups. Each of the load balancer's interfaces gets all of them;
// in which words AWS refuses too many is not documented.
func (s *Service) checkSecurityGroups(vpc string, ids []string) error {
	if most := s.ec2.GroupsPerInterface(); len(ids) > most {
		return wire.Failed("InvalidConfigurationRequest", "A load balancer cannot have more than %d security groups", most)
	}
	for _, id := range ids {
		in, known := s.ec2.GroupVPC(id)
		if !known {
			return wire.Failed("InvalidSecurityGroup", "One or more security groups are invalid: '%s'", id)
		}
		if in != vpc {
			return wire.Failed("InvalidConfigurationRequest", "Security group '%s' does not belong to VPC '%s'", id, vpc)
		}
	}
	return nil
}

// settings are those that a load balancer has.
func (b *loadBalancer) settings() settings {
	return settings{b.view.Type, b.view.Scheme, b.view.IpAddressType}
}

// attach lets a load balancer's interfaces follow its subnets and security groups.
func (s *Service) attach(b *loadBalancer) {
	s.ec2.Attach(b.path(), subnetsOf(b.view.AvailabilityZones), b.view.SecurityGroups)
}

func zoneOf(zones []types.AvailabilityZone, subnet string) *types.AvailabilityZone {
	for i, z := range zones {
		if *z.SubnetId == subnet {
			return &zones[i]
		}
	}
	return nil
}

// addressesOf are the addresses that a mapping gives the load balancer in a subnet.
func addressesOf(m types.SubnetMapping) []types.LoadBalancerAddress {
	if m.AllocationId == nil && m.PrivateIPv4Address == nil && m.IPv6Address == nil {
		return []types.LoadBalancerAddress{}
	}
	return []types.LoadBalancerAddress{{AllocationId: m.AllocationId, PrivateIPv4Address: m.PrivateIPv4Address, IPv6Address: m.IPv6Address}}
}

// checkAddressType says what the service has against an address type; an empty one is the default.
func checkAddressType(kind types.LoadBalancerTypeEnum, scheme types.LoadBalancerSchemeEnum, addresses types.IpAddressType) error {
	if addresses != types.IpAddressTypeDualstackWithoutPublicIpv4 {
		return nil
	}
	if kind != types.LoadBalancerTypeEnumApplication {
		return wire.Failed("InvalidConfigurationRequest", "The specified IP address type is not supported on load balancers with type '%s'.", kind)
	}
	if scheme == types.LoadBalancerSchemeEnumInternal {
		return wire.Failed("InvalidConfigurationRequest", "The specified IP address type is not supported on load balancers with scheme 'internal'.")
	}
	return nil
}

func (s *Service) setSubnets(c *Call, in *api.SetSubnetsInput) (*api.SetSubnetsOutput, error) {
	b, err := s.balancer(c, in.LoadBalancerArn)
	if err != nil {
		return nil, err
	}

	if err := checkAddressType(b.view.Type, b.view.Scheme, in.IpAddressType); err != nil {
		return nil, err
	}

	wanted := b.settings()
	wanted.addresses = orElse(in.IpAddressType, wanted.addresses)
	zones, vpc, err := s.zones(wanted, in.Subnets, in.SubnetMappings, b.view.AvailabilityZones)
	if err != nil {
		return nil, err
	}
	if vpc != *b.view.VpcId {
		return nil, wire.Failed("InvalidSubnet", "All subnets must belong to the same VPC: '%s'", *b.view.VpcId)
	}

	// API_SetSubnets: for a network load balancer the set can only grow.
	for _, old := range b.view.AvailabilityZones {
		if !b.application() && zoneOf(zones, *old.SubnetId) == nil {
			return nil, wire.Failed("InvalidConfigurationRequest", "Subnet '%s' cannot be removed from load balancer '%s'", *old.SubnetId, b.arn())
		}
	}

	b.view.AvailabilityZones = zones
	s.attach(b)
	b.view.IpAddressType = orElse(in.IpAddressType, b.view.IpAddressType)
	b.view.EnablePrefixForIpv6SourceNat = orElse(in.EnablePrefixForIpv6SourceNat, b.view.EnablePrefixForIpv6SourceNat)

	return &api.SetSubnetsOutput{
		AvailabilityZones: zones, IpAddressType: b.view.IpAddressType, EnablePrefixForIpv6SourceNat: b.view.EnablePrefixForIpv6SourceNat,
	}, nil
}

func (s *Service) setSecurityGroups(c *Call, in *api.SetSecurityGroupsInput) (*api.SetSecurityGroupsOutput, error) {
	b, err := s.balancer(c, in.LoadBalancerArn)
	if err != nil {
		return nil, err
	}

	enforce := string(in.EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic)
	switch {
	case !b.application() && len(b.view.SecurityGroups) == 0: // in these words in kubernetes-sigs/cluster-api-provider-aws #4790
		return nil, wire.Failed("InvalidConfigurationRequest", "You cannot set security groups on a Network Load Balancer which was created without any security groups.")
	case len(in.SecurityGroups) == 0:
		return nil, wire.Failed("InvalidConfigurationRequest", "At least one security group must be specified")
	case b.application() && enforce != "":
		return nil, wire.Failed("InvalidConfigurationRequest", "Inbound rules on PrivateLink traffic are not supported on load balancers with type 'application'")
	}

	if err := s.checkSecurityGroups(*b.view.VpcId, in.SecurityGroups); err != nil {
		return nil, err
	}

	b.view.SecurityGroups = slices.Clone(in.SecurityGroups)
	s.attach(b)
	if enforce != "" {
		b.view.EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic = &enforce
	}

	out := &api.SetSecurityGroupsOutput{SecurityGroupIds: b.view.SecurityGroups}
	if now := b.view.EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic; now != nil {
		out.EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic = types.EnforceSecurityGroupInboundRulesOnPrivateLinkTrafficEnum(*now)
	}

	return out, nil
}

func (s *Service) setIPAddressType(c *Call, in *api.SetIpAddressTypeInput) (*api.SetIpAddressTypeOutput, error) {
	b, err := s.balancer(c, in.LoadBalancerArn)
	if err != nil {
		return nil, err
	}
	if err := checkAddressType(b.view.Type, b.view.Scheme, in.IpAddressType); err != nil {
		return nil, err
	}
	wanted := b.settings()
	wanted.addresses = in.IpAddressType
	for _, z := range b.view.AvailabilityZones {
		if _, err := s.place(wanted, *z.SubnetId, true); err != nil {
			return nil, err
		}
	}

	b.view.IpAddressType = in.IpAddressType
	return &api.SetIpAddressTypeOutput{IpAddressType: in.IpAddressType}, nil
}

func (s *Service) modifyIPPools(c *Call, in *api.ModifyIpPoolsInput) (*api.ModifyIpPoolsOutput, error) {
	b, err := s.balancer(c, in.LoadBalancerArn)
	if err != nil {
		return nil, err
	}
	if !b.application() {
		return nil, wire.Invalid("IPAM pools are not supported on load balancers with type '%s'", b.view.Type)
	}

	if slices.Contains(in.RemoveIpamPools, types.RemoveIpamPoolEnumIpv4) {
		b.view.IpamPools = nil
	}
	if in.IpamPools != nil {
		b.view.IpamPools = in.IpamPools
	}

	return &api.ModifyIpPoolsOutput{IpamPools: b.view.IpamPools}, nil
}
