// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package binding

import (
	"fmt"
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/gate"
	"github.com/podgate/podgate/internal/index"
)

// TargetOf answers for all of podgate whether a pod is a target of a binding that refers to
// a port of a Service, and which one. The Service is nil when it does not exist. The group
// need not be resolved yet: an unknown type may be pods, and an unknown address family is
// IPv4.
//
// The claim is NotIP, Unclaimed, NotTarget, Unresolved or Claimed; the target is valid only
// with Claimed, and the error says what is missing only with Unresolved: a *NoPortError, a
// *LacksPortError, or which address the pod lacks.
func TargetOf(pod *corev1.Pod, svc *corev1.Service, group balancer.Group, ref v1alpha1.ServiceReference) (gate.Target, gate.Claim, error) {
	if claim := Claims(candidateOf(pod), svc, group, ref); claim != gate.Claimed {
		return gate.Target{}, claim, nil
	}

	port, ok := ServicePort(svc, ref.Port, group.Protocol)
	if !ok {
		return gate.Target{}, gate.Unresolved, noPort(svc, ref.Port)
	}

	target, err := targetAt(pod, port, group.IPAddressType)
	if err != nil {
		return gate.Target{}, gate.Unresolved, err
	}

	return target, gate.Claimed, nil
}

// Candidate is what decides whether a pod that has no address yet may become a target.
type Candidate struct {
	Labels map[string]string
	// OfJob says that the pod belongs to a Job.
	OfJob bool
	// Ports are those that containers declare which run while the pod serves. They are read
	// only of a Job's pod.
	Ports []corev1.ContainerPort
}

func candidateOf(pod *corev1.Pod) Candidate {
	c := Candidate{Labels: pod.Labels, OfJob: OfJob(pod)}
	if c.OfJob {
		c.Ports = Ports(&pod.Spec)
	}
	return c
}

// Claims answers the same of a pod that has no address yet: NotIP, Unclaimed, NotTarget, or
// Claimed whichever its target will be.
func Claims(c Candidate, svc *corev1.Service, group balancer.Group, ref v1alpha1.ServiceReference) gate.Claim {
	switch {
	case group.NotOfPods():
		return gate.NotIP
	case svc == nil || !index.Selects(svc, c.Labels):
		return gate.Unclaimed
	case c.OfJob && !c.declares(svc, group, ref):
		return gate.NotTarget
	}
	return gate.Claimed
}

// declares reports whether a container declares the port that a binding refers to. Charts give the
// pods of migration Jobs the labels that their Services select by; one that serves says so.
func (c Candidate) declares(svc *corev1.Service, group balancer.Group, ref v1alpha1.ServiceReference) bool {
	port, ok := ServicePort(svc, ref.Port, group.Protocol)
	if !ok {
		return false
	}

	if number, ok := numbered(port); ok {
		return slices.ContainsFunc(c.Ports, func(p corev1.ContainerPort) bool {
			return p.ContainerPort == number && orTCP(p.Protocol) == orTCP(port.Protocol)
		})
	}

	_, ok = namedPort(c.Ports, port)
	return ok
}

// targetAt returns a pod's target for a Service port, in the address family of the group
// ("ipv6"; anything else is IPv4). The error says what the pod lacks.
func targetAt(pod *corev1.Pod, port corev1.ServicePort, ipAddressType string) (gate.Target, error) {
	// The port comes first: a pod that lacks it never gets it, whatever address it is to have.
	number, err := targetPort(pod, port)
	if err != nil {
		return gate.Target{}, err
	}
	addr, err := Addr(pod, ipAddressType)
	if err != nil {
		return gate.Target{}, err
	}
	return gate.Target{Addr: addr, Port: number}, nil
}

// Addr returns the pod's address in a family ("ipv6"; anything else is IPv4).
func Addr(pod *corev1.Pod, ipAddressType string) (netip.Addr, error) {
	for _, ip := range pod.Status.PodIPs {
		addr, err := netip.ParseAddr(ip.IP)
		if err != nil {
			return netip.Addr{}, fmt.Errorf("pod address %q: %w", ip.IP, err)
		}
		if addr.Unmap().Is6() == (ipAddressType == "ipv6") {
			return addr.Unmap(), nil
		}
	}

	if ipAddressType == "" {
		ipAddressType = "ipv4"
	}

	return netip.Addr{}, fmt.Errorf("the pod has no %s address", ipAddressType)
}

// LacksPortError says that no container of a pod has the port that a Service names.
// Kubernetes leaves such a pod out of the port's endpoints.
type LacksPortError struct{ Name string }

// Error implements error.
func (e *LacksPortError) Error() string {
	return fmt.Sprintf("no container of the pod has a port named %q", e.Name)
}

// targetPort resolves a Service port on a pod: its number, or the container port of that
// name and protocol.
func targetPort(pod *corev1.Pod, port corev1.ServicePort) (int32, error) {
	if number, ok := numbered(port); ok {
		return number, nil
	}
	if number, ok := namedPort(Ports(&pod.Spec), port); ok {
		return number, nil
	}
	return 0, &LacksPortError{Name: port.TargetPort.StrVal}
}

// numbered returns the target port of a Service port; false when that is a name.
func numbered(port corev1.ServicePort) (int32, bool) {
	switch {
	case port.TargetPort.Type != intstr.Int:
		return 0, false
	case port.TargetPort.IntVal == 0: // In a file, where the API server has not filled it in yet.
		return port.Port, true
	}
	return port.TargetPort.IntVal, true
}

func namedPort(ports []corev1.ContainerPort, port corev1.ServicePort) (int32, bool) {
	for _, p := range ports {
		if p.Name == port.TargetPort.StrVal && orTCP(p.Protocol) == orTCP(port.Protocol) {
			return p.ContainerPort, true
		}
	}
	return 0, false
}

// Ports lists the ports that a pod's containers declare, in the order in which Kubernetes
// looks for a name. Of the init containers only native sidecars run while the pod serves.
func Ports(spec *corev1.PodSpec) []corev1.ContainerPort {
	var ports []corev1.ContainerPort
	for _, c := range spec.Containers {
		ports = append(ports, c.Ports...)
	}
	for _, c := range spec.InitContainers {
		if c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways {
			ports = append(ports, c.Ports...)
		}
	}
	return ports
}

// MayHave reports whether a target with the pod's address and a port may be the pod's. Pods
// on their node's network share its address; one that declares ports has no others.
func MayHave(pod *corev1.Pod, port int32) bool {
	this, others := declares(pod, port)
	return !pod.Spec.HostNetwork || this || !others
}

// Has reports whether a target with the pod's address and a port is taken to be the pod's. On
// its node's network that is so of the ports that it declares only: whatever else answers
// there may be no pod at all.
func Has(pod *corev1.Pod, port int32) bool {
	this, _ := declares(pod, port)
	return !Over(pod) && (!pod.Spec.HostNetwork || this)
}

// declares reports whether a pod declares a port, and whether it declares others.
func declares(pod *corev1.Pod, port int32) (this, others bool) {
	for _, c := range slices.Concat(pod.Spec.Containers, pod.Spec.InitContainers) {
		for _, p := range c.Ports {
			this, others = this || p.ContainerPort == port, others || p.ContainerPort != port
		}
	}
	return this, others
}
