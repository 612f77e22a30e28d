// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package ec2

import (
	"regexp"
	"slices"
	"strings"

	"github.com/podgate/podgate/sim/awssim/wire"
)

// group is a security group.
type group struct {
	id, name, description, vpc, owner string
	rules                             []rule
}

func groupNotFound(id string) error {
	return wire.Failed("InvalidGroup.NotFound", "The security group '%s' does not exist", id)
}

// groupAs returns the security group that a call names, as the call sees it and as it is; both must be there.
func (s *Service) groupAs(c *Call, id, name *string) (*group, error) {
	switch {
	case id == nil && name != nil:
		return nil, wire.Failed("VPCIdNotSpecified", "No default VPC for this user")
	case id == nil:
		return nil, wire.Failed("MissingParameter", "The request must contain the parameter groupName or groupId")
	case s.seen(c).groups[*id] == nil || s.now().groups[*id] == nil:
		return nil, groupNotFound(*id)
	}
	return s.now().groups[*id], nil
}

type describeSecurityGroupsInput struct {
	DryRun     *bool
	Filter     []filter
	GroupId    []string
	GroupName  []string
	MaxResults *int32
	NextToken  *string
}

type groupView struct {
	GroupId             string
	GroupName           string
	GroupDescription    string
	VpcId               string
	OwnerId             string
	SecurityGroupArn    string
	IpPermissions       []permission
	IpPermissionsEgress []permission
	TagSet              []tagOf
}

type describeSecurityGroupsOutput struct {
	SecurityGroupInfo []groupView
	NextToken         *string
}

func (s *Service) describeSecurityGroups(c *Call, in *describeSecurityGroupsInput) (*describeSecurityGroupsOutput, error) {
	if len(in.GroupName) > 0 {
		return nil, wire.Failed("InvalidGroup.NotFound", "The security group '%s' does not exist in default VPC", in.GroupName[0])
	}

	st := s.seen(c)
	found, next, err := find(st, st.groups, question{in.Filter, in.GroupId, in.MaxResults, in.NextToken}, wanted[*group]{
		id: func(g *group) string { return g.id }, attributes: groupAttributes, notFound: groupNotFound,
	})
	if err != nil {
		return nil, err
	}

	views := []groupView{}
	for _, g := range found {
		views = append(views, groupView{
			GroupId: g.id, GroupName: g.name, GroupDescription: g.description, VpcId: g.vpc, OwnerId: g.owner, SecurityGroupArn: s.arn(g.owner, "security-group/"+g.id),
			IpPermissions: permissionsOf(g.rules, false), IpPermissionsEgress: permissionsOf(g.rules, true), TagSet: st.tagSet(g.id),
		})
	}
	return &describeSecurityGroupsOutput{views, next}, nil
}

func groupAttributes(g *group) attributes {
	a := attributes{"vpc-id": {g.vpc}, "group-id": {g.id}, "group-name": {g.name}, "description": {g.description}, "owner-id": {g.owner}}
	for _, r := range g.rules {
		prefix := "ip-permission."
		if r.egress {
			prefix = "egress.ip-permission."
		}
		a[prefix+"group-id"] = append(a[prefix+"group-id"], r.group)
		a[prefix+"cidr"] = append(a[prefix+"cidr"], r.cidr)
		a[prefix+"protocol"] = append(a[prefix+"protocol"], r.protocol)
	}
	return a
}

type tagSpecification struct {
	ResourceType *string
	Tag          []tagOf
}

type createSecurityGroupInput struct {
	DryRun           *bool
	GroupName        *string
	GroupDescription *string
	VpcId            *string
	TagSpecification []tagSpecification
}

type createSecurityGroupOutput struct {
	GroupId          string
	SecurityGroupArn string
	TagSet           []tagOf
}

// groupText is what names and descriptions of security groups consist of (API_CreateSecurityGroup).
var groupText = regexp.MustCompile(`^[a-zA-Z0-9. _\-:/()#,@\[\]+=&;{}!$*]{1,255}$`)

