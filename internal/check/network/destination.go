// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package network connects checks to what they ask about, and to nothing else: to the gated pod itself, and to
// hosts that an administrator allows. All that a check of the network does over a connection goes through Guard.Dial.
package network

import (
	"net"
	"net/netip"
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/podgate/podgate/internal/check"
)

// Destination is one place to connect to. Nothing outside this package can make one, so a check reaches no
// other place than its Place has.
type Destination struct {
	// pod is the pod that is asked about. It is connected to, at its address, unless there is a host.
	pod     check.Subject
	address netip.AddrPort
	// host is HOST:PORT, as it was allowed, where no pod is meant.
	host string
}

// Addr is the pod's address; invalid where the destination is a host.
func (d Destination) Addr() netip.Addr { return d.address.Addr() }

// Subject is the pod that is asked about; empty where a host is asked once for all pods.
func (d Destination) Subject() check.Subject { return d.pod }

// HostPort is the destination as net.Dial takes it.
func (d Destination) HostPort() string {
	if d.host != "" {
		return d.host
	}
	return d.address.String()
}

// Place says where a check asks. Its zero value is nowhere.
type Place struct {
	port   intstr.IntOrString
	family corev1.IPFamily
	host   string
}

// AtPod is the gated pod itself, at a port by its number, or by the name that a container gives it. The family
// chooses among the pod's addresses; the first one is meant when it is empty.
func AtPod(port intstr.IntOrString, family corev1.IPFamily) Place {
	return Place{port: port, family: family}
}

// shared reports whether the place is the same for all pods.
func (p Place) shared() bool { return p.host != "" }

// of returns where to connect to for a pod; when ok is false, the word says why there is no such place.
func (p Place) of(pod check.Subject) (to Destination, word check.Word, ok bool) {
	if p.shared() {
		return Destination{pod: pod, host: p.host}, word, true
	}

	port, word, ok := p.portOf(pod)
	if !ok {
		return Destination{}, word, false
	}

	i := slices.IndexFunc(pod.Addrs, p.inFamily)
	if i < 0 {
		return Destination{}, check.NoAddress, false
	}

	return Destination{pod: pod, address: netip.AddrPortFrom(pod.Addrs[i], port)}, check.Word{}, true
}

func (p Place) inFamily(addr netip.Addr) bool {
	return p.family == "" || addr.Is6() == (p.family == corev1.IPv6Protocol)
}

// portOf returns the port's number. On a node's network the number has to be one that a container declares: others
// are the node's own, such as the kubelet's.
func (p Place) portOf(pod check.Subject) (port uint16, word check.Word, ok bool) {
	for _, declared := range pod.Ports {
		named := p.port.Type == intstr.String && declared.Name == p.port.StrVal
		numbered := p.port.Type == intstr.Int && declared.ContainerPort == p.port.IntVal
		if overTCP(declared) && (named || numbered) {
			return valid(declared.ContainerPort)
		}
	}

	switch {
	case p.port.Type == intstr.String:
		return 0, check.NoPort, false
	case pod.HostNetwork:
		return 0, check.NotAllowed, false
	}
	return valid(p.port.IntVal)
}

func overTCP(port corev1.ContainerPort) bool {
	return port.Protocol == "" || port.Protocol == corev1.ProtocolTCP
}

// valid returns a port that is one.
func valid(number int32) (port uint16, word check.Word, ok bool) {
	if number < 1 || number > 65535 {
		return 0, check.NoPort, false
	}
	return uint16(number), check.Word{}, true
}

// hostPort joins a host and a port; ok is false if they cannot be connected to.
func hostPort(host, port string) (joined string, ok bool) {
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil || number == 0 || host == "" {
		return "", false
	}
	return net.JoinHostPort(host, port), true
}
