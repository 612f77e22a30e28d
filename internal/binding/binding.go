// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package binding answers "which pods belong to which target group" from the
// objects in the cluster. It reads caches only and makes no call to a load balancer.
package binding

import (
	"context"
	"fmt"
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podgate/podgate/internal/gate"
	"github.com/podgate/podgate/internal/index"
)

// ForPod lists the bindings of the pod's namespace whose Service selects it.
func ForPod(ctx context.Context, r client.Reader, pod *corev1.Pod) ([]*Binding, error) {
	services, err := index.ServicesSelecting(ctx, r, pod.Namespace, pod.Labels)
	if err != nil {
		return nil, err
	}
	var found []*Binding
	for i := range services {
		bindings, err := OfService(ctx, r, client.ObjectKeyFromObject(&services[i]))
		if err != nil {
			return nil, err
		}
		found = append(found, bindings...)
	}
	return found, nil
}

// ServicePort finds the port of a Service that a binding refers to, by number or name.
func ServicePort(svc *corev1.Service, port intstr.IntOrString) (corev1.ServicePort, bool) {
	for _, p := range svc.Spec.Ports {
		if port.Type == intstr.Int && p.Port == port.IntVal || port.Type == intstr.String && p.Name == port.StrVal {
			return p, true
		}
	}
	return corev1.ServicePort{}, false
}

// Target is a pod's target for a Service port, in the address family of the group
// ("ipv6"; anything else is IPv4). The error says what the pod lacks.
func Target(pod *corev1.Pod, port corev1.ServicePort, ipAddressType string) (gate.Target, error) {
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

// Addr is the pod's address in a family.
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

func orTCP(p corev1.Protocol) corev1.Protocol {
	if p == "" {
		return corev1.ProtocolTCP
	}
	return p
}

// MayHave tells whether a target with the pod's address and a port may be the pod's. Pods
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

// Condition finds a pod's condition by type, nil when it has none.
func Condition(pod *corev1.Pod, t corev1.PodConditionType) *corev1.PodCondition {
	for i := range pod.Status.Conditions {
		if pod.Status.Conditions[i].Type == t {
			return &pod.Status.Conditions[i]
		}
	}
	return nil
}

// IsTrue tells whether a pod's condition is True.
func IsTrue(pod *corev1.Pod, t corev1.PodConditionType) bool {
	c := Condition(pod, t)
	return c != nil && c.Status == corev1.ConditionTrue
}

// Over tells whether all the pod's containers have ended for good, so that its
// address is no longer its own.
func Over(pod *corev1.Pod) bool {
	return pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
}
