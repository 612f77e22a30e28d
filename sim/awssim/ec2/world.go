// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package ec2

import (
	"cmp"
	"fmt"
	"maps"
	"strings"
)

// VPC is a network, as it is configured.
type VPC struct {
	ID string `json:"id"`
	// CIDR is its IPv4 range. Default 10.0.0.0/16.
	CIDR string `json:"cidr,omitempty"`
	// IPv6CIDR is its IPv6 range, if it has one.
	IPv6CIDR string `json:"ipv6Cidr,omitempty"`
	// Default makes it the account's default VPC.
	Default bool `json:"default,omitempty"`
	// NoInternetGateway leaves it without one, so that no subnet is public.
	NoInternetGateway bool     `json:"noInternetGateway,omitempty"`
	Subnets           []Subnet `json:"subnets"`
	// SecurityGroups are some that are there besides the one named default.
	SecurityGroups []SecurityGroup   `json:"securityGroups,omitempty"`
	Tags           map[string]string `json:"tags,omitempty"`
}

// Subnet is a subnet, as it is configured.
type Subnet struct {
	ID string `json:"id"`
	// Zone is its availability zone, such as eu-west-1a.
	Zone string `json:"zone"`
	// ZoneType is availability-zone unless it is given: local-zone or wavelength-zone.
	ZoneType string `json:"zoneType,omitempty"`
	// CIDR is its IPv4 range.
	CIDR string `json:"cidr"`
	// IPv6CIDR is its IPv6 range, if it has one.
	IPv6CIDR string `json:"ipv6Cidr,omitempty"`
	// Private gives it a route table without a route to the internet gateway.
	Private bool `json:"private,omitempty"`
	// Addresses is how many are free when nothing of the simulator has one. Default 250.
	Addresses int               `json:"addresses,omitempty"`
	Tags      map[string]string `json:"tags,omitempty"`
}

// SecurityGroup is a security group, as it is configured.
type SecurityGroup struct {
	ID   string            `json:"id"`
	Name string            `json:"name"`
	Tags map[string]string `json:"tags,omitempty"`
}

// DefaultVPC is the network that there is unless others are configured: three public subnets in three zones, with IPv4
// and IPv6.
func DefaultVPC(region string) VPC {
	v := VPC{ID: "vpc-0a1b2c3d4e5f60718", IPv6CIDR: "2001:db8::/56"}
	for i, letter := range []string{"a", "b", "c"} {
		v.Subnets = append(v.Subnets, Subnet{
			ID: fmt.Sprintf("subnet-%d", i+1), Zone: region + letter, CIDR: fmt.Sprintf("10.0.%d.0/24", i), IPv6CIDR: fmt.Sprintf("2001:db8:0:%d::/64", i+1),
		})
	}
	return v
}

type vpc struct {
	id, cidr, cidr6 string
	isDefault       bool
	gateway         string // empty: it has no internet gateway
}

type subnet struct {
	id, vpc, zone, zoneType, cidr, cidr6, owner string
	addresses                                   int
	public                                      bool
}

type routeTable struct {
	id, vpc string
	subnets []string // of a main table none
	main    bool
	gateway string // of the default route, if there is one
}

