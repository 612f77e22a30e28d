// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package elbv2

import (
	"fmt"
	"hash/fnv"
	"regexp"
	"slices"
	"strings"
	"time"

	api "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/podgate/podgate/sim/awssim/wire"
)

type loadBalancer struct {
	account    string
	seq        int64
	view       types.LoadBalancer // without State, which depends on the time
	attributes map[string]string
	capacity   capacity
	slot       int    // a number that no other load balancer has, which gives it
	address    string // in the data path
	fails      bool   // it ends in the state failed
}

func (b *loadBalancer) arn() string { return *b.view.LoadBalancerArn }

func (b *loadBalancer) application() bool {
	return b.view.Type == types.LoadBalancerTypeEnumApplication
}

// path is the load balancer's part of its listeners' ARNs.
func (b *loadBalancer) path() string {
	_, path, _ := strings.Cut(b.arn(), ":loadbalancer/")
	return path
}

func (s *Service) balancer(c *Call, arn *string) (*loadBalancer, error) {
	if err := s.checkARN(c, kindBalancer, *arn); err != nil {
		return nil, err
	}
	b := s.balancers[*arn]
	if b == nil || s.unseen(c, *b.view.CreatedTime) {
		return nil, kindBalancer.notFound()
	}
	return b, nil
}

// describeBalancer is the load balancer as answers show it.
func (s *Service) describeBalancer(b *loadBalancer) types.LoadBalancer {
	view := b.view
	view.State = &types.LoadBalancerState{Code: types.LoadBalancerStateEnumActive}
	if b.fails {
		view.State = &types.LoadBalancerState{Code: types.LoadBalancerStateEnumFailed, Reason: new("The load balancer could not be set up")}
	}
	if time.Since(*b.view.CreatedTime) < s.clock.Scaled(s.cfg.ProvisionDelay) {
		view.State = &types.LoadBalancerState{Code: types.LoadBalancerStateEnumProvisioning}
	}
	return view
}

var balancerName = regexp.MustCompile(`^[a-zA-Z0-9]([a-zA-Z0-9-]{0,30}[a-zA-Z0-9])?$`)

func (s *Service) createLoadBalancer(c *Call, in *api.CreateLoadBalancerInput) (*api.CreateLoadBalancerOutput, error) {
	if !balancerName.MatchString(*in.Name) || strings.HasPrefix(*in.Name, "internal-") {
		return nil, wire.Invalid("The load balancer name '%s' can only contain up to 32 alphanumeric characters and hyphens, and cannot begin or end with a hyphen or begin with 'internal-'", *in.Name)
	}

	kind := orElse(in.Type, types.LoadBalancerTypeEnumApplication)
	if kind == types.LoadBalancerTypeEnumGateway {
		return nil, wire.Unmodelled("load balancers of type 'gateway'")
	}

	zones, vpc, err := s.zones(settings{kind, in.Scheme, in.IpAddressType}, in.Subnets, in.SubnetMappings, nil)
	if err != nil {
		return nil, err
	}
	if err := s.checkSecurityGroups(vpc, in.SecurityGroups); err != nil {
		return nil, err
	}

	if err := checkAddressType(kind, in.Scheme, in.IpAddressType); err != nil {
		return nil, err
	}

	count := 0
	for _, b := range s.balancers {
		if b.account != c.Account {
			continue
		}
		if *b.view.LoadBalancerName == *in.Name {
			if s.asWanted(b, in, zones) {
				return &api.CreateLoadBalancerOutput{LoadBalancers: []types.LoadBalancer{s.describeBalancer(b)}}, nil
			}
			return nil, wire.Failed("DuplicateLoadBalancerName", "A load balancer with the same name '%s' exists, but with different settings", *in.Name)
		}
		if b.view.Type == kind {
			count++
		}
	}

	if count >= s.cfg.Quotas.LoadBalancers {
		return nil, wire.Failed("TooManyLoadBalancers", "The maximum number of load balancers has been reached")
	}

	b := s.newBalancer(c, in, kind, zones, vpc)
	if err := s.tagNew(b.arn(), in.Tags); err != nil {
		return nil, err
	}

	s.balancers[b.arn()] = b
	s.attach(b)
	view := s.describeBalancer(b)
	view.State = &types.LoadBalancerState{Code: types.LoadBalancerStateEnumProvisioning} // what a creation always answers
	return &api.CreateLoadBalancerOutput{LoadBalancers: []types.LoadBalancer{view}}, nil
}

// asWanted reports whether a load balancer, whoever made it, is what a request wants. API_CreateLoadBalancer: creating
// one with the same settings again succeeds.
func (s *Service) asWanted(b *loadBalancer, in *api.CreateLoadBalancerInput, zones []types.AvailabilityZone) bool {
	groups := in.SecurityGroups
	if groups == nil && b.application() {
		groups = []string{s.ec2.DefaultGroup(*b.view.VpcId)}
	}

	return b.view.Type == orElse(in.Type, types.LoadBalancerTypeEnumApplication) &&
		b.view.Scheme == orElse(in.Scheme, types.LoadBalancerSchemeEnumInternetFacing) &&
		b.view.IpAddressType == orElse(in.IpAddressType, types.IpAddressTypeIpv4) &&
		slices.Equal(subnetsOf(b.view.AvailabilityZones), subnetsOf(zones)) &&
		slices.Equal(slices.Sorted(slices.Values(b.view.SecurityGroups)), slices.Sorted(slices.Values(groups)))
}

