// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"strings"
	"time"

	"github.com/podgate/podgate/sim/awssim"
)

// mark is the sequence number of what the simulator recorded last.
func (w *world) mark(ctx context.Context) (int64, error) {
	calls, err := w.sim.Calls(ctx, w.marked)
	if err != nil {
		return 0, err
	}

	transitions, err := w.sim.Transitions(ctx, w.marked)
	if err != nil {
		return 0, err
	}

	if n := len(calls); n > 0 {
		w.marked = max(w.marked, calls[n-1].Seq)
	}

	if n := len(transitions); n > 0 {
		w.marked = max(w.marked, transitions[n-1].Seq)
	}

	return w.marked, nil
}

// calls are the controller's own since a mark.
func (w *world) calls(ctx context.Context, since int64) ([]awssim.Call, error) {
	all, err := w.sim.Calls(ctx, since)
	if err != nil {
		return nil, err
	}
	var own []awssim.Call
	for _, c := range all {
		if c.AccessKeyID == controllerKey {
			own = append(own, c)
		}
	}
	return own, nil
}

// times are those of the calls that want picks.
func times(calls []awssim.Call, want func(awssim.Call) bool) []time.Time {
	var all []time.Time
	for _, c := range calls {
		if want(c) {
			all = append(all, c.Time)
		}
	}
	return all
}

func operation(name string) func(awssim.Call) bool {
	return func(c awssim.Call) bool { return c.Operation == name }
}

func describes(c awssim.Call) bool { return strings.HasPrefix(c.Operation, "Describe") }

func throttled(c awssim.Call) bool { return c.ErrorCode == "Throttling" }

// key names a target of any group.
type key struct {
	arn    string
	target awssim.Target
}

func (p *pod) key() key { return key{p.group.arn, *p.target()} }

// firstCalls gives when each target was first in a call of an operation that succeeded.
func firstCalls(calls []awssim.Call, op string) map[key]time.Time {
	at := map[key]time.Time{}
	for _, c := range calls {
		if c.Operation != op || c.HTTPStatus != 200 {
			continue
		}
		for _, t := range c.Targets {
			k := key{c.TargetGroupARN, t}
			if _, ok := at[k]; !ok {
				at[k] = c.Time
			}
		}
	}

	return at
}

// healthyAt gives when each target first was healthy in the API.
func (w *world) healthyAt(ctx context.Context, since int64) (map[key]time.Time, error) {
	all, err := w.sim.Transitions(ctx, since)
	if err != nil {
		return nil, err
	}
	at := map[key]time.Time{}
	for _, t := range all {
		k := key{t.TargetGroupARN, t.Target}
		if _, ok := at[k]; !ok && t.Clock == awssim.ClockAPI && t.To == "healthy" {
			at[k] = t.Time
		}
	}
	return at, nil
}
