// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package drain

import (
	"time"

	"github.com/podgate/podgate/api/v1alpha1"
)

// Adaptive tells whether a binding's owner asks for hooks that end as soon as the pod is
// drained.
func Adaptive(annotations map[string]string) bool {
	return annotations[v1alpha1.DrainModeAnnotation] == v1alpha1.DrainAdaptive
}

// Routing is for how long a target group of a protocol may still begin requests at a target
// that says draining. An owner who has pods serve on for longer than that takes has reason
// to: what exceeds the requests in flight is the data path's.
func Routing(annotations map[string]string, protocol string, deregistrationDelay time.Duration) time.Duration {
	n := group(protocol, deregistrationDelay)
	d, err := Parse(annotations[v1alpha1.DrainTimeAnnotation])
	if err != nil {
		return n.Routing
	}
	return max(n.Routing, d-Deregister-n.InFlight)
}
