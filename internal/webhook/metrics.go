// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// outcome is what became of a request.
type outcome string

const (
	outcomePatched   outcome = "patched"
	outcomeUnchanged outcome = "unchanged"
	outcomeDisabled  outcome = "disabled"
	outcomeNotReady  outcome = "not_ready"
	outcomeMalformed outcome = "malformed"
	outcomeError     outcome = "error"
)

// injectee is what a review asks for.
type injectee string

const (
	gates injectee = "gates"
	hooks injectee = "hooks"
)

type metrics struct {
	requests *prometheus.CounterVec
	seconds  prometheus.Histogram
	gates    prometheus.Counter
	hooks    prometheus.Counter
}

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "podgate_webhook_requests_total",
			Help: "Admission reviews, by what is injected (gates, hooks) and outcome (patched, unchanged, disabled, not_ready, malformed, error). The last three were answered with HTTP 500, so the failure policy decided: with Ignore such pods have no gate.",
		}, []string{"injected", "outcome"}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "podgate_webhook_request_duration_seconds",
			Help:    "Time from a review's arrival to its answer. Worry above 1 s: the webhook's time-out is 5 s.",
			Buckets: []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .1, .5, 1, 5},
		}),
		gates: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "podgate_webhook_gates_injected_total",
			Help: "Readiness gates added to pods, dry runs and reinvocations included.",
		}),
		hooks: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "podgate_webhook_hooks_injected_total",
			Help: "preStop hooks added to containers, dry runs and reinvocations included.",
		}),
	}

	for _, c := range []prometheus.Collector{m.requests, m.seconds, m.gates, m.hooks} {
		if err := reg.Register(c); err != nil {
			return nil, fmt.Errorf("register webhook metrics: %w", err)
		}
	}

	for _, o := range []outcome{outcomePatched, outcomeUnchanged, outcomeDisabled, outcomeNotReady, outcomeMalformed, outcomeError} {
		m.requests.WithLabelValues(string(gates), string(o))
		m.requests.WithLabelValues(string(hooks), string(o))
	}

	return m, nil
}
