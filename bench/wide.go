// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"slices"
	"time"
)

// A very large cluster.
const (
	widePods   = 100000
	wideGroups = 5000
	// wideWaiting pods in wideWaitingGroups of the groups wait while the controller reads all for the first time.
	wideWaiting       = 200
	wideWaitingGroups = 10
)

// steadyWide measures what a controller of a very large cluster does: while it reads all groups for the first time, while
// nothing happens, and when it starts again.
func steadyWide(ctx context.Context, w *world) ([]Measure, error) {
	pods, err := w.settled(ctx, widePods, wideGroups)
	if err != nil {
		return nil, err
	}

	measures, err := w.firstReads(ctx)
	if err != nil {
		return measures, err
	}

	settled, err := w.rest(ctx)
	if err != nil {
		return measures, err
	}

	r, err := w.resting(ctx)
	if err != nil {
		return measures, err
	}

	measures = append(measures, bounded("processor", r.processor, "% of a core", 2.5), bounded("resident memory", r.rss, "MiB", 700), info("API calls a minute", r.calls, "calls"))
	measures = append(measures, append(r.aside(), info("from start to rest", settled.Seconds(), "s"))...)
	again, err := w.startsAgain(ctx, pods, "last waiting pod open after another start", 10)

	return append(measures, again...), err
}

// firstReads starts the controller and measures how long it takes to read every group once, and how pods are served meanwhile.
func (w *world) firstReads(ctx context.Context) ([]Measure, error) {
	waiting, err := w.addWaiting(ctx, "first", wideWaitingGroups, wideWaiting)
	if err != nil {
		return nil, err
	}

	mark, err := w.mark(ctx)
	if err != nil {
		return nil, err
	}

	if err := w.start(); err != nil {
		return nil, err
	}

	if err := w.registered(ctx, waiting, mark); err != nil {
		return nil, err
	}

	if err := pause(ctx, (healthInterval*healthThreshold+2)*time.Second); err != nil {
		return nil, err
	}

	began := time.Since(w.controller.started)
	if err := w.becomeHealthy(ctx, waiting); err != nil {
		return nil, err
	}

	// What never opens is a result, not a failure of the bench.
	_ = w.eventually(ctx, "all gates are open", time.Minute, func(context.Context) (bool, error) { return w.watch.all(waiting, isOpen) })
	opened := time.Now()
	latencies, closed, err := w.openings(ctx, waiting, mark)
	if err != nil {
		return nil, err
	}

	reads, err := w.readAll(ctx, mark)
	if err != nil {
		return nil, err
	}

	// The groups of the pods that wait are read once a second until then; all others once.
	repeated := opened.Sub(w.controller.started).Seconds() * wideWaitingGroups
	budget := (wideGroups + repeated - describeBurst) / describeRate
	slices.SortFunc(reads, time.Time.Compare)
	before, _ := slices.BinarySearchFunc(reads, opened, time.Time.Compare)

	return []Measure{
		bounded("first read of all groups after the start", reads[len(reads)-1].Sub(w.controller.started).Seconds(), "s", budget+10),
		info("waiting pods became healthy after the start, from", began.Seconds(), "s"),
		info("groups read when the last of them was open", float64(before), ""),
		info("median of waiting pods", percentile(latencies, 50), "s"),
		bounded("p99 of waiting pods", percentile(latencies, 99), "s", 1.3),
		bounded("gates that stayed closed meanwhile", float64(closed), "", 0),
	}, nil
}
