// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"cmp"
	"fmt"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
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
		"a partition, nothing updated yet":      {object: statefulSet(new(int32(2)), rolling, 0, 3), says: "0 of 1 pod is of the latest revision"},
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
			pods := openPods(3)
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

// TestWaitForCustomKindsEnds: waiting for a workload of an unknown kind ends in every state that is meant, with what its status
// says, and what it does not say is noted.
func TestWaitForCustomKindsEnds(t *testing.T) {
	const full = `{apiVersion: example.com/v1, kind: Rollout, metadata: {name: web, generation: 4}, spec: {replicas: 3, %s}, status: {%s}}`
	for name, c := range map[string]struct {
		spec, status string
		pods         int
		closed       bool
		open, never  bool
		says, notes  string
	}{
		"done":                               {status: `observedGeneration: 4, updatedReplicas: 3`, pods: 3, open: true},
		"done, with its generation as text":  {status: `observedGeneration: "4", updatedReplicas: 3, phase: Healthy`, pods: 3, open: true},
		"a gate is closed":                   {status: `observedGeneration: 4, updatedReplicas: 3`, pods: 3, closed: true, says: "waits at gate"},
		"not seen yet":                       {status: `observedGeneration: "3", updatedReplicas: 3`, pods: 3, says: "has not seen the latest change"},
		"a generation that is none":          {status: `observedGeneration: 6f5d, updatedReplicas: 3`, pods: 3, open: true},
		"in a rollout":                       {status: `observedGeneration: 4, updatedReplicas: 1, phase: Progressing`, pods: 4, says: "1 of 3 pods is of the latest revision"},
		"in a rollout that has just begun":   {status: `observedGeneration: 4, phase: Progressing`, pods: 3, says: "its rollout goes on", notes: "does not say how many pods are of the latest revision"},
		"pods are missing":                   {status: `observedGeneration: 4, updatedReplicas: 3`, pods: 2, says: "2 of 3 pods have been created"},
		"paused, in a rollout":               {spec: `paused: true`, status: `observedGeneration: 4, updatedReplicas: 1`, pods: 3, never: true, says: "the Rollout is paused"},
		"paused, in a rollout, gate closed":  {spec: `paused: true`, status: `observedGeneration: 4, updatedReplicas: 1`, pods: 3, closed: true, says: "the Rollout is paused"},
		"paused, and done":                   {spec: `paused: true`, status: `observedGeneration: 4, updatedReplicas: 3`, pods: 3, open: true},
		"paused by its update strategy":      {spec: `updateStrategy: {paused: true}`, status: `observedGeneration: 4, updatedReplicas: 1`, pods: 3, never: true, says: "is paused"},
		"at a step until somebody goes on":   {spec: `strategy: {canary: {steps: [{setWeight: 20}, {pause: {}}]}}`, status: `observedGeneration: "4", currentStepIndex: 1, updatedReplicas: 1, phase: Paused, message: CanaryPauseStep, pauseConditions: [{reason: CanaryPauseStep}]`, pods: 4, never: true, says: "is paused"},
		"at a step for ten minutes":          {spec: `strategy: {canary: {steps: [{setWeight: 20}, {pause: {duration: 10m}}]}}`, status: `observedGeneration: "4", currentStepIndex: 1, updatedReplicas: 1, phase: Paused, pauseConditions: [{reason: CanaryPauseStep}]`, pods: 4, says: "pauses for a while"},
		"both sets of pods, not promoted":    {spec: `strategy: {blueGreen: {}}`, status: `observedGeneration: "4", updatedReplicas: 3, phase: Paused`, pods: 6, never: true, says: "has not come to its end"},
		"both sets of pods, promoted":        {spec: `strategy: {blueGreen: {}}`, status: `observedGeneration: "4", updatedReplicas: 3, phase: Healthy`, pods: 6, open: true},
		"both sets of pods, promoted soon":   {spec: `strategy: {blueGreen: {autoPromotionSeconds: 30}}`, status: `observedGeneration: "4", updatedReplicas: 3, phase: Paused`, pods: 6, says: "pauses for a while"},
		"given up":                           {status: `observedGeneration: "4", updatedReplicas: 0, abort: true, phase: Degraded, message: RolloutAborted`, pods: 3, never: true, says: "has failed: Degraded, RolloutAborted"},
		"a partition keeps two":              {spec: `updateStrategy: {partition: 2}`, status: `observedGeneration: 4, updatedReplicas: 1`, pods: 3, open: true, notes: "the partition keeps 2 pods"},
		"a partition keeps two, none done":   {spec: `updateStrategy: {partition: 2}`, status: `observedGeneration: 4, updatedReplicas: 0`, pods: 3, says: "0 of 1 pod is of the latest revision"},
		"a partition in per cent":            {spec: `updateStrategy: {partition: "50%"}`, status: `observedGeneration: 4, updatedReplicas: 1`, pods: 3, open: true, notes: "keeps 2 pods"},
		"a partition below none":             {spec: `updateStrategy: {partition: -1}`, status: `observedGeneration: 4, updatedReplicas: 3`, pods: 3, open: true},
		"a partition beyond all":             {spec: `updateStrategy: {partition: 4294967296}`, status: `observedGeneration: 4, updatedReplicas: 0`, pods: 3, open: true, notes: "keeps 3 pods"},
		"its own count of what is to be new": {spec: `updateStrategy: {partition: "50%"}`, status: `observedGeneration: 4, updatedReplicas: 1, expectedUpdatedReplicas: 2`, pods: 3, says: "1 of 2 pods is of the latest revision"},
		"OnDelete":                           {spec: `updateStrategy: {type: OnDelete}`, status: `observedGeneration: 4, updatedReplicas: 0`, pods: 3, open: true, notes: "OnDelete"},
		"a status that says nothing":         {pods: 3, open: true, notes: "does not say how many pods are of the latest revision"},
		"a status that says nothing, closed": {pods: 3, closed: true, says: "waits at gate"},
	} {
		t.Run(name, func(t *testing.T) {
			o := manifest(t, fmt.Sprintf(full, c.spec, c.status))
			pods := openPods(c.pods)
			if c.closed {
				pods[0].Status.Conditions[0].Status = corev1.ConditionFalse
			}

			w := judge(pods, customProgress(o, wantedOf(o), len(pods)))
			if w.Open != c.open || w.Never != c.never {
				t.Errorf("open %t, never %t, want %t and %t: %v", w.Open, w.Never, c.open, c.never, w.For)
			}
			if !strings.Contains(strings.Join(w.For, "\n"), c.says) || !strings.Contains(w.Note, c.notes) {
				t.Errorf("it waits for %q, want %q; notes %q, want %q", w.For, c.says, w.Note, c.notes)
			}
		})
	}

	// Without a count the pods that there are decide, and none is not all.
	o := manifest(t, `{apiVersion: example.com/v1, kind: Pool, metadata: {name: web}, spec: {}}`)
	if w := judge(openPods(2), customProgress(o, wantedOf(o), 2)); !w.Open || !strings.Contains(w.Note, "nothing says how many pods") {
		t.Errorf("two pods: %+v", w)
	}
	if w := judge(nil, customProgress(o, wantedOf(o), 0)); w.Open || w.Never {
		t.Errorf("no pod: %+v", w)
	}
}

