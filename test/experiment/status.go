// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// status shows what is going on: one line that is written over on a terminal, or a line
// now and then elsewhere.
type status struct {
	out   io.Writer
	live  bool
	start time.Time

	mu   sync.Mutex
	last time.Time
	open bool
}

// Between two lines of the same phase.
const (
	liveInterval = 500 * time.Millisecond
	logInterval  = 5 * time.Second
)

func newStatus(out io.Writer, live bool) *status {
	return &status{out: out, live: live, start: time.Now()}
}

// say writes a line that stays.
func (s *status) say(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = time.Now()
	if s.open {
		_, _ = fmt.Fprint(s.out, "\r\033[K")
		s.open = false
	}
	_, _ = fmt.Fprintf(s.out, "%s %s\n", s.clock(), fmt.Sprintf(format, args...))
}

// show writes how far things are, if it is time to.
func (s *status) show(line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	interval := logInterval
	if s.live {
		interval = liveInterval
	}

	if time.Since(s.last) < interval {
		return
	}

	s.last = time.Now()
	if s.live {
		_, _ = fmt.Fprintf(s.out, "\r\033[K%s %s", s.clock(), line)
		s.open = true
		return
	}

	_, _ = fmt.Fprintf(s.out, "%s %s\n", s.clock(), line)
}

func (s *status) clock() string {
	d := time.Since(s.start)
	return fmt.Sprintf("%d:%02d", int(d.Minutes()), int(d.Seconds())%60)
}
