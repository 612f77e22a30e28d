// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package haproxy

import (
	"fmt"
	"slices"
	"strings"
)

// The units of commands below are safe to be cut off after any command: what is left
// then is a phase that the next call continues from, and a server that never passed a
// check gets no traffic in any of them.

// add makes a server, which begins in maintenance with its checks off; HAProxy gives it an identifier when that is 0.
func (g *group) add(v version, name, address string, id int, restored bool) []string {
	words := []string{
		"add server", g.path(name), address, "check",
		"inter", fmt.Sprintf("%dms", g.Check.Interval.Milliseconds()),
		"rise", fmt.Sprint(g.Check.Rise), "fall", fmt.Sprint(g.Check.Fall), "weight", fmt.Sprint(g.Weight),
	}
	if id != 0 {
		words = append(words, "id", fmt.Sprint(id))
	}

	if g.Check.Port != 0 {
		words = append(words, "port", fmt.Sprint(g.Check.Port))
	}

	if g.MaxConn != 0 {
		words = append(words, "maxconn", fmt.Sprint(g.MaxConn))
	}

	if v.atLeast(version31) && !restored {
		words = append(words, "init-state", "fully-down")
	}

	return []string{strings.Join(append(words, g.Keywords...), " ")}
}

// try adds a server without a port that is checked, and removes it in case HAProxy took it, and one that was left over.
func (g *group) try(v version, more ...string) []string {
	portless := *g
	portless.Check.Port, portless.Keywords = 0, slices.Concat(g.Keywords, more)
	name := prefix(g.Owner) + trial
	remove := "del server " + g.path(name)
	return []string{remove, portless.add(v, name, "127.0.0.1", 0, false)[0], remove}
}

// start puts a server into service once its checks have passed, from any phase. A
// server that leaves maintenance is up before its first check, so it is drained until
// it was set down, and its checks come on last: until then it is unfinished. Out of
// maintenance comes first, since checks that are switched off there never run again
// (2.6).
func (g *group) start(name string) []string {
	s := g.path(name)
	return []string{
		"set server " + s + " state drain",
		"disable health " + s,
		"set server " + s + " health down",
		"set server " + s + " weight 100%",
		"set server " + s + " state ready",
		"enable health " + s,
	}
}

// restore puts a server that was just added back into service at once.
func (g *group) restore(name string) []string {
	return []string{"set server " + g.path(name) + " state ready", "enable health " + g.path(name)}
}

// check switches the checks of a server on that is up without them.
func (g *group) check(name string) []string { return []string{"enable health " + g.path(name)} }

// leave drains a server. The weight is set twice, so that what another replica of
// podgate does between the two cannot undo the mark.
func (g *group) leave(name string) []string {
	s := g.path(name)
	return []string{"set server " + s + " weight 0", "set server " + s + " state drain", "set server " + s + " weight 0"}
}

// retire takes a server out of use for good, before it is removed.
func (g *group) retire(name string) []string {
	s := g.path(name)
	return []string{"set server " + s + " weight 0", "set server " + s + " state maint"}
}

// remove takes a server out of use for good, also for requests that insist on it, and
// deletes it if no connection is left.
func (g *group) remove(v version, name string) []string {
	s := g.path(name)
	unit := []string{"set server " + s + " weight 0", "set server " + s + " state maint"}
	if v.atLeast(version30) {
		unit = append(unit, "wait 50ms srv-removable "+s) // idle connections are being closed
	}
	return append(unit, "del server "+s)
}

func (g *group) path(name string) string { return g.Backend + "/" + name }
