// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package ingress

import (
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

// How a group of Ingresses stands, in the metric podgate_ingress_groups.
const (
	stateReady    = "ready"
	stateWaiting  = "waiting"
	stateFailing  = "failing"
	stateObserved = "observed"
)

// metrics tell how the groups stand.
type metrics struct {
	steps *prometheus.CounterVec

	mu     sync.Mutex
	groups map[Key]standingOf
	count  *prometheus.GaugeVec
	faulty prometheus.Gauge
}

// standingOf is how one group stands, and how many of its Ingresses are refused.
type standingOf struct {
	state   string
	refused int
}

// metricNames are those of the metrics of a kind of objects, with what they say.
type metricNames struct{ steps, stepsHelp, groups, groupsHelp, refused, refusedHelp string }

var (
	ofIngresses = metricNames{
		"podgate_ingress_steps_total", "Steps towards the load balancers of Ingresses, by what they do and how they end.",
		"podgate_ingress_groups", "Groups of Ingresses, each of which has a load balancer, by how they stand.",
		"podgate_ingresses_refused", "Ingresses that cannot be served as they are.",
	}
	ofServices = metricNames{
		"podgate_service_steps_total", "Steps towards the load balancers of Services, by what they do and how they end.",
		"podgate_services", "Services that ask for a load balancer, by how they stand.",
		"podgate_services_refused", "Services that cannot be served as they are.",
	}
	ofGateways = metricNames{
		"podgate_gateway_steps_total", "Steps towards the load balancers of Gateways, by what they do and how they end.",
		"podgate_gateways", "Gateways, each of which has a load balancer, by how they stand.",
		"podgate_gateways_refused", "Gateways that cannot be served as they are.",
	}
)

func newMetrics(reg prometheus.Registerer, called metricNames) (*metrics, error) {
	m := &metrics{
		groups: map[Key]standingOf{},
		steps: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: called.steps, Help: called.stepsHelp,
		}, []string{"step", "outcome"}),
		count: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: called.groups, Help: called.groupsHelp,
		}, []string{"state"}),
		faulty: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: called.refused, Help: called.refusedHelp,
		}),
	}
	for _, c := range []prometheus.Collector{m.steps, m.count, m.faulty} {
		if err := reg.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// stands notes how a group stands; it is gone with an empty state.
func (m *metrics) stands(group Key, state string, refused int) {
	m.mu.Lock()
	defer m.mu.Unlock()

	m.groups[group] = standingOf{state, refused}
	if state == "" && refused == 0 {
		delete(m.groups, group)
	}

	counts, faulty := map[string]int{stateReady: 0, stateWaiting: 0, stateFailing: 0, stateObserved: 0}, 0
	for _, g := range m.groups {
		if g.state != "" {
			counts[g.state]++
		}
		faulty += g.refused
	}
	for state, n := range counts {
		m.count.WithLabelValues(state).Set(float64(n))
	}
	m.faulty.Set(float64(faulty))
}

// served is how many groups podgate serves.
func (m *metrics) served() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := 0
	for _, g := range m.groups {
		if g.state != "" && g.state != stateObserved {
			n++
		}
	}
	return n
}

// performed counts a step.
func (m *metrics) performed(step string, err error) {
	outcome := "done"
	if err != nil {
		outcome = "failed"
	}
	m.steps.WithLabelValues(step, outcome).Inc()
}