func (s *Service) createSecurityGroup(c *Call, in *createSecurityGroupInput) (*createSecurityGroupOutput, error) {
	if err := s.checkNewGroup(in); err != nil {
		return nil, err
	}

	tags := []tagOf{}
	for _, spec := range in.TagSpecification {
		if spec.ResourceType == nil || *spec.ResourceType != "security-group" {
			return nil, wire.Failed("InvalidParameterValue", "A tag specification must have the resource type security-group")
		}
		tags = append(tags, spec.Tag...)
	}
	tagged, err := s.tagged(nil, tags)
	if err != nil {
		return nil, err
	}

	g := &group{id: id("sg"), name: *in.GroupName, description: *in.GroupDescription, vpc: *in.VpcId, owner: c.Account, rules: []rule{allowAll()}}
	s.change(func(st *state) {
		st.groups[g.id] = g
		st.tag(g.id, tagged)
	})

	return &createSecurityGroupOutput{g.id, s.arn(g.owner, "security-group/"+g.id), s.now().tagSet(g.id)}, nil
}

// checkNewGroup says what is wrong with a group that is to be created.
func (s *Service) checkNewGroup(in *createSecurityGroupInput) error {
	switch {
	case strings.HasPrefix(*in.GroupName, "sg-"):
		return wire.Failed("InvalidParameterValue", "Group names may not be in the format sg-*.")
	case !groupText.MatchString(*in.GroupName):
		return wire.Failed("InvalidParameterValue", "Value (%s) for parameter groupName is invalid. It exceeds 255 characters or has others than a-zA-Z0-9. _-:/()#,@[]+=&;{}!$*", *in.GroupName)
	case !groupText.MatchString(*in.GroupDescription):
		return wire.Failed("InvalidParameterValue", "Invalid security group description. Valid descriptions are strings less than 256 characters from the following set:  a-zA-Z0-9. _-:/()#,@[]+=&;{}!$*")
	case in.VpcId == nil:
		return wire.Failed("VPCIdNotSpecified", "No default VPC for this user")
	case s.now().vpcs[*in.VpcId] == nil:
		return wire.Failed("InvalidVpcID.NotFound", "The vpc ID '%s' does not exist", *in.VpcId)
	}

	for _, g := range s.now().groups {
		if g.vpc == *in.VpcId && g.name == *in.GroupName {
			return wire.Failed("InvalidGroup.Duplicate", "The security group '%s' already exists for VPC '%s'", g.name, g.vpc)
		}
	}
	if len(s.now().groups) >= s.cfg.Quotas.SecurityGroups {
		return wire.Failed("SecurityGroupLimitExceeded", "The maximum number of security groups has been reached.")
	}
	return nil
}

type deleteSecurityGroupInput struct {
	DryRun    *bool
	GroupId   *string
	GroupName *string
}

type deleteSecurityGroupOutput struct {
	Return  bool
	GroupId string
}

func (s *Service) deleteSecurityGroup(c *Call, in *deleteSecurityGroupInput) (*deleteSecurityGroupOutput, error) {
	g, err := s.groupAs(c, in.GroupId, in.GroupName)
	if err != nil {
		return nil, err
	}
	if g.name == "default" {
		return nil, wire.Failed("CannotDelete", "the specified group: %q name: \"default\" cannot be deleted by a user", g.id)
	}
	if s.now().needs(g) {
		return nil, wire.Failed("DependencyViolation", "resource %s has a dependent object", g.id)
	}

	s.change(func(st *state) {
		delete(st.groups, g.id)
		delete(st.tags, g.id)
	})
	return &deleteSecurityGroupOutput{true, g.id}, nil
}

// needs reports whether an interface, an instance or a rule of another group names a group.
func (st *state) needs(g *group) bool {
	for _, i := range st.interfaces {
		if slices.Contains(i.groups, g.id) {
			return true
		}
	}
	for _, i := range st.instances {
		if slices.Contains(i.groups, g.id) {
			return true
		}
	}
	for _, other := range st.groups {
		if other.id != g.id && slices.ContainsFunc(other.rules, func(r rule) bool { return r.group == g.id }) {
			return true
		}
	}
	return false
}
