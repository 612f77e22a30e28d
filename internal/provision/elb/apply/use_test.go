// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"testing"

	"github.com/podgate/podgate/internal/provision/elb"
)

// TestLaw14HealthOfWhatNothingNames: a group that nothing names for a moment has to be checked anew, so what was read of its
// health does not hold any more.
func TestLaw14HealthOfWhatNothingNames(t *testing.T) {
	healthy := elb.Health{Registered: 1, Healthy: 1}
	seen := elb.Observed{
		LoadBalancers: []elb.ObservedLoadBalancer{{ARN: "lb", Listeners: []elb.ObservedListener{{Listener: elb.Listener{Default: elb.Action{Forward: []elb.Forward{{Group: "named"}}}}}}}},
		TargetGroups:  []elb.ObservedTargetGroup{{ARN: "named", LoadBalancer: "lb", Health: &healthy}, {ARN: "dropped", LoadBalancer: "lb", Health: &healthy}},
	}
	use(&seen)
	if seen.TargetGroups[0].Health == nil || seen.TargetGroups[1].Health != nil {
		t.Errorf("got %+v", seen.TargetGroups)
	}
}
