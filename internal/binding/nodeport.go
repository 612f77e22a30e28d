// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package binding

import (
	"cmp"
	"fmt"

	corev1 "k8s.io/api/core/v1"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/balancer"
)

// NodePort returns the port of all nodes that is the target's where nodes are targets. The error says what is missing: a
// *NoPortError or a *NoNodePortError.
func NodePort(svc *corev1.Service, group balancer.Group, ref v1alpha1.ServiceReference) (int32, error) {
	port, ok := ServicePort(svc, ref.Port, group.Protocol)
	switch {
	case !ok:
		return 0, noPort(svc, ref.Port)
	case port.NodePort == 0:
		return 0, &NoNodePortError{Service: svc.Name, Type: cmp.Or(svc.Spec.Type, corev1.ServiceTypeClusterIP), Port: port.Port}
	}
	return port.NodePort, nil
}

// NodeChecks says, for people, what is wrong where the health checks of a group of nodes say nothing of a Service's pods; empty
// when nothing is. With the policy Local a node without pods drops requests.
func NodeChecks(svc *corev1.Service, group balancer.Group) string {
	port := group.HealthCheckPort
	if svc.Spec.ExternalTrafficPolicy != corev1.ServiceExternalTrafficPolicyLocal || port == 0 || port == svc.Spec.HealthCheckNodePort {
		return ""
	}
	for _, p := range svc.Spec.Ports {
		if p.NodePort == port {
			return ""
		}
	}

	instead := "the traffic port"
	if local := svc.Spec.HealthCheckNodePort; local != 0 {
		instead = fmt.Sprintf("port %d at /healthz, or the traffic port", local)
	}
	return fmt.Sprintf("The target group checks port %d of the nodes, which does not say whether a node runs pods of Service %q. With externalTrafficPolicy Local a node without them answers no request. Have the group check %s.", port, svc.Name, instead)
}

// Hosts returns which nodes run a pod that is Ready, of some pods.
func Hosts(pods []corev1.Pod) func(node string) bool {
	hosts := map[string]bool{}
	for i := range pods {
		if pod := &pods[i]; IsTrue(pod, corev1.PodReady) && pod.DeletionTimestamp.IsZero() && !Over(pod) {
			hosts[pod.Spec.NodeName] = true
		}
	}
	return func(node string) bool { return hosts[node] }
}

// NoNodePortError says that nodes do not serve a port of a Service.
type NoNodePortError struct {
	// Service is the name of the Service, and Type its type.
	Service string
	Type    corev1.ServiceType
	// Port is the number of the Service's port.
	Port int32
}

// Error implements error. It says what to write instead.
func (e *NoNodePortError) Error() string {
	if e.Type == corev1.ServiceTypeLoadBalancer {
		return fmt.Sprintf("Service %q has no node port for port %d. Set spec.allocateLoadBalancerNodePorts of the Service to true", e.Service, e.Port)
	}
	return fmt.Sprintf("Service %q is of type %s and has no node port for port %d. Set spec.type of the Service to NodePort", e.Service, e.Type, e.Port)
}
