// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package injection

import (
	"fmt"
	"strings"
	"time"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/drain"
)

// Shortfall is by how much a pod ends before its load balancers let go of it. Its zero
// value says that it does not.
type Shortfall struct {
	// Binding is the one that needs longest, by the name of its key.
	Binding string
	// Need is how many seconds the pod has to serve on.
	Need int64
	// Stop is what the pod's manifest says.
	Stop drain.Stop
	// Hook and Grace are by how many seconds its shortest hook and its grace period are too short.
	Hook, Grace int64
}

// Empty reports whether nothing is too short.
func (s Shortfall) Empty() bool { return s.Hook == 0 && s.Grace == 0 }

// Short returns by how many seconds a pod's own hooks and grace period are too short for
// its bindings of ip targets. Pods that opted out of draining, and Jobs', are not judged;
// whether draining is asked for at all the caller knows. A pod without any hook is short by all of it.
func Short(pod Pod, stop drain.Stop, c Candidates) Shortfall {
	if pod.Labels[v1alpha1.DrainLabel] == v1alpha1.DrainDisabled || pod.Hooks.OfJob {
		return Shortfall{}
	}

	var slowest *binding.Binding
	var longest time.Duration
	for _, b := range c.Claiming(pod) {
		if d := b.DrainTime(); d > longest {
			slowest, longest = b, d
		}
	}

	if slowest == nil {
		return Shortfall{}
	}

	s := Shortfall{Binding: slowest.Key().Name, Need: ceil(longest), Stop: stop}
	s.Hook, s.Grace = stop.Short(longest)
	if s.Empty() {
		return Shortfall{}
	}

	return s
}

// String says what is too short, by how much, and what to set, for people.
func (s Shortfall) String() string {
	var said []string
	switch {
	case s.Hook > 0 && s.Stop.Hook == 0:
		said = append(said, fmt.Sprintf("Container %q has no preStop hook, and the load balancer may send the pod requests for %d s after its deletion: restart the pod, and podgate adds a hook that sleeps as long.", s.Stop.Container, s.Need))
	case s.Hook > 0:
		said = append(said, fmt.Sprintf("The preStop hook of container %q sleeps %d s, which is %d s too short: the load balancer may send the pod requests for %d s after its deletion. Make it sleep %d, or leave it out of the manifest, so that podgate adds one.", s.Stop.Container, s.Stop.Hook, s.Hook, s.Need, s.Need))
	}
	if s.Grace > 0 {
		said = append(said, fmt.Sprintf("terminationGracePeriodSeconds is %d, which is %d s too short: make it at least %d, plus the time that the application needs to stop.", s.Stop.Grace, s.Grace, s.Stop.Grace+s.Grace))
	}
	return strings.Join(said, " ")
}
