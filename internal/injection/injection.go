// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package injection decides which readiness gates and which preStop hooks a new pod gets,
// and explains why one got no gate. All of it but Lookup is pure: callers hand it the pod
// and what Lookup found in their caches. It refuses to guess against the user: when a binding's
// target type is not known, the pod is gated, because a gate that turns out needless is
// released later and a missing one cannot be added; and what the user wrote of a hook is
// never replaced.
package injection

import (
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/gate"
	"github.com/podgate/podgate/internal/index"
)

// Pod is what injection reads of a pod.
type Pod struct {
	// Labels of the pod.
	Labels map[string]string
	// Workload is what binding.Workload says of the pod; empty when it is not known, or nothing manages it.
	Workload string
	// Gates are the condition types in spec.readinessGates, in the pod's order.
	Gates []string
	// Created is when the pod was created; only Explain reads it.
	Created time.Time
	// Ports are those that containers declare which run while the pod serves.
	Ports []corev1.ContainerPort
	// Hooks are for draining.
	Hooks Hooks
	// Stated is what the pod's own manifest states.
	Stated Stated
	// Static: the pod mirrors one that a kubelet runs from a file, which nothing that the API server says changes.
	Static bool
}

// Stated is what of a pod its manifest states, where whoever wrote the manifest applies it to this very pod again. Next to
// nothing of a pod can change after its creation: if podgate changed what is stated, the second apply would be refused.
type Stated struct {
	// Applied: there is such a manifest.
	Applied bool
	// Gates: it has a list of readiness gates, which is applied as a whole. End: it states a grace period, as far as whoever
	// applies it is concerned, or that a container has no preStop hook.
	Gates, End bool
}

// Or is what either states.
func (s Stated) Or(other Stated) Stated {
	return Stated{Applied: s.Applied || other.Applied, Gates: s.Gates || other.Gates, End: s.End || other.End}
}

// OptedOut reports whether the pod's label keeps podgate away from it.
func (p Pod) OptedOut() bool { return p.Labels[v1alpha1.InjectLabel] == v1alpha1.InjectDisabled }

// target is what of the pod decides whether it may become a target.
func (p Pod) target() binding.Candidate {
	return binding.Candidate{Labels: p.Labels, OfJob: p.Hooks.OfJob, Ports: p.Ports}
}

// Candidates are what may give a pod a gate: Services of its namespace with the bindings that refer to
// them, and the ReadinessGates there.
type Candidates struct {
	Services []corev1.Service
	Bindings []*binding.Binding
	// ReadinessGates are those of the pod's namespace.
	ReadinessGates []v1alpha1.ReadinessGate
	// Serves reports whether podgate opens the gates of a binding; nil when it opens those of all.
	Serves func(*binding.Binding) bool
	// Kinds are the kinds of gates that pods get; those of package injection when nil.
	Kinds []Kind
	// Asked reports whether anybody asks for the gate of a condition type; nil when all are asked for.
	Asked func(conditionType string) bool

	// leavesOut are the bindings whose Services select the pod to serve others.
	leavesOut []*binding.Binding
}

// Kind is what injection asks of a kind of gates. Package gates has all of them.
type Kind interface {
	// Owns reports whether a condition type is a gate of the kind.
	Owns(conditionType string) bool
	// Wanted returns the condition types of the kind's gates that a new pod should have, each
	// with its cause. It asks nobody.
	Wanted(Pod, Candidates) map[string]Cause
}

// Cause is for whose sake a pod should have a gate: a binding, or a ReadinessGate.
type Cause struct {
	Binding *binding.Binding
	Gate    *v1alpha1.ReadinessGate
}

func (c Candidates) kinds() []Kind {
	if c.Kinds == nil {
		return []Kind{OfBindings{}, OfLoadBalancers{}, OfChecks{}, OfLegacy{}}
	}
	return c.Kinds
}

// owns reports whether a condition type is a gate of any kind.
func (c Candidates) owns(conditionType string) bool {
	return slices.ContainsFunc(c.kinds(), func(k Kind) bool { return k.Owns(conditionType) })
}

// asked reports whether a gate that a pod should have is asked for.
func (c Candidates) asked(conditionType string) bool { return c.Asked == nil || c.Asked(conditionType) }

// service finds the Service that a binding refers to; nil when it is not there.
func (c Candidates) service(b *binding.Binding) *corev1.Service {
	i := slices.IndexFunc(c.Services, func(s corev1.Service) bool { return s.Name == b.ServiceRef.Name })
	if i < 0 {
		return nil
	}
	return &c.Services[i]
}

// selects reports whether a binding's Service selects the pod, whatever the group's targets are.
func (c Candidates) selects(pod Pod, b *binding.Binding) bool {
	svc := c.service(b)
	return svc != nil && index.Selects(svc, pod.Labels)
}

func (c Candidates) serves(b *binding.Binding) bool { return c.Serves == nil || c.Serves(b) }

// claims reports whether podgate makes a target of the pod for a binding.
func (c Candidates) claims(pod Pod, b *binding.Binding) bool {
	return b.DeletionTimestamp.IsZero() && c.serves(b) && c.mayTake(pod, b)
}

