// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package pods

import (
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/controller/latency"
	"github.com/podgate/podgate/internal/controller/podgauge"
)

// openBuckets suit what takes a load balancer's health checks.
var openBuckets = []float64{1, 2, 5, 10, 15, 20, 30, 45, 60, 90, 120, 180, 300, 600, 1200}

type metrics struct {
	waiting  *podgauge.Tally
	orphans  *podgauge.Tally
	opened   *prometheus.CounterVec
	timeouts *prometheus.CounterVec
	delay    *prometheus.HistogramVec
	health   prometheus.Histogram
	// registered is when pods were registered.
	registered *latency.Times[latency.Registration]
}

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		registered: &latency.Times[latency.Registration]{},
		waiting: podgauge.New(prometheus.GaugeOpts{
			Name: "podgate_gates_waiting",
			Help: "Pods with ready containers that wait at a gate, by the gate's binding and the condition's reason, such as Check.NotApproved for a person's approval; an empty reason: nothing written yet. Worry when it is above 0 for ten minutes, other than for an approval.",
		}, "namespace", "binding", "reason"),
		orphans: podgauge.New(prometheus.GaugeOpts{
			Name: "podgate_gates_orphaned",
			Help: "Gates of running pods that no binding claims, released or not. Above 0 for minutes, a binding was deleted or renamed, or its Service's selector changed.",
		}, "namespace", "binding"),
		timeouts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "podgate_gate_timeouts_total",
			Help: "Gates that timed out, by binding and the policy's answer (Hold, Open).",
		}, []string{"namespace", "binding", "answer"}),
		opened: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "podgate_gate_transitions_total",
			Help: "Conditions written, by status and reason. Worry when False grows without rollouts.",
		}, []string{"status", "reason"}),
		delay: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "podgate_gate_open_delay_seconds", Buckets: openBuckets,
			Help: "Time from ready containers to an open gate, by what opens it (load_balancer, checks): for a load balancer's gate from when other controllers' gates are open, too; checks include the wait for a person's approval. Worry when it comes near progressDeadlineSeconds.",
		}, []string{"by"}),
		health: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "podgate_gate_open_after_registration_seconds", Buckets: openBuckets,
			Help: "Time from a pod's registration to its open gate, the load balancer's part. Worry when it is much above healthy threshold times interval.",
		}),
	}

	for _, c := range []prometheus.Collector{m.waiting.Gauge, m.orphans.Gauge, m.opened, m.timeouts, m.delay, m.health} {
		if err := reg.Register(c); err != nil {
			return nil, err
		}
	}

	return m, nil
}

// wrote counts a condition that was written. free is when the last gate of another controller opened.
func (m *metrics) wrote(pod *corev1.Pod, c corev1.PodCondition, groups []string, free, now time.Time) {
	m.opened.WithLabelValues(string(c.Status), c.Reason).Inc()
	if c.Status != corev1.ConditionTrue || binding.IsTrue(pod, c.Type) {
		return
	}

	// Checks may wait for a person, whom nobody is to take for a slow load balancer. They wait for no other gates.
	by := "load_balancer"
	if strings.HasPrefix(string(c.Type), v1alpha1.CheckPrefix) {
		by, free = "checks", time.Time{}
	}
	if ready := binding.Condition(pod, corev1.ContainersReady); ready != nil {
		m.delay.WithLabelValues(by).Observe(max(min(now.Sub(ready.LastTransitionTime.Time), now.Sub(free)), 0).Seconds())
	}
	for _, group := range groups {
		if d, known := m.registered.Take(latency.Registration{Pod: pod.UID, Group: group}, now); known {
			m.health.Observe(d.Seconds())
		}
	}
}
