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
// The claim is NotIP, Unclaimed, Unresolved or Claimed; the target is valid only with
// Claimed, and the error says what is missing only with Unresolved: a *NoPortError, or what
// the pod lacks.
func TargetOf(pod *corev1.Pod, svc *corev1.Service, group balancer.Group, ref v1alpha1.ServiceReference) (gate.Target, gate.Claim, error) {
	if claim := Claims(pod.Labels, svc, group); claim != gate.Claimed {
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

// Claims answers the same of a pod with these labels that has no address yet: NotIP,
// Unclaimed, or Claimed whichever its target will be.
func Claims(labels map[string]string, svc *corev1.Service, group balancer.Group) gate.Claim {
	switch {
	case group.NotOfPods():
		return gate.NotIP
	case svc == nil || !index.Selects(svc, labels):
		return gate.Unclaimed
	}
	return gate.Claimed
}

// targetAt returns a pod's target for a Service port, in the address family of the group
// ("ipv6"; anything else is IPv4). The error says what the pod lacks.
func targetAt(pod *corev1.Pod, port corev1.ServicePort, ipAddressType string) (gate.Target, error) {
	addr, err := Addr(pod, ipAddressType)
	if err != nil {
		return gate.Target{}, err
	}
	number, err := targetPort(pod, port)
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

// targetPort resolves a Service port on a pod: its number, or the container port of that name.
func targetPort(pod *corev1.Pod, port corev1.ServicePort) (int32, error) {
	if port.TargetPort.Type == intstr.Int {
		if port.TargetPort.IntVal == 0 {
			return port.Port, nil
		}
		return port.TargetPort.IntVal, nil
	}

	name := port.TargetPort.StrVal
	for _, c := range pod.Spec.Containers {
		if n, ok := namedPort(c, name, port.Protocol); ok {
			return n, nil
		}
	}

	// Of the init containers only native sidecars run while the pod serves.
	for _, c := range pod.Spec.InitContainers {
		if c.RestartPolicy == nil || *c.RestartPolicy != corev1.ContainerRestartPolicyAlways {
			continue
		}
		if n, ok := namedPort(c, name, port.Protocol); ok {
			return n, nil
		}
	}

	return 0, fmt.Errorf("no container of the pod has a port named %q", name)
}

func namedPort(c corev1.Container, name string, protocol corev1.Protocol) (int32, bool) {
	for _, p := range c.Ports {
		if p.Name == name && orTCP(p.Protocol) == orTCP(protocol) {
			return p.ContainerPort, true
		}
	}
	return 0, false
}

// MayHave reports whether a target with the pod's address and a port may be the pod's. Pods
// on their node's network share its address; one that declares ports has no others.
func MayHave(pod *corev1.Pod, port int32) bool {
	if !pod.Spec.HostNetwork {
		return true
	}

	declares := false
	for _, c := range slices.Concat(pod.Spec.Containers, pod.Spec.InitContainers) {
		for _, p := range c.Ports {
			if p.ContainerPort == port {
				return true
			}
			declares = true
		}
	}

	return !declares
}
