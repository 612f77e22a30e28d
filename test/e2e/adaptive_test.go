// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/sim/awssim"
	"github.com/podgate/podgate/test/env"
	"github.com/podgate/podgate/test/load"
)

// TestAdaptive has pods drain adaptively, under load with long requests among it. Nothing
// is scaled.
func TestAdaptive(t *testing.T) {
	w := start(t, options{})
	t.Run("Drained", func(t *testing.T) {
		for _, d := range []struct {
			name   string
			change func(*env.App)
			take   func(*service)
		}{
			{"Update", func(a *env.App) { a.MaxSurge, a.MaxUnavailable = "100%", "0" }, (*service).update},
			{"ScaleToOne", nil, func(s *service) { s.scale(1) }},
			// The kubelet goes on probing while a pod ends.
			{"Probed", func(a *env.App) { a.ReadinessPath = "/healthz" }, (*service).deleteOne},
		} {
			t.Run(d.name, func(t *testing.T) {
				t.Parallel()
				s := w.in(t).adaptive(d.change)
				s.assertNoneLost(s.withLong(func() { s.assertNoneLost(s.loaded(drainRate, func(*load.Generator) { d.take(s) })) }))
				s.assertLeft(endedEarly(adaptiveHook))
			})
		}

		// The load balancer keeps connections for longer than the hook sleeps, and does not use them after 17 s. They need not be
		// still for more than 30 s, unless the pod took more than a second and a half for an answer.
		t.Run("Kept", func(t *testing.T) {
			t.Parallel()
			s := w.in(t).adaptiveKept(func(a *env.App) {
				a.Annotations = map[string]string{v1alpha1.DrainIdleAnnotation: v1alpha1.DrainIdleLeave}
			}, 2*adaptiveHook)
			sum := s.loaded(drainRate, func(*load.Generator) { s.deleteOne() })
			s.assertNoneLost(sum)
			early, _ := endedEarly(adaptiveHook)
			s.assertLeft(func(lived time.Duration) bool {
				return lived >= 20*time.Second && (early(lived) || sum.Slowest > 1500*time.Millisecond)
			}, "more than the 20 s of the data path, and less than the 55 s that its hook may sleep")
		})

		t.Run("Liveness", func(t *testing.T) {
			t.Parallel()
			s := w.in(t).adaptive(func(a *env.App) { a.LivenessPath = "/healthz" })
			s.assertRestartsSoon()
		})
	})

	t.Run("PodgateStopped", func(t *testing.T) {
		s := w.in(t).adaptive(nil)
		s.assertNoneLost(s.withLong(func() {
			s.assertNoneLost(s.loaded(drainRate, func(*load.Generator) {
				pod := s.alive()[0]
				s.must(s.cluster.Delete(s.ctx, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: s.app.Namespace, Name: pod.Name}}))
				s.eventually("the deregistration of "+pod.Name, func(ctx context.Context) (bool, error) {
					states, err := s.states(ctx, awssim.ClockAPI)
					return states[pod.Address] == "draining", err
				})
				s.scalePodgate(0)
				defer s.scalePodgate(2)
				s.waitGone(pod)
			}))
		}))

		s.assertLeft(func(lived time.Duration) bool { return lived >= adaptiveHook }, "all of the 55 s that its hook may sleep, as nobody could tell it to end")
	})
}

const (
	// adaptiveHook is how long the hooks of adaptive's pods sleep at most.
	adaptiveHook = 55 * time.Second
	// adaptiveDelay is after which time the load balancer closes their idle connections. Requests of 20 s may begin 17 s after
	// their target said draining.
	adaptiveDelay = 40 * time.Second
)

// endedEarly is for assertLeft: a pod did not sleep for as long as its hook may. By how much depends on the machine.
func endedEarly(hook time.Duration) (ok func(lived time.Duration) bool, want string) {
	return func(lived time.Duration) bool { return lived < hook }, fmt.Sprintf("less than the %s that its hook may sleep", hook)
}

// adaptive deploys three pods with adaptive hooks.
func (w *world) adaptive(change func(*env.App)) *service {
	w.t.Helper()
	return w.adaptiveKept(change, adaptiveDelay)
}

