// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/podgate/podgate/sim/awssim"
)

// A large cluster at rest.
const (
	steadyPods   = 10000
	steadyGroups = 1000
	smallPods    = 10
	waitingPods  = 100
	// settledFor is for how long what was made before the controller started has been as it is.
	settledFor = 10 * time.Minute
	// settle bounds how long a controller may take to come to rest.
	settle = 10 * time.Minute
)

// steady measures what a controller of a large cluster costs while nothing happens.
func steady(ctx context.Context, w *world) ([]Measure, error) {
	return w.atRest(ctx, steadyPods, steadyGroups, func(r restful) []Measure {
		return []Measure{
			bounded("processor", r.processor, "% of a core", 0.25),
			bounded("resident memory", r.rss, "MiB", 90),
			bounded("API calls a minute", r.calls, "calls", 60),
		}
	})
}

// small measures the same of a small one.
func small(ctx context.Context, w *world) ([]Measure, error) {
	return w.atRest(ctx, smallPods, 1, func(r restful) []Measure {
		return []Measure{
			info("processor", r.processor, "% of a core"),
			bounded("resident memory", r.rss, "MiB", 40),
			info("API calls a minute", r.calls, "calls"),
		}
	})
}

// restful is what a controller costs at rest.
type restful struct {
	processor, calls float64
	memory
}

// atRest measures what a controller costs while nothing happens, and adds to that what else there is to say.
func (w *world) atRest(ctx context.Context, pods, groups int, costs func(restful) []Measure) ([]Measure, error) {
	made, err := w.settled(ctx, pods, groups)
	if err != nil {
		return nil, err
	}

	if err := w.start(); err != nil {
		return nil, err
	}
	settled, err := w.rest(ctx)
	if err != nil {
		return nil, err
	}

	r, err := w.resting(ctx)
	if err != nil {
		return nil, err
	}

	flips, err := w.flipsOf(made)
	if err != nil {
		return nil, err
	}

	return append(costs(r), append(r.aside(), bounded("conditions that flipped", float64(flips), "", 0), info("from start to rest", settled.Seconds(), "s"))...), nil
}

// resting measures what a controller costs that has come to rest.
func (w *world) resting(ctx context.Context) (restful, error) {
	if err := pause(ctx, w.steadyRest); err != nil {
		return restful{}, err
	}

	mark, err := w.mark(ctx)
	if err != nil {
		return restful{}, err
	}

	began, before := time.Now(), w.cpu()
	if err := pause(ctx, w.steadyWindow); err != nil {
		return restful{}, err
	}

	used, elapsed := w.cpu()-before, time.Since(began)
	memory, err := w.controller.memory()
	if err != nil {
		return restful{}, err
	}

	calls, err := w.calls(ctx, mark)
	if err != nil {
		return restful{}, err
	}

	return restful{percent(used, elapsed), float64(len(calls)) / elapsed.Minutes(), memory}, w.profile(ctx)
}

// aside is what else there is to say of it.
func (r restful) aside() []Measure {
	return []Measure{info("resident memory that is the program's file", r.file, "MiB"), info("resident memory at its highest", r.highest, "MiB")}
}

// restart measures how fast those that wait are served after a cold start.
func restart(ctx context.Context, w *world) ([]Measure, error) {
	pods, err := w.settled(ctx, steadyPods, steadyGroups)
	if err != nil {
		return nil, err
	}

	if err := w.start(); err != nil {
		return nil, err
	}
	if _, err := w.rest(ctx); err != nil {
		return nil, err
	}

	return w.startsAgain(ctx, pods, "last waiting pod open after the start", 5)
}

// startsAgain has one pod in each of so many groups wait, and measures how fast they are served after a cold start.
func (w *world) startsAgain(ctx context.Context, pods []*pod, what string, limit float64) ([]Measure, error) {
	mark, err := w.mark(ctx)
	if err != nil {
		return nil, err
	}

	waiting, err := w.addWaiting(ctx, "waiting", waitingPods, waitingPods)
	if err != nil {
		return nil, err
	}

	if err := w.registered(ctx, waiting, mark); err != nil {
		return nil, err
	}

	if err := w.stopController(); err != nil {
		return nil, err
	}

	err = each(ctx, len(waiting), func(ctx context.Context, i int) error {
		return w.sim.SetHealth(ctx, waiting[i].group.arn, waiting[i].target(), awssim.Script{State: "healthy"})
	})
	if err != nil {
		return nil, err
	}

	return w.coldStart(ctx, pods, waiting, what, limit)
}

// addWaiting makes n pods that wait for their targets' health, in some of the groups in turn.
func (w *world) addWaiting(ctx context.Context, prefix string, groups, n int) ([]*pod, error) {
	gs := make([]*group, groups)
	for i, at := range w.random.Perm(len(w.groups))[:groups] {
		gs[i] = w.groups[at]
	}

	waiting, err := w.addPods(ctx, gs, prefix, n, nil)
	if err != nil {
		return nil, err
	}

	return waiting, each(ctx, len(waiting), func(ctx context.Context, i int) error {
		p := waiting[i]
		if err := w.sim.SetHealth(ctx, p.group.arn, p.target(), awssim.Script{State: "initial"}); err != nil {
			return err
		}
		return w.setStatus(ctx, p, conditions(0, containersReady))
	})
}

