// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// scenario is one load and what is measured under it.
type scenario struct {
	name, load string
	// limit bounds the whole of it, preparation included.
	limit time.Duration
	// setup is what it needs of the world.
	setup setup
	run   func(ctx context.Context, w *world) ([]Measure, error)
}

// What the account allows: the buckets that the simulator has by default.
const (
	describeRate  = 50
	describeBurst = 50
)

func scenarios() []scenario {
	return []scenario{
		{name: "flip", load: "1,000 waiting pods in 20 groups, health comes at random", limit: 5 * time.Minute, run: flip},
		{name: "flip-wide", load: "1,000 waiting pods in 200 groups, 50 Describe calls a second", limit: 6 * time.Minute, run: flipWide},
		{name: "register", load: "500 pods become ready within 1 s in one group", limit: 3 * time.Minute, run: register},
		{name: "deregister", load: "500 pods deleted within 1 s", limit: 3 * time.Minute, run: deregister},
		{name: "rollout", load: "300 pods replaced, maxSurge 25 %, maxUnavailable 0", limit: 5 * time.Minute, run: rollout},
		{name: "steady", load: "10,000 pods in 1,000 groups, nothing happens", limit: 20 * time.Minute, setup: setup{throttleOff: true, unwatched: true}, run: steady},
		{name: "small", load: "10 pods in 1 group, nothing happens", limit: 10 * time.Minute, setup: setup{unwatched: true}, run: small},
		{name: "restart", load: "10,000 pods in 1,000 groups, 100 of them waiting, cold start", limit: 15 * time.Minute, setup: setup{throttleOff: true, unwatched: true}, run: restart},
		{name: "steady-wide", load: "100,000 pods in 5,000 groups: first reads, rest, and a cold start", limit: 45 * time.Minute, setup: setup{throttleOff: true, unwatched: true}, run: steadyWide},
		{name: "admission", load: "500 reviews a second over TLS, 1,000 Services and bindings", limit: 10 * time.Minute, setup: setup{throttleOff: true}, run: admission},
		{name: "checks", load: "1,000 waiting and 10,000 open pods of 20 ReadinessGates with http checks", limit: 10 * time.Minute, run: checks},
		{name: "ingress", load: "200 Ingresses in 20 groups; changes of one, then nothing happens", limit: 40 * time.Minute, run: routing},
	}
}

func names() []string {
	var all []string
	for _, s := range scenarios() {
		all = append(all, s.name)
	}
	return all
}

// choose gives the scenarios of a comma-separated list, in the bench's own order; all
// when it is empty.
func choose(list string) ([]scenario, error) {
	if list == "" {
		return scenarios(), nil
	}
	wanted := strings.Split(list, ",")
	for _, name := range wanted {
		if !slices.Contains(names(), name) {
			return nil, fmt.Errorf("no scenario %q: there are %s", name, strings.Join(names(), ", "))
		}
	}
	return slices.DeleteFunc(scenarios(), func(s scenario) bool { return !slices.Contains(wanted, s.name) }), nil
}

// result runs the scenario and gives what came of it, the error included.
func (s scenario) result(ctx context.Context, o options) Scenario {
	began := time.Now()
	measures, err := s.measure(ctx, o)
	r := Scenario{Name: s.name, Load: s.load, Measures: measures, Seconds: round(time.Since(began).Seconds())}
	if err != nil {
		r.Error = err.Error()
	}
	return r
}

// measure runs the scenario in a world of its own.
func (s scenario) measure(ctx context.Context, o options) (measures []Measure, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, s.limit, fmt.Errorf("it took longer than %s", s.limit))
	defer cancel()
	w, err := newWorld(ctx, o, s.setup)
	if err != nil {
		return nil, err
	}
	defer func() {
		if downErr := w.close(); err == nil {
			err = downErr
		}
	}()
	return s.run(ctx, w)
}
