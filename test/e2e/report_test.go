// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podgate/podgate/test/env"
)

// killed takes pods away with less than their grace period, in every way there is: each is
// told on the pod and on its ReplicaSet, and counted; the one that has its time is not.
func (w *world) killed(t *testing.T) {
	app := application()
	app.Replicas, app.PrestopSeconds, app.GracePeriodSeconds, app.Drained = 4, 0, 0, true
	s := w.in(t).wire(app, targetGroup())
	_, err := env.WaitHook(s.ctx, s.cluster, s.app)
	s.must(err)
	s.apply()
	s.waitComplete()
	pods := s.alive()
	s.must(s.cluster.Delete(s.ctx, podOf(s, pods[0])))

	for i, take := range []func(env.PodHistory) error{
		func(p env.PodHistory) error {
			return s.cluster.Delete(s.ctx, podOf(s, p), client.GracePeriodSeconds(1))
		},
		func(p env.PodHistory) error {
			return s.cluster.Delete(s.ctx, podOf(s, p), client.GracePeriodSeconds(0))
		},
		func(p env.PodHistory) error {
			return s.clientset.CoreV1().Pods(s.app.Namespace).EvictV1(s.ctx, &policyv1.Eviction{
				ObjectMeta: metav1.ObjectMeta{Namespace: s.app.Namespace, Name: p.Name}, DeleteOptions: &metav1.DeleteOptions{GracePeriodSeconds: new(int64(1))},
			})
		},
	} {
		p := pods[i+1]
		s.must(take(p))
		s.waitKilled(p, "instead of its 85 s")
	}

	s.waitGone(pods[0])
	s.waitCounted("podgate_pods_drained_total", 1)
	s.waitCounted("podgate_pods_undrained_total", 3, `cause="grace_period"`)
	s.waitCounted("podgate_pods_undrained_total", 3)
}

// shortHook has pods with a hook of their own that is too short: they are told before
// anything is lost, and again when it happens.
func (w *world) shortHook(t *testing.T) {
	app := application()
	app.Replicas, app.PrestopSeconds, app.GracePeriodSeconds, app.Drained = 2, 5, 30, true
	s := w.in(t).deploy(app, targetGroup())
	const said = "sleeps 5 s, which is 50 s too short"
	for _, kind := range []string{"Pod", "ReplicaSet"} {
		s.waitTold(s.app.Namespace, "about the hook, on the "+kind, func(e corev1.Event) bool {
			return e.Reason == "DrainTooShort" && e.InvolvedObject.Kind == kind && strings.Contains(e.Message, said)
		})
	}

	s.waitCounted("podgate_pods_drain_too_short", 2, `what="hook"`)
	pod := s.alive()[0]
	s.must(s.cluster.Delete(s.ctx, podOf(s, pod)))
	s.waitKilled(pod, "its preStop hook or its grace period is too short")
	s.waitCounted("podgate_pods_undrained_total", 1, `cause="hook"`)
}

func podOf(s *service, p env.PodHistory) *corev1.Pod {
	return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: s.app.Namespace, Name: p.Name}}
}

// waitKilled waits until it is told that a pod ended undrained, and why.
func (s *service) waitKilled(p env.PodHistory, why string) {
	s.t.Helper()
	s.waitTold(s.app.Namespace, "on pod "+p.Name, func(e corev1.Event) bool {
		return e.Reason == "KilledUndrained" && string(e.InvolvedObject.UID) == p.UID && strings.Contains(e.Message, why)
	})
	s.waitTold(s.app.Namespace, "about pod "+p.Name, func(e corev1.Event) bool {
		return e.Reason == "KilledUndrained" && e.InvolvedObject.Kind == "ReplicaSet" && strings.HasPrefix(e.Message, "Pod "+p.Name+": ")
	})
}

// waitCounted waits until the leader's metric has counted as many of this namespace.
func (s *service) waitCounted(name string, want float64, labels ...string) {
	s.t.Helper()
	labels = append(labels, fmt.Sprintf("namespace=%q", s.app.Namespace))
	s.eventually(fmt.Sprintf("%s %v to be %v", name, labels, want), func(ctx context.Context) (bool, error) {
		sum, err := s.metric(ctx, name, labels)
		return sum == want, err
	})
}
