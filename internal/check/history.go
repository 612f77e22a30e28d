// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package check

import (
	"net/netip"
	"time"
)

// leastKept is how long an answer counts at least, however often the check is asked.
const leastKept = 30 * time.Second

// Rules say when a check is asked about a pod, and when its answers count.
type Rules struct {
	// Period is the time between two questions.
	Period time.Duration
	// InitialDelay is how long after the containers became ready the check is asked first.
	InitialDelay time.Duration
	// SuccessThreshold is how many answers in a row have to pass; below 1 it is 1.
	SuccessThreshold int
}

// Begin is when a check is asked first about a pod whose containers became ready then.
func (r Rules) Begin(containersReadySince time.Time) time.Time {
	return containersReadySince.Add(r.InitialDelay)
}

// keeps is how long an answer counts.
func (r Rules) keeps() time.Duration { return max(3*r.Period, leastKept) }

// History is what one check has said of one pod so far. It is kept in memory only: after a restart counting begins
// again, so that a gate opens later, and never earlier. The zero value is that of a pod that nobody asked about.
type History struct {
	latest Answer
	// asked is when the latest answer was asked for.
	asked time.Time
	// passed counts how many answers in a row passed, and addr is the address that they are of.
	passed int
	addr   netip.Addr
}

// Add takes in an answer that was asked for at a time, of a pod about which the check may be asked from begin on
// (Rules.Begin). What was said before begin is of containers that were restarted since, and does not count. Neither does
// what was said of another address. No answer neither counts nor ends the row.
func (h History) Add(a Answer, asked, begin time.Time) History {
	if h.asked.Before(begin) {
		h = History{}
	}
	if asked.Before(begin) {
		return h
	}

	h.latest, h.asked = a, asked
	if a.Verdict == NoAnswer {
		return h
	}

	if a.Verdict == Fail || a.Addr != h.addr {
		h.passed = 0
	}
	if a.Verdict == Pass {
		h.passed++
	}
	h.addr = a.Addr

	return h
}

// Answer returns what the check says of the pod now: its latest answer, unless that does not count, because it is too
// old, of containers that were restarted since, or passed too few times in a row.
func (h History) Answer(now, begin time.Time, rules Rules) Answer {
	switch {
	case h.asked.IsZero() || h.asked.Before(begin):
		return Answer{Word: Waiting}
	case now.Sub(h.asked) > rules.keeps():
		return Answer{Word: Outdated, Addr: h.latest.Addr}
	case h.latest.Verdict == Pass && h.passed < rules.SuccessThreshold:
		return Answer{Word: Waiting, Addr: h.latest.Addr}
	}
	return h.latest
}
