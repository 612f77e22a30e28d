// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/podgate/podgate/sim/awssim"
)

// A rollout replaces all pods, with so many more than that at a time and never fewer ready.
const (
	rolloutPods  = 300
	rolloutSurge = rolloutPods / 4
	// startup is how long a new pod's containers take to be ready, drain how long an old
	// pod runs on after its deletion.
	startup = 2 * time.Second
	drain   = 5 * time.Second
)

// rollout counts what replacing pods costs: calls of the load balancer's API, and writes.
func rollout(ctx context.Context, w *world) ([]Measure, error) {
	gs, err := w.serve(ctx, "rollout")
	if err != nil {
		return nil, err
	}

	if err := w.listen(ctx, gs[0]); err != nil {
		return nil, err
	}

	if err := w.sim.SetHealth(ctx, gs[0].arn, nil, awssim.Script{Outcomes: []string{"pass"}}); err != nil {
		return nil, err
	}

	old, err := w.addPods(ctx, gs, "old", rolloutPods, conditions(0, containersReady))
	if err != nil {
		return nil, err
	}

	err = w.eventually(ctx, "all gates are open", 90*time.Second, func(context.Context) (bool, error) { return w.watch.all(old, isOpen) })
	if err != nil {
		return nil, err
	}

	err = each(ctx, len(old), func(ctx context.Context, i int) error {
		return w.setStatus(ctx, old[i], conditions(0, containersReady, podReady))
	})
	if err != nil {
		return nil, err
	}

	if err := pause(ctx, 5*time.Second); err != nil {
		return nil, err
	}

	mark, err := w.mark(ctx)
	if err != nil {
		return nil, err
	}

	began := time.Now()
	replaced, err := w.replace(ctx, gs, old)
	if err != nil {
		return nil, err
	}

	took := time.Since(began)
	if err := pause(ctx, 5*time.Second); err != nil { // what belongs to it but comes late
		return nil, err
	}

	return w.cost(ctx, mark, replaced, took)
}

func (w *world) cost(ctx context.Context, mark int64, pods []*pod, took time.Duration) ([]Measure, error) {
	calls, err := w.calls(ctx, mark)
	if err != nil {
		return nil, err
	}

	alone, err := w.alone(ctx, mark, pods, calls)
	if err != nil {
		return nil, err
	}

	writes, flips := 0, 0
	for _, p := range pods {
		s, err := w.watch.pod(p.name)
		if err != nil {
			return nil, err
		}
		writes += s.writes
		flips += s.flips
	}

	changes := len(times(calls, operation("RegisterTargets"))) + len(times(calls, operation("DeregisterTargets")))
	n := float64(len(pods))
	return []Measure{
		bounded("target API calls per pod", float64(len(calls))/n, "calls", 1),
		bounded("condition patches per pod", float64(writes)/n, "", 3),
		bounded("gates that closed again", float64(flips), "", 0),
		info("Register and Deregister calls", float64(changes), "calls"),
		info("Describe calls", float64(len(calls)-changes), "calls"),
		info("rollout took", took.Seconds(), "s"),
		info("what starts, checks and the surge alone take", alone.Seconds(), "s"),
		bounded("longer than that", 100*(took.Seconds()/alone.Seconds()-1), "%", 5),
	}, nil
}

// alone is how long a rollout would take in which no time passed between a pod's start, its registration, its health and the
// opening of its gate.
func (w *world) alone(ctx context.Context, mark int64, pods []*pod, calls []awssim.Call) (time.Duration, error) {
	healthy, err := w.healthyAt(ctx, mark)
	if err != nil {
		return 0, err
	}

	registered := firstCalls(calls, "RegisterTargets")
	takes := make([]time.Duration, len(pods))
	for i, p := range pods {
		s, err := w.watch.pod(p.name)
		if err != nil {
			return 0, err
		}
		takes[i] = s.readyAt.Sub(s.createdAt) + healthy[p.key()].Sub(registered[p.key()])
	}

	return inTurn(takes, rolloutSurge) + drain, nil
}

