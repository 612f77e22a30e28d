// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package record

import (
	"slices"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/types"
)

// seenBuckets suit what takes from tens of milliseconds to minutes.
var seenBuckets = []float64{0.05, 0.1, 0.2, 0.3, 0.5, 1, 2, 5, 10, 30, 60, 120, 300}

// drainBuckets suit deregistration delays; AWS allows up to an hour.
var drainBuckets = []float64{1, 2, 5, 10, 15, 20, 30, 45, 60, 90, 120, 180, 300, 600, 1200, 3600}

// fewBuckets are for what is measured for each binding.
var fewBuckets = []float64{1, 5, 15, 30, 60, 120, 300, 900}

// ofBinding are the labels of what is measured for each binding.
var ofBinding = []string{"namespace", "binding"}

// metrics measure drains.
type metrics struct {
	deleteToDrained prometheus.Histogram
	acceptToSeen    prometheus.Histogram
	drainTook       *prometheus.HistogramVec
	livedOn         *prometheus.HistogramVec
	drained         *prometheus.CounterVec
	undrained       *prometheus.CounterVec
	cut             *prometheus.CounterVec
}

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		deleteToDrained: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "podgate_drained_delay_seconds", Buckets: drainBuckets,
			Help: "Time from a pod's deletion until a read shows that its target has left the group; groups that drain are read every five seconds. Above the pods' grace periods, requests are cut off.",
		}),
		acceptToSeen: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "podgate_draining_seen_delay_seconds", Buckets: seenBuckets,
			Help: "Time from an accepted deregistration until a read shows the target draining.",
		}),
		drainTook: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "podgate_drain_seconds", Buckets: fewBuckets,
			Help: "Time from an accepted deregistration until a read shows that the target has left the group.",
		}, ofBinding),
		livedOn: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "podgate_drain_lived_on_seconds", Buckets: fewBuckets,
			Help: "How long pods lived on after their load balancer had finished draining. Always large: the drain is longer than it has to be.",
		}, ofBinding),
		drained: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "podgate_pods_drained_total",
			Help: "Pods that ended after their load balancer had finished draining.",
		}, ofBinding),
		undrained: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "podgate_pods_undrained_total",
			Help: "Pods that ended before their load balancer had finished draining, by cause (grace_period, last_serving, deregistration, hook, no_hook, no_deletion): requests may be lost.",
		}, append(slices.Clone(ofBinding), "cause")),
		cut: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "podgate_drain_connections_cut_total",
			Help: "Connections that the latest read showed at targets of pods that drained adaptively or without an end, when those pods ended, where the load balancer tells. Worry when it grows.",
		}, ofBinding),
	}

	for _, c := range []prometheus.Collector{m.deleteToDrained, m.acceptToSeen, m.drainTook, m.livedOn, m.drained, m.undrained, m.cut} {
		if err := reg.Register(c); err != nil {
			return nil, err
		}
	}

	return m, nil
}

// read measures the targets that a read of a binding's group first showed draining, and gone.
func (m *metrics) read(binding types.NamespacedName, draining, gone []Drain) {
	for _, d := range draining {
		if !d.Accepted.IsZero() {
			m.acceptToSeen.Observe(d.Draining.Sub(d.Accepted).Seconds())
		}
	}

	for _, d := range gone {
		if d.Accepted.IsZero() {
			continue // Another process deregistered it, nobody knows when.
		}
		m.drainTook.WithLabelValues(binding.Namespace, binding.Name).Observe(d.Gone.Sub(d.Accepted).Seconds())
		if !d.Deleted.IsZero() {
			m.deleteToDrained.Observe(max(d.Gone.Sub(d.Deleted), 0).Seconds())
		}
	}
}

// ended counts a pod's end.
func (m *metrics) ended(binding types.NamespacedName, v Verdict) {
	switch {
	case v.Cause != "":
		m.undrained.WithLabelValues(binding.Namespace, binding.Name, string(v.Cause)).Inc()
	case v.Judged:
		m.drained.WithLabelValues(binding.Namespace, binding.Name).Inc()
		m.livedOn.WithLabelValues(binding.Namespace, binding.Name).Observe(v.LivedOn.Seconds())
	}

	if v.Cut > 0 {
		m.cut.WithLabelValues(binding.Namespace, binding.Name).Add(float64(v.Cut))
	}
}

// forget ends a binding's series.
func (m *metrics) forget(binding types.NamespacedName) {
	of := prometheus.Labels{"namespace": binding.Namespace, "binding": binding.Name}
	for _, v := range []interface{ DeletePartialMatch(prometheus.Labels) int }{m.drainTook, m.livedOn, m.drained, m.undrained, m.cut} {
		v.DeletePartialMatch(of)
	}
}
