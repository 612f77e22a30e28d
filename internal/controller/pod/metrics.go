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
	waiting  *tally
	orphans  *tally
	opened   *prometheus.CounterVec
	timeouts *prometheus.CounterVec
	delay    prometheus.Histogram
	health   prometheus.Histogram
	// registered is when pods were registered.
	registered *since.Times[since.Registration]
}

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		registered: &since.Times[since.Registration]{},
		waiting: newTally(prometheus.GaugeOpts{
			Name: "podgate_gates_waiting",
			Help: "Pods whose containers are ready and that wait at a gate, by the gate's binding and the condition's reason.",
		}, "namespace", "binding", "reason"),
		orphans: newTally(prometheus.GaugeOpts{
			Name: "podgate_gates_orphaned",
			Help: "Gates of running pods that no binding claims, released or not.",
		}, "namespace", "binding"),
		timeouts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "podgate_gate_timeouts_total",
			Help: "Gates that timed out, by the gate's binding and what its policy made of that.",
		}, []string{"namespace", "binding", "answer"}),
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
	for _, c := range []prometheus.Collector{m.waiting.gauge, m.orphans.gauge, m.opened, m.timeouts, m.delay, m.health} {
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

// tally counts pods at gates; each pod's share, which is rows of label values, is
// replaced as a whole. A series ends with the last pod that it counts.
type tally struct {
	gauge *prometheus.GaugeVec
	// labels is how many of a series' values count.
	labels int

	mu    sync.Mutex
	pods  map[types.NamespacedName][]series
	count map[series]int
}

// series are the values of the gauge's labels; those it does not have are empty.
type series [3]string

func newTally(o prometheus.GaugeOpts, labels ...string) *tally {
	return &tally{gauge: prometheus.NewGaugeVec(o, labels), labels: len(labels), pods: map[types.NamespacedName][]series{}, count: map[series]int{}}
}

func (t *tally) set(pod types.NamespacedName, rows []series) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, row := range t.pods[pod] {
		t.add(row, -1)
	}
	delete(t.pods, pod)
	if len(rows) == 0 {
		return
	}
	t.pods[pod] = rows
	for _, row := range rows {
		t.add(row, 1)
	}
}

func (t *tally) add(row series, n int) {
	values := row[:t.labels]
	if t.count[row] += n; t.count[row] == 0 {
		delete(t.count, row)
		t.gauge.DeleteLabelValues(values...)
		return
	}
	t.gauge.WithLabelValues(values...).Set(float64(t.count[row]))
}

// bindingOf is the name of a gate's binding.
func bindingOf(gate string) string { return strings.TrimPrefix(gate, elbv2.GatePrefix) }
