// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package drain

import (
	"time"

	"github.com/podgate/podgate/api/v1alpha1"
)

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
}

// SettingsOf reads a binding's policies. What cannot be used does not count; package binding
// reports it.
func SettingsOf(policies map[string]string) Settings {
	s := Settings{
		Recommended: policies[v1alpha1.DrainTimeAnnotation] == Recommended,
		AtTaint:     policies[v1alpha1.DrainAtAnnotation] == string(v1alpha1.DrainAtTaint),
		Adaptive:    policies[v1alpha1.DrainModeAnnotation] == v1alpha1.DrainAdaptive,
	}
	if d, err := Parse(policies[v1alpha1.DrainTimeAnnotation]); err == nil {
		s.Time = d
	}
	return s
}

// Routing returns for how long a target group of a protocol may still begin requests at a
// target that says draining. An owner who has pods serve on for longer than that takes has
// reason to: what exceeds the requests in flight is the data path's.
func (s Settings) Routing(protocol string, deregistrationDelay time.Duration) time.Duration {
	n := group(protocol, deregistrationDelay)
	if s.Time == 0 {
		return n.Routing
	}
	return max(n.Routing, s.Time-Deregister-n.InFlight)
}
