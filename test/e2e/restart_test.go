// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// TestRestart replaces both of podgate's replicas, as kubectl rollout restart does,
// while pods are created.
func TestRestart(t *testing.T) {
	w := start(t, options{})
	s := w.wire(application(), targetGroup())
	before, err := w.podgatePods(w.ctx)
	w.must(err)

	s.createPods(400, func() {
		w.restartPodgate()
		w.waitPodgateAlone()
	})

	after, err := w.podgatePods(w.ctx)
	w.must(err)

	for _, p := range after {
		if named(before, p.Name) {
			t.Errorf("replica %s was not replaced", p.Name)
		}
	}

	leader, err := w.leader(w.ctx)
	w.must(err)

	if !named(after, leader.Name) {
		t.Errorf("pod %s leads, which is none of the new replicas", leader.Name)
	}
}

// TestLeaseLost keeps podgate's leader from renewing its lease while pods are created, until
// its process has ended and another one is ready in its place.
func TestLeaseLost(t *testing.T) {
	w := start(t, options{})
	s := w.wire(application(), targetGroup())
	leader, err := w.leader(w.ctx)
	w.must(err)

	s.createPods(400, func() {
		w.forbidElection()
		w.eventually("the leader to start again", func(ctx context.Context) (bool, error) {
			var p corev1.Pod
			err := w.cluster.Get(ctx, client.ObjectKeyFromObject(leader), &p)
			return err == nil && p.Status.ContainerStatuses[0].RestartCount > leader.Status.ContainerStatuses[0].RestartCount && isReady(p), err
		})
	})
}

func named(pods []corev1.Pod, name string) bool {
	for _, p := range pods {
		if p.Name == name {
			return true
		}
	}
	return false
}

// restartPodgate does what kubectl rollout restart does.
func (w *world) restartPodgate() {
	w.t.Helper()
	d := &appsv1.Deployment{}
	d.Namespace, d.Name = podgateNamespace, podgateDeployment
	patch := fmt.Appendf(nil, `{"spec":{"template":{"metadata":{"annotations":{"kubectl.kubernetes.io/restartedAt":%q}}}}}`, time.Now().Format(time.RFC3339))
	w.must(w.cluster.Patch(w.ctx, d, client.RawPatch("application/strategic-merge-patch+json", patch)))
}
