// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/podgate/podgate/test/prometheus"
)

// TestCheckKinds has each kind of check open gates, and keep others closed, by the real thing that it asks.
func TestCheckKinds(t *testing.T) {
	p := prometheus.Start(t, node)
	w := start(t, options{dualStack: hasIPv6(t), podgate: []string{"--prometheus=main=http://" + p.Address, "--allow-checks=" + labLabel + "=true => prometheus:main"}})
	t.Run("Together", func(t *testing.T) {
		for name, test := range map[string]func(*world){
			"Prometheus": func(w *world) { asksPrometheus(w, p) }, "Resource": looksAtObjects, "Manual": waitsForPeople, "Network": asksPods, "Silent": silentUnderTrack,
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				test(w.in(t))
			})
		}
	})

	t.Run("APIServerRestarted", func(t *testing.T) { waitsWithoutAPIServer(w.in(t)) })
}

// waitsWithoutAPIServer kills the API server while a pod waits and two are open under Track, and starts it again when podgate's
// leader cannot be one any more: nothing opens and nothing closes. Then a ReadinessGate comes in the place of another.
func waitsWithoutAPIServer(w *world) {
	l := w.lab()
	healthy := "periodSeconds: 1, timeoutSeconds: 10, http: {port: http, path: /healthz}"
	track := ", gate: {mode: Track, trackAfterSeconds: 10}"
	tracked, waiting := l.gate("track", healthy, track), l.gate("wait", healthy, "")
	for _, name := range []string{"open-0", "open-1"} {
		l.create(l.pod(name, tracked))
	}
	pod := l.pod("waits", waiting)
	pod.Spec.Containers[0].Env = []corev1.EnvVar{{Name: "UNHEALTHY", Value: "true"}}
	l.create(pod)

	says := map[gateOf]verdict{{"open-0", "track"}: passes(), {"open-1", "track"}: passes(), {"waits", "wait"}: fails("HTTP status 503")}
	l.waitSaid(says)
	before, err := l.said(l.ctx)
	l.must(err)

	l.t.Cleanup(func() { l.component("start") }) // the next test needs it, whatever happens
	l.component("stop", "--signal", "KILL")
	l.pass(apiServerAway * time.Second)
	l.component("start")
	leader, err := l.leader(l.ctx)
	l.must(err)
	l.waitElected(leader.Name)
	l.waitPodgateAlone()

	// The new leader has asked anew when it lets in what waits.
	healed := metav1.NewTime(time.Now().Truncate(time.Second))
	l.orderAt(l.podOf("waits").Status.PodIP, "heal")
	says[gateOf{"waits", "wait"}] = passes()
	l.waitSaid(says)
	l.assertSince(before, "open-0", "open-1")
	if c := condition(l.podOf("waits"), waiting); c.LastTransitionTime.Before(&healed) {
		l.t.Errorf("the gate that waits opened at %s, before its pod could pass at %s", c.LastTransitionTime.Format(clock), healed.Format(clock))
	}

	l.must(l.cluster.Delete(l.ctx, l.readinessGate("track")))
	l.gate("track", healthy, track)
	l.orderAt(l.podOf("open-0").Status.PodIP, "fail")
	says[gateOf{"open-0", "track"}] = fails("HTTP status 503")
	l.waitSaid(says)
	l.assertSince(before, "open-1")
}

// assertSince asserts that the gates of pods have been as they were all the time.
func (l *lab) assertSince(before map[gateOf]corev1.PodCondition, pods ...string) {
	l.t.Helper()
	now, err := l.said(l.ctx)
	l.must(err)
	for of, c := range before {
		if slices.Contains(pods, of.pod) && !c.LastTransitionTime.Time.Equal(now[of].LastTransitionTime.Time) {
			l.t.Errorf("gate %s of pod %s has changed at %s", of.gate, of.pod, now[of].LastTransitionTime.Format(clock))
		}
	}
}
