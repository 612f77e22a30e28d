// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package ec2

import (
	"context"
	"net/url"
	"strconv"
	"strings"
)

// Subnet is a subnet.
type Subnet struct {
	ID, VPC string
	// Zone is its availability zone, such as eu-west-1a, and ZoneID that zone's name for all accounts.
	Zone, ZoneID string
	// State is available or pending.
	State string
	// CIDR is its IPv4 range, and IPv6 its IPv6 ranges that are in use.
	CIDR string
	IPv6 []string
	// Free is how many IPv4 addresses are free.
	Free int
	// Outpost is the ARN of the Outpost that it is on; empty: on none.
	Outpost string
	Tags    map[string]string
}

type subnets struct {
	token
	Items []struct {
		ID      string   `xml:"subnetId"`
		VPC     string   `xml:"vpcId"`
		Zone    string   `xml:"availabilityZone"`
		ZoneID  string   `xml:"availabilityZoneId"`
		State   string   `xml:"state"`
		CIDR    string   `xml:"cidrBlock"`
		IPv6    []blocks `xml:"ipv6CidrBlockAssociationSet>item"`
		Free    int      `xml:"availableIpAddressCount"`
		Outpost string   `xml:"outpostArn"`
		tags
	} `xml:"subnetSet>item"`
}

// blocks is an address range with whether it is in use.
type blocks struct {
	CIDR      string `xml:"cidrBlock"`
	State     string `xml:"cidrBlockState>state"`
	CIDR6     string `xml:"ipv6CidrBlock"`
	StateIPv6 string `xml:"ipv6CidrBlockState>state"`
}

// used are the IPv4 ranges, or the IPv6 ranges, that are in use.
func used(all []blocks) (v4, v6 []string) {
	for _, b := range all {
		if b.State == associated {
			v4 = append(v4, b.CIDR)
		}
		if b.StateIPv6 == associated {
			v6 = append(v6, b.CIDR6)
		}
	}
	return v4, v6
}

const associated = "associated"

// Subnets lists the subnets that match all filters.
func (e *EC2) Subnets(ctx context.Context, filters ...Filter) ([]Subnet, error) {
	var all []Subnet
	err := list(ctx, e, "DescribeSubnets", subject(filters), filtered(1000, filters), func(page subnets) {
		for _, s := range page.Items {
			_, v6 := used(s.IPv6)
			all = append(all, Subnet{s.ID, s.VPC, s.Zone, s.ZoneID, s.State, s.CIDR, v6, s.Free, s.Outpost, s.values()})
		}
	})
	return all, err
}

// RouteTable is a route table.
type RouteTable struct {
	ID, VPC string
	// Main tables are those of all subnets of the VPC that have none of their own.
	Main bool
	// Subnets are those that have it as their own.
	Subnets []string
	// Internet reports whether it has a route to an internet gateway that works.
	Internet bool
}

type routeTables struct {
	token
	Items []struct {
		ID           string `xml:"routeTableId"`
		VPC          string `xml:"vpcId"`
		Associations []struct {
			Main   bool   `xml:"main"`
			Subnet string `xml:"subnetId"`
			State  string `xml:"associationState>state"`
		} `xml:"associationSet>item"`
		Routes []struct {
			Gateway string `xml:"gatewayId"`
			State   string `xml:"state"`
		} `xml:"routeSet>item"`
	} `xml:"routeTableSet>item"`
}

// RouteTables lists the route tables that match all filters.
func (e *EC2) RouteTables(ctx context.Context, filters ...Filter) ([]RouteTable, error) {
	var all []RouteTable
	err := list(ctx, e, "DescribeRouteTables", subject(filters), filtered(100, filters), func(page routeTables) {
		for _, t := range page.Items {
			table := RouteTable{ID: t.ID, VPC: t.VPC}
			for _, a := range t.Associations {
				// Of an old association EC2 does not tell the state.
				if a.State != associated && a.State != "" {
					continue
				}
				table.Main = table.Main || a.Main
				if a.Subnet != "" {
					table.Subnets = append(table.Subnets, a.Subnet)
				}
			}
			for _, r := range t.Routes {
				table.Internet = table.Internet || strings.HasPrefix(r.Gateway, "igw-") && r.State == "active"
			}
			all = append(all, table)
		}
	})
	return all, err
}

// Zone is an availability zone, local zone or Wavelength zone.
type Zone struct {
	Name, ID string
	// Type is availability-zone, local-zone or wavelength-zone.
	Type string
}

type zones struct {
	token // there is none: the list has no pages
	Items []struct {
		Name string `xml:"zoneName"`
		ID   string `xml:"zoneId"`
		Type string `xml:"zoneType"`
	} `xml:"availabilityZoneInfo>item"`
}

// Zones lists the zones of the region that the account can use.
func (e *EC2) Zones(ctx context.Context) ([]Zone, error) {
	var all []Zone
	err := list(ctx, e, "DescribeAvailabilityZones", "the region", url.Values{}, func(page zones) {
		for _, z := range page.Items {
			all = append(all, Zone{z.Name, z.ID, z.Type})
		}
	})
	return all, err
}

// subject is what a list with filters is about, in people's words.
func subject(filters []Filter) string {
	if len(filters) == 0 {
		return "the region"
	}
	var parts []string
	for _, f := range filters {
		parts = append(parts, f.Name+"="+strings.Join(f.Values, ","))
	}
	return strings.Join(parts, " ")
}

// perInterface is the name of the quota of security groups of a network interface.
const perInterface = "vpc-max-security-groups-per-interface"

type accountAttributes struct {
	token
	Items []struct {
		Name   string   `xml:"attributeName"`
		Values []string `xml:"attributeValueSet>item>attributeValue"`
	} `xml:"accountAttributeSet>item"`
}

// GroupsPerInterface is how many security groups a network interface may have in this account; 0: EC2 does not say.
func (e *EC2) GroupsPerInterface(ctx context.Context) (int, error) {
	most := 0
	err := list(ctx, e, "DescribeAccountAttributes", perInterface, url.Values{"AttributeName.1": {perInterface}}, func(page accountAttributes) {
		for _, a := range page.Items {
			if a.Name == perInterface && len(a.Values) > 0 {
				most, _ = strconv.Atoi(a.Values[0]) // What is no number is not known.
			}
		}
	})
	return most, err
}
