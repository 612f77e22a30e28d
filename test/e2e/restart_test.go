// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
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
