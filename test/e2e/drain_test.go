// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/podgate/podgate/test/env"
	"github.com/podgate/podgate/test/load"
)

// TestDrain takes pods away in every way that gives them their grace period, under load
// with long requests among it. No manifest has a preStop hook: podgate injects it. Nothing
// is scaled.
func TestDrain(t *testing.T) {
	w := start(t, options{})
	for _, d := range []struct {
		name   string
		change func(*env.App)
		take   func(*service)
	}{
		{"SurgeAll", func(a *env.App) { a.MaxSurge, a.MaxUnavailable = "100%", "0" }, (*service).update},
		{"SurgeNone", func(a *env.App) { a.MaxSurge, a.MaxUnavailable = "0", "1" }, (*service).update},
		{"ScaleToOne", func(a *env.App) { a.Replicas = 10 }, func(s *service) { s.scale(1) }},
		{"Deleted", nil, (*service).deleteOne},
		{"Evicted", nil, (*service).evictAll},
	} {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			app := application()
			app.Replicas, app.PrestopSeconds, app.GracePeriodSeconds, app.Drained = 3, 0, 0, true
			if d.change != nil {
				d.change(&app)
			}

			group := targetGroup()
			group.DeregistrationDelay = 60 // The load balancer cuts what takes longer.
			s := w.in(t).wire(app, group)
			seconds, err := env.WaitHook(s.ctx, s.cluster, s.app)
			s.must(err)

			if seconds != 55 {
				t.Errorf("the hook sleeps %d s, want 5 to deregister, 20 of routing and 30 in flight", seconds)
			}

			s.apply()
			s.waitComplete()
			s.assertNoneLost(s.withLong(func() { s.assertNoneLost(s.loaded(drainRate, func(*load.Generator) { d.take(s) })) }))
			s.assertDrained(time.Duration(seconds) * time.Second)
		})
	}

	// What ends too soon is told: beside those above, to be no slower.
	for name, test := range map[string]func(*testing.T){"Killed": w.killed, "ShortHook": w.shortHook} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t)
		})
	}
}

// drainRate is how many requests a second each of several services gets at the same time.
const drainRate = 40

// longRequest is how long the long ones take, unscaled.
const longRequest = 20 * time.Second

// withLong sends one long request each second while change runs, and waits for their ends.
func (s *service) withLong(change func()) load.Summary {
	s.t.Helper()
	url := fmt.Sprintf("%s/slow?seconds=%d", strings.TrimSuffix(s.lb.URL, "/"), int(s.scaled(longRequest).Seconds()))
	g, err := load.New(load.Config{URL: url, Rate: 1, Timeout: 40 * time.Second})
	s.must(err)
	ctx, cancel := context.WithCancel(s.ctx)
	defer cancel()
	results := make(chan load.Result, 1)
	begun := time.Now()
	go func() { results <- g.Run(ctx) }()
	change()
	s.answeredMore(g, 1)
	cancel()
	r := <-results
	return r.Summarize(begun)
}

// deleteOne deletes a pod and waits until another is in its place and it is gone.
func (s *service) deleteOne() {
	s.t.Helper()
	pod := s.alive()[0]
	s.must(s.cluster.Delete(s.ctx, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: s.app.Namespace, Name: pod.Name}}))
	s.waitGone(pod)
	s.waitComplete()
}

// evictAll evicts every pod, as the drain of a node does, with a PodDisruptionBudget that
// lets one go at a time.
func (s *service) evictAll() {
	s.t.Helper()
	s.must(s.cluster.Create(s.ctx, &policyv1.PodDisruptionBudget{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.app.Namespace, Name: s.app.Name},
		Spec: policyv1.PodDisruptionBudgetSpec{
			MaxUnavailable: new(intstr.FromInt32(1)),
			Selector:       &metav1.LabelSelector{MatchLabels: map[string]string{"app.kubernetes.io/name": s.app.Name}},
		},
	}))

	all := s.alive()
	for _, p := range all {
		s.eventually("the eviction of "+p.Name, func(ctx context.Context) (bool, error) {
			err := s.clientset.CoreV1().Pods(s.app.Namespace).EvictV1(ctx, &policyv1.Eviction{ObjectMeta: metav1.ObjectMeta{Namespace: s.app.Namespace, Name: p.Name}})
			if apierrors.IsTooManyRequests(err) {
				return false, nil
			}
			return err == nil, err
		})
	}

	for _, p := range all {
		s.waitGone(p)
	}

	s.waitComplete()
}

func (s *service) waitGone(p env.PodHistory) {
	s.t.Helper()
	s.eventually("the end of "+p.Name, func(context.Context) (bool, error) {
		return !slices.ContainsFunc(s.alive(), func(other env.PodHistory) bool { return other.UID == p.UID }), nil
	})
}

// assertDrained: whoever left lived on for as long as the hook sleeps, and not until its
// grace period was over.
func (s *service) assertDrained(hook time.Duration) {
	s.t.Helper()
	left := 0
	for _, p := range s.pods.Pods() {
		if p.Gone.IsZero() {
			continue
		}
		left++
		lived := p.Lived()
		if lived < hook-time.Second || lived > hook+30*time.Second {
			s.t.Errorf("pod %s was gone %s after its deletion, want the hook's %s and what the application takes to stop", p.Name, lived, hook)
		}
	}

	if left == 0 {
		s.t.Error("no pod left: nothing was shown")
	}
}
