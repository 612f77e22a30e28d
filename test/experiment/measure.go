// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"time"

	"github.com/podgate/podgate/sim/awssim"
	"github.com/podgate/podgate/test/env"
	"github.com/podgate/podgate/test/experiment/report"
	"github.com/podgate/podgate/test/load"
)

// States of the simulator that are looked for.
const (
	absent   = "absent"
	initial  = "initial"
	healthy  = "healthy"
	routable = "routable"
)

// measure turns what was seen into the run's figures.
func (r *rollout) measure(result load.Result, transitions []awssim.Transition) report.Run {
	s := result.Summarize(r.updated)
	run := report.Run{
		Name: r.name, PrestopSeconds: r.app.PrestopSeconds, GracePeriodSeconds: r.app.GracePeriodSeconds,
		Requests: s.Requests, Attempts: s.Attempts, Failed: s.Failed, StatusCodes: s.Outcomes,
		LongestOutageSeconds:      s.LongestOutage.Seconds(),
		DeploymentCompleteSeconds: r.complete.Sub(r.updated).Seconds(),
		ResponseLatency:           report.Latency{Count: s.Requests, MedianSeconds: s.Median.Seconds(), P99Seconds: s.P99.Seconds(), MaxSeconds: s.Slowest.Seconds()},
		NewConnections:            s.NewConnections, ReusedConnections: s.Reused, LateSeconds: result.Late.Seconds(),
		Lanes: lanes(r.pods.Pods(), transitions, r.updated),
	}
	if r.warmsUp() {
		run.WarmUpSeconds, run.SettleSeconds = r.options.warmUp, r.options.settle
	}

	if run.GracePeriodSeconds == 0 {
		run.GracePeriodSeconds = 30
	}

	if r.hook > 0 {
		run.PrestopSeconds = int(r.hook)
		run.GracePeriodSeconds += int(r.hook)
	}

	for _, each := range s.Seconds {
		run.Seconds = append(run.Seconds, report.Second{At: each.At, OK: each.Good, Failed: each.Failed})
	}

	if len(s.Seconds) > 0 {
		run.BeginSeconds, run.EndSeconds = float64(s.Seconds[0].At), float64(s.Seconds[len(s.Seconds)-1].At+1)
	}

	for _, l := range run.Lanes {
		if l.Old && l.Gone != nil {
			run.RolloutSeconds = max(run.RolloutSeconds, *l.Gone)
		}
	}

	run.RegisterLatency = latencies(run.Lanes, func(l report.Lane) (from, to *float64) { return l.ContainersReady, l.Registered })
	run.DeregisterLatency = latencies(run.Lanes, func(l report.Lane) (from, to *float64) { return l.Terminating, draining(l) })
	run.GateLatency = latencies(run.Lanes, func(l report.Lane) (from, to *float64) { return l.Healthy, l.GateOpen })
	if run.GateLatency != nil {
		run.GateLatencySeconds = &run.GateLatency.MaxSeconds
	}

	return run
}

// latencies is of all lanes that have both times; nil without any.
func latencies(lanes []report.Lane, between func(report.Lane) (from, to *float64)) *report.Latency {
	var all []time.Duration
	for _, l := range lanes {
		if from, to := between(l); from != nil && to != nil {
			all = append(all, time.Duration((*to-*from)*float64(time.Second)))
		}
	}
	if len(all) == 0 {
		return nil
	}
	return &report.Latency{
		Count: len(all), MedianSeconds: load.Quantile(all, 0.5).Seconds(), P99Seconds: load.Quantile(all, 0.99).Seconds(), MaxSeconds: load.Quantile(all, 1).Seconds(),
	}
}

// draining is when the API first said so of a pod's target.
func draining(l report.Lane) *float64 {
	for _, s := range l.Target {
		if s.State == "draining" {
			return &s.From
		}
	}
	return nil
}

// lanes puts together what Kubernetes and what the load balancer says of each pod.
// Times are in seconds since origin.
func lanes(pods []env.PodHistory, transitions []awssim.Transition, origin time.Time) []report.Lane {
	all := make([]report.Lane, len(pods))
	since := func(t time.Time) *float64 {
		if t.IsZero() {
			return nil
		}
		s := t.Sub(origin).Seconds()
		return &s
	}

	for i, p := range pods {
		all[i] = report.Lane{
			Pod: p.Name, Version: p.Version, Old: p.Created.Before(origin), Address: p.Address,
			Created: since(p.Created), ContainersReady: since(p.ContainersReady), GateOpen: since(p.GatesOpen), Ready: since(p.Ready),
			Terminating: since(p.Terminating), Stopped: since(p.Stopped), Gone: since(p.Gone),
		}
	}

	owners := map[awssim.Target]*report.Lane{}
	for _, t := range transitions {
		at := t.Time.Sub(origin).Seconds()
		// A row that begins belongs to the newest pod that has its address; until it begins
		// again, whatever becomes of it is that pod's.
		if t.Clock == awssim.ClockAPI && (t.From == absent || t.To == initial) {
			owners[t.Target] = newestWith(all, t.Target.ID, at)
		}
		if l := owners[t.Target]; l != nil {
			note(l, t, at)
		}
	}

	for i, l := range all {
		all[i].Leaving = l.Leave()
	}
	return all
}

// newestWith is the pod with an address that was created last before a time.
func newestWith(all []report.Lane, address string, at float64) *report.Lane {
	var newest *report.Lane
	for i := range all {
		l := &all[i]
		if l.Address == address && *l.Created <= at && (newest == nil || *l.Created > *newest.Created) {
			newest = l
		}
	}
	return newest
}

// note adds a transition to the pod it is about.
func note(l *report.Lane, t awssim.Transition, at float64) {
	if t.Clock == awssim.ClockRouting {
		l.Routed = change(l.Routed, at, t.To == routable, t)
		return
	}
	if l.Registered == nil {
		l.Registered = &at
	}
	if t.To == healthy && l.Healthy == nil {
		l.Healthy = &at
	}
	l.Target = change(l.Target, at, t.To != absent, t)
}

// change ends the span that lasts, and begins the next one if there is one.
func change(spans []report.Span, at float64, begins bool, t awssim.Transition) []report.Span {
	if n := len(spans); n > 0 && spans[n-1].To == nil {
		spans[n-1].To = &at
	}
	if !begins {
		return spans
	}
	return append(spans, report.Span{From: at, State: t.To, Reason: t.Reason})
}
