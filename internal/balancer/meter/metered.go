// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package meter counts and times the calls to load balancers, and changes none.
package meter

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/gate"
)

// Metered counts and times the calls to a provider. It changes no answer.
type Metered struct {
	next     balancer.Provider
	calls    *prometheus.CounterVec
	duration *prometheus.HistogramVec
}

var (
	_ balancer.Provider = (*Metered)(nil)
	_ balancer.Tender   = (*Metered)(nil)
)

// New measures the calls to next. It registers podgate_provider_calls_total{operation,outcome} and
// podgate_provider_call_duration_seconds{operation} with reg. Two providers that
// share a registry are told apart with prometheus.WrapRegistererWith.
func New(next balancer.Provider, reg prometheus.Registerer) (*Metered, error) {
	m := &Metered{
		next: next,
		calls: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "podgate_provider_calls_total",
			Help: "Calls to a load balancer's API, by operation (health, register, deregister, resolve, tend), for Ingresses AWS's own, such as CreateRule, and by outcome (ok, denied, throttled, not_found, quota, invalid, not_ready, canceled, transient). Worry about denied at all, and throttled or transient for minutes.",
		}, []string{"operation", "outcome"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "podgate_provider_call_duration_seconds",
			Help:    "How long calls to a load balancer's API took, without the first wait for the budget. They are given up after 10 s.",
			Buckets: []float64{0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10},
		}, []string{"operation"}),
	}

	for _, c := range []prometheus.Collector{m.calls, m.duration} {
		if err := reg.Register(c); err != nil {
			return nil, err
		}
	}

	return m, nil
}

// Health implements balancer.Reporter.
func (m *Metered) Health(ctx context.Context, g balancer.Group) (healths map[gate.Target]gate.Health, err error) {
	defer m.observe("health", time.Now(), &err)
	return m.next.Health(ctx, g)
}

// Register implements balancer.Registrar.
func (m *Metered) Register(ctx context.Context, g balancer.Group, targets []gate.Target, pods balancer.Pods) (err error) {
	defer m.observe("register", time.Now(), &err)
	return m.next.Register(ctx, g, targets, pods)
}

// Deregister implements balancer.Registrar.
func (m *Metered) Deregister(ctx context.Context, g balancer.Group, targets []gate.Target) (err error) {
	defer m.observe("deregister", time.Now(), &err)
	return m.next.Deregister(ctx, g, targets)
}

// Resolve implements balancer.Resolver.
func (m *Metered) Resolve(ctx context.Context, wanted balancer.Group) (group balancer.Group, err error) {
	defer m.observe("resolve", time.Now(), &err)
	return m.next.Resolve(ctx, wanted)
}

// Due implements balancer.Tender. It is not counted, since it is no call.
func (m *Metered) Due(g balancer.Group) bool { return balancer.Due(m.next, g) }

// Tend implements balancer.Tender.
func (m *Metered) Tend(ctx context.Context, g balancer.Group) (err error) {
	defer m.observe("tend", time.Now(), &err)
	return balancer.Tend(ctx, m.next, g)
}

// Do makes a call that is none of the seam's, under the name of an operation.
func (m *Metered) Do(operation string, call func() error) (err error) {
	defer m.observe(operation, time.Now(), &err)
	return call()
}

func (m *Metered) observe(operation string, start time.Time, err *error) {
	m.calls.WithLabelValues(operation, outcome(*err)).Inc()
	m.duration.WithLabelValues(operation).Observe(time.Since(start).Seconds())
}

// outcomes are the errors that a metric tells apart, the first match counts.
var outcomes = []struct {
	err  error
	name string
}{
	{context.Canceled, "canceled"},
	{context.DeadlineExceeded, "canceled"},
	{balancer.ErrDenied, "denied"},
	{balancer.ErrThrottled, "throttled"},
	{balancer.ErrNotFound, "not_found"},
	{balancer.ErrQuota, "quota"},
	{balancer.ErrInvalid, "invalid"},
	{balancer.ErrNotReady, "not_ready"},
}

func outcome(err error) string {
	if err == nil {
		return "ok"
	}
	for _, o := range outcomes {
		if errors.Is(err, o.err) {
			return o.name
		}
	}
	return "transient"
}
