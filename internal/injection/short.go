// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package injection

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/drain"
)

// Shortfall is by how much a pod ends before its load balancers let go of it. Its zero
// value says that it does not.
type Shortfall struct {
	// Binding is the one whose need is missed by most, by the name of its key.
	Binding string
	// Need is how many seconds the pod has to serve on.
	Need int64
	// Stop is what the pod's manifest says of the container that serves.
	Stop drain.Stop
	// Hook and Grace are by how many seconds its hook and its grace period are too short.
	Hook, Grace int64
	// Unsure: no ordinary container declares the target's port, and it depends on which one serves whether anything is too short.
	Unsure bool
	// Injected: the hook is one that podgate has added; AtOnce: the hook ends within a second; Stated: podgate adds no hook,
	// since the pod's manifest, which is applied again, states how it ends; Static: nor to a pod that a kubelet runs from a file.
	Injected, AtOnce, Stated, Static bool
	// Renewed is what is still too short of a pod that is created anew with podgate's hooks; nil when that is the same.
	Renewed *Shortfall
}

// Empty reports whether nothing is too short.
func (s Shortfall) Empty() bool { return s.Hook == 0 && s.Grace == 0 }

// leftAlone reports whether podgate would add no hook to another pod of the same manifest either.
func (s Shortfall) leftAlone() bool { return s.Stated || s.Static }

// Graceless reports whether the pod has no time to end, which keeps podgate from adding hooks that it would add else.
func (s Shortfall) Graceless() bool {
	return s.Stop.Grace <= 0 && s.Stop.Hook == 0 && !s.AtOnce && !s.leftAlone()
}

// ManifestOf is what the manifest of a pod says of its end.
func ManifestOf(pod *corev1.Pod) drain.Manifest {
	var original *int64
	if n, err := strconv.ParseInt(pod.Annotations[v1alpha1.GraceAnnotation], 10, 64); err == nil {
		original = &n
	}
	return drain.ManifestOf(&pod.Spec, original)
}

// Short returns by how many seconds a pod's own hooks and grace period are too short for
// its bindings of ip targets. Pods that opted out of draining, and Jobs', are not judged;
// whether draining is asked for at all the caller knows. A pod without any hook is short by all of it.
func Short(pod Pod, m drain.Manifest, c Candidates) Shortfall {
	if pod.Labels[v1alpha1.DrainLabel] == v1alpha1.DrainDisabled || pod.Hooks.OfJob {
		return Shortfall{}
	}

	s := short(pod, m, c)
	if s.Empty() {
		return s
	}

	if s.Stated, s.Static = pod.Stated.End, pod.Static; s.leftAlone() {
		return s
	}

	renewed := short(pod, m.Renewed(ceil(DrainTime(pod, c))), c)
	if renewed.Hook != s.Hook || renewed.Grace != s.Grace {
		s.Renewed = &renewed
	}

	return s
}

// short is by how much the binding is missed whose need is missed by most.
func short(pod Pod, m drain.Manifest, c Candidates) Shortfall {
	var worst Shortfall
	for _, b := range c.Claiming(pod) {
		ports := c.targetPorts(b)
		stop := m.Stop(ports...)
		s := Shortfall{Binding: b.Key().Name, Need: ceil(b.DrainTime()), Stop: stop, Unsure: !m.Sure(ports...)}
		s.Hook, s.Grace = stop.Short(b.DrainTime())
		if serving := m.Has(stop.Container); stop.Hook != drain.Unread {
			s.Injected, s.AtOnce = m.Injected(serving), serving.AtOnce
		}

		if !s.Empty() && s.worse(worst) {
			worst = s
		}
	}

	return worst
}

// worse reports whether this says better than another what a pod lacks: who misses more, or, with as much such as with a grace
// period that a long hook outlasts, who needs longer. Of equals it is the first by name, so that the text does not change.
func (s Shortfall) worse(than Shortfall) bool {
	return cmp.Or(
		cmp.Compare(s.Hook+s.Grace, than.Hook+than.Grace),
		cmp.Compare(s.Need, than.Need),
		strings.Compare(than.Binding, s.Binding),
	) > 0
}

// ServingStop is how the container ends that serves the binding which needs longest, and for how many seconds it sleeps at
// least before it does anything else.
func ServingStop(pod Pod, m drain.Manifest, c Candidates) (stop drain.Stop, least int64) {
	stop, least = m.Stop(), m.Least()
	longest := time.Duration(0)
	for _, b := range c.Claiming(pod) {
		if d := b.DrainTime(); d > longest {
			ports := c.targetPorts(b)
			stop, least, longest = m.Stop(ports...), m.Least(ports...), d
		}
	}
	return stop, least
}

