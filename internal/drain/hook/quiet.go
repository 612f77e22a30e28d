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
	// slowAfter is how long an answer takes, or pauses, of a pod that is not trusted to have answered where nothing moves.
	slowAfter = time.Second
	// sampleEvery is how often they are looked at, and blindAfter how long they may not
	// be looked at, as when the process was held back, before the count begins anew.
	sampleEvery = 250 * time.Millisecond
	blindAfter  = time.Second
)

// quiet counts for how long nothing has happened at a pod's target ports: no connection
// was open, and none that was closed between two looks was a new one.
//
// A load balancer may keep connections that it uses no more. Where requests take turns, an open one at which the pod has
// answered is quiet since its last data, unless the pod was seen to take its time: a request that waits, or an
// answer that pauses, may then look the same.
type quiet struct {
	// node are addresses whose short connections do not count: the kubelet's probes go on
	// while a pod ends. Connections that are open count, whoever's they are.
	node map[netip.Addr]bool

	ports       []int32
	since, last time.Time
	// finished are the connections that had ended when last looked at.
	finished map[pair]bool
	// talks are those that were open then.
	talks map[pair]talk
	// slow: the pod has once let somebody wait for slowAfter.
	slow bool
}

// pair is both ends of a connection.
type pair struct{ local, remote netip.AddrPort }

// sample takes in the sockets as they are at a time; an error counts as noise. turns tells that one request at a time is on
// each connection.
func (q *quiet) sample(now time.Time, ports []int32, turns bool, all []Socket, err error) {
	fresh := q.finished != nil && slices.Equal(ports, q.ports) && now.Sub(q.last) <= blindAfter
	finished, talks := q.finished, q.talks
	q.ports, q.last, q.finished, q.talks = ports, now, map[pair]bool{}, map[pair]talk{}
	if err != nil || len(ports) == 0 || !fresh {
		q.heard(now)
	}

	open := false
	for _, s := range all {
		if !slices.Contains(ports, int32(s.Local.Port())) {
			continue
		}

		key := pair{s.Local, s.Remote}
		if s.Live() {
			open = true
			q.heard(q.moved(now, s, talks[key]))
		}
		if s.Finished() {
			q.finished[key] = true
			if !finished[key] && !q.node[s.Remote.Addr()] {
				q.heard(now)
			}
		}
	}

	if open && (q.slow || !turns) {
		q.heard(now)
	}
}

// heard notes that something happened at a time.
func (q *quiet) heard(at time.Time) {
	if at.After(q.since) {
		q.since = at
	}
}

// moved returns when something last happened on an open connection: now, unless the pod has answered all that came. It
// learns whether the pod is slow. What comes from the pod itself is a proxy's (a service mesh's sidecar), which keeps such
// connections for itself: that one is idle tells nothing of who waits at the proxy.
func (q *quiet) moved(now time.Time, s Socket, before talk) time.Time {
	if s.Data == nil || s.Remote.Addr().IsLoopback() || s.Remote.Addr() == s.Local.Addr() {
		return now
	}

	sent, received := now.Add(-s.Data.Sent), now.Add(-s.Data.Received)
	asked := received
	if before.sent.After(asked) {
		asked = before.sent
	}
	owes := received.After(sent)
	q.slow = q.slow || sent.Sub(asked) >= slowAfter || owes && now.Sub(received) >= slowAfter

	t := before.next(*s.Data)
	t.sent = sent
	// What is not acknowledged may be sent again, which looks like an answer to what comes next.
	t.answered = t.answered && !s.Data.Waits
	q.talks[pair{s.Local, s.Remote}] = t
	if !t.answered || s.State != established {
		return now
	}
	return sent
}

// lasted tells for how long it has been quiet at a time; no longer than it was looked at.
func (q *quiet) lasted() time.Duration { return q.last.Sub(q.since) }
