// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package gate holds the domain: what a target is, what a load balancer says of
// it, and what follows from that for a pod's readiness gate. It is pure: it knows
// no Kubernetes client, no cloud and no clock; callers hand it facts and a time.
package gate

import (
	"net/netip"
	"strconv"
)

// Target is one address that a load balancer sends traffic to. Load balancers key
// targets by address and port, so two ports of one pod are two targets.
type Target struct {
	// Addr is the pod's address.
	Addr netip.Addr
	// Port is the port on the pod, 1-65535.
	Port int32
}

// String renders the target as address:port.
func (t Target) String() string {
	return netip.AddrPortFrom(t.Addr, uint16(t.Port)).String()
}

// ParseTarget reads an address (without brackets) and a port.
func ParseTarget(addr string, port int32) (Target, error) {
	a, err := netip.ParseAddr(addr)
	if err != nil {
		return Target{}, err
	}
	if port < 1 || port > 65535 {
		return Target{}, &PortError{Port: port}
	}
	return Target{Addr: a.Unmap(), Port: port}, nil
}

// PortError says that a port is outside 1-65535.
type PortError struct{ Port int32 }

// Error implements error.
func (e *PortError) Error() string {
	return "port " + strconv.Itoa(int(e.Port)) + " is not between 1 and 65535"
}
