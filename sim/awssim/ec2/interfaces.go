// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package ec2

import (
	"maps"
	"slices"
	"strings"

	"github.com/podgate/podgate/sim/awssim/wire"
)

// networkInterface is an interface of a load balancer.
type networkInterface struct {
	id, subnet, address, description, kind string
	groups                                 []string
	going                                  bool // its load balancer has left it
}

// Place is a subnet as a load balancer must know it.
type Place struct {
	VPC, Zone string
	// Gateway is true when its VPC has an internet gateway.
	Gateway bool
	IPv6    bool
	// Free is how many addresses it has left.
	Free int
}

// Place returns what a load balancer must know of a subnet; false: there is no such subnet. It needs the lock.
func (s *Service) Place(subnet string) (Place, bool) {
	st := s.now()
	sub := st.subnets[subnet]
	if sub == nil {
		return Place{}, false
	}
	return Place{VPC: sub.vpc, Zone: sub.zone, Gateway: st.vpcs[sub.vpc].gateway != "", IPv6: sub.cidr6 != "", Free: st.available(sub)}, true
}

// GroupVPC returns the VPC of a security group; false: there is no such group. It needs the lock.
func (s *Service) GroupVPC(id string) (string, bool) {
	g := s.now().groups[id]
	if g == nil {
		return "", false
	}
	return g.vpc, true
}

// Knows reports whether target groups can be in a VPC: where none was configured they can be in any. It needs the lock.
func (s *Service) Knows(vpc string) bool {
	return s.now().vpcs[vpc] != nil || !s.cfg.Strict
}

// Elsewhere reports whether two VPCs are known not to be the same. It needs the lock.
func (s *Service) Elsewhere(one, other string) bool {
	vpcs := s.now().vpcs
	return one != other && vpcs[one] != nil && vpcs[other] != nil
}

// InstanceVPC returns the VPC of an instance; empty when it has none. It needs the lock.
func (s *Service) InstanceVPC(id string) string {
	st := s.now()
	if i := st.instances[id]; i != nil {
		return st.subnets[i.subnet].vpc
	}
	return ""
}

// DefaultGroup returns the security group that a VPC begins with. It needs the lock.
func (s *Service) DefaultGroup(vpc string) string { return s.now().defaultGroup(vpc) }

// Attach gives a load balancer, by its part of its ARN such as app/web/0123456789abcdef, an interface with the security
// groups in each subnet. Those in other subnets go as after Detach. It needs the lock.
func (s *Service) Attach(balancer string, subnets, groups []string) {
	kind := "interface"
	if strings.HasPrefix(balancer, "net/") {
		kind = "network_load_balancer"
	}

	s.change(func(st *state) {
		missing := slices.Clone(subnets)
		for _, i := range st.interfaces {
			if i.going || i.description != "ELB "+balancer || !slices.Contains(subnets, i.subnet) {
				continue
			}
			missing = slices.DeleteFunc(missing, func(id string) bool { return id == i.subnet })
			next := *i
			next.groups = groups
			st.interfaces[i.id] = &next
		}
		for _, subnet := range missing {
			i := &networkInterface{id: id("eni"), subnet: subnet, address: st.free(st.subnets[subnet]), description: "ELB " + balancer, kind: kind, groups: groups}
			st.interfaces[i.id] = i
		}
	})
	s.release(balancer, subnets)
}

// Detach makes the interfaces of a load balancer go, when they have outlived it. It needs the lock.
func (s *Service) Detach(balancer string) { s.release(balancer, nil) }

// release makes the interfaces of a load balancer in other subnets go, when their time has come.
func (s *Service) release(balancer string, kept []string) {
	going := []string{}
	for _, i := range s.now().interfaces {
		if !i.going && i.description == "ELB "+balancer && !slices.Contains(kept, i.subnet) {
			going = append(going, i.id)
		}
	}
	if len(going) == 0 {
		return
	}

	s.change(func(st *state) {
		for _, id := range going {
			next := *st.interfaces[id]
			next.going = true
			st.interfaces[id] = &next
		}
	})
	s.clock.After(s.cfg.InterfaceLinger, func() {
		s.change(func(st *state) {
			maps.DeleteFunc(st.interfaces, func(id string, _ *networkInterface) bool { return slices.Contains(going, id) })
		})
	})
}

