// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package targets

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/controller/latency"
	"github.com/podgate/podgate/internal/drain/record"
	"github.com/podgate/podgate/internal/gate"
	"github.com/podgate/podgate/internal/gates"
	"github.com/podgate/podgate/internal/membership"
)

// buckets suit what takes from tens of milliseconds to minutes.
var buckets = []float64{0.05, 0.1, 0.2, 0.3, 0.5, 1, 2, 5, 10, 30, 60, 120, 300}

// callMetrics measure the calls that change groups.
type callMetrics struct {
	readyToRegister    prometheus.Histogram
	deleteToDeregister prometheus.Histogram

	// registrations are when pods that have a gate were registered, for the pod controller.
	registrations *latency.Times[latency.Registration]
	gates         gates.Kinds
}

func newCallMetrics(reg prometheus.Registerer, registrations *latency.Times[latency.Registration], kinds gates.Kinds) (*callMetrics, error) {
	m := &callMetrics{
		registrations: registrations, gates: kinds,
		readyToRegister: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "podgate_registration_delay_seconds", Buckets: buckets,
			Help: "Time from ready containers, and open gates of other controllers, to registration: podgate's part of opening. Worry above a few seconds.",
		}),
		deleteToDeregister: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "podgate_deregistration_delay_seconds", Buckets: buckets,
			Help: "Time from a pod's deletion to its deregistration; what a new leader repeats counts again. Worry above a few seconds, unless the pod was the last that serves.",
		}),
	}

	return m, register(reg, m.readyToRegister, m.deleteToDeregister)
}

func register(reg prometheus.Registerer, all ...prometheus.Collector) error {
	for _, c := range all {
		if err := reg.Register(c); err != nil {
			return err
		}
	}
	return nil
}

func (m *callMetrics) registered(ref balancer.Ref, done []gate.Target, who population, now time.Time) {
	for _, t := range done {
		pod := who.pods[t]
		if pod == nil {
			continue
		}
		if len(m.gates.Of(pod)) > 0 {
			m.registrations.Note(latency.Registration{Pod: pod.UID, Group: ref.Group}, now, now)
		}
		if c := binding.Condition(pod, corev1.ContainersReady); c != nil {
			m.readyToRegister.Observe(max(min(now.Sub(c.LastTransitionTime.Time), now.Sub(m.gates.FreeSince(pod))), 0).Seconds())
		}
	}
}

func (m *callMetrics) deregistered(done []gate.Target, who population, now time.Time) {
	for _, t := range done {
		pod := who.pods[t]
		if pod == nil || pod.DeletionTimestamp.IsZero() {
			continue
		}
		m.deleteToDeregister.Observe(max(now.Sub(record.DeletedAt(pod)), 0).Seconds())
	}
}

// guardMetrics measure what the guards keep.
type guardMetrics struct {
	held        *prometheus.GaugeVec
	foreign     *prometheus.GaugeVec
	activations *prometheus.CounterVec
}

func newGuardMetrics(reg prometheus.Registerer) (*guardMetrics, error) {
	m := &guardMetrics{
		held: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "podgate_targets_held",
			Help: "Running targets that should leave a group and that a guard keeps. Worry when it is above 0 for minutes.",
		}, []string{"namespace", "binding"}),
		foreign: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "podgate_foreign_targets",
			Help: "Targets at addresses of no pod that podgate knows, which do not fail their checks and are kept because they may be somebody else's. Worry when it is above 0 for minutes.",
		}, []string{"namespace", "binding"}),
		activations: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "podgate_guard_activations_total",
			Help: "Times that a guard (foreign, floor, absence, replacement, last_serving) began to keep targets that should leave a group. Worry about floor and absence: pods fail, or something is missing.",
		}, []string{"guard"}),
	}

	// A counter that is missing until it counts cannot be alerted on.
	for _, g := range membership.Guards {
		m.activations.WithLabelValues(string(g))
	}

	return m, register(reg, m.held, m.foreign, m.activations)
}

// forget ends a binding's series.
func (m *guardMetrics) forget(key types.NamespacedName) {
	of := prometheus.Labels{"namespace": key.Namespace, "binding": key.Name}
	m.held.DeletePartialMatch(of)
	m.foreign.DeletePartialMatch(of)
}
