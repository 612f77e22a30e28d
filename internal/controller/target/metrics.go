// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package target

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/podgate/podgate/api/gates"
	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/controller/since"
	"github.com/podgate/podgate/internal/gate"
	"github.com/podgate/podgate/internal/health"
	"github.com/podgate/podgate/internal/membership"
	"github.com/podgate/podgate/internal/provider"
)

// buckets suit what takes from tens of milliseconds to minutes.
var buckets = []float64{0.05, 0.1, 0.2, 0.3, 0.5, 1, 2, 5, 10, 30, 60, 120, 300}

// drainBuckets suit deregistration delays, of which AWS allows up to an hour.
var drainBuckets = []float64{1, 2, 5, 10, 15, 20, 30, 45, 60, 90, 120, 180, 300, 600, 1200, 3600}

type metrics struct {
	held             *prometheus.GaugeVec
	activations      *prometheus.CounterVec
	readyToRegister  prometheus.Histogram
	deleteToDeregist prometheus.Histogram
	deleteToDrained  prometheus.Histogram

	// registrations are when pods that have a gate were registered, for the pod controller.
	registrations *since.Times[since.Registration]
	// deletions are when pods were deleted whose targets drain.
	deletions since.Times[draining]
}

// draining is a deregistered target.
type draining struct {
	ref    provider.Ref
	target gate.Target
}

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		registrations: &since.Times[since.Registration]{},
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
	}
	for _, g := range membership.Guards {
		m.activations.WithLabelValues(string(g))
	}
	for _, c := range []prometheus.Collector{m.held, m.activations, m.readyToRegister, m.deleteToDeregist, m.deleteToDrained} {
		if err := reg.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func (m *metrics) registered(ref provider.Ref, done []gate.Target, who population, now time.Time) {
	for _, t := range done {
		m.deletions.Take(draining{ref: ref, target: t}, now)
		pod := who.pods[t]
		if pod == nil {
			continue
		}
		if len(gates.Of(pod)) > 0 {
			m.registrations.Note(since.Registration{Pod: pod.UID, Group: ref.Group}, now, now)
		}
		if c := binding.Condition(pod, corev1.ContainersReady); c != nil {
			m.readyToRegister.Observe(max(now.Sub(c.LastTransitionTime.Time), 0).Seconds())
		}
	}
}

func (m *metrics) deregistered(ref provider.Ref, done []gate.Target, who population, now time.Time) {
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
		m.deletions.Note(draining{ref: ref, target: t}, deleted, now)
	}
}

// drained looks which of a group's deregistered targets a read does not hold any more.
func (m *metrics) drained(ref provider.Ref, snap health.Snapshot) {
	ended := func(d draining, noted time.Time) bool {
		_, held := snap.Targets[d.target]
		return d.ref == ref && !held && snap.Started.After(noted)
	}
	for _, lasted := range m.deletions.Sweep(snap.Started, ended) {
		m.deleteToDrained.Observe(lasted.Seconds())
	}
}

func (m *metrics) forget(key types.NamespacedName) {
	m.held.DeleteLabelValues(key.Namespace, key.Name)
}
