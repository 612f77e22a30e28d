// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package awssim

import (
	"cmp"
	"context"
	"fmt"

	"github.com/go-logr/logr"

	"github.com/podgate/podgate/sim/awssim/acm"
	"github.com/podgate/podgate/sim/awssim/clock"
	"github.com/podgate/podgate/sim/awssim/datapath"
	"github.com/podgate/podgate/sim/awssim/ec2"
	"github.com/podgate/podgate/sim/awssim/elbv2"
	"github.com/podgate/podgate/sim/awssim/faults"
	"github.com/podgate/podgate/sim/awssim/health"
	"github.com/podgate/podgate/sim/awssim/lattice"
	"github.com/podgate/podgate/sim/awssim/rest"
	"github.com/podgate/podgate/sim/awssim/sts"
	"github.com/podgate/podgate/sim/awssim/wire"
)

// Throttling modes; package faults says what they are.
const (
	ThrottleCurrent = faults.ThrottleCurrent
	ThrottleClassic = faults.ThrottleClassic
	ThrottleOff     = faults.ThrottleOff
)

// APIError is an error as it goes over the wire.
type APIError = wire.APIError

// These are the types of package faults that users of a Sim need.
type (
	// Target names a target of a group.
	Target = faults.Target
	// Fault makes calls fail or wait.
	Fault = faults.Fault
	// Call is a recorded call of the API.
	Call = faults.Call
	// Transition is a recorded change of a target's health.
	Transition = faults.Transition
	// Failure is a request that the data path could not serve.
	Failure = faults.Failure
)

// The two clocks of a target.
const (
	ClockAPI     = faults.ClockAPI
	ClockRouting = faults.ClockRouting
)

// These are the types of packages elbv2, ec2, acm, datapath, health and sts that users of a Sim need.
type (
	// ELB configures Elastic Load Balancing: its region, timings and quotas, and how strict it is.
	ELB = elbv2.Config
	// Lattice configures VPC Lattice: its delays, quotas, and what is assumed.
	Lattice = lattice.Config
	// EC2 configures the network: VPCs, quotas, how far its answers lag, how long interfaces linger.
	EC2 = ec2.Config
	// VPC is a network with its subnets.
	VPC = ec2.VPC
	// Subnet is a subnet of a VPC.
	Subnet = ec2.Subnet
	// SecurityGroup is a security group that is there from the start.
	SecurityGroup = ec2.SecurityGroup
	// Instance is an instance in a subnet.
	Instance = ec2.Instance
	// ACM configures AWS Certificate Manager: the certificates that are there, and how long new ones take.
	ACM = acm.Config
	// Certificate is a certificate that is there from the start.
	Certificate = acm.Certificate
	// STS configures AWS Security Token Service: accounts and roles.
	STS = sts.Config
	// DataPath says where the listeners of load balancers are bound.
	DataPath = datapath.Config

	// Script stands in for health checks.
	Script = health.Script
	// Profile is how fast one kind of load balancer moves.
	Profile = health.Profile
	// Profiles are those of Application and Network Load Balancers.
	Profiles = health.Profiles
	// Quotas are the account's limits.
	Quotas = elbv2.Quotas
	// ListenerInfo says where a listener of a load balancer really listens.
	ListenerInfo = elbv2.ListenerInfo
	// Host is the name of a load balancer and the address that it resolves to.
	Host = elbv2.Host
	// Role is a role that sts:AssumeRole knows.
	Role = sts.Role
)

// DefaultALB returns the timings of an Application Load Balancer.
func DefaultALB() *Profile { return health.DefaultALB() }

// DefaultNLB returns the timings of a Network Load Balancer.
func DefaultNLB() *Profile { return health.DefaultNLB() }

// DefaultVPC returns the network that there is unless others are configured.
func DefaultVPC(region string) VPC { return ec2.DefaultVPC(region) }

// DefaultLattice returns the timings of VPC Lattice.
func DefaultLattice() *Profile { return lattice.DefaultTiming() }

