// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package targets

import (
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/podgate/podgate/api/gates"
	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/controller/latency"
	"github.com/podgate/podgate/internal/drain/record"
	"github.com/podgate/podgate/internal/gate"
	"github.com/podgate/podgate/internal/membership"
)

// buckets suit what takes from tens of milliseconds to minutes.
var buckets = []float64{0.05, 0.1, 0.2, 0.3, 0.5, 1, 2, 5, 10, 30, 60, 120, 300}

// drainBuckets suit deregistration delays, of which AWS allows up to an hour.
var drainBuckets = []float64{1, 2, 5, 10, 15, 20, 30, 45, 60, 90, 120, 180, 300, 600, 1200, 3600}

// fewBuckets are of what is told for each binding.
var fewBuckets = []float64{1, 5, 15, 30, 60, 120, 300, 900}

// ofBinding are the labels of what is told for each binding.
var ofBinding = []string{"namespace", "binding"}

type metrics struct {
	held             *prometheus.GaugeVec
	activations      *prometheus.CounterVec
	readyToRegister  prometheus.Histogram
	deleteToDeregist prometheus.Histogram
	deleteToDrained  prometheus.Histogram
	acceptToSeen     prometheus.Histogram
	drainTook        *prometheus.HistogramVec
	livedOn          *prometheus.HistogramVec
	drained          *prometheus.CounterVec
	undrained        *prometheus.CounterVec
	cut              *prometheus.CounterVec

	// registrations are when pods that have a gate were registered, for the pod controller.
	registrations *latency.Times[latency.Registration]
}

func newMetrics(reg prometheus.Registerer, registrations *latency.Times[latency.Registration]) (*metrics, error) {
	m := &metrics{
		registrations: registrations,
		held: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "podgate_targets_held",
			Help: "Running targets that should leave a group and that a guard keeps.",
		}, []string{"namespace", "binding"}),
		activations: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "podgate_guard_activations_total",
			Help: "Times that a guard began to keep targets of a group that should leave it.",
		}, []string{"guard"}),
		readyToRegister: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "podgate_registration_delay_seconds", Buckets: buckets,
			Help: "Time from a pod's containers being ready to its registration, from the condition's time of one-second resolution.",
		}),
		deleteToDeregist: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "podgate_deregistration_delay_seconds", Buckets: buckets,
			Help: "Time from a pod's deletion to its deregistration, from the deletion time of one-second resolution.",
		}),
		deleteToDrained: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "podgate_drained_delay_seconds", Buckets: drainBuckets,
			Help: "Time from a pod's deletion until a read shows that its target has left the group, drained. Groups that drain are read every five seconds.",
		}),
		acceptToSeen: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "podgate_draining_seen_delay_seconds", Buckets: buckets,
			Help: "Time from an accepted deregistration until a read shows the target draining.",
		}),
		drainTook: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "podgate_drain_seconds", Buckets: fewBuckets,
			Help: "Time from an accepted deregistration until a read shows that the target has left the group.",
		}, ofBinding),
		livedOn: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "podgate_drain_lived_on_seconds", Buckets: fewBuckets,
			Help: "Time that pods lived on after their load balancer had let go of them.",
		}, ofBinding),
		drained: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "podgate_pods_drained_total",
			Help: "Pods that ended after their load balancer had let go of them.",
		}, ofBinding),
		undrained: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "podgate_pods_undrained_total",
			Help: "Pods that ended before their load balancer had let go of them, by why.",
		}, append(slices.Clone(ofBinding), "cause")),
		cut: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "podgate_drain_connections_cut_total",
			Help: "Connections that targets had by the latest read when their pods ended, where the load balancer tells.",
		}, ofBinding),
	}

	for _, g := range membership.Guards {
		m.activations.WithLabelValues(string(g))
	}

	for _, c := range []prometheus.Collector{m.held, m.activations, m.readyToRegister, m.deleteToDeregist, m.deleteToDrained, m.acceptToSeen, m.drainTook, m.livedOn, m.drained, m.undrained, m.cut} {
		if err := reg.Register(c); err != nil {
			return nil, err
		}
	}

	return m, nil
}

func (m *metrics) registered(ref balancer.Ref, done []gate.Target, who population, now time.Time) {
	for _, t := range done {
		pod := who.pods[t]
		if pod == nil {
			continue
		}
		if len(gates.Of(pod)) > 0 {
			m.registrations.Note(latency.Registration{Pod: pod.UID, Group: ref.Group}, now, now)
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
		m.deleteToDeregist.Observe(max(now.Sub(deletedAt(pod)), 0).Seconds())
	}
}

// ended counts a pod's end.
func (m *metrics) ended(key types.NamespacedName, v record.Verdict) {
	switch {
	case v.Cause != "":
		m.undrained.WithLabelValues(key.Namespace, key.Name, string(v.Cause)).Inc()
	case v.Judged:
		m.drained.WithLabelValues(key.Namespace, key.Name).Inc()
		m.livedOn.WithLabelValues(key.Namespace, key.Name).Observe(v.LivedOn.Seconds())
	}
	if v.Cut > 0 {
		m.cut.WithLabelValues(key.Namespace, key.Name).Add(float64(v.Cut))
	}
}

// forget ends a binding's series.
func (m *metrics) forget(key types.NamespacedName) {
	of := prometheus.Labels{"namespace": key.Namespace, "binding": key.Name}
	for _, v := range []interface{ DeletePartialMatch(prometheus.Labels) int }{m.held, m.drainTook, m.livedOn, m.drained, m.undrained, m.cut} {
		v.DeletePartialMatch(of)
	}
}