// subnetsOf are the ids of the subnets of zones, sorted.
func subnetsOf(zones []types.AvailabilityZone) []string {
	ids := []string{}
	for _, z := range zones {
		ids = append(ids, *z.SubnetId)
	}
	slices.Sort(ids)
	return ids
}

func (s *Service) newBalancer(c *Call, in *api.CreateLoadBalancerInput, kind types.LoadBalancerTypeEnum, zones []types.AvailabilityZone, vpc string) *loadBalancer {
	short, domain := "app", s.cfg.Region+".elb.amazonaws.com"
	if kind == types.LoadBalancerTypeEnumNetwork {
		short, domain = "net", "elb."+s.cfg.Region+".amazonaws.com"
	}

	id := wire.Suffix()
	hash := fnv.New32a()
	_, _ = hash.Write([]byte(id)) // a hash never fails
	dns := fmt.Sprintf("%s-%d.%s", *in.Name, hash.Sum32(), domain)
	if in.Scheme == types.LoadBalancerSchemeEnumInternal {
		dns = "internal-" + dns
	}

	b := &loadBalancer{
		account:    c.Account,
		seq:        s.next(),
		fails:      c.Effect.FailLater,
		attributes: balancerAttributes(kind, in.Scheme),
		view: types.LoadBalancer{
			LoadBalancerArn:       new(s.arn(c.Account, "loadbalancer/"+short+"/"+*in.Name+"/"+id)),
			DNSName:               &dns,
			CanonicalHostedZoneId: new("Z32O12XQLNTSW2"),
			CreatedTime:           new(time.Now()),
			LoadBalancerName:      in.Name,
			Scheme:                orElse(in.Scheme, types.LoadBalancerSchemeEnumInternetFacing),
			VpcId:                 &vpc,
			Type:                  kind,
			AvailabilityZones:     zones,
			IpAddressType:         orElse(in.IpAddressType, types.IpAddressTypeIpv4),
			SecurityGroups:        slices.Clone(in.SecurityGroups),
			CustomerOwnedIpv4Pool: in.CustomerOwnedIpv4Pool,
			IpamPools:             in.IpamPools,

			EnablePrefixForIpv6SourceNat: in.EnablePrefixForIpv6SourceNat,
		},
	}

	for slices.ContainsFunc(sorted(s.balancers), func(other *loadBalancer) bool { return other.slot == b.slot }) {
		b.slot++
	}
	b.address = s.path.BalancerAddress(b.slot)

	switch {
	case b.application() && b.view.SecurityGroups == nil:
		b.view.SecurityGroups = []string{s.ec2.DefaultGroup(vpc)}
	case !b.application() && b.view.SecurityGroups != nil:
		b.view.EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic = new("on")
	}

	return b
}

func (s *Service) describeLoadBalancers(c *Call, in *api.DescribeLoadBalancersInput) (*api.DescribeLoadBalancersOutput, error) {
	if in.LoadBalancerArns != nil && in.Names != nil {
		return nil, wire.Invalid("Load balancer names and load balancer ARNs cannot be specified at the same time")
	}

	for _, arn := range in.LoadBalancerArns {
		if _, err := s.balancer(c, &arn); err != nil {
			return nil, err
		}
	}

	found := []types.LoadBalancer{}
	names := map[string]bool{}
	for _, b := range sorted(s.balancers) {
		if b.account != c.Account || s.unseen(c, *b.view.CreatedTime) ||
			in.LoadBalancerArns != nil && !slices.Contains(in.LoadBalancerArns, b.arn()) ||
			in.Names != nil && !slices.Contains(in.Names, *b.view.LoadBalancerName) {
			continue
		}
		names[*b.view.LoadBalancerName] = true
		found = append(found, s.describeBalancer(b))
	}

	for _, name := range in.Names {
		if !names[name] {
			return nil, wire.Failed("LoadBalancerNotFound", "Load balancers '[%s]' not found", name)
		}
	}

	found, marker, err := wire.Page(found, func(b types.LoadBalancer) string { return *b.LoadBalancerArn }, in.Marker, in.PageSize)
	if err != nil {
		return nil, err
	}

	return &api.DescribeLoadBalancersOutput{LoadBalancers: found, NextMarker: marker}, nil
}

func (s *Service) deleteLoadBalancer(c *Call, in *api.DeleteLoadBalancerInput) (*api.DeleteLoadBalancerOutput, error) {
	if err := s.checkARN(c, kindBalancer, *in.LoadBalancerArn); err != nil {
		return nil, err
	}

	b := s.balancers[*in.LoadBalancerArn]
	if b == nil { // API_DeleteLoadBalancer: if it does not exist, the call succeeds
		return &api.DeleteLoadBalancerOutput{}, nil
	}
	if b.attributes[attrDeletionProtection] == "true" {
		return nil, wire.Failed("OperationNotPermitted", "Load balancer '%s' cannot be deleted because deletion protection is enabled", b.arn())
	}

	for _, l := range s.listenersOf(b) {
		s.dropListener(l)
	}

	delete(s.balancers, b.arn())
	s.ec2.Detach(b.path())
	delete(s.tags, b.arn())
	s.refreshUse()

	return &api.DeleteLoadBalancerOutput{}, nil
}
