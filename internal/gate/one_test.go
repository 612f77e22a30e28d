// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"net/netip"
	"strings"
	"time"
)

// subject is a pod with a gate that has one feed: the address and the proof are the feed's.
type subject struct {
	ContainersReady      bool
	ContainersReadySince time.Time
	Addr, Proven         netip.Addr
	ClosedAt             time.Time
	TimedOut             bool
	Override             Override
}

// result is a Decision about a gate with one feed.
type result struct {
	Condition Condition
	Proven    netip.Addr
	Recheck   time.Duration
	Waiting   bool
	ClosedAt  time.Time
	TimedOut  bool
}

// decide is Decide for a gate with one feed.
func decide(now time.Time, pod subject, feed Feed, policy Policy, current Condition) result {
	feed.Addr, feed.Proven = pod.Addr, pod.Proven
	p := pod.pod()
	p.Leftover = strings.Contains(current.Reason, ".")
	d := Decide(now, p, []Feed{feed}, policy, current)
	r := result{Condition: d.Condition, Recheck: d.Recheck, Waiting: d.Waiting, ClosedAt: d.ClosedAt, TimedOut: d.TimedOut}
	if len(d.Proven) > 0 {
		r.Proven = d.Proven[0]
	}
	return r
}

func (s subject) pod() Pod {
	return Pod{ContainersReady: s.ContainersReady, ContainersReadySince: s.ContainersReadySince, ClosedAt: s.ClosedAt, TimedOut: s.TimedOut, Override: s.Override}
}

// absent is what the tests' load balancer says of a target that its group does not hold.
var absent = Health{State: Unused, Reason: "Target.NotRegistered", Description: "Target is not registered to the target group"}

// room is a feed's Room as a test sets it.
func room(is bool) func() bool { return func() bool { return is } }
