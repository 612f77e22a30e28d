// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"strings"

	"github.com/podgate/podgate/sim/awssim"
	"github.com/podgate/podgate/test/env"
)

// balancer is the load balancer of one run.
type balancer interface {
	// url is where clients send requests, and host the name that these ask for; empty when it is that of the URL.
	url() string
	host() string
	// bind names the load balancer's group in the application's binding.
	bind(*env.App)
	// ready waits, once all but the pods is there, until requests can be sent.
	ready(context.Context) error
	// transitions tells what became of its targets so far.
	transitions(context.Context) ([]awssim.Transition, error)
	remove(context.Context) error
}

// profileLattice is the simulator's VPC Lattice.
const profileLattice = "lattice"

// balancer makes the run's load balancer.
func (r *rollout) balancer(ctx context.Context) (balancer, error) {
	o := r.options
	switch o.profile {
	case profileHAProxy:
		return startProxy(ctx, o)
	case profileIngress:
		return &ingressed{rollout: r}, nil
	}
	lb, err := r.sim.CreateLoadBalancer(ctx, env.TargetGroupOptions{
		Name: "demo-" + r.name, NLB: o.profile == "nlb", Lattice: o.profile == profileLattice, HealthCheck: o.healthCheck, DeregistrationDelay: o.deregistrationDelay,
	})
	if err != nil {
		return nil, err
	}
	return simulated{sim: r.sim, lb: lb}, nil
}

// simulated is one of the simulator's.
type simulated struct {
	sim *env.Simulator
	lb  *env.LoadBalancer
}

func (s simulated) url() string                      { return s.lb.URL }
func (s simulated) host() string                     { return s.lb.Host }
func (s simulated) ready(context.Context) error      { return nil }
func (s simulated) remove(ctx context.Context) error { return s.lb.Delete(ctx) }

func (s simulated) bind(a *env.App) {
	if s.lb.Host != "" {
		a.LatticeARN = s.lb.TargetGroupARN
		return
	}
	a.TargetGroupARN = s.lb.TargetGroupARN
}

// transitions has states as ELBv2 spells them; VPC Lattice has capitals.
func (s simulated) transitions(ctx context.Context) ([]awssim.Transition, error) {
	all, err := s.sim.Transitions(ctx, 0)
	some := ofGroup(all, s.lb.TargetGroupARN)
	for i, t := range some {
		some[i].From, some[i].To = strings.ToLower(t.From), strings.ToLower(t.To)
	}
	return some, err
}
