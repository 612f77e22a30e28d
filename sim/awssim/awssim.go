// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package awssim

import (
	"context"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"github.com/go-logr/logr"

	"github.com/podgate/podgate/sim/awssim/faults"
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

// Role is a role that sts:AssumeRole knows.
type Role = sts.Role

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

// Sim is one simulated account and region. Its methods are safe for concurrent
// use. Until Run is called its clocks stand still and its listeners, though
// bound, answer nobody.
type Sim struct {
	cfg Config

	base    context.Context // ends when Run ends
	cancel  context.CancelFunc
	running sync.WaitGroup
	data    dataPath
	record  faults.Record
	faults  *faults.Set
	buckets *faults.Buckets
	sts     *sts.Service

	mu         sync.Mutex
	state      runState
	waiting    []func() // goroutines that Run is to start
	operations map[string]operation
	seq        int64
	turn       int64 // of weighted forwards
	groups     map[string]*targetGroup
	balancers  map[string]*loadBalancer
	listeners  map[string]*listener
	rules      map[string]*rule
	tags       map[string]map[string]string
	instances  map[string]string
}

type runState int

const (
	stateNew runState = iota
	stateRunning
	stateEnded
)

// New makes a Sim. It fails when the configuration contradicts itself.
func New(cfg Config) (*Sim, error) {
	setDefault(&cfg.Region, "eu-west-1")
	setDefault(&cfg.AccountID, "123456789012")
	setDefault(&cfg.DataAddress, "127.0.0.1")
	setDefault(&cfg.Profile, "auto")
	setDefault(&cfg.Throttle, ThrottleCurrent)

	if cfg.TimeScale == 0 {
		cfg.TimeScale = 1
	}

	if cfg.TimeScale < 0 {
		return nil, fmt.Errorf("time scale %v: must be positive", cfg.TimeScale)
	}

	if cfg.ALB == nil {
		cfg.ALB = DefaultALB()
	}

	if cfg.NLB == nil {
		cfg.NLB = DefaultNLB()
	}

	switch cfg.Profile {
	case "auto", "alb", "nlb":
	default:
		return nil, fmt.Errorf("profile %q: must be auto, alb or nlb", cfg.Profile)
	}

	buckets, err := faults.NewBuckets(cfg.Throttle, cfg.TimeScale)
	if err != nil {
		return nil, err
	}

	if cfg.Log.GetSink() == nil {
		cfg.Log = logr.Discard()
	}

	cfg.Quotas = cfg.Quotas.withDefaults()

	s := &Sim{
		cfg:       cfg,
		data:      newDataPath(),
		buckets:   buckets,
		groups:    map[string]*targetGroup{},
		balancers: map[string]*loadBalancer{},
		listeners: map[string]*listener{},
		rules:     map[string]*rule{},
		tags:      map[string]map[string]string{},
		instances: map[string]string{},
	}

	s.sts = sts.New(sts.Config{AccountID: cfg.AccountID, Accounts: cfg.Accounts, Roles: cfg.Roles})
	s.operations = s.modelled()
	s.faults = faults.NewSet(s.scaled)

	for id, address := range cfg.Instances {
		s.instances[id] = address
	}

	for _, f := range cfg.Faults {
		if _, err := s.AddFault(f); err != nil {
			return nil, err
		}
	}

	s.base, s.cancel = context.WithCancel(context.Background())
	return s, nil
}

func setDefault(to *string, value string) {
	if *to == "" {
		*to = value
	}
}

// Run runs the health checks, the clocks and the data path until ctx ends, and
// returns when all of them have stopped. It can be called once; a second call
// is an error.
func (s *Sim) Run(ctx context.Context) error {
	s.mu.Lock()
	if s.state != stateNew {
		s.mu.Unlock()
		return fmt.Errorf("run simulator: it has been run before")
	}

	s.state = stateRunning
	for _, f := range s.waiting {
		s.running.Go(f)
	}

	s.waiting = nil
	s.mu.Unlock()

	<-ctx.Done()
	s.end()

	return nil
}

// end stops everything and waits for it.
func (s *Sim) end() {
	s.mu.Lock()
	s.state = stateEnded
	s.cancel()

	for _, l := range s.listeners {
		l.close()
	}

	for _, g := range s.groups {
		for _, r := range g.routes {
			r.pool.End()
		}
	}

	s.mu.Unlock()
	s.running.Wait()
}

// spawn starts f as one of the goroutines that Run waits for, now or when Run
// is called. It needs the lock. f must end when s.base does.
func (s *Sim) spawn(f func()) {
	switch s.state {
	case stateNew:
		s.waiting = append(s.waiting, f)
	case stateRunning:
		s.running.Go(f)
	case stateEnded:
	}
}

// after calls f with the lock held once d of simulated time has passed. It
// needs the lock; without a delay f is called at once. f must look whether it
// has been overtaken: nothing stops it but the end of the simulator.
func (s *Sim) after(d time.Duration, f func()) {
	if d <= 0 {
		f()
		return
	}
	s.spawn(func() {
		if !s.wait(s.base, d) {
			return
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		f()
	})
}

// wait waits for d of simulated time; false means ctx or the simulator ended.
func (s *Sim) wait(ctx context.Context, d time.Duration) bool { return s.sleep(ctx, s.scaled(d)) }

// sleep is wait for d of real time.
func (s *Sim) sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	case <-s.base.Done():
		return false
	}
}

// scaled is the real duration of d of simulated time.
func (s *Sim) scaled(d time.Duration) time.Duration {
	return time.Duration(float64(d) / s.cfg.TimeScale)
}

// socketTimeout is scaled, but never so short that a machine under load
// would miss it: one second, or d itself where that is less.
func (s *Sim) socketTimeout(d time.Duration) time.Duration {
	return max(s.scaled(d), min(d, time.Second))
}

// next is a number that only grows; it orders what was created.
func (s *Sim) next() int64 {
	s.seq++
	return s.seq
}
