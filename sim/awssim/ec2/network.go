// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package ec2

import (
	"strconv"
	"strings"

	"github.com/podgate/podgate/sim/awssim/wire"
)

// tagOf is a tag, as requests and answers write it.
type tagOf struct {
	Key   *string
	Value *string
}

// cidrState is whether an address range is in use.
type cidrState struct{ State string }

type cidrAssociation struct {
	AssociationId  string
	CidrBlock      string
	CidrBlockState cidrState
}

type cidr6Association struct {
	AssociationId      string
	Ipv6CidrBlock      string
	Ipv6CidrBlockState cidrState
}

func cidr6Of(id, block string) []cidr6Association {
	if block == "" {
		return []cidr6Association{}
	}
	return []cidr6Association{{AssociationId: id, Ipv6CidrBlock: block, Ipv6CidrBlockState: cidrState{"associated"}}}
}

type describeVPCsInput struct {
	DryRun     *bool
	Filter     []filter
	VpcId      []string
	MaxResults *int32
	NextToken  *string
}

type vpcView struct {
	VpcId                       string
	OwnerId                     string
	State                       string
	CidrBlock                   string
	CidrBlockAssociationSet     []cidrAssociation
	Ipv6CidrBlockAssociationSet []cidr6Association
	DhcpOptionsId               string
	InstanceTenancy             string
	IsDefault                   bool
	TagSet                      []tagOf
}

type describeVPCsOutput struct {
	VpcSet    []vpcView
	NextToken *string
}

func (s *Service) describeVPCs(c *Call, in *describeVPCsInput) (*describeVPCsOutput, error) {
	st := s.seen(c)
	found, next, err := find(st, st.vpcs, question{in.Filter, in.VpcId, in.MaxResults, in.NextToken}, wanted[*vpc]{
		id: func(v *vpc) string { return v.id },
		attributes: func(v *vpc) attributes {
			return attributes{"vpc-id": {v.id}, "cidr": {v.cidr}, "is-default": {strconv.FormatBool(v.isDefault)}, "state": {"available"}, "owner-id": {s.cfg.Account}}
		},
		notFound: func(id string) error {
			return wire.Failed("InvalidVpcID.NotFound", "The vpc ID '%s' does not exist", id)
		},
	})
	if err != nil {
		return nil, err
	}

	views := []vpcView{}
	for _, v := range found {
		views = append(views, vpcView{
			VpcId: v.id, OwnerId: s.cfg.Account, State: "available", CidrBlock: v.cidr,
			CidrBlockAssociationSet:     []cidrAssociation{{"vpc-cidr-assoc-" + suffix(v.id), v.cidr, cidrState{"associated"}}},
			Ipv6CidrBlockAssociationSet: cidr6Of("vpc-cidr-assoc-6"+suffix(v.id), v.cidr6),
			DhcpOptionsId:               "dopt-" + suffix(v.id), InstanceTenancy: "default", IsDefault: v.isDefault, TagSet: st.tagSet(v.id),
		})
	}
	return &describeVPCsOutput{views, next}, nil
}

type describeSubnetsInput struct {
	DryRun     *bool
	Filter     []filter
	SubnetId   []string
	MaxResults *int32
	NextToken  *string
}

type subnetView struct {
	SubnetId                    string
	SubnetArn                   string
	VpcId                       string
	OwnerId                     string
	State                       string
	AvailabilityZone            string
	AvailabilityZoneId          string
	CidrBlock                   string
	Ipv6CidrBlockAssociationSet []cidr6Association
	AvailableIpAddressCount     int32
	DefaultForAz                bool
	MapPublicIpOnLaunch         bool
	AssignIpv6AddressOnCreation bool
	TagSet                      []tagOf
}

type describeSubnetsOutput struct {
	SubnetSet []subnetView
	NextToken *string
}

