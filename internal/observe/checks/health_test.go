// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/check"
	"github.com/podgate/podgate/internal/gate"
)

// TestHealth: only a check that passes is healthy, and only one that fails is failing.
func TestHealth(t *testing.T) {
	unknown := func(reason, description string) gate.Health {
		return gate.Health{State: gate.Unknown, Own: true, Reason: reason, Description: description}
	}
	for name, tc := range map[string]struct {
		answer check.Answer
		want   gate.Health
	}{
		"Pass":        {check.Answer{Verdict: check.Pass, Word: check.Connected}, gate.Health{State: gate.Healthy, Reason: v1alpha1.ReasonChecksPassed}},
		"Fail":        {check.Answer{Verdict: check.Fail, Word: check.HTTPStatus(503)}, gate.Health{State: gate.Unhealthy, Reason: v1alpha1.ReasonCheckFailed, Description: "warm: HTTP status 503"}},
		"Silence":     {check.Answer{Verdict: check.Fail, Word: check.TimedOut}, gate.Health{State: gate.Unhealthy, Reason: v1alpha1.ReasonCheckFailed, Description: "warm: timed out"}},
		"NoAnswer":    {check.Answer{Word: check.TimedOut}, unknown(v1alpha1.ReasonCheckNoAnswer, "warm: timed out")},
		"Waiting":     {check.Answer{Word: check.Waiting}, unknown(v1alpha1.ReasonCheckWaiting, "warm: not passed often enough yet")},
		"Window":      {check.Answer{Word: check.LooksBack}, unknown(v1alpha1.ReasonCheckWaiting, "warm: the query still looks back to before the pod was ready")},
		"NotApproved": {check.Answer{Word: check.NotApproved}, gate.Health{State: gate.Initial, Reason: v1alpha1.ReasonCheckNotApproved, Description: "warm: not approved"}},
		"NotAllowed":  {check.Answer{Word: check.NotAllowed}, unknown(v1alpha1.ReasonCheckNotAllowed, "warm: not allowed")},
	} {
		t.Run(name, func(t *testing.T) {
			if got := health("warm", tc.answer); got != tc.want || got.Failing() != (tc.answer.Verdict == check.Fail) {
				t.Errorf("got %+v", got)
			}
		})
	}
}

// TestMetrics: answers are counted by kind and verdict, and lateness is that of the question that has been due for longest.
func TestMetrics(t *testing.T) {
	within(t, func(w *world) {
		s := newScript()
		s.says("web-0", fails)
		s.says("web-1", silence)
		w.many("web", 3, w.gate("warm", check.All, every(5*time.Second, s)))
		w.sleep(time.Second)

		registry := prometheus.NewRegistry()
		registry.MustRegister(w.Metrics()...)
		want := `
# HELP podgate_check_answers_total Answers of ReadinessGates' checks about pods, by the kind of the check and answer (Pass, Fail, NoAnswer). Worry when NoAnswer grows.
# TYPE podgate_check_answers_total counter
podgate_check_answers_total{answer="Fail",kind="http"} 1
podgate_check_answers_total{answer="NoAnswer",kind="http"} 1
podgate_check_answers_total{answer="Pass",kind="http"} 1
# HELP podgate_check_lateness_seconds How long the question of a check has been due that has been due for longest; 0 when none is. Above some seconds: raise --check-rate or --check-concurrency.
# TYPE podgate_check_lateness_seconds gauge
podgate_check_lateness_seconds 0
`
		if err := testutil.GatherAndCompare(registry, strings.NewReader(want), "podgate_check_answers_total", "podgate_check_lateness_seconds"); err != nil {
			t.Error(err)
		}
		if n := testutil.CollectAndCount(w.metrics.duration); n != 1 {
			t.Errorf("%d histograms, want one for the kind", n)
		}
	})
}

// TestApproved: that people let a pod pass is said where nothing else did.
func TestApproved(t *testing.T) {
	approved := check.Answer{Verdict: check.Pass, Word: check.Approved}
	open := check.Answer{Verdict: check.Pass, Word: check.OpenInitially}
	for name, tc := range map[string]struct {
		match  check.Match
		second check.Answer
		want   string
	}{
		"Alone":     {check.All, approved, v1alpha1.ReasonApproved},
		"Both":      {check.All, passes, v1alpha1.ReasonChecksPassed},
		"Initially": {check.All, open, v1alpha1.ReasonChecksPassed},
		"AnyFails":  {check.Any, fails, v1alpha1.ReasonApproved},
		"AnyPasses": {check.Any, passes, v1alpha1.ReasonChecksPassed},
		"AllFail":   {check.All, fails, v1alpha1.ReasonCheckFailed},
	} {
		t.Run(name, func(t *testing.T) {
			within(t, func(w *world) {
				first, second := newScript(), newScript()
				first.says("web-0", approved)
				second.says("web-0", tc.second)
				other := every(5*time.Second, second)
				other.Name = "other"
				id := w.gate("warm", tc.match, every(5*time.Second, first), other)
				w.ready("web-0")
				w.waits("web-0", id)
				w.sleep(time.Second)
				if got := w.waits("web-0", id).Health.Reason; got != tc.want {
					t.Errorf("got %s, want %s", got, tc.want)
				}
			})
		})
	}
}
