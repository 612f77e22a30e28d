// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package pod

import (
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/controller/since"
)

// openBuckets suit what takes a load balancer's health checks.
var openBuckets = []float64{1, 2, 5, 10, 15, 20, 30, 45, 60, 90, 120, 180, 300, 600, 1200}

type metrics struct {
	waiting *waiting
	opened  *prometheus.CounterVec
	delay   prometheus.Histogram
	health  prometheus.Histogram
	// registered is when pods were registered.
	registered *since.Times[since.Registration]
}

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		registered: &since.Times[since.Registration]{},
		waiting: &waiting{
			pods: map[types.NamespacedName][]waitingGate{}, count: map[waitingAt]int{},
			gauge: prometheus.NewGaugeVec(prometheus.GaugeOpts{
				Name: "podgate_gates_waiting",
				Help: "Pods whose containers are ready and that wait at a gate, by the gate's binding and the condition's reason.",
			}, []string{"namespace", "binding", "reason"}),
		},
		opened: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "podgate_gate_transitions_total",
			Help: "Conditions written, by status and reason.",
		}, []string{"status", "reason"}),
		delay: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "podgate_gate_open_delay_seconds", Buckets: openBuckets,
			Help: "Time from a pod's containers being ready to its gate opening, from the condition's time of one-second resolution.",
		}),
		health: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "podgate_gate_open_after_registration_seconds", Buckets: openBuckets,
			Help: "Time from a pod's registration to its gate opening.",
		}),
	}
	for _, c := range []prometheus.Collector{m.waiting.gauge, m.opened, m.delay, m.health} {
		if err := reg.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func (m *metrics) wrote(pod *corev1.Pod, c corev1.PodCondition, group string, now time.Time) {
	m.opened.WithLabelValues(string(c.Status), c.Reason).Inc()
	if c.Status != corev1.ConditionTrue || binding.IsTrue(pod, c.Type) {
		return
	}
	if ready := binding.Condition(pod, corev1.ContainersReady); ready != nil {
		m.delay.Observe(max(now.Sub(ready.LastTransitionTime.Time), 0).Seconds())
	}
	if d, known := m.registered.Take(since.Registration{Pod: pod.UID, Group: group}, now); known {
		m.health.Observe(d.Seconds())
	}
}

type waitingGate struct{ gate, reason string }

// waitingAt is a series of the gauge.
type waitingAt struct{ namespace, binding, reason string }

// waiting counts pods at gates; each pod's share is replaced as a whole. A series ends
// when nobody waits there any more.
type waiting struct {
	gauge *prometheus.GaugeVec

	mu    sync.Mutex
	pods  map[types.NamespacedName][]waitingGate
	count map[waitingAt]int
}

func (w *waiting) set(pod types.NamespacedName, gates []waitingGate) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, g := range w.pods[pod] {
		w.add(pod, g, -1)
	}
	delete(w.pods, pod)
	if len(gates) == 0 {
		return
	}
	w.pods[pod] = gates
	for _, g := range gates {
		w.add(pod, g, 1)
	}
}

func (w *waiting) add(pod types.NamespacedName, g waitingGate, n int) {
	at := waitingAt{namespace: pod.Namespace, binding: strings.TrimPrefix(g.gate, elbv2.GatePrefix), reason: g.reason}
	if w.count[at] += n; w.count[at] == 0 {
		delete(w.count, at)
		w.gauge.DeleteLabelValues(at.namespace, at.binding, at.reason)
		return
	}
	w.gauge.WithLabelValues(at.namespace, at.binding, at.reason).Set(float64(w.count[at]))
}
