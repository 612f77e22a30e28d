// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package haproxy

import (
	"maps"
	"sync"
	"time"

	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/gate"
)

// restoreWithin is how long after HAProxy was found restarted the servers that it lost
// are put back as they were.
const restoreWithin = time.Minute

// turns is how often a process has to answer again after another did, within a minute, until two are known to take turns.
// A reload may do it once, while both listen.
const turns = 3

// remembered is for how long a backend is remembered that no call is about. Groups whose
// reads fail are still read every half a minute.
const remembered = 2 * time.Minute

// memory is what a process of podgate saw of a group's instances. Nothing depends on
// it but how soon something happens: without it servers start as new ones do.
type memory struct {
	now func() time.Time
	// used is when a call was last about the group; Provider.mu guards it.
	used time.Time

	mu        sync.Mutex
	instances map[socket]*seen
	// missing tells since when an instance lacks a server that another one has.
	missing map[missing]time.Time
	// views are what the last Health read, at readAt, until Tend goes on from there.
	views  []view
	readAt time.Time
}

type missing struct {
	socket socket
	name   string
}

// quiet is since when a server has had no connection, and after how many failed ones.
type quiet struct {
	attempts int
	since    time.Time
}

// now is what it is with the next read.
func (q quiet) now(s serverStat, now time.Time) quiet {
	if q.since.IsZero() || s.connections+s.queued > 0 || q.attempts != s.attempts {
		return quiet{attempts: s.attempts, since: now}
	}
	return q
}

type seen struct {
	process string
	// former is the process that answered before, and returns how often it was back, at last at returnedAt.
	former     string
	returns    int
	returnedAt time.Time
	// suits are the settings with which the backend takes servers that are added to this process, as far as that was
	// asked. external: it takes none, whatever the settings.
	suits    balancer.Settings
	external bool
	// serving are the servers that were healthy when last read.
	serving map[string]bool
	// lost are those that were when the process before this one was last read.
	lost   map[string]bool
	lostAt time.Time
	// leaving are those that are to be removed.
	leaving map[string]quiet
}

func newMemory(now func() time.Time) *memory {
	return &memory{now: now, instances: map[socket]*seen{}, missing: map[missing]time.Time{}}
}

// note takes a view in, and reports whether two processes take turns at the socket. A process that was restarted or
// reloaded never answers again.
func (m *memory) note(v view) (shared bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.instances[v.socket]
	if s == nil {
		s = &seen{process: v.process, serving: map[string]bool{}}
		m.instances[v.socket] = s
	}

	if s.process != v.process {
		s.changes(v.process, m.now())
		if m.now().Sub(s.lostAt) < restoreWithin {
			maps.Copy(s.serving, s.lost) // lost twice
		}
		s.process, s.lost, s.lostAt = v.process, s.serving, m.now()
		s.suits, s.external = "", false
	}

	before := s.leaving
	s.serving, s.leaving = map[string]bool{}, map[string]quiet{}
	for _, server := range v.own() {
		if server.phase() == leaving {
			s.leaving[server.name] = before[server.name].now(server.stat, m.now())
		}
		proving := s.lost[server.name] && server.phase() == present && server.operation == opRunning && server.stat.check == "INI"
		if proving || server.health().State == gate.Healthy {
			s.serving[server.name] = true
		}
		if !proving {
			delete(s.lost, server.name)
		}
	}

	return s.returns >= turns && m.now().Sub(s.returnedAt) < time.Minute
}

// changes counts how often the former process is back.
func (s *seen) changes(to string, now time.Time) {
	if to == s.former {
		if now.Sub(s.returnedAt) >= time.Minute {
			s.returns = 0
		}
		s.returns, s.returnedAt = s.returns+1, now
	}
	s.former = s.process
}

// keep notes what was read for a Tend that follows.
func (m *memory) keep(views []view) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.views, m.readAt = views, m.now()
}

// take returns what was kept if it is younger than a time and was read with the same
// settings, once: what follows from a read is done once.
func (m *memory) take(with balancer.Settings, young time.Duration) []view {
	m.mu.Lock()
	defer m.mu.Unlock()
	defer func() { m.views = nil }()
	return m.usable(with, young)
}

// kept returns the same, and leaves it for take.
func (m *memory) kept(with balancer.Settings, young time.Duration) []view {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.usable(with, young)
}

// usable returns what was kept if it can be gone by; mu is held.
func (m *memory) usable(with balancer.Settings, young time.Duration) []view {
	if len(m.views) == 0 || m.views[0].g.settings != with || m.now().Sub(m.readAt) >= young {
		return nil
	}
	return m.views
}

// tried returns what HAProxy said of servers of a view's settings, in the process that was read.
func (m *memory) tried(v view) (suits, external bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.instances[v.socket]
	if s == nil || s.process != v.process {
		return false, false
	}
	return s.suits == v.g.settings, s.external
}

// try notes it.
func (m *memory) try(v view, external bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.instances[v.socket]
	switch {
	case s == nil || s.process != v.process:
	case external:
		s.external = true
	default:
		s.suits = v.g.settings
	}
}

// quietFor is for how long a server that leaves has had no connection, failed ones included.
func (m *memory) quietFor(at socket, name string) time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.instances[at]
	if s == nil || s.leaving[name].since.IsZero() {
		return 0
	}
	return m.now().Sub(s.leaving[name].since)
}

// restorable reports whether a server was healthy at the instance until HAProxy was
// restarted or reloaded just now. Such a server starts as one of the configuration
// does: with traffic, and down after the first check that fails. Started as a new one,
// all of the backend would be down until enough checks have passed.
func (m *memory) restorable(at socket, name string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.instances[at]
	return s != nil && s.lost[name] && m.now().Sub(s.lostAt) < restoreWithin
}

// lacks notes which servers an instance lacks, and gives those that it has lacked for
// as long as that.
func (m *memory) lacks(at socket, names []string, long time.Duration) map[string]bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	lacking := map[string]bool{}
	overdue := map[string]bool{}
	for _, name := range names {
		key := missing{at, name}
		if _, known := m.missing[key]; !known {
			m.missing[key] = now
		}
		lacking[name] = true
		if now.Sub(m.missing[key]) >= long {
			overdue[name] = true
		}
	}

	for key := range m.missing {
		if key.socket == at && !lacking[key.name] {
			delete(m.missing, key)
		}
	}

	return overdue
}