// mayTake reports whether the pod may become a target of a binding.
func (c Candidates) mayTake(pod Pod, b *binding.Binding) bool {
	return !slices.Contains(c.leavesOut, b) && binding.Claims(pod.target(), c.service(b), b.Group(), b.ServiceRef) == gate.Claimed
}

// lacksPort reports whether the pod has no port of the name that a binding's Service looks for. Of a
// pod that nothing manages it is not known whether it should.
func (c Candidates) lacksPort(pod Pod, b *binding.Binding) bool {
	svc := c.service(b)
	return pod.Workload != "" && svc != nil && !b.Group().NotOfPods() && binding.LacksPort(pod.Ports, svc, b.Group(), b.ServiceRef)
}

// Claiming are the bindings that make targets of the pod.
func (c Candidates) Claiming(pod Pod) []*binding.Binding {
	var claiming []*binding.Binding
	for _, b := range c.Bindings {
		if c.claims(pod, b) {
			claiming = append(claiming, b)
		}
	}
	return claiming
}

// Plan is what changes in a pod's list of readiness gates. Its zero value changes nothing.
type Plan struct {
	// Add lists the condition types to append, sorted, none of which the pod has.
	Add []string
	// Remove lists the positions in Pod.Gates of the legacy gates to remove, ascending.
	Remove []int
	// LeftOut: there would be more to do, which the pod's manifest forbids.
	LeftOut bool
}

// Empty reports whether the plan changes no gate.
func (p Plan) Empty() bool { return len(p.Add) == 0 && len(p.Remove) == 0 }

// Gates plans a pod's gates: those that each kind wants it to have. Legacy gates go only when a gate takes their place. Every other gate stays
// where it is, and planning again after the plan was applied changes nothing.
func Gates(pod Pod, c Candidates) Plan {
	if pod.OptedOut() || pod.Static {
		return Plan{}
	}

	wanted := wanted(pod, c)
	maps.DeleteFunc(wanted, func(g string, _ Cause) bool { return !c.asked(g) })
	if len(wanted) == 0 {
		return Plan{}
	}

	// A gate that several bindings share asks another load balancer than a legacy gate does, and checks ask none.
	replaces := false
	for g, cause := range wanted {
		replaces = replaces || cause.Binding != nil && !binding.SharedGate(g)
	}

	var plan Plan
	for i, g := range pod.Gates {
		delete(wanted, g)
		if replaces && strings.HasPrefix(g, elbv2.LegacyGatePrefix) {
			plan.Remove = append(plan.Remove, i)
		}
	}

	plan.Add = slices.Sorted(maps.Keys(wanted))
	if pod.Stated.Gates && !plan.Empty() {
		return Plan{LeftOut: true}
	}

	return plan
}

// wanted are the condition types of the gates that the pod should have, each with its cause.
func wanted(pod Pod, c Candidates) map[string]Cause {
	wanted := map[string]Cause{}
	for _, k := range c.kinds() {
		maps.Copy(wanted, k.Wanted(pod, c))
	}
	return wanted
}

// OfBindings is the kind of gates of which every binding has one.
type OfBindings struct{}

// Owns implements Kind.
func (OfBindings) Owns(conditionType string) bool {
	_, owned := binding.OfGate(conditionType)
	return owned
}

// Wanted implements Kind: one gate for every binding of ip targets whose Service selects the pod,
// unless it shares one with others.
func (OfBindings) Wanted(pod Pod, c Candidates) map[string]Cause {
	wanted := map[string]Cause{}
	var byGate []*binding.Binding
	for _, b := range c.Claiming(pod) {
		switch {
		case b.NameTooLong() || b.SharesGate():
		case b.Wake == v1alpha1.WakeGate:
			byGate = append(byGate, b)
		default:
			wanted[b.Gate()] = Cause{Binding: b}
		}
	}

	// AWS Load Balancer Controller registers the targets of these and wakes for pods that carry
	// its own gate of the group: without that one, this gate might never open.
	for _, b := range byGate {
		if wakesLBC(pod, c, b.Group(), wanted) {
			wanted[b.Gate()] = Cause{Binding: b}
		}
	}

	return wanted
}

// wakesLBC reports whether the pod has, or is to have, the gate for which AWS Load
// Balancer Controller looks at a group: that of a TargetGroupBinding of it, whoever
// injects it. That podgate does not serve the binding is as it should be.
func wakesLBC(pod Pod, c Candidates, group balancer.Group, wanted map[string]Cause) bool {
	return slices.ContainsFunc(c.Bindings, func(b *binding.Binding) bool {
		if !b.OfLBC || !b.DeletionTimestamp.IsZero() || !c.mayTake(pod, b) {
			return false
		}
		g := b.Gate()
		return elbv2.SameGroup(named(b.Group()), named(group)) && (wanted[g].Binding != nil || slices.Contains(pod.Gates, g))
	})
}

// named is a group by its identifier, or else by its name.
func named(g balancer.Group) string {
	if g.Ref.Group != "" {
		return g.Ref.Group
	}
	return g.Name
}
