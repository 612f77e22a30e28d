// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package meter

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/podgate/podgate/internal/balancer"
	"github.com/podgate/podgate/internal/balancer/balancertest"
)

func TestMeteredCountsByOutcome(t *testing.T) {
	tests := []struct {
		reason string
		err    error
		want   string
	}{
		{"success", nil, "ok"},
		{"a kind", balancer.ErrThrottled, "throttled"},
		{"a kind inside", &balancer.PartialError{Err: balancer.ErrQuota}, "quota"},
		{"no kind is transient", errors.New("boom"), "transient"},
		{"a caller that gave up is nobody's failure", context.Canceled, "canceled"},
	}

	for _, tc := range tests {
		reg := prometheus.NewRegistry()
		m, err := New(balancertest.Answers{Err: tc.err}, reg)
		if err != nil {
			t.Fatal(err)
		}

		_, got := m.Health(t.Context(), balancer.Group{})
		if !errors.Is(got, tc.err) {
			t.Errorf("%s: the answer became %v", tc.reason, got)
		}

		_ = m.Register(t.Context(), balancer.Group{}, nil, nil)
		_ = m.Deregister(t.Context(), balancer.Group{}, nil)
		_, _ = m.Resolve(t.Context(), balancer.Group{})
		if !m.Due(balancer.Group{}) {
			t.Errorf("%s: what is due is hidden", tc.reason)
		}
		if got := m.Tend(t.Context(), balancer.Group{}); !errors.Is(got, tc.err) {
			t.Errorf("%s: the answer to Tend became %v", tc.reason, got)
		}

		want := `# HELP podgate_provider_calls_total Calls to a load balancer's API, by operation (health, register, deregister, resolve, tend), for Ingresses AWS's own, such as CreateRule, and by outcome (ok, denied, throttled, not_found, quota, invalid, not_ready, canceled, transient). Worry about denied at all, and throttled or transient for minutes.
# TYPE podgate_provider_calls_total counter
`

		for _, op := range []string{"deregister", "health", "register", "resolve", "tend"} {
			want += `podgate_provider_calls_total{operation="` + op + `",outcome="` + tc.want + `"} 1` + "\n"
		}

		if err := testutil.GatherAndCompare(reg, strings.NewReader(want), "podgate_provider_calls_total"); err != nil {
			t.Errorf("%s: %v", tc.reason, err)
		}

		if n, err := testutil.GatherAndCount(reg, "podgate_provider_call_duration_seconds"); err != nil || n != 5 {
			t.Errorf("%s: %d durations, %v", tc.reason, n, err)
		}
	}
}

func TestMeteredTwiceOnOneRegistry(t *testing.T) {
	reg := prometheus.NewRegistry()
	for _, name := range []string{"elbv2", "lattice"} {
		if _, err := New(balancertest.Answers{}, prometheus.WrapRegistererWith(prometheus.Labels{"provider": name}, reg)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
