// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package binding

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// OfJob reports whether a pod belongs to a Job, of Kubernetes or of Volcano (batch.volcano.sh).
func OfJob(pod *corev1.Pod) bool {
	owner := Owner(pod)
	return owner != nil && owner.Kind == "Job" && strings.HasPrefix(owner.APIVersion, "batch")
}

// Static reports whether a pod mirrors one that a kubelet runs from a file: its node owns it.
func Static(pod *corev1.Pod) bool {
	owner := Owner(pod)
	return owner != nil && owner.Kind == "Node" && owner.APIVersion == "v1"
}

// Owner is what manages a pod, such as its ReplicaSet; nil when nothing does.
func Owner(pod *corev1.Pod) *corev1.ObjectReference {
	owner := metav1.GetControllerOf(pod)
	if owner == nil {
		return nil
	}
	return &corev1.ObjectReference{APIVersion: owner.APIVersion, Kind: owner.Kind, Namespace: pod.Namespace, Name: owner.Name, UID: owner.UID}
}
