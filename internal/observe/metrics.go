// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package observe

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics returns podgate_oldest_read_age_seconds, for a registry: one number for all
// subjects, since one for each would be too many series.
func (o *Observer) Metrics() prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "podgate_oldest_read_age_seconds",
		Help: "Age of the oldest latest complete read of a target group, without what a quiet group rests beyond 4.5 minutes; 0 when none is observed. Worry above 600.",
	}, func() float64 { return o.oldest(time.Now()).Seconds() })
}

// oldest is how long ago the subject was read that was not read for longest. A quiet subject is not read for longer than
// others, which is not counted, unless its reads fail.
func (o *Observer) oldest(now time.Time) time.Duration {
	o.mu.Lock()
	defer o.mu.Unlock()
	var age time.Duration
	for _, s := range o.subjects {
		at := s.view.Snapshot.Started
		if at.IsZero() {
			at = s.born
		}
		at = at.Add(max(s.rested, s.every()-AuditInterval))
		if s.failures > 0 {
			at = earlier(at, s.failing)
		}
		age = max(age, now.Sub(at))
	}
	return age
}
