// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package drain

import "time"

// Settings are what a binding's owner wants of how its pods drain. The zero value leaves all
// of it to podgate.
type Settings struct {
	// Time is how long pods serve on after their deletion has begun; zero when that is computed.
	Time time.Duration
	// Recommended: it follows what podgate recommends.
	Recommended bool
	// AtTaint: pods drain as soon as their node is to be removed, ahead of their deletion.
	AtTaint bool
	// Adaptive: preStop hooks end as soon as the pod is drained.
	Adaptive bool
	// LeaveIdle: they do not wait for connections on which nothing moves.
	LeaveIdle bool
}

// Routing returns for how long a group whose targets need n may still begin requests at a
// target that says draining. An owner who has pods serve on for longer than that takes has
// reason to: what exceeds the requests in flight is the data path's.
func (s Settings) Routing(n Need) time.Duration {
	if s.Time == 0 {
		return n.Routing
	}
	return max(n.Routing, s.Time-Deregister-n.InFlight)
}
