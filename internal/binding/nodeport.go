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
