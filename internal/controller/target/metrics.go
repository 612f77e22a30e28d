// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package target

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/gate"
)

// buckets suit what takes from tens of milliseconds to minutes.
var buckets = []float64{0.05, 0.1, 0.2, 0.3, 0.5, 1, 2, 5, 10, 30, 60, 120, 300}

type metrics struct {
	held             *prometheus.GaugeVec
	readyToRegister  prometheus.Histogram
	deleteToDeregist prometheus.Histogram
}

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		held: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "podgate_targets_held",
			Help: "Targets that should leave a group and stay because it would serve nobody without them.",
		}, []string{"namespace", "binding"}),
		readyToRegister: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "podgate_registration_delay_seconds", Buckets: buckets,
			Help: "Time from a pod's containers being ready to its registration, from the condition's time of one-second resolution.",
		}),
		deleteToDeregist: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "podgate_deregistration_delay_seconds", Buckets: buckets,
			Help: "Time from a pod's deletion to its deregistration, from the deletion time of one-second resolution.",
		}),
	}
	for _, c := range []prometheus.Collector{m.held, m.readyToRegister, m.deleteToDeregist} {
		if err := reg.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func (m *metrics) registered(done []gate.Target, who population, now time.Time) {
	for _, t := range done {
		pod := who.pods[t]
		if pod == nil {
			continue
		}
		if c := binding.Condition(pod, corev1.ContainersReady); c != nil {
			m.readyToRegister.Observe(max(now.Sub(c.LastTransitionTime.Time), 0).Seconds())
		}
	}
}

func (m *metrics) deregistered(done []gate.Target, who population, now time.Time) {
	for _, t := range done {
		pod := who.pods[t]
		if pod == nil || pod.DeletionTimestamp.IsZero() {
			continue
		}
		deleted := pod.DeletionTimestamp.Time
		if g := pod.DeletionGracePeriodSeconds; g != nil {
			deleted = deleted.Add(-time.Duration(*g) * time.Second)
		}
		m.deleteToDeregist.Observe(max(now.Sub(deleted), 0).Seconds())
	}
}

func (m *metrics) forget(key types.NamespacedName) {
	m.held.DeleteLabelValues(key.Namespace, key.Name)
}
