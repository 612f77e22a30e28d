// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package kinds

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/check/expr"
	"github.com/podgate/podgate/internal/check/network"
	"github.com/podgate/podgate/internal/check/prometheus"
	"github.com/podgate/podgate/internal/observe/checks"
)

func prometheusCheck(ctx context.Context, m Maker, g *v1alpha1.ReadinessGate, c *v1alpha1.Check) (made, error) {
	p := c.Prometheus
	labels, err := m.labels(ctx, g.Namespace)
	if err != nil {
		return made{}, err
	}
	if !prometheus.Allowed(m.Allowed, labels, p.Server) {
		return made{}, network.ErrNotAllowed
	}

	if m.Prometheus == nil {
		return made{}, fmt.Errorf("%w: %q", prometheus.ErrNoSuchServer, p.Server)
	}

	expression, err := expr.Compile(p.Expression, expr.Value, expr.Pod)
	if err != nil {
		return made{}, fmt.Errorf("expression: %w", err)
	}

	checker, err := m.Prometheus.Check(prometheus.Settings{
		Server: p.Server, Namespace: g.Namespace, Query: p.Query, PodLabel: label(p.PodLabel, "pod"), NamespaceLabel: label(p.NamespaceLabel, "namespace"),
		Window: time.Duration(p.WindowSeconds) * time.Second, Expression: expression,
	}, c.Timeout())

	cost := checks.Shared
	if strings.Contains(p.Query, "$(pod.") {
		cost = checks.PerPod
	}
	return made{checker, cost}, err
}

// label is the label that a check names, or the usual one.
func label(named *string, usual string) string {
	if named == nil {
		return usual
	}
	return *named
}
