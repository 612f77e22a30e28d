// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package traits

import (
	"encoding/json"
	"time"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/balancer"
)

// Config is what a binding says of one backend. It travels with calls as their Settings.
type Config struct {
	// Backend is the backend's name in HAProxy's configuration.
	Backend string
	// Instances are the runtime API sockets of all HAProxy processes that serve the
	// backend, such as "unix:/run/haproxy/admin.sock" or "tcp:192.0.2.10:9999"; 1 to 8.
	// What goes over TCP is neither encrypted nor authenticated.
	Instances []string
	// Observe: others register the servers. All of the backend's servers are reported,
	// nothing is changed, and the sockets need no level.
	Observe bool
	// Ending: the binding is being deleted. Servers only leave, and one that an instance
	// lacks may be of another binding, which has a part of these instances.
	Ending bool
	// Owner tells the servers of podgates that share a backend apart: up to 20
	// lower-case letters, digits and dashes; empty when there is one.
	Owner string
	// IPFamily is "ipv4" (the default) or "ipv6": which of a pod's addresses is registered.
	IPFamily string
	// Check is how HAProxy checks the servers.
	Check Check
	// Weight is each server's share of the load, 1 to 256; 100 by default. Weight 0 is
	// podgate's mark of a server that leaves.
	Weight int
	// MaxConn bounds a server's connections; 0 for no bound.
	MaxConn int
	// MaxServers bounds the servers of the backend, those of others included; 0 for no
	// bound but HAProxy's own.
	MaxServers int
	// Keywords are further words for each server, such as "check-ssl", "verify", "none".
	// HAProxy does not apply its default-server lines to servers added at runtime.
	Keywords []string
	// Drain is how long a server that leaves may get requests that insist on it
	// (cookies, stick tables); 30 s by default. It goes earlier when it has no
	// connection left, and those that it has then are never closed.
	Drain time.Duration
}

// Check is how HAProxy checks a server. What is asked, such as option httpchk, is the
// backend's.
type Check struct {
	// Interval is the time between two checks, 2 s by default; at least 100 ms.
	Interval time.Duration
	// Rise and Fall count the checks in a row that change a server's state, 1 to 100;
	// 2 and 3 by default.
	Rise, Fall int
	// Port is checked instead of the target's; 0 for the target's own.
	Port int
}

// Group returns the backend as calls take it. Its Ref depends on the backend's name and
// its sockets only, and on whether podgate changes it: bindings that agree on these have
// equal Refs.
func (c Config) Group() balancer.Group {
	text, _ := json.Marshal(c) // Plain fields cannot fail.
	return balancer.Group{
		Ref:                 balancer.Ref{Provider: Kind, Group: ID(c.Backend, c.Instances, c.Observe)},
		Settings:            balancer.Settings(text),
		DeregistrationDelay: c.Drain,
	}
}

// configOf is what a TargetBinding says of its backend.
func configOf(b *v1alpha1.TargetBinding) Config {
	h := b.Spec.HAProxy
	return Config{
		Backend: h.Backend, Instances: h.Instances, Observe: b.External(), Ending: !b.DeletionTimestamp.IsZero(), Owner: h.Owner, IPFamily: h.IPFamily,
		Check: Check{
			Interval: time.Duration(h.Check.IntervalMilliseconds) * time.Millisecond,
			Rise:     int(h.Check.Rise), Fall: int(h.Check.Fall), Port: int(h.Check.Port),
		},
		Weight: int(h.Weight), MaxConn: int(h.MaxConn), MaxServers: int(h.MaxServers), Keywords: h.Keywords,
		Drain: time.Duration(h.DrainSeconds) * time.Second,
	}
}
