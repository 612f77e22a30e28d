// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/podgate/podgate/internal/check"
)

// metrics have no names of gates or pods in them: there may be thousands.
type metrics struct {
	answers  *prometheus.CounterVec
	duration *prometheus.HistogramVec
}

func newMetrics() *metrics {
	return &metrics{
		answers: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "podgate_check_answers_total",
			Help: "Answers of ReadinessGates' checks about pods, by the kind of the check and answer (Pass, Fail, NoAnswer). Worry when NoAnswer grows.",
		}, []string{"kind", "answer"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "podgate_check_duration_seconds", Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2, 5, 10, 30, 60},
			Help: "How long the calls of checks took, by the kind of the check. Worry near the checks' timeoutSeconds.",
		}, []string{"kind"}),
	}
}

func (m *metrics) answered(kind string, a check.Answer) {
	m.answers.WithLabelValues(kind, a.Verdict.String()).Inc()
}
