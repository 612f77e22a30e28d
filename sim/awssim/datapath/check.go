// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package datapath

import (
	"time"

	"github.com/podgate/podgate/sim/awssim/clock"
	"github.com/podgate/podgate/sim/awssim/health"
)

// Check runs a target's health checks, one after the other. Before each, next says what it is and how long after it the one
// after that begins, or that there is none; judge takes what came of it. Both get the lock.
func Check(c *clock.Clock, next func() (p Probe, interval time.Duration, goes bool), judge func(failure *health.Health)) {
	for {
		c.Lock()
		p, interval, goes := next()
		c.Unlock()
		if !goes {
			return
		}

		began := time.Now()
		failure := p.Run(c.Context())

		c.Lock()
		if c.Context().Err() == nil {
			judge(failure)
		}
		c.Unlock()

		// How long a target takes to answer does not move the next check.
		if !c.Sleep(c.Context(), c.Scaled(interval)-time.Since(began)) {
			return
		}
	}
}
