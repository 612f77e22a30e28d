// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package injection

import (
	"maps"
	"slices"
	"time"

	"github.com/podgate/podgate/api/gates"
	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/index"
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

// Explain returns why a pod lacks gates. A pod that opted out lacks nothing, and one that
// has a gate of a binding lacks only those that it should have beside it.
func Explain(pod Pod, c Candidates) Finding {
	if pod.OptedOut() {
		return Finding{}
	}

	missing, gated := wanted(pod, c), false
	for _, g := range pod.Gates {
		delete(missing, g)
		_, known := gates.Binding(g)
		gated = gated || known
	}

	switch {
	case len(missing) > 0:
		return lacks(pod, c, missing)
	case gated:
		return Finding{}
	}

	return needsNone(pod, c)
}

// lacks returns why the first of the missing gates was not added.
func lacks(pod Pod, c Candidates, missing map[string]*binding.Binding) Finding {
	f := Finding{Reason: ReasonNotInjected, Missing: slices.Sorted(maps.Keys(missing)), Since: pod.Created}
	b := missing[f.Missing[0]]
	svc := c.service(b) // It selects the pod, or the gate would not be missing.
	f.Service, f.Binding = svc.Name, b.Key().Name

	switch {
	case !b.CreationTimestamp.Time.Before(pod.Created):
		f.Reason, f.Since = ReasonBindingLater, b.CreationTimestamp.Time
	case !svc.CreationTimestamp.Time.Before(pod.Created):
		f.Reason, f.Since = ReasonServiceLater, svc.CreationTimestamp.Time
	}

	f.Tied = f.Reason != ReasonNotInjected && f.Since.Equal(pod.Created)
	return f
}

// needsNone returns why there is no gate for the pod.
func needsNone(pod Pod, c Candidates) Finding {
	f := Finding{Reason: ReasonNoService, Since: pod.Created}
	for i := range c.Services {
		if s := &c.Services[i]; index.Selects(s, pod.Labels) && (f.Service == "" || s.Name < f.Service) {
			f.Reason, f.Service = ReasonNoBinding, s.Name
		}
	}

	for _, b := range c.Bindings {
		if c.selects(pod, b) && (f.Binding == "" || c.saysMore(b, f)) {
			f.Reason, f.Service, f.Binding = c.gatesNot(b), b.ServiceRef.Name, b.Key().Name
		}
	}

	return f
}

// saysMore reports whether a binding says better than the finding why there is no gate: one
// that podgate leaves alone says least, and else the first by name is taken.
func (c Candidates) saysMore(b *binding.Binding, f Finding) bool {
	if served := c.serves(b); served != (f.Reason != ReasonBindingUnserved) {
		return served
	}
	return b.Key().Name < f.Binding
}

// gatesNot is why a binding's pods get no gate of it.
func (c Candidates) gatesNot(b *binding.Binding) Reason {
	switch {
	case !c.serves(b):
		return ReasonBindingUnserved
	case !b.DeletionTimestamp.IsZero():
		return ReasonBindingDeleting
	case b.Group().NotOfPods():
		return ReasonInstanceTargets
	case b.Wake == v1alpha1.WakeGate:
		return ReasonNoGateOfLBC
	}
	return ReasonNameTooLong
}
