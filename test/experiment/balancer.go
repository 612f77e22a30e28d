// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"

	"github.com/podgate/podgate/sim/awssim"
	"github.com/podgate/podgate/test/env"
)

// balancer is the load balancer of one run.
type balancer interface {
	// url is where clients send requests.
	url() string
	// bind names the load balancer's group in the application's binding.
	bind(*env.App)
	// transitions tells what became of its targets so far.
	transitions(context.Context) ([]awssim.Transition, error)
	remove(context.Context) error
}

// balancer makes the run's load balancer.
func (r *rollout) balancer(ctx context.Context) (balancer, error) {
	o := r.options
	if o.profile == profileHAProxy {
		return startProxy(ctx, o)
	}
	lb, err := r.sim.CreateLoadBalancer(ctx, env.TargetGroupOptions{
		Name: "demo-" + r.name, NLB: o.profile == "nlb", HealthCheck: o.healthCheck, DeregistrationDelay: o.deregistrationDelay,
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
func (s simulated) bind(a *env.App)                  { a.TargetGroupARN = s.lb.TargetGroupARN }
func (s simulated) remove(ctx context.Context) error { return s.lb.Delete(ctx) }

func (s simulated) transitions(ctx context.Context) ([]awssim.Transition, error) {
	all, err := s.sim.Transitions(ctx, 0)
	return ofGroup(all, s.lb.TargetGroupARN), err
}
