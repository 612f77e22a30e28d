// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package pods

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	dto "github.com/prometheus/client_model/go"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/podgate/podgate/internal/controller/latency"
	"github.com/podgate/podgate/internal/gate"
)

// observed gives how often a histogram observed, and the sum.
func observed(t *testing.T, h prometheus.Histogram) (uint64, float64) {
	t.Helper()
	var m dto.Metric
	if err := h.Write(&m); err != nil {
		t.Fatal(err)
	}
	return m.GetHistogram().GetSampleCount(), m.GetHistogram().GetSampleSum()
}

// TestWaitingSeriesEnd: a gate at which nobody waits any more has no series, so that
// reasons and bindings of the past do not pile up.
func TestWaitingSeriesEnd(t *testing.T) {
	w := newWorld(t)
	w.see(sighting(gate.Initial, "Elb.RegistrationInProgress", true))
	w.reconcile()
	gauge := w.metrics.waiting.Gauge
	if n := testutil.ToFloat64(gauge.WithLabelValues("shop", "web-tg", "Elb.RegistrationInProgress")); n != 1 {
		t.Fatalf("want one pod waiting, got %v", n)
	}

	w.see(sighting(gate.Unhealthy, "Target.FailedHealthChecks", true))
	w.reconcile()

	if n := testutil.CollectAndCount(gauge); n != 1 {
		t.Errorf("a pod waits for one reason, and there are %d series", n)
	}

	w.see(sighting(gate.Healthy, "", true))
	w.reconcile()

	if n := testutil.CollectAndCount(gauge); n != 0 {
		t.Errorf("nobody waits, and there are %d series", n)
	}
}

// TestOpenAfterRegistration: the time from the registration is told once, of the gate
// of the group that the pod was registered in.
func TestOpenAfterRegistration(t *testing.T) {
	w := newWorld(t)
	w.metrics.registered.Note(latency.Registration{Pod: "uid-1", Group: ref.Group}, noon, noon)
	w.metrics.registered.Note(latency.Registration{Pod: "uid-1", Group: "arn:other"}, noon, noon)
	w.see(sighting(gate.Initial, "Elb.InitialHealthChecking", true))
	w.reconcile()
	w.clock = noon.Add(7 * time.Second)
	w.see(sighting(gate.Healthy, "", true))
	w.reconcile()

	if n, sum := observed(t, w.metrics.health); n != 1 || sum != 7 {
		t.Errorf("want one gate open after 7 s, got %d after %v s", n, sum)
	}

	w.containers(corev1.ConditionFalse)
	w.reconcile()
	w.containers(corev1.ConditionTrue)
	w.clock = noon.Add(time.Minute)
	w.see(sighting(gate.Healthy, "", true))
	w.reconcile()

	if n, _ := observed(t, w.metrics.health); n != 1 {
		t.Errorf("a gate that opens again counts from its registration: %d", n)
	}
}

// TestOpenDelay: how long a gate took is told apart by what opens it, and a load balancer is not blamed for the time that other gates
// took.
func TestOpenDelay(t *testing.T) {
	m, err := newMetrics(prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	pod := &corev1.Pod{Status: corev1.PodStatus{Conditions: []corev1.PodCondition{
		{Type: corev1.ContainersReady, Status: corev1.ConditionTrue, LastTransitionTime: metav1.NewTime(noon)},
	}}}
	free, now := noon.Add(time.Minute), noon.Add(90*time.Second)
	m.wrote(pod, corev1.PodCondition{Type: "checks.podgate.dev/warm", Status: corev1.ConditionTrue}, nil, free, now)
	m.wrote(pod, corev1.PodCondition{Type: gateWeb, Status: corev1.ConditionTrue}, nil, free, now)
	m.wrote(pod, corev1.PodCondition{Type: gateWeb, Status: corev1.ConditionFalse}, nil, free, now)

	for by, want := range map[string]float64{"checks": 90, "load_balancer": 30} {
		if n, sum := observed(t, m.delay.WithLabelValues(by).(prometheus.Histogram)); n != 1 || sum != want {
			t.Errorf("%s: %d gates took %v s, want one and %v", by, n, sum, want)
		}
	}
}
