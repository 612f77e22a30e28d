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

// What the numbers ask for, whatever the objects.
const (
	stepsWorry = " Worry when failed grows, or done without a change in the cluster: somebody else changes the load balancers, too."
	stateWorry = " Worry when failing is above 0, or waiting for more than some minutes."
)

var (
	ofIngresses = metricNames{
		"podgate_ingress_steps_total", "Changes at AWS, and of bindings, for load balancers of Ingresses, by step, such as CreateRule, and outcome (done, failed)." + stepsWorry,
		"podgate_ingress_groups", "Groups of Ingresses, each of which has a load balancer, by state (ready, waiting, failing, observed); observed: AWS Load Balancer Controller has it." + stateWorry,
		"podgate_ingresses_refused", "Ingresses that cannot be served as they are; their events say why.",
	}
	ofServices = metricNames{
		"podgate_service_steps_total", "Changes at AWS, and of bindings, for load balancers of Services, by step, such as CreateRule, and outcome (done, failed)." + stepsWorry,
		"podgate_services", "Services that ask for a load balancer, by state (ready, waiting, failing, observed); observed: AWS Load Balancer Controller has it." + stateWorry,
		"podgate_services_refused", "Services that cannot be served as they are; their events say why.",
	}
	ofGateways = metricNames{
		"podgate_gateway_steps_total", "Changes at AWS, and of bindings, for load balancers of Gateways, by step, such as CreateRule, and outcome (done, failed)." + stepsWorry,
		"podgate_gateways", "Gateways, each of which has a load balancer, by state (ready, waiting, failing, observed); observed: AWS Load Balancer Controller has it." + stateWorry,
		"podgate_gateways_refused", "Gateways that cannot be served as they are; their events say why.",
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
