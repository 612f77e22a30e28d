// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"math"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/podgate/podgate/sim/awssim"
)

// flipWindow is the time over which health comes, each pod's at a moment of its own.
const flipWindow = 30 * time.Second

// flip measures from healthy in the API to the condition, and the floor beside it.
func flip(ctx context.Context, w *world) ([]Measure, error) {
	f, err := w.flips(ctx, "flip", 20, 1000)
	if err != nil {
		return nil, err
	}

	measures := []Measure{
		bounded("median", percentile(f.latencies, 50), "s", 0.7), bounded("p99", percentile(f.latencies, 99), "s", 1.3),
		info("longest", percentile(f.latencies, 100), "s"),
		bounded("gates that stayed closed", float64(f.closed), "", 0),
		bounded("throttled Describe calls", float64(f.throttledReads), "calls", 0),
		info("throttled calls of other kinds", float64(f.throttled-f.throttledReads), "calls"),
		info("processor", f.cpu, "% of a core"),
	}

	floor, err := w.floor(ctx, 20, 1000)
	if err != nil {
		return measures, fmt.Errorf("floor: %w", err)
	}

	return append(measures,
		info("floor median", percentile(floor, 50), "s"), info("floor p99", percentile(floor, 99), "s"), info("floor longest", percentile(floor, 100), "s")), nil
}

// flipWide measures the same with more groups than can be read once a second.
func flipWide(ctx context.Context, w *world) ([]Measure, error) {
	const groups, window = 200, 10 * time.Second
	f, err := w.flips(ctx, "wide", groups, 1000)
	if err != nil {
		return nil, err
	}

	return []Measure{
		info("median", percentile(f.latencies, 50), "s"),
		bounded("p99", percentile(f.latencies, 99), "s", 1.3*groups/describeRate+0.5),
		info("longest", percentile(f.latencies, 100), "s"),
		bounded("gates that stayed closed", float64(f.closed), "", 0),
		bounded("most Describe calls in 10 s", float64(peak(f.describes, window)), "calls", describeBurst+describeRate*window.Seconds()),
		bounded("throttled Describe calls", float64(f.throttledReads), "calls", 0),
		info("throttled calls of other kinds", float64(f.throttled-f.throttledReads), "calls"),
		info("processor", f.cpu, "% of a core"),
	}, nil
}

// flipped is what came of a load of pods that wait for health.
type flipped struct {
	// latencies are from healthy in the API to the condition; a gate that stayed closed is
	// counted, and has none.
	latencies []time.Duration
	closed    int
	describes []time.Time
	// throttled calls, and those of them that describe.
	throttled, throttledReads int
	cpu                       float64
}

// flips lets n pods wait in some groups and makes them healthy.
func (w *world) flips(ctx context.Context, prefix string, groups, n int) (flipped, error) {
	gs, err := w.addGroups(ctx, prefix, groups, "initial")
	if err != nil {
		return flipped{}, err
	}

	if err := w.addBindings(ctx, gs); err != nil {
		return flipped{}, err
	}

	pods, err := w.addPods(ctx, gs, prefix, n, conditions(0, containersReady))
	if err != nil {
		return flipped{}, err
	}

	if err := w.start(); err != nil {
		return flipped{}, err
	}

	err = w.eventually(ctx, "all pods wait for their registered targets", 2*time.Minute, func(ctx context.Context) (bool, error) {
		return w.waits(ctx, pods, 0)
	})
	if err != nil {
		return flipped{}, err
	}

	if err := pause(ctx, (healthInterval*healthThreshold+2)*time.Second); err != nil {
		return flipped{}, err
	}

	mark, err := w.mark(ctx)
	if err != nil {
		return flipped{}, err
	}

	began, used := time.Now(), w.cpu()
	if err := w.becomeHealthy(ctx, pods); err != nil {
		return flipped{}, err
	}

	// What never opens is a result, not a failure of the bench.
	_ = w.eventually(ctx, "all gates are open", time.Minute, func(context.Context) (bool, error) { return w.watch.all(pods, isOpen) })
	f := flipped{cpu: percent(w.cpu()-used, time.Since(began))}
	calls, err := w.calls(ctx, 0)
	if err != nil {
		return flipped{}, err
	}

	f.describes = times(calls, describes)
	f.throttled = len(times(calls, throttled))
	f.throttledReads = len(times(calls, func(c awssim.Call) bool { return describes(c) && throttled(c) }))
	f.latencies, f.closed, err = w.openings(ctx, pods, mark)
	if err != nil {
		return flipped{}, err
	}

	return f, w.stopController()
}

// waits reports whether all pods' targets were registered since a mark and their gates are closed.
func (w *world) waits(ctx context.Context, pods []*pod, since int64) (bool, error) {
	if closed, err := w.watch.all(pods, isClosed); !closed {
		return false, err
	}

	calls, err := w.calls(ctx, since)
	if err != nil {
		return false, err
	}

	registered := firstCalls(calls, "RegisterTargets")
	for _, p := range pods {
		if _, ok := registered[p.key()]; !ok {
			return false, nil
		}
	}

	return true, nil
}

// becomeHealthy makes each pod's target healthy at a random moment of flipWindow.
func (w *world) becomeHealthy(ctx context.Context, pods []*pod) error {
	start := time.Now()
	var g errgroup.Group
	for _, p := range pods {
		at := time.Duration(w.random.Float64() * float64(flipWindow))
		g.Go(func() error {
			if err := pause(ctx, time.Until(start.Add(at))); err != nil {
				return err
			}
			return w.sim.SetHealth(ctx, p.group.arn, p.target(), awssim.Script{State: "healthy"})
		})
	}
	return g.Wait()
}

// openings gives for each pod the time from healthy to open, and how many did not open.
func (w *world) openings(ctx context.Context, pods []*pod, since int64) ([]time.Duration, int, error) {
	healthy, err := w.healthyAt(ctx, since)
	if err != nil {
		return nil, 0, err
	}

	var latencies []time.Duration
	closed := 0
	for _, p := range pods {
		s, err := w.watch.pod(p.name)
		if err != nil {
			return nil, 0, err
		}
		at, ok := healthy[p.key()]
		if !ok || s.openAt.IsZero() {
			closed++
			continue
		}
		latencies = append(latencies, s.openAt.Sub(at))
	}

	return latencies, closed, nil
}

// cpu is the controller's processor time, 0 when it cannot be read.
func (w *world) cpu() time.Duration {
	used, _ := w.controller.cpu()
	return used
}

// percent is processor time in percent of one core.
func percent(used, elapsed time.Duration) float64 {
	if elapsed <= 0 {
		return math.NaN()
	}
	return 100 * used.Seconds() / elapsed.Seconds()
}