func (s *Service) describeSubnets(c *Call, in *describeSubnetsInput) (*describeSubnetsOutput, error) {
	st := s.seen(c)
	found, next, err := find(st, st.subnets, question{in.Filter, in.SubnetId, in.MaxResults, in.NextToken}, wanted[*subnet]{
		id: func(sub *subnet) string { return sub.id },
		attributes: func(sub *subnet) attributes {
			return attributes{
				"vpc-id": {sub.vpc}, "subnet-id": {sub.id}, "availability-zone": {sub.zone}, "availability-zone-id": {s.zoneID(sub.zone)},
				"cidr-block": {sub.cidr}, "state": {"available"}, "owner-id": {sub.owner}, "default-for-az": {"false"},
				"map-public-ip-on-launch": {strconv.FormatBool(sub.public)},
			}
		},
		notFound: subnetNotFound,
	})
	if err != nil {
		return nil, err
	}

	views := []subnetView{}
	for _, sub := range found {
		views = append(views, subnetView{
			SubnetId: sub.id, SubnetArn: s.arn(sub.owner, "subnet/"+sub.id), VpcId: sub.vpc, OwnerId: sub.owner, State: "available",
			AvailabilityZone: sub.zone, AvailabilityZoneId: s.zoneID(sub.zone), CidrBlock: sub.cidr,
			Ipv6CidrBlockAssociationSet: cidr6Of("subnet-cidr-assoc-"+suffix(sub.id), sub.cidr6),
			AvailableIpAddressCount:     int32(st.available(sub)), MapPublicIpOnLaunch: sub.public, TagSet: st.tagSet(sub.id),
		})
	}
	return &describeSubnetsOutput{views, next}, nil
}

func subnetNotFound(id string) error {
	return wire.Failed("InvalidSubnetID.NotFound", "The subnet ID '%s' does not exist", id)
}

// available is how many addresses of a subnet are free.
func (st *state) available(of *subnet) int {
	n := of.addresses
	for _, i := range st.interfaces {
		if i.subnet == of.id {
			n--
		}
	}
	return max(n, 0)
}

// zoneID is a zone by the name that all accounts share, such as euw1-az1.
func (s *Service) zoneID(zone string) string {
	short := ""
	for part := range strings.SplitSeq(s.cfg.Region, "-") {
		if len(part) <= 2 {
			short += part
			continue
		}
		short += part[:1]
	}

	letter := strings.TrimPrefix(zone, s.cfg.Region)
	if len(letter) != 1 {
		return short + "-az-" + letter // a local zone
	}
	return short + "-az" + strconv.Itoa(int(letter[0]-'a')+1)
}

func (s *Service) arn(account, resource string) string {
	return "arn:aws:ec2:" + s.cfg.Region + ":" + account + ":" + resource
}

type describeAvailabilityZonesInput struct {
	DryRun               *bool
	Filter               []filter
	ZoneName             []string
	ZoneId               []string
	AllAvailabilityZones *bool
}

type zoneView struct {
	ZoneName           string
	ZoneId             string
	ZoneState          string
	ZoneType           string
	RegionName         string
	GroupName          string
	NetworkBorderGroup string
	OptInStatus        string
}

type describeAvailabilityZonesOutput struct {
	AvailabilityZoneInfo []zoneView
}

// describeAvailabilityZones lists the zones a, b and c of the region, and those of subnets.
func (s *Service) describeAvailabilityZones(c *Call, in *describeAvailabilityZonesInput) (*describeAvailabilityZonesOutput, error) {
	st := s.seen(c)
	zones := map[string]zoneView{}
	add := func(name, kind string) {
		zones[name] = zoneView{
			ZoneName: name, ZoneId: s.zoneID(name), ZoneState: "available", ZoneType: kind, RegionName: s.cfg.Region,
			GroupName: s.cfg.Region, NetworkBorderGroup: s.cfg.Region, OptInStatus: "opt-in-not-required",
		}
	}
	for _, letter := range []string{"a", "b", "c"} {
		add(s.cfg.Region+letter, "availability-zone")
	}
	for _, sub := range st.subnets {
		add(sub.zone, sub.zoneType)
	}

	ids := in.ZoneName
	for _, id := range in.ZoneId {
		name := ""
		for _, z := range zones {
			if z.ZoneId == id {
				name = z.ZoneName
			}
		}
		if name == "" {
			return nil, zoneNotFound(id)
		}
		ids = append(ids, name)
	}

	found, _, err := find(st, zones, question{filters: in.Filter, ids: ids}, wanted[zoneView]{
		id: func(z zoneView) string { return z.ZoneName },
		attributes: func(z zoneView) attributes {
			return attributes{
				"zone-name": {z.ZoneName}, "zone-id": {z.ZoneId}, "zone-type": {z.ZoneType}, "state": {z.ZoneState},
				"region-name": {z.RegionName}, "group-name": {z.GroupName}, "opt-in-status": {z.OptInStatus},
			}
		},
		notFound: zoneNotFound,
	})
	return &describeAvailabilityZonesOutput{found}, err
}

