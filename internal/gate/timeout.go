// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"fmt"
	"strings"
	"time"
)

// limited applies the time-out to a gate that would stay closed.
func limited(now time.Time, pod Pod, policy Policy, d Decision) Decision {
	if policy.Timeout <= 0 || d.Condition.Status == StatusTrue {
		return d
	}
	due := latest(pod.ContainersReadySince, pod.ClosedAt).Add(policy.Timeout)
	if now.Before(due) {
		d.Recheck = sooner(d.Recheck, due.Sub(now))
		return d
	}
	if policy.OnTimeout == Open {
		message := fmt.Sprintf("Opened by the binding's time-out of %s, although the load balancer does not call the target healthy", span(policy.Timeout))
		if d.Condition.Reason != "" {
			message += " (" + d.Condition.Reason + ")"
		}
		return Decision{Condition: Condition{StatusTrue, ReasonTimedOut, message + "."}, Proven: d.Proven}
	}
	if d.Condition.Status != "" {
		d.TimedOut = true
		d.Condition.Message = overdue(d.Condition.Message, policy)
	}
	return d
}

// timedOut ends the message of a gate that stays closed after its time-out.
const timedOut = ", and the gate stays closed, as on-timeout says."

func overdue(message string, policy Policy) string {
	if Overdue(message) {
		return message
	}
	if message != "" {
		message = strings.TrimSuffix(message, ".") + ". "
	}
	return message + "The binding's time-out of " + span(policy.Timeout) + " has passed" + timedOut
}

// Overdue tells whether a condition's message says that the gate timed out and stays
// closed, so that this is told once.
func Overdue(message string) bool { return strings.HasSuffix(message, timedOut) }

// sooner is the shorter of two waits; 0 means without end.
func sooner(a, b time.Duration) time.Duration {
	if a <= 0 || b < a {
		return b
	}
	return a
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
