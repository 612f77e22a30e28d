// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package health

import (
	"iter"

	"github.com/podgate/podgate/sim/awssim/faults"
)

// Scripts are those of a group. A target's own script goes before its group's. The zero value has none.
type Scripts struct {
	group *Script
	own   map[faults.Target]*Script
}

// For is what a target's checks are replaced by; nil when they are not.
func (s *Scripts) For(t faults.Target) *Script {
	if own := s.own[t]; own != nil {
		return own
	}
	return s.group
}

// Set replaces the script of a target, or of the group when target is nil; without a script it takes that back. It hands on
// which of the registered targets get another one by that, and whether their health begins again, since a state that was
// said comes or goes.
func (s *Scripts) Set(target *faults.Target, script *Script, registered iter.Seq[faults.Target], changed func(t faults.Target, again bool)) {
	before := map[faults.Target]*Script{}
	for t := range registered {
		before[t] = s.For(t)
	}

	switch {
	case target == nil:
		s.group = script
	case script == nil:
		delete(s.own, *target)
	default:
		if s.own == nil {
			s.own = map[faults.Target]*Script{}
		}
		s.own[*target] = script
	}

	for t, old := range before {
		if now := s.For(t); now != old {
			changed(t, old.says() || now.says())
		}
	}
}

// says reports whether a script, which may be nil, says a state.
func (sc *Script) says() bool { return sc != nil && sc.State != "" }

// Next is the outcome of the next check, and how many of the script's are used then; empty for a check that is really made.
func (sc *Script) Next(used int) (outcome string, then int) {
	if sc == nil || len(sc.Outcomes) == 0 {
		return "", used
	}
	return sc.Outcomes[min(used, len(sc.Outcomes)-1)], used + 1
}
