// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package certificate

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	expiry    *prometheus.GaugeVec
	rotations *prometheus.CounterVec
	patches   prometheus.Counter
	failures  prometheus.Counter
}

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		expiry: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "podgate_webhook_certificate_expiry_timestamp_seconds",
			Help: "When the certificate ends, in Unix time, by what (serving, ca): the pair that this replica serves, and the authority that signs the next. Worry within a week.",
		}, []string{"what"}),
		rotations: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "podgate_webhook_certificate_rotations_total",
			Help: "Pairs and authorities that this replica made, by what (serving, ca). Worry about more than a few a month.",
		}, []string{"what"}),
		patches: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "podgate_webhook_ca_bundle_patches_total",
			Help: "Patches of caBundle by this replica. When it grows between rotations, somebody else writes it, too.",
		}),
		failures: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "podgate_webhook_certificate_failures_total",
			Help: "Failed attempts to read or write the Secret or the webhook configuration, conflicts aside. Worry when it grows.",
		}),
	}

	for _, c := range []prometheus.Collector{m.expiry, m.rotations, m.patches, m.failures} {
		if err := reg.Register(c); err != nil {
			return nil, fmt.Errorf("register certificate metrics: %w", err)
		}
	}

	m.rotations.WithLabelValues(RotateServing)
	m.rotations.WithLabelValues(RotateCA)
	return m, nil
}