// registered waits until pods wait for targets that were registered since.
func (w *world) registered(ctx context.Context, pods []*pod, since int64) error {
	return w.eventually(ctx, "the new pods wait for their registered targets", settle, func(ctx context.Context) (bool, error) {
		return w.waits(ctx, pods, since)
	})
}

// coldStart starts the controller again and measures from the start of its process.
func (w *world) coldStart(ctx context.Context, pods, waiting []*pod, what string, limit float64) ([]Measure, error) {
	mark, err := w.mark(ctx)
	if err != nil {
		return nil, err
	}

	if err := w.start(); err != nil {
		return nil, err
	}

	started := w.controller.started
	_ = w.eventually(ctx, "all gates are open", 2*time.Minute, func(context.Context) (bool, error) { return w.watch.all(waiting, isOpen) })

	if err := pause(ctx, 30*time.Second); err != nil { // a flip may come later than a service
		return nil, err
	}

	calls, err := w.calls(ctx, mark)
	if err != nil {
		return nil, err
	}

	flips, err := w.flipsOf(append(pods, waiting...))
	if err != nil {
		return nil, err
	}

	var latencies []time.Duration
	closed := 0
	for _, p := range waiting {
		s, err := w.watch.pod(p.name)
		if err != nil {
			return nil, err
		}
		if s.openAt.IsZero() {
			closed++
			continue
		}
		latencies = append(latencies, s.openAt.Sub(started))
	}

	measures := []Measure{
		bounded(what, percentile(latencies, 100), "s", limit),
		info("median", percentile(latencies, 50), "s"),
		bounded("gates that stayed closed", float64(closed), "", 0),
		bounded("conditions that flipped", float64(flips), "", 0),
	}
	if len(calls) > 0 {
		measures = append(measures, info("first API call after the start", calls[0].Time.Sub(started).Seconds(), "s"))
	}

	return measures, nil
}

func (w *world) flipsOf(pods []*pod) (int, error) {
	flips := 0
	for _, p := range pods {
		s, err := w.watch.pod(p.name)
		if err != nil {
			return 0, err
		}
		flips += s.flips
	}
	return flips, nil
}

// settled makes a cluster whose pods have been open and registered for a while, as an
// earlier controller leaves it.
func (w *world) settled(ctx context.Context, n, groups int) ([]*pod, error) {
	gs, err := w.addGroups(ctx, "steady", groups, "healthy")
	if err != nil {
		return nil, err
	}

	if err := w.addBindings(ctx, gs); err != nil {
		return nil, err
	}

	pods := w.newPods(gs, "steady", n)
	members := map[*group]map[string]*pod{}
	for _, p := range pods {
		if members[p.group] == nil {
			members[p.group] = map[string]*pod{}
		}
		members[p.group][p.ip] = p
	}

	err = each(ctx, len(gs), func(ctx context.Context, i int) error { return w.registerTargets(ctx, gs[i], members[gs[i]]) })
	if err != nil {
		return nil, err
	}

	if err := w.storePods(ctx, pods, settledFor); err != nil {
		return nil, err
	}
	return pods, w.watchPods(ctx, pods...)
}

// rest waits until the controller has read every group, and its calls and its processor time
// have become few: how long this took from its start.
func (w *world) rest(ctx context.Context) (time.Duration, error) {
	if _, err := w.readAll(ctx, 0); err != nil {
		return 0, err
	}

	for {
		before, err := w.mark(ctx)
		if err != nil {
			return 0, err
		}

		began, used := time.Now(), w.cpu()
		if err := pause(ctx, 10*time.Second); err != nil {
			return 0, err
		}

		busy := percent(w.cpu()-used, time.Since(began))
		calls, err := w.calls(ctx, before)
		if err != nil {
			return 0, err
		}

		// Few, or as long as there is patience: what then goes on is its rest.
		took := time.Since(w.controller.started)
		if (len(calls) < 10*describeRate/2 && busy < 20) || took > settle {
			return took, nil
		}
	}
}

// readAll waits until the controller has read the targets of every group since a mark, and gives when each read first began.
func (w *world) readAll(ctx context.Context, since int64) ([]time.Time, error) {
	read := map[string]time.Time{}
	next := time.Now()
	err := w.eventually(ctx, "the controller has read every group", settle, func(ctx context.Context) (bool, error) {
		if time.Now().Before(next) {
			return false, nil
		}
		next = time.Now().Add(time.Second)
		calls, err := w.calls(ctx, since)
		for _, c := range calls {
			since = c.Seq
			if _, known := read[c.TargetGroupARN]; !known && c.Operation == "DescribeTargetHealth" {
				read[c.TargetGroupARN] = c.Time
			}
		}
		return len(read) == len(w.groups), err
	})
	return slices.Collect(maps.Values(read)), err
}
