// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package binding

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/podgate/podgate/api/v1alpha1"
)

// TestMaker: how pods are made anew depends on what makes them, and so does where their manifest is.
func TestMaker(t *testing.T) {
	for name, tc := range map[string]struct {
		api, kind, owner string
		labels           map[string]string
		want             string
	}{
		"nothing":             {want: "replace the pod: delete it and create it again: the pod's manifest"},
		"a Deployment":        {"apps/v1", "ReplicaSet", "web-5d8f", map[string]string{"pod-template-hash": "5d8f"}, "restart the pods (kubectl rollout restart -n shop deployment/web): the pod template"},
		"a ReplicaSet alone":  {"apps/v1", "ReplicaSet", "web", nil, "delete the pods of ReplicaSet web one after the other: the pod template"},
		"a copied label":      {"apps/v1", "ReplicaSet", "web", map[string]string{"pod-template-hash": "5d8f"}, "delete the pods of ReplicaSet web one after the other: the pod template"},
		"a Rollout of Argo":   {"apps/v1", "ReplicaSet", "web-7c", map[string]string{"rollouts-pod-template-hash": "7c"}, "restart the pods by the means of their Rollout: the pod template"},
		"a StatefulSet":       {"apps/v1", "StatefulSet", "db", nil, "restart the pods (kubectl rollout restart -n shop statefulset/db, or delete them one after the other where its update strategy is OnDelete): the pod template"},
		"a DaemonSet":         {"apps/v1", "DaemonSet", "edge", nil, "restart the pods (kubectl rollout restart -n shop daemonset/edge, or delete them one after the other where its update strategy is OnDelete): the pod template"},
		"Kruise's kind":       {"apps.kruise.io/v1beta1", "StatefulSet", "db", nil, "restart the pods by the means of their StatefulSet: the pod template"},
		"a CloneSet":          {"apps.kruise.io/v1alpha1", "CloneSet", "web", nil, "restart the pods by the means of their CloneSet: the pod template"},
		"a Job":               {"batch/v1", "Job", "once", nil, "delete the pod: its Job makes another: the pod template"},
		"a controller of old": {"v1", "ReplicationController", "web", nil, "delete the pods of ReplicationController web one after the other: the pod template"},
		"a kubelet":           {"v1", "Node", "node-1", nil, "change the file that the kubelet of its node runs it from: the pod's file on its node"},
	} {
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web-1", Labels: tc.labels}}
		if tc.kind != "" {
			pod.OwnerReferences = []metav1.OwnerReference{{APIVersion: tc.api, Kind: tc.kind, Name: tc.owner, Controller: new(true)}}
		}
		if got := MakerOf(pod).Say(v1alpha1.RestartPods + ": the pod template"); got != tc.want {
			t.Errorf("%s\ngot  %q\nwant %q", name, got, tc.want)
		}
	}

	// Who knows more of the workload says it.
	if got := (Maker{Kind: "Deployment", Anew: "resume it"}).Say("do so, and " + v1alpha1.RestartPods); got != "do so, and resume it" {
		t.Errorf("got %q", got)
	}
}
