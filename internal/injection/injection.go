// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package injection decides which readiness gates and which preStop hooks a new pod gets,
// and explains why one got no gate. All of it is pure: callers hand it the pod and what
// Lookup found in their caches. It refuses to guess against the user: when a binding's
// target type is not known, the pod is gated, because a gate that turns out needless is
// released later and a missing one cannot be added; and what the user wrote of a hook is
// never replaced.
package injection

import (
	"maps"
	"slices"
	"strings"
	"time"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/gates"
	"github.com/podgate/podgate/api/v1alpha1"
)

// Pod is what injection reads of a pod.
type Pod struct {
	// Labels of the pod.
	Labels map[string]string
	// Gates are the condition types in spec.readinessGates, in the pod's order.
	Gates []string
	// Created is when the pod was created; only Explain reads it.
	Created time.Time
	// Hooks are for draining.
	Hooks Hooks
}

// OptedOut reports whether the pod's label keeps podgate away from it.
func (p Pod) OptedOut() bool { return p.Labels[v1alpha1.InjectLabel] == v1alpha1.InjectDisabled }

// Service is what injection reads of a Service in the pod's namespace.
type Service struct {
	// Name of the Service.
	Name string
	// Selector of the Service. An empty one selects no pod.
	Selector map[string]string
	// Created is when the Service was created; only Explain reads it.
	Created time.Time
}

// Selects reports whether the Service's selector matches a pod's labels.
func (s Service) Selects(labels map[string]string) bool {
	if len(s.Selector) == 0 {
		return false
	}
	for k, v := range s.Selector {
		if have, ok := labels[k]; !ok || have != v {
			return false
		}
	}
	return true
}

// Binding is what injection reads of a TargetGroupBinding in the pod's namespace.
type Binding struct {
	// Name of the binding, as package gates knows it.
	Name string
	// Service that the binding refers to.
	Service string
	// TargetType of the group; empty when neither the manifest nor the leader has said it yet.
	TargetType elbv2.TargetType
	// Group is the target group by its ARN or its name, as far as is known; only of ELBv2.
	Group string
	// BesideLBC: AWS Load Balancer Controller registers the targets. It wakes for pods that
	// carry its gate of the group, so without that one this gate might never open.
	BesideLBC bool
	// Deleting says that the binding has a deletion timestamp.
	Deleting bool
	// Unserved says that podgate is told to leave the binding alone: it would not open its gate.
	Unserved bool
	// Created is when the binding was created; only Explain reads it.
	Created time.Time
	// Drain is how long the binding's pods serve on after their deletion has begun.
	Drain time.Duration
	// Adaptive: they may end earlier, when they are drained.
	Adaptive bool
}

// targets reports whether podgate makes targets of the pods of the binding's Service.
func (b Binding) targets() bool {
	return !b.Deleting && !b.Unserved && !b.notOfPods()
}

// notOfPods reports whether the group's targets are known not to be pods.
func (b Binding) notOfPods() bool { return b.TargetType != "" && b.TargetType != elbv2.TargetTypeIP }

// gates reports whether they get its gate, too.
func (b Binding) gates() bool {
	_, own := gates.Own(b.Name)
	return b.targets() && (own || len(b.Name) <= elbv2.MaxGateName)
}

// Plan is what changes in a pod's list of readiness gates. Its zero value changes nothing.
type Plan struct {
	// Add lists the condition types to append, sorted, none of which the pod has.
	Add []string
	// Remove lists the positions in Pod.Gates of the legacy gates to remove, ascending.
	Remove []int
}

// Empty reports whether the plan changes nothing.
func (p Plan) Empty() bool { return len(p.Add) == 0 && len(p.Remove) == 0 }

// Gates plans a pod's gates: one for every binding of ip targets whose Service selects
// the pod. Legacy gates go only when a gate takes their place. Every other gate stays
// where it is, and planning again after the plan was applied changes nothing.
func Gates(pod Pod, services []Service, bindings []Binding) Plan {
	if pod.OptedOut() {
		return Plan{}
	}

	wanted := wanted(pod, services, bindings)
	if len(wanted) == 0 {
		return Plan{}
	}

	var plan Plan
	for i, gate := range pod.Gates {
		delete(wanted, gate)
		if strings.HasPrefix(gate, elbv2.LegacyGatePrefix) {
			plan.Remove = append(plan.Remove, i)
		}
	}

	if len(wanted) > 0 {
		plan.Add = slices.Sorted(maps.Keys(wanted))
	}

	return plan
}

func wanted(pod Pod, services []Service, bindings []Binding) map[string]bool {
	wanted := map[string]bool{}
	var beside []Binding
	for _, b := range selecting(pod, services, bindings) {
		switch {
		case !b.gates():
		case b.BesideLBC:
			beside = append(beside, b)
		default:
			wanted[gates.Type(b.Name)] = true
		}
	}

	for _, b := range beside {
		if wakesLBC(pod, services, bindings, b.Group, wanted) {
			wanted[gates.Type(b.Name)] = true
		}
	}

	return wanted
}

// wakesLBC reports whether the pod has, or is to have, the gate for which AWS Load
// Balancer Controller looks at a group: that of a TargetGroupBinding of it, whoever
// injects it. That podgate does not serve the binding is as it should be.
func wakesLBC(pod Pod, services []Service, bindings []Binding, group string, wanted map[string]bool) bool {
	return slices.ContainsFunc(selecting(pod, services, bindings), func(b Binding) bool {
		gate := gates.Type(b.Name)
		return b.ofLBC() && elbv2.SameGroup(b.Group, group) && (wanted[gate] || slices.Contains(pod.Gates, gate))
	})
}

// ofLBC reports whether AWS Load Balancer Controller may serve the binding.
func (b Binding) ofLBC() bool {
	_, own := gates.Own(b.Name)
	return !own && !b.Deleting && !b.notOfPods()
}

// claiming are the bindings that make targets of the pod.
func claiming(pod Pod, services []Service, bindings []Binding) []Binding {
	return slices.DeleteFunc(selecting(pod, services, bindings), func(b Binding) bool { return !b.targets() })
}

// selecting are the bindings whose Service selects the pod.
func selecting(pod Pod, services []Service, bindings []Binding) []Binding {
	selects := map[string]bool{}
	for _, s := range services {
		if s.Selects(pod.Labels) {
			selects[s.Name] = true
		}
	}

	var selecting []Binding
	for _, b := range bindings {
		if selects[b.Service] {
			selecting = append(selecting, b)
		}
	}

	return selecting
}
