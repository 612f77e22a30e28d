// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package gate

import "github.com/podgate/podgate/api/v1alpha1"

// words are how a gate speaks of what it waits for.
type words struct {
	// owner is the object whose policy it is.
	owner string
	// unclaimed says that there is no such object for the pod, and released that the gate was opened for that.
	unclaimed, released string
	// unobserved is the condition while nothing was heard of the pod, and unread while what was heard may be of before
	// it could count.
	unobserved, unread Condition
	// asked is what is asked again when a gate closes.
	asked string
	// unhealthy and failing say that what is asked does not say healthy, and that it says the contrary.
	unhealthy, failing string
}

// ofTarget are the words for a target in a load balancer's group, and ofChecks those for the checks of a ReadinessGate.
var (
	ofTarget = words{
		owner:      "binding",
		unclaimed:  "No binding of this gate has a Service that selects this pod",
		released:   "No binding claims this gate",
		unobserved: Condition{StatusUnknown, v1alpha1.ReasonNotObserved, "The target group has not been read since the pod got its address."},
		unread:     Condition{StatusUnknown, v1alpha1.ReasonNotObserved, "The target group has not been read since the pod could become a target."},
		asked:      "the load balancer",
		unhealthy:  "the load balancer does not call the target healthy",
		failing:    "The target fails its health checks",
	}
	ofChecks = words{
		owner:      "ReadinessGate",
		unclaimed:  "There is no ReadinessGate of this gate",
		released:   "There is no ReadinessGate of this gate",
		unobserved: Condition{StatusUnknown, v1alpha1.ReasonCheckWaiting, "The checks have not been answered yet."},
		unread:     Condition{StatusUnknown, v1alpha1.ReasonCheckWaiting, "The checks have not been answered yet."},
		asked:      "the pod",
		unhealthy:  "the checks have not passed",
		failing:    "The checks fail",
	}
)

// words are those for what the feed is of.
func (f Feed) words() words {
	if f.Checks {
		return ofChecks
	}
	return ofTarget
}