// targetPorts is the port of the pods that a binding's targets have, by number or name; none where the Service lacks it.
func (c Candidates) targetPorts(b *binding.Binding) []intstr.IntOrString {
	svc := c.service(b)
	if svc == nil {
		return nil
	}

	port, ok := binding.ServicePort(svc, b.ServiceRef.Port, b.Group().Protocol)
	switch {
	case !ok:
		return nil
	case port.TargetPort == intstr.IntOrString{}:
		return []intstr.IntOrString{intstr.FromInt32(port.Port)}
	}

	return []intstr.IntOrString{port.TargetPort}
}

// String renders for people what is too short, and what to do where podgate adds hooks to new pods. What makes the pod says
// the latter in its own words: binding.Maker.
func (s Shortfall) String() string {
	if s.Empty() {
		return ""
	}
	return s.Problem() + " " + s.Fix()
}

// Problem says what is too short, and by how much.
func (s Shortfall) Problem() string {
	if s.Stop.Grace <= 0 {
		return "terminationGracePeriodSeconds is 0: Kubernetes then runs no preStop hook, podgate adds none, and requests are lost whenever a pod ends."
	}

	var said []string
	switch {
	case s.Stop.Hook == 0 && !s.AtOnce:
		said = append(said, fmt.Sprintf("Container %q has no preStop hook, and the load balancer may send the pod requests for %d s after its deletion.", s.Stop.Container, s.Need))
		if s.Renewed != nil && s.Renewed.Empty() {
			return s.doubted(said) // A new pod's grace period is another one.
		}
	case s.Hook > 0:
		said = append(said, fmt.Sprintf("The preStop hook of container %q sleeps %d s, which is %d s too short: the load balancer may send the pod requests for %d s after its deletion.", s.Stop.Container, s.Stop.Hook, s.Hook, s.Need))
	}

	if s.Grace > 0 {
		said = append(said, fmt.Sprintf("terminationGracePeriodSeconds is %d, which is %d s too short.", s.Stop.Grace, s.Grace))
	}

	return s.doubted(said)
}

// doubted says before what is found that it may not matter.
func (s Shortfall) doubted(said []string) string {
	if s.Unsure {
		said = append([]string{"No ordinary container declares the port of the target, so podgate cannot tell which one serves. If it is this one:"}, said...)
	}
	return strings.Join(said, " ")
}

// Fix says what to do where podgate adds hooks to new pods.
func (s Shortfall) Fix() string {
	switch {
	case s.Graceless():
		return "Set it to 1 or more in the pod template, or leave it out: podgate then adds a hook to new pods."
	case s.Unsure:
		return "Declare the port at the container that serves (ports.containerPort)."
	case s.Renewed != nil && s.Renewed.Empty():
		return fmt.Sprintf("podgate gives new pods a hook that sleeps %d s, and the grace period for it: %s.", s.Need, v1alpha1.RestartPods)
	case s.Renewed != nil:
		return s.Renewed.OwnFix()
	}
	return s.OwnFix()
}

// OwnFix says what to write into the manifest so that nothing is too short without podgate's hooks.
func (s Shortfall) OwnFix() string {
	if s.Unsure && s.Stop.Grace > 0 {
		return "Declare the port at the container that serves (ports.containerPort)."
	}

	var todo []string
	if s.Hook > 0 {
		have := "have the preStop hook of container %q sleep %d s"
		if s.Stop.Hook == 0 && !s.AtOnce {
			have = "give container %q a preStop hook that sleeps %d s"
		}
		todo = append(todo, fmt.Sprintf(have, s.Stop.Container, s.Need))
	}
	switch {
	case s.Grace > 0:
		todo = append(todo, fmt.Sprintf("set terminationGracePeriodSeconds to at least %d, plus the time that the application needs to stop", s.Stop.Grace+s.Grace))
	case s.leftAlone() && s.Stop.Hook == 0: // podgate would have done so.
		todo = append(todo, fmt.Sprintf("set terminationGracePeriodSeconds to %d, so that the application keeps its %d s", s.Stop.Grace+s.Need, s.Stop.Grace))
	}

	where := "In the pod template, "
	switch {
	case s.Static:
		where = "podgate adds no hook to a static pod. In the pod template, "
	case s.Stated:
		where = "podgate adds no hook, since the manifest is applied to the pod itself: with a longer grace period it could not be applied a second time. In the manifest, "
	case s.Hook > 0 && drain.IsProxy(s.Stop.Container):
		where = "In the pod template, or in the settings of whatever injects the proxy, "
	}

	return where + strings.Join(todo, ", and ") + "."
}
