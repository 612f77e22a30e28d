// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package haproxy

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/balancer/haproxy/traits"
	"github.com/podgate/podgate/internal/plural"
)

type (
	// Config is what package traits reads from a binding.
	Config = traits.Config
	// Check is the health check of a Config.
	Check = traits.Check
)

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

// maxKeywords keeps `add server` below 64 words, podgate's own 21 included. HAProxy cuts a command off there, and releases such as
// 2.6.12 crash when the last word then lacks its value.
const maxKeywords = 32

// ownKeywords are those that the other fields set.
var ownKeywords = []string{"check", "inter", "fastinter", "downinter", "rise", "fall", "port", "weight", "maxconn", "init-state", "disabled", "enabled", "track", "id", "from", "agent-check"}

// uniqueKeywords have a value that may be only one server's, and all of a backend's would get the same: HAProxy 3.0 to
// 3.1 crash at the second server with a guid, and a cookie would bring all clients to the first.
var uniqueKeywords = []string{"guid", "cookie"}

// read completes the Config that a call came with, and checks where its servers are.
func read(settings balancer.Settings) (Config, []socket, error) {
	var c Config
	if err := json.Unmarshal([]byte(settings), &c); err != nil {
		return c, nil, err
	}
	return complete(c)
}

// complete fills defaults in, and checks what any call needs to find the servers; the error says what to change.
func complete(c Config) (Config, []socket, error) {
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

	if text := first(
		rule{safeName.MatchString(c.Backend), "backend: a name of letters, digits and any of . : _ - is needed"},
		rule{safeOwner.MatchString(c.Owner), "owner: at most 20 lower-case letters, digits and dashes"},
		rule{between(c.Drain, 0, 24*maxDuration), "drain: at most 24 h"},
	); text != "" {
		return c, nil, errors.New(text)
	}

	return c, sockets, nil
}

// unaddable says what of a complete Config stands against adding servers, and what to change; empty when nothing does.
// Those that are there drain and go all the same.
func unaddable(c Config) string {
	if text := first(
		rule{c.IPFamily == "ipv4" || c.IPFamily == "ipv6", `ipFamily: "ipv4" or "ipv6"`},
		rule{between(c.Check.Interval, minInterval, maxDuration), "check interval: 100 ms to 1 h"},
		rule{between(c.Check.Rise, 1, maxThreshold) && between(c.Check.Fall, 1, maxThreshold), "check rise and fall: 1 to 100"},
		rule{between(c.Check.Port, 0, 65535), "check port: 1 to 65535, or 0 for the target's own"},
		rule{between(c.Weight, 1, maxWeight), "weight: 1 to 256"},
		rule{c.MaxConn >= 0 && c.MaxServers >= 0, "maxConn and maxServers: not below 0"},
		rule{len(c.Keywords) <= maxKeywords, "keywords: at most " + plural.Count(maxKeywords, "word")},
	); text != "" {
		return text
	}

	for _, word := range c.Keywords {
		switch {
		case !safeWord.MatchString(word):
			return fmt.Sprintf("keywords: %q has a character that the runtime API does not take in a word", word)
		case slices.Contains(ownKeywords, word):
			return fmt.Sprintf("keywords: %q is podgate's to set", word)
		case slices.Contains(uniqueKeywords, word):
			return fmt.Sprintf("keywords: %q has to differ from server to server, and all would get the same", word)
		}
	}

	return ""
}

// rule is one that a Config keeps, and what to change if it does not.
type rule struct {
	kept bool
	text string
}

// first returns the text of the first rule that is not kept; empty when all are.
func first(rules ...rule) string {
	for _, r := range rules {
		if !r.kept {
			return r.text
		}
	}
	return ""
}

// prefix begins the names of the servers that are podgate's. No part of a Kubernetes
// name has an underscore.
func prefix(owner string) string {
	if owner == "" {
		return "podgate_"
	}
	return "podgate-" + owner + "_"
}

// socket is where one instance's runtime API listens.
type socket struct{ network, address string }

// String is the socket as a Config spells it.
func (s socket) String() string { return s.network + ":" + s.address }

func parseSockets(instances []string) ([]socket, error) {
	if len(instances) == 0 || len(instances) > maxInstances {
		return nil, fmt.Errorf("instances: 1 to %s are needed", plural.Count(maxInstances, "socket"))
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
