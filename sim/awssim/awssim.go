// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package awssim

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/go-logr/logr"

	"github.com/podgate/podgate/sim/awssim/clock"
	"github.com/podgate/podgate/sim/awssim/datapath"
	"github.com/podgate/podgate/sim/awssim/elbv2"
	"github.com/podgate/podgate/sim/awssim/faults"
	"github.com/podgate/podgate/sim/awssim/health"
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

// These are the types of packages elbv2, health and sts that users of a Sim need.
type (
	// Script stands in for health checks.
	Script = health.Script
	// Profile is how fast one kind of load balancer moves.
	Profile = health.Profile
	// Quotas are the account's limits.
	Quotas = elbv2.Quotas
	// ListenerInfo says where a listener of a load balancer really listens.
	ListenerInfo = elbv2.ListenerInfo
	// Role is a role that sts:AssumeRole knows.
	Role = sts.Role
)

// DefaultALB returns the timings of an Application Load Balancer.
func DefaultALB() *Profile { return health.DefaultALB() }

// DefaultNLB returns the timings of a Network Load Balancer.
func DefaultNLB() *Profile { return health.DefaultNLB() }

// Config configures a Sim. The zero value works.
type Config struct {
	// Region is the one region that is simulated. Default eu-west-1.
	Region string
	// AccountID is the account of every access key that Accounts does not
	// name. Default 123456789012.
	AccountID string
	// Accounts gives access keys their account.
	Accounts map[string]string
	// Roles are the roles that can be assumed. Empty: any role can.
	Roles []Role

	// DataAddress is the address that listeners of load balancers bind.
	// Default 127.0.0.1.
	DataAddress string
	// NoDataPath binds no listener at all.
	NoDataPath bool
	// EphemeralPorts binds every listener to a free port, whatever port its
	// API object says; ListenerAddress tells which.
	EphemeralPorts bool

	// Profile forces one profile, alb or nlb, on every target group. By
	// default (auto) the group's protocol decides.
	Profile string
	// ALB and NLB are the timings of the two profiles. Default DefaultALB and
	// DefaultNLB.
	ALB, NLB *Profile
	// TimeScale makes every timer of the simulator run that many times
	// faster. Default 1.
	TimeScale float64
	// ProvisionDelay is how long a new load balancer is "provisioning".
	ProvisionDelay time.Duration
	// DescribeLag makes DescribeTargetHealth always answer from that long ago.
	DescribeLag time.Duration

	// Relaxed allows what AWS does not: health-check intervals and timeouts
	// from 1 s, and health checks that are off in ip and instance groups.
	Relaxed bool
	// RefuseDraining makes registering a draining target answer InvalidTarget.
	// By default it is accepted and starts over as initial.
	RefuseDraining bool
	// Throttle is one of the Throttle constants. Default ThrottleCurrent.
	Throttle string
	// Quotas are AWS's own by default.
	Quotas Quotas
	// VPCCIDRs says which addresses are inside the VPC. Empty: all.
	VPCCIDRs []netip.Prefix
	// Instances maps instance ids to their addresses.
	Instances map[string]string
	// Faults are in force from the start.
	Faults []Fault
	// Log gets one line a listener and a failed bind. Default: nothing.
	Log logr.Logger
}

// withDefaults fills in what is not given, or says what is wrong.
func (c Config) withDefaults() (Config, error) {
	c.Region = cmp.Or(c.Region, "eu-west-1")
	c.AccountID = cmp.Or(c.AccountID, "123456789012")
	c.DataAddress = cmp.Or(c.DataAddress, "127.0.0.1")
	c.Throttle = cmp.Or(c.Throttle, ThrottleCurrent)
	c.TimeScale = cmp.Or(c.TimeScale, 1)
	c.Quotas = c.Quotas.WithDefaults()
	if c.Log.GetSink() == nil {
		c.Log = logr.Discard()
	}

	if c.TimeScale < 0 {
		return c, fmt.Errorf("time scale %v: must be positive", c.TimeScale)
	}

	profiles, err := health.Profiles{Profile: c.Profile, ALB: c.ALB, NLB: c.NLB}.WithDefaults()
	c.Profile, c.ALB, c.NLB = profiles.Profile, profiles.ALB, profiles.NLB
	return c, err
}

// Sim is one simulated account and region. Its methods are safe for concurrent
// use. Until Run is called its clocks stand still and its listeners, though
// bound, answer nobody.
type Sim struct {
	cfg   Config
	clock *clock.Clock // its lock guards all that the API changes

	elb        *elbv2.Service
	sts        *sts.Service
	path       *datapath.Path
	operations map[string]operation

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
	s.path = datapath.New(cfg.dataPath(), s.clock, &s.record, cfg.Log)
	s.elb = elbv2.New(cfg.service(), s.clock, s.path, &s.record)
	s.sts = sts.New(sts.Config{AccountID: cfg.AccountID, Accounts: cfg.Accounts, Roles: cfg.Roles})
	s.operations = modelled(s.elb, s.sts)

	for _, f := range cfg.Faults {
		if _, err := s.AddFault(f); err != nil {
			return nil, err
		}
	}

	return s, nil
}

func (c Config) dataPath() datapath.Config {
	return datapath.Config{DataAddress: c.DataAddress, NoDataPath: c.NoDataPath, EphemeralPorts: c.EphemeralPorts}
}

func (c Config) service() elbv2.Config {
	return elbv2.Config{
		Region:         c.Region,
		Profiles:       health.Profiles{Profile: c.Profile, ALB: c.ALB, NLB: c.NLB},
		ProvisionDelay: c.ProvisionDelay, DescribeLag: c.DescribeLag,
		Relaxed: c.Relaxed, RefuseDraining: c.RefuseDraining,
		Quotas: c.Quotas, VPCCIDRs: c.VPCCIDRs, Instances: c.Instances,
	}
}

// Run runs the health checks, the clocks and the data path until ctx ends, and
// returns when all of them have stopped. It can be called once; a second call
// is an error.
func (s *Sim) Run(ctx context.Context) error { return s.clock.Run(ctx, s.path.End) }
