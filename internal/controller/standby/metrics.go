// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package standby

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	acting       prometheus.Gauge
	deregistered prometheus.Counter
	failures     prometheus.Counter
}

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		acting: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "podgate_standby_acting",
			Help: "1 while this replica deregisters terminating pods in the place of a leader that is silent, else 0. Worry when it is 1 for longer than an election.",
		}),
		deregistered: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "podgate_standby_deregistrations_total",
			Help: "Targets that this replica deregistered in the place of a leader that was silent. When it often grows, leaders die.",
		}),
		failures: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "podgate_standby_failures_total",
			Help: "Attempts to deregister a binding's targets in the place of a silent leader that failed. Worry when it grows.",
		}),
	}

	for _, c := range []prometheus.Collector{m.acting, m.deregistered, m.failures} {
		if err := reg.Register(c); err != nil {
			return nil, err
		}
	}

	return m, nil
}
