// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"fmt"
	"strings"
	"time"

	"github.com/podgate/podgate/api/v1alpha1"
)

// limited applies the time-out to a feed that would keep its gate closed.
func (d decision) limited(p part) part {
	if d.policy.Timeout <= 0 || p.condition.Status == StatusTrue {
		return p
	}

	due := latest(latest(d.pod.ContainersReadySince, d.feed.FreeSince), d.pod.ClosedAt).Add(d.policy.Timeout)
	if d.now.Before(due) {
		p.recheck = sooner(p.recheck, due.Sub(d.now))
		return p
	}

	if d.policy.OnTimeout == Open {
		message := fmt.Sprintf("Opened by the %s's time-out of %s, although %s", d.feed.words().owner, span(d.policy.Timeout), d.feed.words().unhealthy)
		if p.condition.Reason != "" {
			message += " (" + p.condition.Reason + ")"
		}
		return part{condition: Condition{StatusTrue, v1alpha1.ReasonTimedOut, message + "."}, proven: p.proven}
	}

	if p.condition.Status != "" {
		p.timedOut = true
		p.condition.Message = overdue(p.condition.Message, d.feed.words().owner, d.policy)
	}

	return p
}

// timedOut ends the message of a gate that stays closed after its time-out.
const timedOut = ", and the gate stays closed, as on-timeout says."

// overdue adds that the time-out has passed, once: a condition that is kept says so already.
func overdue(message, owner string, policy Policy) string {
	if strings.HasSuffix(message, timedOut) {
		return message
	}
	if message != "" {
		message = strings.TrimSuffix(message, ".") + ". "
	}
	return message + "The " + owner + "'s time-out of " + span(policy.Timeout) + " has passed" + timedOut
}

// sooner is the shorter of two waits; 0 means without end.
func sooner(a, b time.Duration) time.Duration {
	switch {
	case a <= 0:
		return b
	case b <= 0:
		return a
	}
	return min(a, b)
}

// span is a duration as people write it.
func span(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
