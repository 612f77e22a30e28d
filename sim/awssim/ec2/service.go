// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package ec2

import (
	"cmp"
	"time"

	"github.com/podgate/podgate/sim/awssim/clock"
	"github.com/podgate/podgate/sim/awssim/faults"
	"github.com/podgate/podgate/sim/awssim/wire"
)

// Config configures the service.
type Config struct {
	// Region is the one region that is simulated.
	Region string `json:"-"`
	// Account owns the VPCs.
	Account string `json:"-"`
	// VPCs are the networks. Default: DefaultVPC.
	VPCs []VPC
	// Strict refuses target groups in VPCs that are not there. It is set where VPCs are given.
	Strict bool
	// Lag makes every call see the world as it was that long ago.
	Lag time.Duration
	// InterfaceLinger is how long the interfaces of a load balancer outlive it.
	InterfaceLinger time.Duration
	// Quotas are AWS's own by default.
	Quotas Quotas
}

// Quotas are the account's limits; a zero is AWS's own default.
type Quotas struct {
	SecurityGroups int `json:"securityGroups"` // 2,500
	// RulesPerGroup counts each direction, and IPv4 and IPv6, by itself.
	RulesPerGroup      int `json:"rulesPerGroup"`      // 60
	GroupsPerInterface int `json:"groupsPerInterface"` // 5
	TagsPerResource    int `json:"tagsPerResource"`    // 50
}

// WithDefaults fills in what is not given, or returns what is wrong.
func (c Config) WithDefaults() (Config, error) {
	c.Quotas = Quotas{
		SecurityGroups:     cmp.Or(c.Quotas.SecurityGroups, 2500),
		RulesPerGroup:      cmp.Or(c.Quotas.RulesPerGroup, 60),
		GroupsPerInterface: cmp.Or(c.Quotas.GroupsPerInterface, 5),
		TagsPerResource:    cmp.Or(c.Quotas.TagsPerResource, 50),
	}
	c.Strict = c.Strict || c.VPCs != nil
	if c.VPCs == nil {
		c.VPCs = []VPC{DefaultVPC(c.Region)}
	}

	_, err := newWorld(c)
	return c, err
}

// Service is EC2 in one region. Its operations, and the methods that say so, need the clock's lock; its other methods
// take it.
type Service struct {
	cfg   Config
	clock *clock.Clock

	versions []version // of the world, oldest first; the last is what is true
}

// New makes a service with the networks of its configuration, which has its defaults.
func New(cfg Config, c *clock.Clock) *Service {
	world, _ := newWorld(cfg) // checked by WithDefaults
	return &Service{cfg: cfg, clock: c, versions: []version{{state: world}}}
}

// Call is who calls an operation, and what the faults have in store for the call.
type Call struct {
	Account string
	Effect  faults.Effect
}

// Operations are all operations that are modelled, by name.
func (s *Service) Operations() map[string]wire.Operation[*Call] {
	return map[string]wire.Operation[*Call]{
		"DescribeAccountAttributes":     wire.Flat(s.describeAccountAttributes),
		"DescribeVpcs":                  wire.Flat(s.describeVPCs),
		"DescribeSubnets":               wire.Flat(s.describeSubnets),
		"DescribeAvailabilityZones":     wire.Flat(s.describeAvailabilityZones),
		"DescribeRouteTables":           wire.Flat(s.describeRouteTables),
		"DescribeSecurityGroups":        wire.Flat(s.describeSecurityGroups),
		"DescribeSecurityGroupRules":    wire.Flat(s.describeSecurityGroupRules),
		"CreateSecurityGroup":           wire.Flat(s.createSecurityGroup, "GroupName", "GroupDescription"),
		"DeleteSecurityGroup":           wire.Flat(s.deleteSecurityGroup),
		"AuthorizeSecurityGroupIngress": wire.Flat(s.authorizeIngress),
		"AuthorizeSecurityGroupEgress":  wire.Flat(s.authorizeEgress, "GroupId"),
		"RevokeSecurityGroupIngress":    wire.Flat(s.revokeIngress),
		"RevokeSecurityGroupEgress":     wire.Flat(s.revokeEgress, "GroupId"),
		"DescribeInstances":             wire.Flat(s.describeInstances),
		"DescribeNetworkInterfaces":     wire.Flat(s.describeNetworkInterfaces),
		"CreateTags":                    wire.Flat(s.createTags, "ResourceId", "Tag"),
		"DeleteTags":                    wire.Flat(s.deleteTags, "ResourceId"),
		"DescribeTags":                  wire.Flat(s.describeTags),
	}
}

// done is the answer of an operation that has nothing to say.
type done struct {
	Return bool
}