// openPods are pods whose gate is open.
func openPods(n int) []corev1.Pod {
	pods := make([]corev1.Pod, n)
	for i := range pods {
		pods[i].Name = "web-" + string(rune('a'+i))
		pods[i].Spec.ReadinessGates = []corev1.PodReadinessGate{{ConditionType: "example.com/ready"}}
		pods[i].Status.Conditions = []corev1.PodCondition{{Type: "example.com/ready", Status: corev1.ConditionTrue, LastTransitionTime: metav1.Now()}}
	}
	return pods
}

// TestPodsOfOthers: pods of a Job, or of another workload, may have the labels that a workload selects its pods by.
func TestPodsOfOthers(t *testing.T) {
	pod := func(kind, name, hash string) *corev1.Pod {
		p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{appsv1.DefaultDeploymentUniqueLabelKey: hash}}}
		if kind != "" {
			group := map[string]string{"Job": "batch/v1", "CloneSet": "apps.kruise.io/v1alpha1", "KruiseSet": "apps.kruise.io/v1alpha1"}[kind]
			p.OwnerReferences = []metav1.OwnerReference{{APIVersion: cmp.Or(group, "apps/v1"), Kind: strings.Replace(kind, "KruiseSet", "StatefulSet", 1), Name: name, UID: types.UID(name), Controller: new(true)}}
		}
		return p
	}

	// The ReplicaSets of two Rollouts, one of which has the other's name and more.
	sets := map[types.UID]*appsv1.ReplicaSet{}
	for set, rollout := range map[string]string{"web-7c": "web", "web-admin-7c": "web-admin"} {
		sets[types.UID(set)] = &appsv1.ReplicaSet{ObjectMeta: metav1.ObjectMeta{Name: set, OwnerReferences: []metav1.OwnerReference{{APIVersion: "argoproj.io/v1alpha1", Kind: "Rollout", Name: rollout, Controller: new(true)}}}}
	}
	for name, c := range map[string]struct {
		w    workload
		pod  *corev1.Pod
		want bool
	}{
		"its ReplicaSet's":         {workload{kind: "Deployment", name: "web"}, pod("ReplicaSet", "web-5d8f", "5d8f"), true},
		"nobody's":                 {workload{kind: "Deployment", name: "web"}, pod("", "", ""), true},
		"another's ReplicaSet's":   {workload{kind: "Deployment", name: "web"}, pod("ReplicaSet", "web-b-5d8f", "5d8f"), false},
		"a Job's":                  {workload{kind: "Deployment", name: "web"}, pod("Job", "web", ""), false},
		"a StatefulSet's":          {workload{kind: "StatefulSet", name: "db"}, pod("StatefulSet", "db", ""), true},
		"another StatefulSet's":    {workload{kind: "StatefulSet", name: "db"}, pod("StatefulSet", "db2", ""), false},
		"an unknown kind's":        {workload{kind: "CloneSet", name: "web", custom: true}, pod("CloneSet", "web", ""), true},
		"its ReplicaSet's, too":    {workload{kind: "Rollout", name: "web", custom: true}, pod("ReplicaSet", "web-7c", ""), true},
		"a Deployment's beside it": {workload{kind: "Rollout", name: "web", custom: true}, pod("ReplicaSet", "other-7c", "7c"), false},
		"another Rollout's":        {workload{kind: "Rollout", name: "web", custom: true}, pod("ReplicaSet", "web-admin-7c", ""), false},
		"that Rollout's own":       {workload{kind: "Rollout", name: "web-admin", custom: true}, pod("ReplicaSet", "web-admin-7c", ""), true},
		"another group's":          {workload{kind: "Rollout", name: "web", group: "example.com", custom: true}, pod("ReplicaSet", "web-7c", ""), false},
		"a kind of the same name":  {workload{kind: "StatefulSet", name: "db"}, pod("KruiseSet", "db", ""), false},
		"a Job's beside it":        {workload{kind: "Rollout", name: "web", custom: true}, pod("Job", "web-1", ""), false},
	} {
		if got := c.w.mayMake(c.pod, sets); got != c.want {
			t.Errorf("%s: got %t", name, got)
		}
	}
}
