// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package record

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/podgate/podgate/internal/drain"
)

func TestJudge(t *testing.T) {
	const s = time.Second
	alb := drain.Need{Routing: 20 * s, InFlight: 30 * s}
	// hooked is the end of a pod with podgate's hook, which begins at noon.
	hooked := End{At: at(56), Deleted: at(0), Grace: 85 * s, Own: 85 * s}
	ending := func(second int, grace, own time.Duration) End {
		return End{At: at(second), Deleted: at(0), Grace: grace, Own: own}
	}

	cases := map[string]struct {
		reason string
		d      Drain
		end    End
		want   Verdict
	}{
		"Drained":      {reason: "As it is meant.", d: Drain{Ref: group, Accepted: at(1)}, end: hooked, want: Verdict{Judged: true, LivedOn: 5 * s}},
		"LastMoment":   {reason: "The slowest deregistration that the hook allows for.", d: Drain{Ref: group, Accepted: at(5)}, end: ending(55, 85*s, 85*s), want: Verdict{Judged: true}},
		"Killed":       {reason: "kubectl delete --grace-period=1.", d: Drain{Ref: group, Accepted: at(1)}, end: ending(3, s, 85*s), want: Verdict{Cause: CauseGrace, Early: 18 * s, Judged: true}},
		"NeverLeft":    {reason: "With no grace at all there was no time to deregister it.", d: Drain{Ref: group}, end: ending(0, 0, 85*s), want: Verdict{Cause: CauseGrace, Early: 55 * s, Judged: true}},
		"ShortHook":    {reason: "The load balancer may still begin requests.", d: Drain{Ref: group, Accepted: at(1)}, end: ending(6, 30*s, 30*s), want: Verdict{Cause: CauseHook, Early: 15 * s, Judged: true}},
		"ByItself":     {reason: "It gets nothing new and ends by itself: what was in flight is finished.", d: Drain{Ref: group, Accepted: at(1)}, end: ending(25, 60*s, 60*s), want: Verdict{Judged: true}},
		"KilledLate":   {reason: "It gets nothing new and is killed while requests may be in flight.", d: Drain{Ref: group, Accepted: at(1)}, end: ending(30, 30*s, 30*s), want: Verdict{Cause: CauseHook, Early: 21 * s, Judged: true}},
		"RowGoneFirst": {reason: "What was in flight when the row went was cut before.", d: Drain{Ref: group, Accepted: at(1), Gone: at(26)}, end: ending(30, 30*s, 30*s), want: Verdict{Judged: true, LivedOn: 4 * s}},
		"Late":         {reason: "The API throttled, and the pod had only the time that it has.", d: Drain{Ref: group, Accepted: at(40)}, end: hooked, want: Verdict{Cause: CauseDeregistration, Early: 4 * s, Judged: true}},
		"Held":         {reason: "Nothing else served.", d: Drain{Ref: group, Accepted: at(40), Held: true}, end: hooked, want: Verdict{Cause: CauseHeld, Early: 4 * s, Judged: true}},
		"Refused":      {reason: "Nobody deregistered it.", d: Drain{Ref: group}, end: hooked, want: Verdict{Cause: CauseDeregistration, Judged: true}},
		"Pressure":     {reason: "The node ended it.", d: Drain{Ref: group}, end: End{At: at(0), Own: 85 * s}, want: Verdict{Cause: CauseNoDeletion, Early: 55 * s, Judged: true}},
		"NewLeader":    {reason: "When it was deregistered nobody knows.", d: Drain{Ref: group, Draining: at(40)}, end: hooked},
		"HAProxy":      {reason: "No server, no requests.", d: Drain{Ref: backend, GoneIsDone: true, Accepted: at(1), Gone: at(4)}, end: ending(16, 85*s, 85*s), want: Verdict{Judged: true, LivedOn: 12 * s}},
		"HAProxyCut":   {reason: "HAProxy counts what is cut.", d: Drain{Ref: backend, GoneIsDone: true, Accepted: at(1), Connections: 3}, end: ending(2, s, 85*s), want: Verdict{Cause: CauseGrace, Early: 19 * s, Cut: 3, Judged: true}},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			tc.d.Served = true
			if diff := cmp.Diff(tc.want, tc.d.Judge(alb, tc.end)); diff != "" {
				t.Errorf("%s\n-want, +got:\n%s", tc.reason, diff)
			}
			tc.d.Served = false
			if got := tc.d.Judge(alb, tc.end); got != (Verdict{}) {
				t.Errorf("a target that got no requests is judged: %v", got)
			}
		})
	}
}
