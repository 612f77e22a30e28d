// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package record

import (
	"testing"
	"time"

	"github.com/podgate/podgate/internal/drain"
)

func TestDone(t *testing.T) {
	alb := drain.Need{Routing: 20 * time.Second, InFlight: 30 * time.Second}
	cases := map[string]struct {
		reason string
		d      Drain
		want   time.Time
	}{
		"Accepted":  {reason: "The row tells nothing of routing.", d: Drain{Ref: group, Accepted: at(1), Draining: at(3)}, want: at(51)},
		"GoneEarly": {reason: "Routing goes on even when the row is gone; what is in flight then was cut.", d: Drain{Ref: group, Accepted: at(1), Gone: at(11)}, want: at(21)},
		"Gone":      {reason: "What is in flight ends with the row.", d: Drain{Ref: group, Accepted: at(1), Gone: at(35)}, want: at(35)},
		"HAProxy":   {reason: "No server, no requests.", d: Drain{Ref: backend, GoneIsDone: true, Accepted: at(1), Gone: at(4)}, want: at(4)},
		"Lasting":   {reason: "A server with connections stays.", d: Drain{Ref: backend, GoneIsDone: true, Accepted: at(1)}, want: at(51)},
		"NewLeader": {reason: "It was deregistered no later than it was seen draining.", d: Drain{Ref: group, Draining: at(10)}, want: at(60)},
		"GoneAlone": {reason: "Or gone.", d: Drain{Ref: group, Gone: at(10)}, want: at(30)},
		"Nothing":   {reason: "Nobody knows.", d: Drain{Ref: group, Deleted: at(0)}},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, ok := tc.d.Done(alb)
			if !got.Equal(tc.want) || ok == tc.want.IsZero() {
				t.Errorf("%s\nwant %s, got %s, %t", tc.reason, tc.want, got, ok)
			}
		})
	}
}
