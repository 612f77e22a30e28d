// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package targets

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/podgate/podgate/internal/balancer/traits"
	"github.com/podgate/podgate/internal/gate"
	"github.com/podgate/podgate/internal/observe"
)

func TestOverlay(t *testing.T) {
	row := func(s gate.State) map[gate.Target]gate.Health { return map[gate.Target]gate.Health{at(1): {State: s}} }
	cases := map[string]struct {
		reason string
		calls  []bool        // registrations (true) and deregistrations of target 1
		age    time.Duration // since the last of them
		read   time.Duration // since the read began
		api    map[gate.Target]gate.Health
		want   map[gate.Target]gate.Health
	}{
		"NoCalls":           {reason: "What the API says is taken as it is.", api: row(gate.Healthy), want: row(gate.Healthy)},
		"RegisteredNotSeen": {reason: "An API that lags does not make podgate register again.", calls: []bool{true}, api: map[gate.Target]gate.Health{}, want: row(gate.Initial)},
		"RegisteredSeen":    {reason: "The API knows better what became of it.", calls: []bool{true}, api: row(gate.Unhealthy), want: row(gate.Unhealthy)},
		"RegisteredAgain":   {reason: "The row that drains is of an earlier time.", calls: []bool{false, true}, api: row(gate.Draining), want: row(gate.Initial)},
		"DeregisteredSeen":  {reason: "Nor does it make podgate deregister again, nor count as serving.", calls: []bool{true, false}, api: row(gate.Healthy), want: row(gate.Draining)},
		"DeregisteredGone":  {reason: "A row that is gone stays gone.", calls: []bool{false}, api: map[gate.Target]gate.Health{}, want: map[gate.Target]gate.Health{}},
		"Old":               {reason: "After a while only the API counts, so that nothing hides drift.", calls: []bool{true}, age: gate.Lag, api: map[gate.Target]gate.Health{}, want: map[gate.Target]gate.Health{}},
		"OldAndOldRead":     {reason: "What was read before the call tells nothing about it, however long ago.", calls: []bool{false}, age: gate.Lag + time.Second, read: gate.Lag + 2*time.Second, api: row(gate.Healthy), want: row(gate.Draining)},
		"NeverRead":         {reason: "What podgate did is not all that is there.", calls: []bool{true}},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			now := noon
			l := newPendingCalls(func() time.Time { return now }, traits.All().Lag)
			for _, registered := range tc.calls {
				l.record(ref, list(1), registered)
			}
			now = now.Add(tc.age)
			got := l.overlay(ref, observe.Snapshot{Started: now.Add(-tc.read), Targets: tc.api})
			if diff := cmp.Diff(tc.want, got, cmpopts.EquateComparable(netip.Addr{})); diff != "" {
				t.Errorf("%s\noverlay: -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

// TestLaw2OverlayOfDoubts: a call that failed may have been done or not, and a target that may be in the group is not taken for
// one that is out.
func TestLaw2OverlayOfDoubts(t *testing.T) {
	row := func(s gate.State) map[gate.Target]gate.Health { return map[gate.Target]gate.Health{at(1): {State: s}} }
	type call struct{ registered, doubtful bool }
	for name, tc := range map[string]struct {
		reason string
		calls  []call
		api    map[gate.Target]gate.Health
		want   map[gate.Target]gate.Health
	}{
		"Deregistered":        {reason: "It may serve or not.", calls: []call{{doubtful: true}}, api: row(gate.Healthy), want: row(gate.Unknown)},
		"DeregisteredNotSeen": {reason: "It may be one that no read has shown.", calls: []call{{doubtful: true}}, api: map[gate.Target]gate.Health{}, want: row(gate.Unknown)},
		"DeregisteredLeaving": {reason: "The call was done.", calls: []call{{doubtful: true}}, api: row(gate.Draining), want: row(gate.Draining)},
		"RegisteredBefore": {
			reason: "What leaves left before it was registered, and nothing has shown that it left since.",
			calls:  []call{{}, {registered: true}, {doubtful: true}}, api: row(gate.Draining), want: row(gate.Unknown),
		},
		"RegisteredBeforeInDoubt": {
			reason: "So it may be after any number of failures.",
			calls:  []call{{registered: true, doubtful: true}, {doubtful: true}, {doubtful: true}}, api: row(gate.Draining), want: row(gate.Unknown),
		},
		"DeregisteredAfterAll": {reason: "This one was done.", calls: []call{{registered: true}, {doubtful: true}, {}}, api: row(gate.Draining), want: row(gate.Draining)},
		"Registered":           {reason: "It is in when the API says so.", calls: []call{{registered: true, doubtful: true}}, api: map[gate.Target]gate.Health{}, want: map[gate.Target]gate.Health{}},
		"OutUntilSurelyIn":     {reason: "It was deregistered.", calls: []call{{}, {registered: true, doubtful: true}}, api: row(gate.Healthy), want: row(gate.Draining)},
	} {
		t.Run(name, func(t *testing.T) {
			l := newPendingCalls(func() time.Time { return noon }, traits.All().Lag)
			for _, c := range tc.calls {
				note := l.record
				if c.doubtful {
					note = l.doubt
				}
				note(ref, list(1), c.registered)
			}
			got := l.overlay(ref, observe.Snapshot{Started: noon, Targets: tc.api})
			if diff := cmp.Diff(tc.want, got, cmpopts.EquateComparable(netip.Addr{})); diff != "" {
				t.Errorf("%s\noverlay: -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestExpires(t *testing.T) {
	now := noon
	old := observe.Snapshot{Started: noon}
	l := newPendingCalls(func() time.Time { return now }, traits.All().Lag)
	if at := l.expires(ref, old); !at.IsZero() || l.overdue(ref, old) {
		t.Errorf("nothing was done: want zero, got %s", at)
	}

	l.record(ref, list(1), false)
	now = now.Add(time.Second)
	l.record(ref, list(2), true)

	if at := l.expires(ref, old); !at.Equal(noon.Add(gate.Lag)) || l.overdue(ref, old) {
		t.Errorf("want when the first call stops counting, got %s", at)
	}

	now = noon.Add(gate.Lag)
	if at := l.expires(ref, old); !at.Equal(now.Add(time.Second)) || !l.overdue(ref, old) {
		t.Errorf("want a read now, and to look again when the second call stops counting, got %s", at)
	}

	if at := l.expires(ref, observe.Snapshot{Started: noon.Add(gate.Lag)}); !at.Equal(noon.Add(gate.Lag + time.Second)) {
		t.Errorf("the first call was outdated by a read: want when the second stops counting, got %s", at)
	}

	now = now.Add(time.Hour)
	if at := l.expires(ref, old); !at.Equal(now.Add(reread)) {
		t.Errorf("a read is long due: want a moment from now, got %s", at)
	}

	if fresh := (observe.Snapshot{Started: now}); !l.expires(ref, fresh).IsZero() || l.overdue(ref, fresh) {
		t.Errorf("all was outdated by a read, and it is looked at again at %s", l.expires(ref, fresh))
	}
}