// addVPC puts a network into the world.
func (st *state) addVPC(c Config, v VPC) error {
	if v.ID == "" || st.vpcs[v.ID] != nil {
		return fmt.Errorf("VPC %q: wants an id of its own", v.ID)
	}
	v.CIDR = cmp.Or(v.CIDR, "10.0.0.0/16")
	if err := checkPrefix(v.CIDR); err != nil {
		return fmt.Errorf("VPC %s: %w", v.ID, err)
	}

	made := &vpc{id: v.ID, cidr: v.CIDR, cidr6: v.IPv6CIDR, isDefault: v.Default, gateway: "igw-" + suffix(v.ID)}
	if v.NoInternetGateway {
		made.gateway = ""
	}
	st.vpcs[v.ID] = made
	st.tag(v.ID, v.Tags)

	private := []string{}
	for _, sub := range v.Subnets {
		if err := st.addSubnet(c, made, sub); err != nil {
			return fmt.Errorf("VPC %s: %w", v.ID, err)
		}
		if sub.Private {
			private = append(private, sub.ID)
		}
	}

	st.addTable(&routeTable{id: "rtb-" + suffix(v.ID), vpc: v.ID, main: true, gateway: made.gateway})
	if len(private) > 0 {
		st.addTable(&routeTable{id: "rtb-1" + suffix(v.ID), vpc: v.ID, subnets: private, gateway: "nat-" + suffix(v.ID)})
	}

	groups := append([]SecurityGroup{{ID: "sg-" + suffix(v.ID), Name: "default"}}, v.SecurityGroups...)
	for _, g := range groups {
		if old := st.groups[g.ID]; old != nil && old.vpc != v.ID {
			return fmt.Errorf("VPC %s: security group %s is in another VPC", v.ID, g.ID)
		} else if old != nil {
			continue // it was there before its VPC was configured again
		}
		st.groups[g.ID] = &group{id: g.ID, name: g.Name, description: g.Name, vpc: v.ID, owner: c.Account, rules: []rule{allowAll()}}
		st.tag(g.ID, g.Tags)
	}

	return nil
}

// SetVPC adds a network, or replaces one with its subnets and route tables; security groups that are there stay as they
// are. It is an error if ids are taken or address ranges are none.
func (s *Service) SetVPC(v VPC) error {
	s.clock.Lock()
	defer s.clock.Unlock()

	var err error
	s.change(func(st *state) {
		delete(st.vpcs, v.ID)
		maps.DeleteFunc(st.subnets, func(_ string, sub *subnet) bool { return sub.vpc == v.ID })
		maps.DeleteFunc(st.tables, func(_ string, t *routeTable) bool { return t.vpc == v.ID })
		err = st.addVPC(s.cfg, v)
		for _, i := range st.instances {
			if st.subnets[i.subnet] == nil && err == nil {
				err = fmt.Errorf("VPC %s: subnet %s has the instance %s", v.ID, i.subnet, i.id)
			}
		}
		for _, i := range st.interfaces {
			if st.subnets[i.subnet] == nil && err == nil {
				err = fmt.Errorf("VPC %s: subnet %s has the interface %s", v.ID, i.subnet, i.id)
			}
		}
	})
	if err != nil {
		s.versions = s.versions[:len(s.versions)-1]
	}
	return err
}

func (st *state) addSubnet(c Config, v *vpc, sub Subnet) error {
	if sub.ID == "" || sub.Zone == "" || st.subnets[sub.ID] != nil {
		return fmt.Errorf("subnet %q: wants an id of its own and a zone", sub.ID)
	}
	if err := checkPrefix(sub.CIDR); err != nil {
		return fmt.Errorf("subnet %s: %w", sub.ID, err)
	}

	st.subnets[sub.ID] = &subnet{
		id: sub.ID, vpc: v.id, zone: sub.Zone, zoneType: cmp.Or(sub.ZoneType, "availability-zone"), cidr: sub.CIDR, cidr6: sub.IPv6CIDR, owner: c.Account,
		addresses: cmp.Or(sub.Addresses, 250), public: v.gateway != "" && !sub.Private,
	}
	st.tag(sub.ID, sub.Tags)
	return nil
}

func (st *state) addTable(t *routeTable) { st.tables[t.id] = t }

// tag gives a new resource its tags.
func (st *state) tag(id string, tags map[string]string) {
	if len(tags) > 0 {
		st.tags[id] = tags
	}
}

// suffix is what comes behind the kind in an id.
func suffix(id string) string {
	_, after, found := strings.Cut(id, "-")
	if !found {
		return id
	}
	return after
}