func zoneNotFound(id string) error {
	return wire.Failed("InvalidParameterValue", "Invalid availability zone: [%s]", id)
}

type describeRouteTablesInput struct {
	DryRun       *bool
	Filter       []filter
	RouteTableId []string
	MaxResults   *int32
	NextToken    *string
}

type tableAssociation struct {
	RouteTableAssociationId string
	RouteTableId            string
	SubnetId                string
	Main                    bool
	AssociationState        cidrState
}

type routeView struct {
	DestinationCidrBlock string
	GatewayId            string
	NatGatewayId         string
	State                string
	Origin               string
}

type tableView struct {
	RouteTableId   string
	VpcId          string
	OwnerId        string
	AssociationSet []tableAssociation
	RouteSet       []routeView
	TagSet         []tagOf
}

type describeRouteTablesOutput struct {
	RouteTableSet []tableView
	NextToken     *string
}

func (s *Service) describeRouteTables(c *Call, in *describeRouteTablesInput) (*describeRouteTablesOutput, error) {
	st := s.seen(c)
	found, next, err := find(st, st.tables, question{in.Filter, in.RouteTableId, in.MaxResults, in.NextToken}, wanted[*routeTable]{
		id: func(t *routeTable) string { return t.id },
		attributes: func(t *routeTable) attributes {
			return attributes{
				"vpc-id": {t.vpc}, "route-table-id": {t.id}, "association.subnet-id": t.subnets, "association.main": {strconv.FormatBool(t.main)},
				"association.route-table-id": {t.id}, "route.gateway-id": {t.gateway, "local"}, "owner-id": {s.cfg.Account},
			}
		},
		notFound: func(id string) error {
			return wire.Failed("InvalidRouteTableID.NotFound", "The routeTable ID '%s' does not exist", id)
		},
	})
	if err != nil {
		return nil, err
	}

	views := []tableView{}
	for _, t := range found {
		view := s.tableView(st, t)
		views = append(views, view)
	}
	return &describeRouteTablesOutput{views, next}, nil
}

func (s *Service) tableView(st *state, t *routeTable) tableView {
	view := tableView{
		RouteTableId: t.id, VpcId: t.vpc, OwnerId: s.cfg.Account, TagSet: st.tagSet(t.id),
		AssociationSet: []tableAssociation{},
		RouteSet:       []routeView{{DestinationCidrBlock: st.vpcs[t.vpc].cidr, GatewayId: "local", State: "active", Origin: "CreateRouteTable"}},
	}

	if t.gateway != "" {
		route := routeView{DestinationCidrBlock: "0.0.0.0/0", State: "active", Origin: "CreateRoute"}
		if strings.HasPrefix(t.gateway, "nat-") {
			route.NatGatewayId = t.gateway
		} else {
			route.GatewayId = t.gateway
		}
		view.RouteSet = append(view.RouteSet, route)
	}

	if t.main {
		view.AssociationSet = append(view.AssociationSet, tableAssociation{"rtbassoc-" + suffix(t.id), t.id, "", true, cidrState{"associated"}})
	}
	for _, sub := range t.subnets {
		view.AssociationSet = append(view.AssociationSet, tableAssociation{"rtbassoc-" + suffix(sub), t.id, sub, false, cidrState{"associated"}})
	}
	return view
}
