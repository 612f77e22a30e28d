// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package injection

import (
	"maps"
	"slices"
	"time"

	"github.com/podgate/podgate/api/gates"
)

// Reason is why a pod lacks a gate.
type Reason string

// The reasons for which a pod lacks a gate that it should carry.
const (
	// ReasonBindingLater: the binding is not older than the pod.
	ReasonBindingLater Reason = "BindingCreatedLater"
	// ReasonServiceLater: the binding's Service is not older than the pod.
	ReasonServiceLater Reason = "ServiceCreatedLater"
	// ReasonNotInjected: both are older. The webhook was not asked or did not answer, or
	// one of the two was changed since.
	ReasonNotInjected Reason = "NotInjected"
)

// The reasons for which there is no gate to carry.
const (
	// ReasonNoService: no Service selects the pod.
	ReasonNoService Reason = "NoService"
	// ReasonNoBinding: no binding refers to a Service that does.
	ReasonNoBinding Reason = "NoBinding"
	// ReasonBindingDeleting: the binding is being deleted.
	ReasonBindingDeleting Reason = "BindingDeleting"
	// ReasonBindingUnserved: podgate is told to leave the binding alone.
	ReasonBindingUnserved Reason = "BindingNotServed"
	// ReasonInstanceTargets: the group's targets are nodes, or something else that is no pod.
	ReasonInstanceTargets Reason = "InstanceTargets"
	// ReasonNoGateOfLBC: AWS Load Balancer Controller registers the binding's targets, and
	// would never hear that a pod waits that has no gate of that controller's for the group.
	ReasonNoGateOfLBC Reason = "NoGateOfLBC"
	// ReasonNameTooLong: the binding's name makes no condition type.
	ReasonNameTooLong Reason = "NameTooLong"
)

// Finding says why a pod lacks gates. Its zero value finds nothing amiss.
type Finding struct {
	Reason Reason
	// Missing lists the condition types that the pod should have in its list and does
	// not, sorted. It is empty when there is no gate for the pod, as the reason says.
	Missing []string
	// Service and Binding are those that the reason is about; empty when it is about none.
	Service, Binding string
	// Since is when the youngest was created of the pod and what should have gated it.
	Since time.Time
	// Tied: Service or binding is of the pod's very second, so their times do not tell which came first.
	Tied bool
}

// Empty reports whether nothing is amiss.
func (f Finding) Empty() bool { return f.Reason == "" }

// Explain tells why a pod lacks gates. A pod that opted out lacks nothing, and one that
// has a gate of a binding lacks only those that it should have beside it.
func Explain(pod Pod, services []Service, bindings []Binding) Finding {
	if pod.OptedOut() {
		return Finding{}
	}

	missing, gated := wanted(pod, services, bindings), false
	for _, gate := range pod.Gates {
		delete(missing, gate)
		_, own := gates.Binding(gate)
		gated = gated || own
	}

	switch {
	case len(missing) > 0:
		return lacks(pod, services, bindings, slices.Sorted(maps.Keys(missing)))
	case gated:
		return Finding{}
	}

	return needsNone(pod, services, bindings)
}

// lacks tells why the first of the missing gates was not added.
func lacks(pod Pod, services []Service, bindings []Binding, missing []string) Finding {
	f := Finding{Reason: ReasonNotInjected, Missing: missing, Since: pod.Created}
	f.Binding, _ = gates.Binding(missing[0])
	b := bindings[slices.IndexFunc(bindings, func(b Binding) bool { return b.Name == f.Binding })]
	s := services[slices.IndexFunc(services, func(s Service) bool { return s.Name == b.Service })]
	f.Service = s.Name
	switch {
	case !b.Created.Before(pod.Created):
		f.Reason, f.Since = ReasonBindingLater, b.Created
	case !s.Created.Before(pod.Created):
		f.Reason, f.Since = ReasonServiceLater, s.Created
	}

	f.Tied = f.Reason != ReasonNotInjected && f.Since.Equal(pod.Created)
	return f
}

// needsNone tells why there is no gate for the pod.
func needsNone(pod Pod, services []Service, bindings []Binding) Finding {
	f := Finding{Reason: ReasonNoService, Since: pod.Created}
	for _, s := range services {
		if s.Selects(pod.Labels) && (f.Service == "" || s.Name < f.Service) {
			f.Reason, f.Service = ReasonNoBinding, s.Name
		}
	}

	for _, b := range bindings {
		selects := slices.ContainsFunc(services, func(s Service) bool { return s.Name == b.Service && s.Selects(pod.Labels) })
		if selects && (f.Binding == "" || tellsMore(b, f)) {
			f.Reason, f.Service, f.Binding = b.gatesNot(), b.Service, b.Name
		}
	}

	return f
}

// tellsMore reports whether a binding says better than the finding why there is no gate: one
// that podgate leaves alone says least, and else the first by name is taken.
func tellsMore(b Binding, f Finding) bool {
	if least := f.Reason == ReasonBindingUnserved; least != b.Unserved {
		return least
	}
	return b.Name < f.Binding
}

// gatesNot is why the binding's pods get no gate of it.
func (b Binding) gatesNot() Reason {
	switch {
	case b.Unserved:
		return ReasonBindingUnserved
	case b.Deleting:
		return ReasonBindingDeleting
	case b.notOfPods():
		return ReasonInstanceTargets
	case b.BesideLBC:
		return ReasonNoGateOfLBC
	}
	return ReasonNameTooLong
}
