// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"maps"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/gate"
)

// forgotten is when a pod is forgotten that asks no more.
const forgotten = 10 * time.Minute

// one is a pod's target in a group.
type one struct {
	ref    balancer.Ref
	target gate.Target
	pod    types.UID
}

// memory is what is remembered of it.
type memory struct {
	// asked is when the pod first asked: what was read before may be of before its end;
	// heard when it last did.
	asked, heard time.Time
	// since is when the first of the reads began that all said it leaves; zero when the
	// latest did not.
	since time.Time
}

// leavings remember since when targets leave their groups, for this process's life: the
// next leader counts anew, which keeps pods longer, never shorter. Its zero value is
// ready to use.
type leavings struct {
	mu     sync.Mutex
	of     map[one]*memory
	pruned time.Time
}

// ask notes that a pod asks, and reports whether it is the first time.
func (l *leavings) ask(k one, now time.Time) (first bool) {
	l.mu.Lock()
	defer l.mu.Unlock()

	if l.of == nil {
		l.of = map[one]*memory{}
	}

	if now.Sub(l.pruned) > time.Minute {
		l.pruned = now
		maps.DeleteFunc(l.of, func(_ one, m *memory) bool { return now.Sub(m.heard) > forgotten })
	}

	if m := l.of[k]; m != nil {
		m.heard = now
		return false
	}

	l.of[k] = &memory{asked: now, heard: now}
	return true
}

// saw takes in what a read that began at a time said, and gives since when reads have said
// that the target leaves; zero when they do not. A pod must have asked before.
func (l *leavings) saw(k one, read time.Time, leaving bool) time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	m := l.of[k]
	switch {
	case m == nil || read.Before(m.asked):
		return time.Time{}
	case !leaving:
		m.since = time.Time{}
	case m.since.IsZero():
		m.since = read
	}
	return m.since
}
