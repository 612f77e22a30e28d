// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package gate holds the domain: what a target is, what a load balancer says of
// it, and what follows from that for a pod's readiness gate. It is pure: it knows
// no Kubernetes client, no cloud and no clock; callers hand it facts and a time.
package gate

import (
	"cmp"
	"net"
	"net/netip"
	"regexp"
	"strconv"
)

// Target is what a load balancer sends traffic to: an address, or an instance of a cloud.
// Load balancers key targets by that and a port, so two ports of one pod are two targets.
type Target struct {
	// Addr is the pod's address; its zero value where the target is an instance.
	Addr netip.Addr
	// Instance is the id of a node's instance, such as i-0123456789abcdef0; empty where the target is an address.
	Instance string
	// Port is the port on the pod or the node, 1-65535.
	Port int32
}

// ID is what the load balancer calls the target, its port aside: its address, or its instance.
func (t Target) ID() string {
	if t.Instance != "" {
		return t.Instance
	}
	return t.Addr.String()
}

// String renders the target as address:port, or instance:port.
func (t Target) String() string {
	return net.JoinHostPort(t.ID(), strconv.Itoa(int(t.Port)))
}

// Compare orders targets: those that are instances by their ids and the others by their addresses, then by ports.
func (t Target) Compare(other Target) int {
	return cmp.Or(t.Addr.Compare(other.Addr), cmp.Compare(t.Instance, other.Instance), cmp.Compare(t.Port, other.Port))
}

// instances are the ids of instances.
var instances = regexp.MustCompile(`^i-[0-9a-z]+$`)

// IsInstance reports whether an id is an instance's.
func IsInstance(id string) bool { return instances.MatchString(id) }

// ParseTarget reads an address (without brackets), or the id of an instance, and a port.
func ParseTarget(id string, port int32) (Target, error) {
	if port < 1 || port > 65535 {
		return Target{}, &PortError{Port: port}
	}
	if IsInstance(id) {
		return Target{Instance: id, Port: port}, nil
	}
	a, err := netip.ParseAddr(id)
	if err != nil {
		return Target{}, err
	}
	return Target{Addr: a.Unmap(), Port: port}, nil
}

// PortError says that a port is outside 1-65535.
type PortError struct{ Port int32 }

// Error implements error.
func (e *PortError) Error() string {
	return "port " + strconv.Itoa(int(e.Port)) + " is not between 1 and 65535"
}
