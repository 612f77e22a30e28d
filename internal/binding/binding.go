// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package binding answers "which pods belong to which target group" from the
// objects in the cluster. It reads caches only and makes no call to a load balancer.
package binding

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podgate/podgate/internal/index"
)

// ForPod lists the bindings of the pod's namespace whose Service selects it.
func ForPod(ctx context.Context, r client.Reader, pod *corev1.Pod) ([]*Binding, error) {
	services, err := index.ServicesSelecting(ctx, r, pod.Namespace, pod.Labels)
	if err != nil {
		return nil, err
	}

	var found []*Binding
	for i := range services {
		bindings, err := OfService(ctx, r, client.ObjectKeyFromObject(&services[i]))
		if err != nil {
			return nil, err
		}
		found = append(found, bindings...)
	}

	return found, nil
}

// Condition finds a pod's condition by type, nil when it has none.
func Condition(pod *corev1.Pod, t corev1.PodConditionType) *corev1.PodCondition {
	for i := range pod.Status.Conditions {
		if pod.Status.Conditions[i].Type == t {
			return &pod.Status.Conditions[i]
		}
	}
	return nil
}

// IsTrue reports whether a pod's condition is True.
func IsTrue(pod *corev1.Pod, t corev1.PodConditionType) bool {
	c := Condition(pod, t)
	return c != nil && c.Status == corev1.ConditionTrue
}

// Over reports whether all the pod's containers have ended for good, so that its
// address is no longer its own.
func Over(pod *corev1.Pod) bool {
	return pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
}