// adaptiveKept is adaptive where the load balancer closes idle connections after another time than adaptiveDelay.
func (w *world) adaptiveKept(change func(*env.App), delay time.Duration) *service {
	w.t.Helper()
	s := w.wireAdaptive(change, delay)
	s.apply()
	s.waitComplete()
	return s
}

// wireAdaptive is adaptive without the pods.
func (w *world) wireAdaptive(change func(*env.App), delay time.Duration) *service {
	w.t.Helper()
	app := application()
	app.Replicas, app.PrestopSeconds, app.GracePeriodSeconds, app.Drained, app.Adaptive = 3, 0, 0, true, true
	if change != nil {
		change(&app)
	}

	group := targetGroup()
	group.DeregistrationDelay = int(delay.Seconds())
	s := w.wire(app, group)
	seconds, err := env.WaitHook(s.ctx, s.cluster, s.app)
	s.must(err)

	if seconds != int64(adaptiveHook.Seconds()) {
		s.t.Errorf("the hook sleeps %d s at most, want 5 to deregister, 20 of routing and 30 in flight", seconds)
	}
	return s
}

// assertLeft asserts for how long each pod that left lived on.
func (s *service) assertLeft(ok func(lived time.Duration) bool, want string) {
	s.t.Helper()
	left := 0
	for _, p := range s.pods.Pods() {
		if p.Gone.IsZero() {
			continue
		}
		left++
		lived := p.Lived()
		s.t.Logf("pod %s ended %s after its deletion, and was gone after %s", p.Name, lived, p.Gone.Sub(p.Terminating).Round(100*time.Millisecond))
		if !ok(lived) {
			s.t.Errorf("pod %s ended %s after its deletion, want %s", p.Name, lived, want)
		}
	}

	if left == 0 {
		s.t.Error("no pod left: nothing was shown")
	}

	s.assertNoHookFailed()
}

// assertRestartsSoon has a pod's liveness probe fail: its container restarts without
// sleeping first.
func (s *service) assertRestartsSoon() {
	s.t.Helper()
	pod := s.alive()[0]
	s.order(pod, "fail")
	failed := time.Now()
	s.eventually("the container's restart", func(ctx context.Context) (bool, error) {
		var p corev1.Pod
		err := s.cluster.Get(ctx, client.ObjectKey{Namespace: s.app.Namespace, Name: pod.Name}, &p)
		return err == nil && len(p.Status.ContainerStatuses) == 1 && p.Status.ContainerStatuses[0].RestartCount == 1, err
	})

	took := time.Since(failed)
	s.t.Logf("the container restarted %s after its health check began to fail", took.Round(100*time.Millisecond))

	if took > 40*time.Second {
		s.t.Errorf("the container restarted after %s, want well within the 55 s that its hook may sleep", took)
	}

	s.waitComplete()
	s.assertNoHookFailed()
}

// assertNoHookFailed: a hook that fails lets SIGTERM through at once, which may pass for one
// that ended early.
func (s *service) assertNoHookFailed() {
	s.t.Helper()
	var events corev1.EventList
	s.must(s.cluster.List(s.ctx, &events, client.InNamespace(s.app.Namespace), client.MatchingFields{"reason": "FailedPreStopHook"}))
	for _, e := range events.Items {
		s.t.Errorf("%s: %s", e.InvolvedObject.Name, e.Message)
	}
}

// TestAdaptiveHAProxy: behind two real HAProxys a pod goes when both have removed its server,
// which is when it has no connection left there: a request of 20 s is waited for. The program comes by an emptyDir, as where
// nodes mount no images.
func TestAdaptiveHAProxy(t *testing.T) {
	app := behindHAProxy()
	app.Replicas, app.PrestopSeconds, app.GracePeriodSeconds, app.Drained, app.Adaptive = 3, 0, 0, true, true
	p := start(t, options{podgate: []string{"--drain-image-volume=false"}}).behind(app, 2)
	p.assertNoneLost(p.withLong(func() { p.assertNoneLost(p.loaded(drainRate, func(*load.Generator) { p.rollout() })) }))
	p.assertLeft(endedEarly(65 * time.Second))
}