// Config configures a Sim. The zero value works.
type Config struct {
	ELB
	STS
	DataPath
	// Lattice is VPC Lattice. Its region is that of ELB, and so are the VPC's addresses if it names none.
	Lattice Lattice

	// EC2 is the network: VPCs with their subnets, and instances. Its region and account are those of ELB and STS.
	EC2 EC2
	// ACM is AWS Certificate Manager. Its region and account are those of ELB and STS.
	ACM ACM

	// TimeScale makes every timer of the simulator run that many times
	// faster. Default 1.
	TimeScale float64
	// Throttle is one of the Throttle constants. Default ThrottleCurrent.
	Throttle string
	// Faults are in force from the start.
	Faults []Fault
	// Log gets a line for a listener that opens, a bind that fails, and a call
	// that asks for what is not modelled. Default: nothing.
	Log logr.Logger
}

// withDefaults fills in what is not given, or returns what is wrong.
func (c Config) withDefaults() (Config, error) {
	c.STS, c.DataPath = c.STS.WithDefaults(), c.DataPath.WithDefaults()
	c.TimeScale = cmp.Or(c.TimeScale, 1)
	c.Throttle = cmp.Or(c.Throttle, ThrottleCurrent)
	if c.Log.GetSink() == nil {
		c.Log = logr.Discard()
	}

	if c.TimeScale < 0 {
		return c, fmt.Errorf("time scale %v: must be positive", c.TimeScale)
	}

	var err error
	c.ELB, err = c.ELB.WithDefaults()
	if err != nil {
		return c, err
	}
	c.EC2.Region, c.EC2.Account = c.Region, c.AccountID
	c.EC2, err = c.EC2.WithDefaults()
	c.ACM.Region, c.ACM.Account = c.Region, c.AccountID
	c.ACM = c.ACM.WithDefaults()
	c.Lattice.Region = c.Region
	c.Lattice.Relaxed = c.Lattice.Relaxed || c.Relaxed
	if c.Lattice.VPCCIDRs == nil {
		c.Lattice.VPCCIDRs = c.VPCCIDRs
	}
	c.Lattice = c.Lattice.WithDefaults()
	return c, err
}

// Sim is one simulated account and region. Its methods are safe for concurrent
// use. Until Run is called its clocks stand still and its listeners, though
// bound, answer nobody.
type Sim struct {
	cfg   Config
	clock *clock.Clock // its lock guards all that the API changes

	elb        *elbv2.Service
	ec2        *ec2.Service
	acm        *acm.Service
	lattice    *lattice.Service
	sts        *sts.Service
	path       *datapath.Path
	operations map[string]operation

	latticeModel      *rest.Model
	latticeOperations map[string]rest.Operation[*lattice.Call]

	record  faults.Record
	faults  *faults.Set
	buckets *faults.Buckets
}

// New makes a Sim. It fails when the configuration contradicts itself.
func New(cfg Config) (*Sim, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}

	buckets, err := faults.NewBuckets(cfg.Throttle, cfg.TimeScale)
	if err != nil {
		return nil, err
	}

	s := &Sim{cfg: cfg, clock: clock.New(cfg.TimeScale), buckets: buckets}
	s.faults = faults.NewSet(s.clock.Scaled)
	s.path = datapath.New(cfg.DataPath, s.clock, &s.record, cfg.Log)
	s.ec2 = ec2.New(cfg.EC2, s.clock)
	s.acm = acm.New(cfg.ACM, s.clock, func(arn string) []string { return s.elb.UsersOf(arn) })
	s.elb = elbv2.New(cfg.ELB, s.clock, s.path, &s.record, s.ec2, s.acm)
	s.sts = sts.New(cfg.STS)
	s.operations = modelled(s.elb, s.sts, s.ec2)
	s.lattice = lattice.New(cfg.Lattice, s.clock, s.path, &s.record)
	s.latticeOperations = s.lattice.Operations()
	if s.latticeModel, err = lattice.Model(); err != nil {
		return nil, err
	}

	if err := s.ec2.Follow(cfg.Instances); err != nil {
		return nil, err
	}
	for _, f := range cfg.Faults {
		if _, err := s.AddFault(f); err != nil {
			return nil, err
		}
	}

	return s, nil
}

// Run runs the health checks, the clocks and the data path until ctx ends, and
// returns when all of them have stopped. It can be called once; a second call
// is an error.
func (s *Sim) Run(ctx context.Context) error { return s.clock.Run(ctx, s.path.End) }
