// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package binding

import (
	"fmt"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// ServicePort returns the port of a Service that a binding refers to, by number or name. A
// string of digits that no port has as its name is a number in quotes, as templating tools
// write it. Of two ports with one number, such as 53 for TCP and UDP, it returns the one of
// the group's protocol; an empty protocol prefers neither.
func ServicePort(svc *corev1.Service, port intstr.IntOrString, protocol string) (corev1.ServicePort, bool) {
	if port.Type == intstr.String {
		for _, p := range svc.Spec.Ports {
			if p.Name == port.StrVal && p.Name != "" {
				return p, true
			}
		}
	}

	number, ok := numberOf(port)
	if !ok {
		return corev1.ServicePort{}, false
	}

	var found *corev1.ServicePort
	for i := range svc.Spec.Ports {
		p := &svc.Spec.Ports[i]
		if p.Port == number && (found == nil || orTCP(p.Protocol) == carries(protocol)) {
			found = p
		}
	}

	if found == nil {
		return corev1.ServicePort{}, false
	}
	return *found, true
}

// numberOf returns a port's number, which may be in quotes; false when it is a name.
func numberOf(port intstr.IntOrString) (int32, bool) {
	if port.Type == intstr.Int {
		return port.IntVal, true
	}
	n, err := strconv.ParseUint(port.StrVal, 10, 16)
	return int32(n), err == nil
}

// carries returns the transport protocol of a group; empty when it is of several, or not known.
func carries(protocol string) corev1.Protocol {
	switch strings.ToUpper(protocol) {
	case "", "TCP_UDP", "TCP_QUIC":
		return ""
	case "UDP", "QUIC", "GENEVE":
		return corev1.ProtocolUDP
	}
	return corev1.ProtocolTCP
}

func orTCP(p corev1.Protocol) corev1.Protocol {
	if p == "" {
		return corev1.ProtocolTCP
	}
	return p
}

// NoPortError says that a binding names a port that its Service does not have.
type NoPortError struct {
	// Service is the name of the Service.
	Service string
	// Port is what the binding names.
	Port intstr.IntOrString
	// Has are the Service's ports.
	Has []corev1.ServicePort
}

// CheckPort returns what is wrong when a Service does not have the port that a binding names, else nil.
func CheckPort(svc *corev1.Service, port intstr.IntOrString) *NoPortError {
	if _, ok := ServicePort(svc, port, ""); !ok {
		return noPort(svc, port)
	}
	return nil
}

func noPort(svc *corev1.Service, port intstr.IntOrString) *NoPortError {
	return &NoPortError{Service: svc.Name, Port: port, Has: svc.Spec.Ports}
}

// Error implements error. It says what the Service has, and what to write instead.
func (e *NoPortError) Error() string {
	return fmt.Sprintf("Service %q has no port %q: it has %s. %s", e.Service, e.Port.String(), e.ports(), e.advice())
}

// ports lists the Service's ports for people.
func (e *NoPortError) ports() string {
	if len(e.Has) == 0 {
		return "none"
	}

	var names []string
	for _, p := range e.Has {
		names = append(names, portName(p))
	}
	return strings.Join(names, ", ")
}

func portName(p corev1.ServicePort) string {
	if p.Name == "" {
		return fmt.Sprint(p.Port)
	}
	return fmt.Sprintf("%d (%s)", p.Port, p.Name)
}

// advice recognizes the numbers and names of a Service's port that people mix up with it.
func (e *NoPortError) advice() string {
	meant := e.Port
	if number, digits := numberOf(e.Port); digits {
		meant = intstr.FromInt32(number)
	}

	for _, p := range e.Has {
		is := ""
		switch meant {
		case intstr.FromInt32(0): // Zero is a field that was left out, on either side.
		case p.TargetPort:
			is = "target port"
		case intstr.FromInt32(p.NodePort):
			is = "node port"
		}

		if is == "" {
			continue
		}
		return fmt.Sprintf("%s is the %s of port %s: write %d in spec.serviceRef.port", e.Port.String(), is, portName(p), p.Port)
	}
	return "Correct spec.serviceRef.port"
}
