// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package env puts up what a rolling update is tried in: the simulated load balancer
// as a child process, a target group with a listener, the controller under test, and
// an application with its binding. The experiment and the end-to-end tests share it.
//
// It talks to a cluster that is there already and to the simulator that it started; it
// refuses to touch AWS, and it changes nothing in the controller's manifest but the
// environment of its containers, and only as it is told.
package env

import (
	"context"
	"fmt"
	"time"
)

// pollInterval is how often a state that is waited for is looked at.
const pollInterval = 100 * time.Millisecond

// poll calls check until it says yes, fails, or ctx ends; what is what is waited for.
func poll(ctx context.Context, what string, check func(context.Context) (bool, error)) error {
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()

	for {
		done, err := check(ctx)
		if done {
			return nil
		}
		if err != nil && ctx.Err() == nil {
			return fmt.Errorf("wait for %s: %w", what, err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("wait for %s: %w", what, context.Cause(ctx))
		}
	}
}
