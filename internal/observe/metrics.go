// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package observe

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics gives podgate_oldest_read_age_seconds, for a registry: one number for all
// groups, since one for each would be too many series.
func (o *Observer) Metrics() prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "podgate_oldest_read_age_seconds",
		Help: "Age of the oldest latest complete read of a target group; 0 when none is observed.",
	}, func() float64 { return o.oldest(time.Now()).Seconds() })
}

// oldest is how long ago the group was read that was not read for longest.
func (o *Observer) oldest(now time.Time) time.Duration {
	o.mu.Lock()
	defer o.mu.Unlock()
	var age time.Duration
	for _, g := range o.groups {
		at := g.view.Snapshot.Started
		if at.IsZero() {
			at = g.born
		}
		age = max(age, now.Sub(at))
	}
	return age
}
