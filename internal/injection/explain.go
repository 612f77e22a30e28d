// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package injection

import (
	"maps"
	"slices"
	"strings"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/gate"
	"github.com/podgate/podgate/internal/index"
)

// Finding says why a pod lacks gates. Its zero value finds nothing amiss.
type Finding struct {
	// Reason is one of those that package v1alpha1 explains in the place OnNoGate.
	Reason string
	// Missing lists the condition types that the pod should have in its list and does
	// not, sorted. It is empty when there is no gate for the pod, as the reason says.
	Missing []string
	// Service, Binding and Gate, a ReadinessGate, are those that the reason is about; empty when it is about none.
	Service, Binding, Gate string
	// Since is when the youngest was created of the pod and what should have gated it.
	Since time.Time
	// Tied: Service or binding is of the pod's very second, so their times do not tell which came first.
	Tied bool
}

// Empty reports whether nothing is amiss.
func (f Finding) Empty() bool { return f.Reason == "" }

// Explain returns why a pod lacks gates. A pod that opted out lacks nothing, one that has a
// gate of a binding lacks only those that it should have beside it, and none lacks a gate that
// is not asked for.
func Explain(pod Pod, c Candidates) Finding {
	if pod.OptedOut() {
		return Finding{}
	}

	missing, gated := wanted(pod, c), false

	// Without the port it is no target. When it was created other pods may have been there that had the port.
	maps.DeleteFunc(missing, func(_ string, cause Cause) bool { return cause.Binding != nil && c.lacksPort(pod, cause.Binding) })

	// A legacy gate that asks the same load balancer is as good, and stands in for no other.
	legacy := OfLegacy{}
	for g, cause := range missing {
		if cause.Binding != nil && legacy.asks(pod, cause.Binding) {
			delete(missing, g)
			gated = true
		}
	}

	for _, g := range pod.Gates {
		delete(missing, g)
		gated = gated || c.owns(g) && !legacy.Owns(g)
	}

	// Nobody expects a gate that nobody asks for.
	for g := range missing {
		if !c.asked(g) {
			delete(missing, g)
			gated = true
		}
	}

	switch {
	case len(missing) > 0:
		return lacks(pod, c, missing)
	case gated || notTarget(pod, c):
		return Finding{}
	}

	return needsNone(pod, c)
}

// lacks returns why the first of the missing gates was not added.
func lacks(pod Pod, c Candidates, missing map[string]Cause) Finding {
	f := Finding{Reason: v1alpha1.ReasonNotInjected, Missing: slices.Sorted(maps.Keys(missing)), Since: pod.Created}
	cause := missing[f.Missing[0]]
	reason, since := c.name(cause, pod.Created, &f)

	switch {
	case pod.Static:
		f.Reason, f.Missing = v1alpha1.ReasonStaticPod, nil
	case pod.Stated.Gates:
		f.Reason = v1alpha1.ReasonGatesStated
	case reason != "":
		f.Reason, f.Since, f.Tied = reason, since, since.Equal(pod.Created)
	}

	return f
}

// name writes into a finding which objects are the cause of a gate. Where one of them was not there before the pod, it
// returns the reason that says so, and since when that one is there.
func (c Candidates) name(cause Cause, created time.Time, f *Finding) (reason string, since time.Time) {
	later := func(o client.Object) bool { return !o.GetCreationTimestamp().Time.Before(created) }
	if g := cause.Gate; g != nil {
		f.Gate = g.Name
		if later(g) {
			return v1alpha1.ReasonReadinessGateCreatedLater, g.CreationTimestamp.Time
		}
		return "", since
	}

	b := cause.Binding
	svc := c.service(b) // It selects the pod, or the gate would not be missing.
	f.Service, f.Binding = svc.Name, b.Key().Name
	switch {
	case !b.CreationTimestamp.Time.Before(created):
		return v1alpha1.ReasonBindingCreatedLater, b.CreationTimestamp.Time
	case later(svc):
		return v1alpha1.ReasonServiceCreatedLater, svc.CreationTimestamp.Time
	}

	return "", since
}

// notTarget reports whether a binding's Service selects the pod without serving it: nothing is
// amiss then.
func notTarget(pod Pod, c Candidates) bool {
	return slices.ContainsFunc(c.Bindings, func(b *binding.Binding) bool {
		return c.serves(b) && c.selects(pod, b) && (c.lacksPort(pod, b) || binding.Claims(pod.target(), c.service(b), b.Group(), b.ServiceRef) == gate.NotTarget)
	})
}

// needsNone returns why there is no gate for the pod.
func needsNone(pod Pod, c Candidates) Finding {
	f := Finding{Reason: v1alpha1.ReasonNoService, Since: pod.Created}
	var services []string
	for i := range c.Services {
		if s := &c.Services[i]; index.Selects(s, pod.Labels) {
			services = append(services, s.Name)
		}
	}

	if len(services) > 0 {
		f.Reason, f.Service = v1alpha1.ReasonNoBinding, slices.Min(services)
	}

	others := slices.DeleteFunc(slices.Clone(c.Bindings), func(b *binding.Binding) bool { return !c.selects(pod, b) })
	if len(others) > 0 {
		b := slices.MinFunc(others, c.saysMore)
		f.Reason, f.Service, f.Binding = c.gatesNot(b), b.ServiceRef.Name, b.Key().Name
	}

	return f
}

// saysMore orders bindings by how well they say why there is no gate: one that podgate leaves
// alone says least, and else the first by name is taken.
func (c Candidates) saysMore(a, b *binding.Binding) int {
	switch served := c.serves(a); {
	case served == c.serves(b):
		return strings.Compare(a.Key().Name, b.Key().Name)
	case served:
		return -1
	}
	return 1
}

// gatesNot is why a binding's pods get no gate of it.
func (c Candidates) gatesNot(b *binding.Binding) string {
	switch {
	case !c.serves(b):
		return v1alpha1.ReasonBindingNotServed
	case !b.DeletionTimestamp.IsZero():
		return v1alpha1.ReasonBindingDeleting
	case b.Group().NotOfPods():
		return v1alpha1.ReasonInstanceTargets
	case b.Wake == v1alpha1.WakeGate:
		return v1alpha1.ReasonNoGateOfLBC
	}
	return v1alpha1.ReasonNameTooLong
}
