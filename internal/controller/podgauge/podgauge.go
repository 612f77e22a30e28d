// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package podgauge counts pods in a gauge, each by the rows that it stands in. It decides
// nothing.
package podgauge

import (
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/types"
)

// Tally is a gauge that counts pods; each pod's share, which is rows of label values, is
// replaced as a whole. A series ends with the last pod that it counts.
type Tally struct {
	// Gauge is what to register.
	Gauge *prometheus.GaugeVec
	// labels is how many of a series' values count.
	labels int

	mu    sync.Mutex
	pods  map[types.NamespacedName][]Series
	count map[Series]int
}

// Series are the values of the gauge's labels; those it does not have are empty.
type Series [3]string

// New makes a tally whose gauge has labels, three at most.
func New(o prometheus.GaugeOpts, labels ...string) *Tally {
	return &Tally{Gauge: prometheus.NewGaugeVec(o, labels), labels: len(labels), pods: map[types.NamespacedName][]Series{}, count: map[Series]int{}}
}

// Set replaces a pod's share.
func (t *Tally) Set(pod types.NamespacedName, rows []Series) {
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

func (t *Tally) add(row Series, n int) {
	values := row[:t.labels]
	if t.count[row] += n; t.count[row] == 0 {
		delete(t.count, row)
		t.Gauge.DeleteLabelValues(values...)
		return
	}
	t.Gauge.WithLabelValues(values...).Set(float64(t.count[row]))
}
