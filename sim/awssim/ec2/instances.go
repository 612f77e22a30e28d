// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package ec2

import (
	"fmt"
	"strings"

	"github.com/podgate/podgate/sim/awssim/wire"
)

// Instance is an instance, as tests make it.
type Instance struct {
	ID string `json:"id"`
	// Subnet is where it is. Default: the first subnet by id.
	Subnet string `json:"subnet,omitempty"`
	// Address is its private address. Default: a free one of the subnet.
	Address string `json:"address,omitempty"`
	// State is running by default, or pending, stopping, stopped, shutting-down or terminated.
	State string `json:"state,omitempty"`
	// SecurityGroups are those of its interface. Default: the VPC's default one.
	SecurityGroups []string          `json:"securityGroups,omitempty"`
	Tags           map[string]string `json:"tags,omitempty"`
}

// instanceCodes are the numbers of the states of instances (API_InstanceState).
var instanceCodes = map[string]int32{"pending": 0, "running": 16, "shutting-down": 32, "terminated": 48, "stopping": 64, "stopped": 80}

type instance struct {
	id, subnet, address, state string
	groups                     []string
}

func instanceNotFound(id string) error {
	return wire.Failed("InvalidInstanceID.NotFound", "The instance ID '%s' does not exist", id)
}

// SetInstances adds or replaces instances. It is an error if one is in no subnet or has a state that there is not.
func (s *Service) SetInstances(list ...Instance) error {
	s.clock.Lock()
	defer s.clock.Unlock()

	var err error
	s.change(func(st *state) {
		for _, i := range list {
			if err = st.setInstance(i); err != nil {
				return
			}
		}
	})
	if err != nil {
		s.versions = s.versions[:len(s.versions)-1]
	}
	return err
}

// Follow gives instances the addresses at which the data path finds them: one without an address is stopped. Instances
// that are not there are made.
func (s *Service) Follow(addresses map[string]string) error {
	list := []Instance{}
	s.clock.Lock()
	for id, address := range addresses {
		i := Instance{ID: id, Address: address}
		if old := s.now().instances[id]; old != nil {
			i.Subnet, i.SecurityGroups = old.subnet, old.groups
		}
		if address == "" {
			i.State = "stopped"
		}
		list = append(list, i)
	}
	s.clock.Unlock()
	return s.SetInstances(list...)
}

// Addresses are where all instances are; one that does not run has none.
func (s *Service) Addresses() map[string]string {
	s.clock.Lock()
	defer s.clock.Unlock()
	all := map[string]string{}
	for id, i := range s.now().instances {
		all[id] = ""
		if i.state == "running" {
			all[id] = i.address
		}
	}
	return all
}

func (st *state) setInstance(i Instance) error {
	if i.Subnet == "" && len(st.subnets) > 0 {
		i.Subnet = sorted(st.subnets)[0].id
	}
	if i.State == "" {
		i.State = "running"
	}

	in := st.subnets[i.Subnet]
	_, known := instanceCodes[i.State]
	switch {
	case i.ID == "" || in == nil:
		return fmt.Errorf("set instance %q: no subnet %q", i.ID, i.Subnet)
	case !known:
		return fmt.Errorf("set instance %s: no state %q", i.ID, i.State)
	}

	if i.Address == "" {
		i.Address = st.free(in)
	}
	if i.SecurityGroups == nil {
		i.SecurityGroups = []string{st.defaultGroup(in.vpc)}
	}
	for _, id := range i.SecurityGroups {
		if st.groups[id] == nil {
			return fmt.Errorf("set instance %s: no security group %q", i.ID, id)
		}
	}

	st.instances[i.ID] = &instance{i.ID, i.Subnet, i.Address, i.State, i.SecurityGroups}
	st.tag(i.ID, i.Tags)
	return nil
}

// defaultGroup is the security group that a VPC begins with.
func (st *state) defaultGroup(vpc string) string {
	for _, g := range st.groups {
		if g.vpc == vpc && g.name == "default" {
			return g.id
		}
	}
	return ""
}

type describeInstancesInput struct {
	DryRun     *bool
	Filter     []filter
	InstanceId []string
	MaxResults *int32
	NextToken  *string
}

