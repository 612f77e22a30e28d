// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package drain

import (
	"time"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
)

// Adaptive tells whether a binding's owner asks for hooks that end as soon as the pod is
// drained.
func Adaptive(annotations map[string]string) bool {
	return annotations[elbv2.DrainModeAnnotation] == elbv2.DrainAdaptive
}

// Routing is for how long a target group of a protocol may still begin requests at a target
// that says draining. An owner who has pods serve on for longer than that takes has reason
// to: what exceeds the requests in flight is the data path's.
func Routing(annotations map[string]string, protocol string, deregistrationDelay time.Duration) time.Duration {
	n := group(protocol, deregistrationDelay)
	d, err := Parse(annotations[elbv2.DrainTimeAnnotation])
	if err != nil {
		return n.Routing
	}
	return max(n.Routing, d-Deregister-n.InFlight)
}
