// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// TestWaitEndsWhereItIsMeantTo: waiting ends in every state that a workload's owner chose on purpose.
func TestWaitEndsWhereItIsMeantTo(t *testing.T) {
	statefulSet := func(partition *int32, strategy appsv1.StatefulSetUpdateStrategyType, updated, exist int32) client.Object {
		s := &appsv1.StatefulSet{
			Spec:   appsv1.StatefulSetSpec{Replicas: new(int32(3)), UpdateStrategy: appsv1.StatefulSetUpdateStrategy{Type: strategy}},
			Status: appsv1.StatefulSetStatus{Replicas: exist, UpdatedReplicas: updated, CurrentRevision: "a", UpdateRevision: "b"},
		}
		if partition != nil {
			s.Spec.UpdateStrategy.RollingUpdate = &appsv1.RollingUpdateStatefulSetStrategy{Partition: partition}
		}
		return s
	}

	deployment := func(paused bool, updated int32) client.Object {
		return &appsv1.Deployment{Spec: appsv1.DeploymentSpec{Replicas: new(int32(3)), Paused: paused}, Status: appsv1.DeploymentStatus{Replicas: 3, UpdatedReplicas: updated}}
	}

	daemonSet := func(strategy appsv1.DaemonSetUpdateStrategyType, updated int32) client.Object {
		return &appsv1.DaemonSet{
			Spec:   appsv1.DaemonSetSpec{UpdateStrategy: appsv1.DaemonSetUpdateStrategy{Type: strategy}},
			Status: appsv1.DaemonSetStatus{DesiredNumberScheduled: 3, CurrentNumberScheduled: 3, UpdatedNumberScheduled: updated},
		}
	}

	rolling, onDelete := appsv1.RollingUpdateStatefulSetStrategyType, appsv1.OnDeleteStatefulSetStrategyType

	for name, c := range map[string]struct {
		object      client.Object
		open, never bool
		says        string
		closed      bool
	}{
		"a partition keeps two of three":        {object: statefulSet(new(int32(2)), rolling, 1, 3), open: true},
		"a partition, nothing updated yet":      {object: statefulSet(new(int32(2)), rolling, 0, 3), says: "0 of 1 pods are of the latest revision"},
		"a partition that keeps all":            {object: statefulSet(new(int32(5)), rolling, 0, 3), open: true},
		"a partition, a pod is missing":         {object: statefulSet(new(int32(2)), rolling, 1, 2), says: "2 of 3 pods have been created"},
		"a partition, a gate is closed":         {object: statefulSet(new(int32(2)), rolling, 1, 3), closed: true, says: "waits at gate"},
		"a partition of none":                   {object: statefulSet(new(int32(0)), rolling, 2, 3), says: "2 of 3 pods are of the latest revision"},
		"a StatefulSet with OnDelete":           {object: statefulSet(nil, onDelete, 0, 3), open: true},
		"OnDelete, a gate is closed":            {object: statefulSet(nil, onDelete, 0, 3), closed: true, says: "waits at gate"},
		"a DaemonSet with OnDelete":             {object: daemonSet(appsv1.OnDeleteDaemonSetStrategyType, 0), open: true},
		"a DaemonSet in a rollout":              {object: daemonSet(appsv1.RollingUpdateDaemonSetStrategyType, 1), says: "1 of 3"},
		"a paused Deployment in a rollout":      {object: deployment(true, 1), never: true, says: "kubectl rollout resume"},
		"a paused Deployment, a gate is closed": {object: deployment(true, 1), closed: true, says: "kubectl rollout resume"},
		"a paused Deployment that is done":      {object: deployment(true, 3), open: true},
		"a Deployment in a rollout":             {object: deployment(false, 1), says: "1 of 3"},
	} {
		t.Run(name, func(t *testing.T) {
			pods := make([]corev1.Pod, 3)
			for i := range pods {
				pods[i].Name = "web-" + string(rune('a'+i))
				pods[i].Spec.ReadinessGates = []corev1.PodReadinessGate{{ConditionType: "example.com/ready"}}
				pods[i].Status.Conditions = []corev1.PodCondition{{Type: "example.com/ready", Status: corev1.ConditionTrue, LastTransitionTime: metav1.Now()}}
			}

			if c.closed {
				pods[0].Status.Conditions[0].Status = corev1.ConditionFalse
			}

			w := judge(pods, progressOf(c.object))
			if w.Open != c.open || w.Never != c.never {
				t.Errorf("open %t, never %t, want %t and %t: %v", w.Open, w.Never, c.open, c.never, w.For)
			}

			if !strings.Contains(strings.Join(w.For, "\n"), c.says) {
				t.Errorf("it waits for %q, want %q", w.For, c.says)
			}
		})
	}
}
