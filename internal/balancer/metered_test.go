// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package balancer

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/podgate/podgate/internal/gate"
)

// answers is a provider that answers every call with the same error.
type answers struct{ err error }

func (a answers) Health(context.Context, Ref) (map[gate.Target]gate.Health, error) {
	return nil, a.err
}
func (a answers) Register(context.Context, Ref, []gate.Target, Pods) error {
	return a.err
}
func (a answers) Deregister(context.Context, Ref, []gate.Target) error { return a.err }
func (a answers) Resolve(context.Context, Ref, string) (Group, error)  { return Group{}, a.err }

func TestMeteredCountsByOutcome(t *testing.T) {
	tests := []struct {
		reason string
		err    error
		want   string
	}{
		{"success", nil, "ok"},
		{"a kind", ErrThrottled, "throttled"},
		{"a kind inside", &PartialError{Err: ErrQuota}, "quota"},
		{"no kind is transient", errors.New("boom"), "transient"},
		{"a caller that gave up is nobody's failure", context.Canceled, "canceled"},
	}
	for _, tc := range tests {
		reg := prometheus.NewRegistry()
		m, err := NewMetered(answers{tc.err}, reg)
		if err != nil {
			t.Fatal(err)
		}
		_, got := m.Health(t.Context(), Ref{})
		if !errors.Is(got, tc.err) {
			t.Errorf("%s: the answer became %v", tc.reason, got)
		}
		_ = m.Register(t.Context(), Ref{}, nil, nil)
		_ = m.Deregister(t.Context(), Ref{}, nil)
		_, _ = m.Resolve(t.Context(), Ref{}, "")

		want := `# HELP podgate_provider_calls_total Calls to a load balancer's API by operation and outcome.
# TYPE podgate_provider_calls_total counter
`
		for _, op := range []string{"deregister", "health", "register", "resolve"} {
			want += `podgate_provider_calls_total{operation="` + op + `",outcome="` + tc.want + `"} 1` + "\n"
		}
		if err := testutil.GatherAndCompare(reg, strings.NewReader(want), "podgate_provider_calls_total"); err != nil {
			t.Errorf("%s: %v", tc.reason, err)
		}
		if n, err := testutil.GatherAndCount(reg, "podgate_provider_call_duration_seconds"); err != nil || n != 4 {
			t.Errorf("%s: %d durations, %v", tc.reason, n, err)
		}
	}
}

func TestMeteredTwiceOnOneRegistry(t *testing.T) {
	reg := prometheus.NewRegistry()
	for _, name := range []string{"elbv2", "lattice"} {
		if _, err := NewMetered(answers{}, prometheus.WrapRegistererWith(prometheus.Labels{"provider": name}, reg)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
