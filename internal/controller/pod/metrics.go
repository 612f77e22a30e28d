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
)

type metrics struct {
	waiting *waiting
	opened  *prometheus.CounterVec
	delay   prometheus.Histogram
}

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		waiting: &waiting{
			pods: map[types.NamespacedName][]waitingGate{},
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
			Name: "podgate_gate_open_delay_seconds", Buckets: []float64{1, 2, 5, 10, 15, 20, 30, 45, 60, 90, 120, 180, 300, 600, 1200},
			Help: "Time from a pod's containers being ready to its gate opening, from the condition's time of one-second resolution.",
		}),
	}
	for _, c := range []prometheus.Collector{m.waiting.gauge, m.opened, m.delay} {
		if err := reg.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func (m *metrics) wrote(pod *corev1.Pod, c corev1.PodCondition, now time.Time) {
	m.opened.WithLabelValues(string(c.Status), c.Reason).Inc()
	ready := binding.Condition(pod, corev1.ContainersReady)
	if c.Status == corev1.ConditionTrue && ready != nil {
		m.delay.Observe(max(now.Sub(ready.LastTransitionTime.Time), 0).Seconds())
	}
}

type waitingGate struct{ gate, reason string }

// waiting counts pods at gates; each pod's share is replaced as a whole.
type waiting struct {
	gauge *prometheus.GaugeVec

	mu   sync.Mutex
	pods map[types.NamespacedName][]waitingGate
}

func (w *waiting) set(pod types.NamespacedName, gates []waitingGate) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, g := range w.pods[pod] {
		w.of(pod, g).Dec()
	}
	delete(w.pods, pod)
	if len(gates) == 0 {
		return
	}
	w.pods[pod] = gates
	for _, g := range gates {
		w.of(pod, g).Inc()
	}
}

func (w *waiting) of(pod types.NamespacedName, g waitingGate) prometheus.Gauge {
	return w.gauge.WithLabelValues(pod.Namespace, strings.TrimPrefix(g.gate, elbv2.GatePrefix), g.reason)
}
