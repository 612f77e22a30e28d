// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"time"

	"github.com/podgate/podgate/internal/check"
)

// Said is how many pods a check answered what about, of those that it is asked about.
type Said struct {
	// Check is the check's name.
	Check                      string
	Passing, Failing, NoAnswer int
	// Problem is what it said most often of the pods that do not pass; empty when all do.
	Problem string
}

// Said returns what the checks of a gate say now, in their order; nil when they are asked about nobody.
func (o *Observer) Said(id Gate) []Said {
	now := time.Now()
	o.mu.Lock()
	defer o.mu.Unlock()
	g := o.gates[id]
	if g == nil {
		return nil
	}

	all := make([]Said, len(g.lines))
	for i, l := range g.lines {
		all[i] = l.said(now)
	}
	return all
}

// said counts what one check says; mu is held.
func (l *line) said(now time.Time) Said {
	s := Said{Check: l.check.Name}
	problems := map[string]int{}
	for _, in := range l.gate.interests {
		if in.begin.IsZero() {
			continue // Its containers are not ready, so that nothing is asked.
		}

		a := in.answer(l, now)
		switch a.Verdict {
		case check.Pass:
			s.Passing++
			continue
		case check.Fail:
			s.Failing++
		default:
			s.NoAnswer++
		}
		problems[a.Word.String()]++
	}

	most := 0
	for problem, n := range problems {
		// Of two that are as frequent it is always the same one.
		if n > most || n == most && problem < s.Problem {
			s.Problem, most = problem, n
		}
	}
	return s
}
