// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podgate/podgate/sim/awssim"
)

// crowd is how many pods become ready, or are deleted, within a second.
const crowd = 500

// register measures from containers ready to RegisterTargets.
func register(ctx context.Context, w *world) ([]Measure, error) {
	gs, err := w.serve(ctx, "register")
	if err != nil {
		return nil, err
	}

	pods, err := w.addPods(ctx, gs, "register", crowd, map[string]any{"conditions": []any{condition(containersReady, "False", "ContainersNotReady", 0)}})
	if err != nil {
		return nil, err
	}

	if err := pause(ctx, 2*time.Second); err != nil {
		return nil, err
	}

	mark, err := w.mark(ctx)
	if err != nil {
		return nil, err
	}

	idle, err := w.keepBusy()
	if err != nil {
		return nil, err
	}
	defer idle()

	asked, err := overOneSecond(ctx, len(pods), func(ctx context.Context, i int) error {
		return w.setStatus(ctx, pods[i], conditions(0, containersReady))
	})
	if err != nil {
		return nil, err
	}

	r, err := w.reach(ctx, pods, asked, mark, "RegisterTargets", func(s seen) time.Time { return s.readyAt })
	if err != nil {
		return nil, err
	}

	return []Measure{
		info("median to RegisterTargets", 1000*percentile(r.latencies, 50), "ms"),
		bounded("p99 to RegisterTargets", 1000*percentile(r.latencies, 99), "ms", 300),
		bounded("RegisterTargets calls", float64(r.calls), "calls", 15),
		bounded("pods not registered", float64(r.missing), "", 0),
		info("pods became ready within", r.spread, "s"),
		info("p99 from the request to the watch, before that", 1000*percentile(r.watched, 99), "ms"),
	}, nil
}

// deregister measures from deletion to DeregisterTargets.
func deregister(ctx context.Context, w *world) ([]Measure, error) {
	gs, err := w.serve(ctx, "deregister")
	if err != nil {
		return nil, err
	}

	// Some stay: nobody should empty a group that serves.
	pods, err := w.addPods(ctx, gs, "deregister", crowd+20, conditions(0, containersReady))
	if err != nil {
		return nil, err
	}

	err = w.eventually(ctx, "all pods wait for their registered targets", time.Minute, func(ctx context.Context) (bool, error) { return w.waits(ctx, pods, 0) })
	if err != nil {
		return nil, err
	}

	if err := w.sim.SetHealth(ctx, gs[0].arn, nil, awssim.Script{State: "healthy"}); err != nil {
		return nil, err
	}

	err = w.eventually(ctx, "all gates are open", time.Minute, func(context.Context) (bool, error) { return w.watch.all(pods, isOpen) })
	if err != nil {
		return nil, err
	}

	err = each(ctx, len(pods), func(ctx context.Context, i int) error {
		return w.setStatus(ctx, pods[i], conditions(0, containersReady, podReady))
	})
	if err != nil {
		return nil, err
	}

	if err := pause(ctx, 2*time.Second); err != nil {
		return nil, err
	}

	mark, err := w.mark(ctx)
	if err != nil {
		return nil, err
	}

	idle, err := w.keepBusy()
	if err != nil {
		return nil, err
	}
	defer idle()

	pods = pods[:crowd]
	asked, err := overOneSecond(ctx, len(pods), func(ctx context.Context, i int) error { return w.remove(ctx, pods[i], 60) })
	if err != nil {
		return nil, err
	}

	r, err := w.reach(ctx, pods, asked, mark, "DeregisterTargets", func(s seen) time.Time { return s.deletedAt })
	if err != nil {
		return nil, err
	}

	return []Measure{
		info("median to DeregisterTargets", 1000*percentile(r.latencies, 50), "ms"),
		bounded("p99 to DeregisterTargets", 1000*percentile(r.latencies, 99), "ms", 300),
		bounded("pods not deregistered", float64(r.missing), "", 0),
		info("DeregisterTargets calls", float64(r.calls), "calls"),
		info("pods were deleted within", r.spread, "s"),
		info("p99 from the request to the watch, before that", 1000*percentile(r.watched, 99), "ms"),
	}, nil
}

// serve makes one group and a controller that has read it.
func (w *world) serve(ctx context.Context, name string) ([]*group, error) {
	gs, err := w.addGroups(ctx, name, 1, "initial")
	if err != nil {
		return nil, err
	}

	if err := w.addBindings(ctx, gs); err != nil {
		return nil, err
	}

	if err := w.start(); err != nil {
		return nil, err
	}

	return gs, w.eventually(ctx, "the controller has read the group", time.Minute, func(ctx context.Context) (bool, error) {
		calls, err := w.calls(ctx, 0)
		return len(times(calls, operation("DescribeTargetHealth"))) > 0, err
	})
}

// remove deletes a pod, which terminates for its grace period at most.
func (w *world) remove(ctx context.Context, p *pod, grace int64) error {
	o := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: apps, Name: p.name}}
	return client.IgnoreNotFound(w.kube.Delete(ctx, o, client.GracePeriodSeconds(grace)))
}

// overOneSecond calls do n times, evenly over a second as far as the machine keeps up, and returns when each call began.
func overOneSecond(ctx context.Context, n int, do func(ctx context.Context, i int) error) ([]time.Time, error) {
	start := time.Now()
	began := make([]time.Time, n)
	return began, each(ctx, n, func(ctx context.Context, i int) error {
		if err := pause(ctx, time.Until(start.Add(time.Duration(i)*time.Second/time.Duration(n)))); err != nil {
			return err
		}
		began[i] = time.Now()
		return do(ctx, i)
	})
}

// reached is how fast pods came into a call.
type reached struct {
	latencies []time.Duration
	// watched are the times before, from the bench's request to the API server's watch.
	watched        []time.Duration
	calls, missing int
	spread         float64
}

// reach waits until all pods' targets were in a call of an operation, and measures from
// what from picks of the watch; asked are the bench's requests that this follows.
func (w *world) reach(ctx context.Context, pods []*pod, asked []time.Time, mark int64, op string, from func(seen) time.Time) (reached, error) {
	var calls []awssim.Call
	var at map[key]time.Time
	_ = w.eventually(ctx, "all pods are in a call of "+op, 30*time.Second, func(ctx context.Context) (bool, error) {
		var err error
		if calls, err = w.calls(ctx, mark); err != nil {
			return false, err
		}
		at = firstCalls(calls, op)
		return len(at) >= len(pods), nil
	})

	if err := ctx.Err(); err != nil {
		return reached{}, context.Cause(ctx)
	}

	r := reached{calls: len(times(calls, operation(op)))}
	var begins []time.Time
	for i, p := range pods {
		s, err := w.watch.pod(p.name)
		if err != nil {
			return reached{}, err
		}
		began, ended := from(s), at[p.key()]
		if began.IsZero() || ended.IsZero() {
			r.missing++
			continue
		}
		begins = append(begins, began)
		r.latencies = append(r.latencies, ended.Sub(began))
		r.watched = append(r.watched, began.Sub(asked[i]))
	}

	r.spread = spread(begins)
	return r, nil
}
