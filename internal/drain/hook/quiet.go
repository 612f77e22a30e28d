// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package hook

import (
	"net/netip"
	"slices"
	"time"
)

const (
	// QuietFor is how long the sockets must be quiet.
	QuietFor = 5 * time.Second
	// sampleEvery is how often they are looked at, and blindAfter how long they may not
	// be looked at, as when the process was held back, before the count begins anew.
	sampleEvery = 250 * time.Millisecond
	blindAfter  = time.Second
)

// quiet counts for how long nothing has happened at a pod's target ports: no connection
// was open, and none that was closed between two looks was a new one.
type quiet struct {
	// node are addresses whose short connections do not count: the kubelet's probes go on
	// while a pod ends. Connections that are open count, whoever's they are.
	node map[netip.Addr]bool

	ports       []int32
	since, last time.Time
	// finished are the connections that had ended when last looked at.
	finished map[[2]netip.AddrPort]bool
}

// sample takes in the sockets as they are at a time; an error counts as noise.
func (q *quiet) sample(now time.Time, ports []int32, all []Socket, err error) {
	fresh := q.finished != nil && slices.Equal(ports, q.ports) && now.Sub(q.last) <= blindAfter
	before := q.finished
	q.ports, q.last, q.finished = ports, now, map[[2]netip.AddrPort]bool{}
	noise := err != nil || len(ports) == 0 || !fresh
	for _, s := range all {
		if !slices.Contains(ports, int32(s.Local.Port())) {
			continue
		}
		if s.Live() {
			noise = true
		}
		if s.Finished() {
			key := [2]netip.AddrPort{s.Local, s.Remote}
			q.finished[key] = true
			noise = noise || !before[key] && !q.node[s.Remote.Addr()]
		}
	}

	if noise || q.since.IsZero() {
		q.since = now
	}
}

// lasted tells for how long it has been quiet at a time; no longer than it was looked at.
func (q *quiet) lasted() time.Duration { return q.last.Sub(q.since) }