type groupName struct {
	GroupId   string
	GroupName string
}

type instanceState struct {
	Code int32
	Name string
}

type placement struct {
	AvailabilityZone string
	Tenancy          string
}

type instanceView struct {
	InstanceId          string
	InstanceType        string
	InstanceState       instanceState
	PrivateIpAddress    string
	PrivateDnsName      string
	SubnetId            string
	VpcId               string
	Placement           placement
	GroupSet            []groupName
	NetworkInterfaceSet []instanceInterface
	TagSet              []tagOf
}

type instanceInterface struct {
	NetworkInterfaceId    string
	SubnetId              string
	VpcId                 string
	Status                string
	PrivateIpAddress      string
	GroupSet              []groupName
	Attachment            attachment
	PrivateIpAddressesSet []privateAddress
}

type reservation struct {
	ReservationId string
	OwnerId       string
	GroupSet      []groupName
	InstancesSet  []instanceView
}

type describeInstancesOutput struct {
	ReservationSet []reservation
	NextToken      *string
}

func (s *Service) describeInstances(c *Call, in *describeInstancesInput) (*describeInstancesOutput, error) {
	for _, id := range in.InstanceId {
		if !strings.HasPrefix(id, "i-") {
			return nil, wire.Failed("InvalidInstanceID.Malformed", "Invalid id: \"%s\"", id)
		}
	}

	st := s.seen(c)
	found, next, err := find(st, st.instances, question{in.Filter, in.InstanceId, in.MaxResults, in.NextToken}, wanted[*instance]{
		id: func(i *instance) string { return i.id },
		attributes: func(i *instance) attributes {
			of := st.subnets[i.subnet]
			return attributes{
				"instance-id": {i.id}, "vpc-id": {of.vpc}, "subnet-id": {i.subnet}, "availability-zone": {of.zone}, "instance-state-name": {i.state},
				"private-ip-address": {i.address}, "private-dns-name": {s.dnsName(i.address)}, "instance.group-id": i.groups,
			}
		},
		notFound: instanceNotFound,
	})
	if err != nil {
		return nil, err
	}

	list := []reservation{}
	for _, i := range found {
		list = append(list, reservation{ReservationId: "r-" + suffix(i.id), OwnerId: s.cfg.Account, GroupSet: []groupName{}, InstancesSet: []instanceView{s.instanceView(st, i)}})
	}
	return &describeInstancesOutput{list, next}, nil
}

func (s *Service) instanceView(st *state, i *instance) instanceView {
	of := st.subnets[i.subnet]
	view := instanceView{
		InstanceId: i.id, InstanceType: "m5.large", InstanceState: instanceState{instanceCodes[i.state], i.state},
		Placement: placement{of.zone, "default"}, GroupSet: []groupName{}, NetworkInterfaceSet: []instanceInterface{}, TagSet: st.tagSet(i.id),
	}
	if i.state == "terminated" {
		return view // its network is gone
	}

	view.PrivateIpAddress, view.PrivateDnsName, view.SubnetId, view.VpcId = i.address, s.dnsName(i.address), i.subnet, of.vpc
	view.GroupSet = st.groupNames(i.groups)
	view.NetworkInterfaceSet = []instanceInterface{{
		NetworkInterfaceId: "eni-" + suffix(i.id), SubnetId: i.subnet, VpcId: of.vpc, Status: "in-use", PrivateIpAddress: i.address, GroupSet: view.GroupSet,
		Attachment:            attachment{AttachmentId: "eni-attach-" + suffix(i.id), Status: "attached", DeleteOnTermination: true},
		PrivateIpAddressesSet: []privateAddress{{i.address, true}},
	}}
	return view
}

// dnsName is the name that EC2 gives an address.
func (s *Service) dnsName(address string) string {
	return "ip-" + strings.ReplaceAll(address, ".", "-") + "." + s.cfg.Region + ".compute.internal"
}

func (st *state) groupNames(ids []string) []groupName {
	list := []groupName{}
	for _, id := range ids {
		name := groupName{GroupId: id}
		if g := st.groups[id]; g != nil {
			name.GroupName = g.name
		}
		list = append(list, name)
	}
	return list
}
