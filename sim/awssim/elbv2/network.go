// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package elbv2

import (
	"slices"

	api "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/podgate/podgate/sim/awssim/wire"
)

// zones places subnets in availability zones. A subnet that has a zone keeps it; the others get the next free one, since
// nothing else is known of subnets.
func (s *Service) zones(kind types.LoadBalancerTypeEnum, subnets []string, mappings []types.SubnetMapping, current []types.AvailabilityZone) ([]types.AvailabilityZone, error) {
	if subnets != nil && mappings != nil {
		return nil, wire.Invalid("You must specify either subnets or subnet mappings, not both")
	}

	mappings = slices.Clone(mappings)
	for _, subnet := range subnets {
		mappings = append(mappings, types.SubnetMapping{SubnetId: &subnet})
	}
	mappings = slices.DeleteFunc(mappings, func(m types.SubnetMapping) bool { return m.SubnetId == nil })

	switch {
	case len(mappings) == 0:
		return nil, wire.Invalid("You must specify subnets")
	case len(mappings) == 1 && kind == types.LoadBalancerTypeEnumApplication:
		return nil, wire.Invalid("At least two subnets in two different Availability Zones must be specified")
	}

	taken := map[string]bool{}
	for _, z := range current {
		taken[*z.ZoneName] = true
	}

	zones := []types.AvailabilityZone{}
	for _, m := range mappings {
		if zoneOf(zones, *m.SubnetId) != nil {
			return nil, wire.Failed("InvalidConfigurationRequest", "A load balancer cannot be attached to multiple subnets in the same Availability Zone")
		}

		zone := types.AvailabilityZone{SubnetId: m.SubnetId, LoadBalancerAddresses: addressesOf(m)}
		if old := zoneOf(current, *m.SubnetId); old != nil {
			zone.ZoneName = old.ZoneName
			if m.AllocationId == nil && m.PrivateIPv4Address == nil && m.IPv6Address == nil {
				zone.LoadBalancerAddresses = old.LoadBalancerAddresses
			}
		} else {
			zone.ZoneName = new(s.freeZone(taken))
			taken[*zone.ZoneName] = true
		}

		zones = append(zones, zone)
	}

	return zones, nil
}

// freeZone is the first availability zone that is not taken.
func (s *Service) freeZone(taken map[string]bool) string {
	for letter := 'a'; ; letter++ {
		if zone := s.cfg.Region + string(letter); !taken[zone] || letter == 'z' {
			return zone
		}
	}
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

	zones, err := s.zones(b.view.Type, in.Subnets, in.SubnetMappings, b.view.AvailabilityZones)
	if err != nil {
		return nil, err
	}

	// API_SetSubnets: for a network load balancer the set can only grow.
	for _, old := range b.view.AvailabilityZones {
		if !b.application() && zoneOf(zones, *old.SubnetId) == nil {
			return nil, wire.Failed("InvalidConfigurationRequest", "Subnet '%s' cannot be removed from load balancer '%s'", *old.SubnetId, b.arn())
		}
	}

	b.view.AvailabilityZones = zones
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

	b.view.SecurityGroups = slices.Clone(in.SecurityGroups)
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
