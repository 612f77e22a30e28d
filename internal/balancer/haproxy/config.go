// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package haproxy

import (
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/podgate/podgate/internal/balancer/haproxy/traits"
)

// Config is what a binding says of one backend.
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

// Bounds of a Config.
const (
	maxInstances  = 8
	minInterval   = 100 * time.Millisecond
	maxDuration   = time.Hour
	maxThreshold  = 100
	maxWeight     = 256
	defaultWeight = 100
	defaultDrain  = 30 * time.Second
)

// A word that is safe on a line of commands: no separator, quote, escape or blank.
var (
	safeName  = regexp.MustCompile(`^[A-Za-z0-9_.:-]{1,120}$`)
	safeWord  = regexp.MustCompile(`^[A-Za-z0-9_.:/,=+@()%-]{1,200}$`)
	safeOwner = regexp.MustCompile(`^[a-z0-9-]{0,20}$`)
)

// ownKeywords are those that the other fields set.
var ownKeywords = []string{"check", "inter", "fastinter", "downinter", "rise", "fall", "port", "weight", "maxconn", "init-state", "disabled", "enabled", "track", "id", "from", "agent-check"}

// complete fills defaults in and checks all; the error says what to change.
func (c Config) complete() (Config, []socket, error) {
	c.Instances = slices.Clone(c.Instances)
	slices.Sort(c.Instances)
	c.Instances = slices.Compact(c.Instances)
	c.Keywords = slices.Clone(c.Keywords)
	setDefault(&c.IPFamily, "ipv4")
	setDefault(&c.Check.Interval, 2*time.Second)
	setDefault(&c.Check.Rise, 2)
	setDefault(&c.Check.Fall, 3)
	setDefault(&c.Weight, defaultWeight)
	setDefault(&c.Drain, defaultDrain)

	sockets, err := parseSockets(c.Instances)
	if err != nil {
		return c, nil, err
	}

	for _, check := range []struct {
		ok   bool
		what string
	}{
		{safeName.MatchString(c.Backend), "backend: a name of letters, digits and any of . : _ - is needed"},
		{safeOwner.MatchString(c.Owner), "owner: at most 20 lower-case letters, digits and dashes"},
		{c.IPFamily == "ipv4" || c.IPFamily == "ipv6", `ipFamily: "ipv4" or "ipv6"`},
		{between(c.Check.Interval, minInterval, maxDuration), "check interval: 100 ms to 1 h"},
		{between(c.Check.Rise, 1, maxThreshold) && between(c.Check.Fall, 1, maxThreshold), "check rise and fall: 1 to 100"},
		{between(c.Check.Port, 0, 65535), "check port: 1 to 65535, or 0 for the target's own"},
		{between(c.Weight, 1, maxWeight), "weight: 1 to 256"},
		{c.MaxConn >= 0 && c.MaxServers >= 0, "maxConn and maxServers: not below 0"},
		{between(c.Drain, 0, 24*maxDuration), "drain: at most 24 h"},
	} {
		if !check.ok {
			return c, nil, errors.New(check.what)
		}
	}

	for _, word := range c.Keywords {
		if !safeWord.MatchString(word) {
			return c, nil, fmt.Errorf("keywords: %q has a character that the runtime API does not take in a word", word)
		}
		if slices.Contains(ownKeywords, word) {
			return c, nil, fmt.Errorf("keywords: %q is podgate's to set", word)
		}
	}

	return c, sockets, nil
}

// id names the group: who uses the same backend of the same instances uses this group.
// Who only observes it and who changes it do not share one.
func (c Config) id() string {
	return traits.ID(c.Backend, c.Instances, c.Observe)
}

// prefix begins the names of the servers that are podgate's. No part of a Kubernetes
// name has an underscore.
func (c Config) prefix() string {
	if c.Owner == "" {
		return "podgate_"
	}
	return "podgate-" + c.Owner + "_"
}

// socket is where one instance's runtime API listens.
type socket struct{ network, address string }

// String is the socket as a Config spells it.
func (s socket) String() string { return s.network + ":" + s.address }

func parseSockets(instances []string) ([]socket, error) {
	if len(instances) == 0 || len(instances) > maxInstances {
		return nil, fmt.Errorf("instances: 1 to %d sockets are needed", maxInstances)
	}

	sockets := make([]socket, len(instances))
	for i, text := range instances {
		network, address, _ := strings.Cut(text, ":")
		sockets[i] = socket{network: network, address: address}
		switch {
		case network == "unix" && filepath.IsAbs(address) && !strings.ContainsAny(address, ", "):
			// Who may name /run/edge/* is not to get out of it by /run/edge/../admin.sock.
			if short := filepath.Clean(address); short != address {
				return nil, fmt.Errorf("instances: %q is not in its shortest form, unix:%s", text, short)
			}
		case network == "tcp" && isHostPort(address):
		default:
			return nil, fmt.Errorf("instances: %q is neither unix:/path nor tcp:host:port", text)
		}
	}

	return sockets, nil
}

func isHostPort(address string) bool {
	host, port, err := net.SplitHostPort(address)
	if err != nil || host == "" || strings.ContainsAny(host, ", ") {
		return false
	}
	n, err := strconv.Atoi(port)
	return err == nil && between(n, 1, 65535)
}

func setDefault[T comparable](v *T, to T) {
	if *v == *new(T) {
		*v = to
	}
}

func between[T int | time.Duration](v, low, high T) bool { return v >= low && v <= high }
