// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package observe

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/podgate/podgate/internal/gate"
)

// TestFollow: a gate that follows its target's health has its group read every ten
// seconds, every five while the target fails, and as an audit.
func TestFollow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := run(t)
		w.set(group1, atA, gate.Healthy)
		w.watch(group1, podA, atA, false)
		w.follow(group1, podA, true)
		time.Sleep(time.Minute)

		if n := len(w.during(time.Minute, group1)); n < 5 || n > 7 {
			t.Errorf("healthy: %d reads in a minute, want one in ten seconds", n)
		}

		w.set(group1, atA, gate.Unhealthy)
		time.Sleep(FollowInterval)
		n := len(w.during(time.Minute, group1))
		if n < 11 || n > 13 {
			t.Errorf("failing: %d reads in a minute, want one in five seconds", n)
		}

		w.do(func() {
			if slices.Contains(w.urgent[group1][len(w.urgent[group1])-n:], true) {
				t.Error("a read for a gate that is open is urgent")
			}
		})

		w.follow(group1, podA, false)
		if n := len(w.during(AuditInterval*2, group1)); n < 1 || n > 3 {
			t.Errorf("followed no more: %d reads in two intervals of audits", n)
		}

		w.follow(group1, podA, true)
		w.forget(podA)

		if n := len(w.during(time.Minute, group1)); n != 0 {
			t.Errorf("a group that nobody watches was read %d times", n)
		}
	})
}

// TestLaw8OutageBeginsTheCountAnew: a target fails from the first of the reads in a row that say so; a
// read that fails, or a long time without one, begins the count anew.
func TestLaw8OutageBeginsTheCountAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := run(t)
		failing := func() time.Duration {
			s := w.watch(group1, podA, atA, false)
			if s.FailingSince.IsZero() {
				return 0
			}
			return s.ReadAt.Sub(s.FailingSince)
		}

		w.set(group1, atA, gate.Healthy)
		w.watch(group1, podA, atA, false)
		w.follow(group1, podA, true)
		time.Sleep(time.Minute)

		if d := failing(); d != 0 {
			t.Errorf("healthy: failing for %s", d)
		}

		w.set(group1, atA, gate.Unhealthy)
		time.Sleep(time.Minute)

		if d := failing(); d < 45*time.Second || d > time.Minute {
			t.Errorf("after a minute of failing: failing for %s", d)
		}

		w.do(func() { w.err[group1] = errors.New("down") })
		time.Sleep(time.Minute)

		if d := failing(); d != 0 {
			t.Errorf("reads fail: failing for %s", d)
		}

		w.do(func() { w.err[group1] = nil })
		time.Sleep(time.Minute)

		if d := failing(); d == 0 || d > time.Minute {
			t.Errorf("a minute after an outage: failing for %s, want the count begun anew", d)
		}

		w.do(func() { w.hang[group1] = 2 * gate.TrackGap })
		time.Sleep(10 * time.Minute)

		if d := failing(); d != 0 {
			t.Errorf("answers come with gaps of a minute: failing for %s, want each to begin the count anew", d)
		}

		w.do(func() { w.hang[group1] = 0 })
		time.Sleep(5 * time.Minute)
		w.set(group1, atA, gate.Unknown)
		time.Sleep(time.Minute)

		if d := failing(); d != 0 {
			t.Errorf("not in the group: failing for %s", d)
		}
	})
}