type describeNetworkInterfacesInput struct {
	DryRun             *bool
	Filter             []filter
	NetworkInterfaceId []string
	MaxResults         *int32
	NextToken          *string
}

type attachment struct {
	AttachmentId        string
	InstanceId          string
	InstanceOwnerId     string
	DeviceIndex         int32
	Status              string
	DeleteOnTermination bool
}

type privateAddress struct {
	PrivateIpAddress string
	Primary          bool
}

type interfaceView struct {
	NetworkInterfaceId    string
	SubnetId              string
	VpcId                 string
	AvailabilityZone      string
	Description           string
	OwnerId               string
	RequesterId           string
	RequesterManaged      bool
	InterfaceType         string
	Status                string
	PrivateIpAddress      string
	PrivateIpAddressesSet []privateAddress
	GroupSet              []groupName
	Attachment            attachment
	TagSet                []tagOf
}

type describeNetworkInterfacesOutput struct {
	NetworkInterfaceSet []interfaceView
	NextToken           *string
}

// describeNetworkInterfaces lists the interfaces of load balancers and the one of each instance.
func (s *Service) describeNetworkInterfaces(c *Call, in *describeNetworkInterfacesInput) (*describeNetworkInterfacesOutput, error) {
	st := s.seen(c)
	all := map[string]interfaceView{}
	for _, i := range st.interfaces {
		view := s.interfaceView(st, i.id, i.subnet, i.address, i.groups)
		view.Description, view.InterfaceType, view.RequesterId, view.RequesterManaged = i.description, i.kind, "amazon-elb", true
		view.Attachment.InstanceOwnerId = "amazon-elb"
		all[i.id] = view
	}

	for _, i := range st.instances {
		if i.state == "terminated" {
			continue
		}
		view := s.interfaceView(st, "eni-"+suffix(i.id), i.subnet, i.address, i.groups)
		view.InterfaceType = "interface"
		view.Attachment.InstanceId, view.Attachment.InstanceOwnerId, view.Attachment.DeleteOnTermination = i.id, s.cfg.Account, true
		all[view.NetworkInterfaceId] = view
	}

	found, next, err := find(st, all, question{in.Filter, in.NetworkInterfaceId, in.MaxResults, in.NextToken}, wanted[interfaceView]{
		id: func(i interfaceView) string { return i.NetworkInterfaceId },
		attributes: func(i interfaceView) attributes {
			groups, names := []string{}, []string{}
			for _, g := range i.GroupSet {
				groups, names = append(groups, g.GroupId), append(names, g.GroupName)
			}
			return attributes{
				"network-interface-id": {i.NetworkInterfaceId}, "vpc-id": {i.VpcId}, "subnet-id": {i.SubnetId}, "availability-zone": {i.AvailabilityZone},
				"description": {i.Description}, "status": {i.Status}, "group-id": groups, "group-name": names, "interface-type": {i.InterfaceType},
				"requester-id": {i.RequesterId}, "private-ip-address": {i.PrivateIpAddress}, "addresses.private-ip-address": {i.PrivateIpAddress},
				"attachment.instance-id": {i.Attachment.InstanceId},
			}
		},
		notFound: func(id string) error {
			return wire.Failed("InvalidNetworkInterfaceID.NotFound", "The networkInterface ID '%s' does not exist", id)
		},
	})
	return &describeNetworkInterfacesOutput{found, next}, err
}

func (s *Service) interfaceView(st *state, id, subnet, address string, groups []string) interfaceView {
	of := st.subnets[subnet]
	return interfaceView{
		NetworkInterfaceId: id, SubnetId: subnet, VpcId: of.vpc, AvailabilityZone: of.zone, OwnerId: s.cfg.Account, Status: "in-use",
		PrivateIpAddress: address, PrivateIpAddressesSet: []privateAddress{{address, true}}, GroupSet: st.groupNames(groups),
		Attachment: attachment{AttachmentId: "eni-attach-" + suffix(id), Status: "attached"}, TagSet: st.tagSet(id),
	}
}
