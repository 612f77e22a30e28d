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
	// inFlight is how long a connection must be quiet that may have a request on it: nobody promises a request more time
	// than that (drain.MaxInFlight).
	inFlight = 30 * time.Second
	// slowAfter is how long an answer takes, or pauses, of a pod whose connections must be quiet for longer, and patience how
	// many times as long as that.
	slowAfter = time.Second
	patience  = 20
	// sampleEvery is how often they are looked at, and blindAfter how long they may not
	// be looked at, as when the process was held back, before the count begins anew.
	sampleEvery = 250 * time.Millisecond
	blindAfter  = time.Second
)

// quiet counts for how long nothing has happened at a pod's target ports: no connection
// was open, and none that was closed between two looks was a new one.
//
// A load balancer may keep connections that it does not use. Where requests take turns, an open one counts until its last
// data if the pod has answered, and for inFlight if that is not certain. Of a pod that takes its time it counts for longer:
// an answer that pauses looks like one that has ended.
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
	// longest is how long the pod has let somebody wait at most.
	longest time.Duration
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

	var open []Socket
	for _, s := range all {
		if !slices.Contains(ports, int32(s.Local.Port())) {
			continue
		}

		key := pair{s.Local, s.Remote}
		if s.Live() {
			open = append(open, s)
			q.look(now, s, talks[key])
		}
		if s.Finished() {
			q.finished[key] = true
			if !finished[key] && !q.node[s.Remote.Addr()] {
				q.heard(now)
			}
		}
	}

	// All are looked at first, since one may tell how long the pod takes on others.
	for _, s := range open {
		if turns {
			q.heard(q.used(now, s))
		} else {
			q.heard(now)
		}
	}
}

// heard notes that something happened at a time.
func (q *quiet) heard(at time.Time) {
	if at.After(q.since) {
		q.since = at
	}
}

// look takes in what passed on an open connection, and how long the pod takes.
func (q *quiet) look(now time.Time, s Socket, before talk) {
	if s.Data == nil {
		return
	}

	sent, received := now.Add(-s.Data.Sent), now.Add(-s.Data.Received)
	asked := received
	if before.sent.After(asked) {
		asked = before.sent
	}
	q.longest = max(q.longest, sent.Sub(asked))
	if received.After(sent) {
		q.longest = max(q.longest, now.Sub(received))
	}

	t := before.next(*s.Data)
	t.sent = sent
	// What is not acknowledged may be sent again, which looks like an answer to what comes next.
	t.answered = t.answered && !s.Data.Waits
	q.talks[pair{s.Local, s.Remote}] = t
}

// used returns until when an open connection counts, which is now while it counts. What comes from the pod itself is a
// proxy's (a service mesh's sidecar), which keeps such connections for itself: that one is idle tells nothing of who waits at
// the proxy.
func (q *quiet) used(now time.Time, s Socket) time.Time {
	t := q.talks[pair{s.Local, s.Remote}]
	if s.Data == nil || s.Data.Waits || s.State != established || t.owes || s.Remote.Addr().IsLoopback() || s.Remote.Addr() == s.Local.Addr() {
		return now
	}

	still := QuietFor
	if !t.answered {
		still = inFlight
	}
	if q.longest >= slowAfter {
		still = max(still, patience*q.longest)
	}

	if until := t.sent.Add(still - QuietFor); until.Before(now) {
		return until
	}
	return now
}

// lasted tells for how long it has been quiet at a time; no longer than it was looked at.
func (q *quiet) lasted() time.Duration { return q.last.Sub(q.since) }