// inTurn is how long it takes to do what takes so long each, in that order and so much of it at a time.
func inTurn(takes []time.Duration, places int) time.Duration {
	free := make([]time.Duration, places) // when each place is
	for _, d := range takes {
		slices.Sort(free)
		free[0] += d
	}
	return slices.Max(free)
}

// listen puts the group to use: the targets of others are not checked.
func (w *world) listen(ctx context.Context, g *group) error {
	lb, err := w.elb.CreateLoadBalancer(ctx, &elb.CreateLoadBalancerInput{Name: &g.name, Subnets: []string{"subnet-1", "subnet-2"}})
	if err != nil {
		return fmt.Errorf("make load balancer: %w", err)
	}
	_, err = w.elb.CreateListener(ctx, &elb.CreateListenerInput{
		LoadBalancerArn: lb.LoadBalancers[0].LoadBalancerArn, Protocol: elbtypes.ProtocolEnumHttp, Port: aws.Int32(80),
		DefaultActions: []elbtypes.Action{{Type: elbtypes.ActionTypeEnumForward, TargetGroupArn: &g.arn}},
	})
	if err != nil {
		return fmt.Errorf("make listener: %w", err)
	}
	return nil
}

// rolling is a pod on its way through a rollout.
type rolling struct {
	*pod
	// since is when the current step began.
	since            time.Time
	containers, open bool
}

// replace plays the Deployment controller, the scheduler and the kubelet: it gives the
// new pods once they are all open and the old ones gone.
func (w *world) replace(ctx context.Context, gs []*group, old []*pod) ([]*pod, error) {
	var fresh, leaving []*rolling
	var made []*pod
	ready := 0
	err := w.eventually(ctx, "all pods are replaced", 3*time.Minute, func(ctx context.Context) (bool, error) {
		// New ones, as far as the surge allows. Pods that terminate do not count.
		if n := min(rolloutPods-len(fresh), rolloutPods+rolloutSurge-len(old)-len(fresh)); n > 0 {
			more, err := w.addPods(ctx, gs, fmt.Sprintf("new-%d", len(fresh)), n, nil)
			if err != nil {
				return false, err
			}
			for _, p := range more {
				fresh = append(fresh, &rolling{pod: p, since: time.Now()})
			}
			made = append(made, more...)
		}

		n, err := w.advance(ctx, fresh)
		if err != nil {
			return false, err
		}

		ready += n
		// Old ones go as new ones are ready.
		if n := min(len(old), len(old)+ready-rolloutPods); n > 0 {
			err := each(ctx, n, func(ctx context.Context, i int) error { return w.remove(ctx, old[i], 60) })
			if err != nil {
				return false, err
			}
			for _, p := range old[:n] {
				leaving = append(leaving, &rolling{pod: p, since: time.Now()})
			}
			old = old[n:]
		}

		for len(leaving) > 0 && time.Since(leaving[0].since) > drain {
			if err := w.remove(ctx, leaving[0].pod, 0); err != nil {
				return false, err
			}
			leaving = leaving[1:]
		}

		return ready == rolloutPods && len(old)+len(leaving) == 0, nil
	})

	return made, err
}

// advance takes each new pod a step on where it is due, and tells how many became ready.
func (w *world) advance(ctx context.Context, fresh []*rolling) (int, error) {
	var started, opened []*rolling
	for _, p := range fresh {
		s, err := w.watch.pod(p.name)
		switch {
		case err != nil:
			return 0, err
		case !p.containers && time.Since(p.since) > startup:
			started = append(started, p)
		case p.containers && !p.open && isOpen(s):
			opened = append(opened, p)
		}
	}

	err := each(ctx, len(started), func(ctx context.Context, i int) error {
		started[i].containers = true
		return w.setStatus(ctx, started[i].pod, conditions(0, containersReady))
	})
	if err != nil {
		return 0, err
	}

	return len(opened), each(ctx, len(opened), func(ctx context.Context, i int) error {
		opened[i].open = true
		return w.setStatus(ctx, opened[i].pod, conditions(0, containersReady, podReady))
	})
}
