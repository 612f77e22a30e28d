// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package binding

import (
	"context"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podgate/podgate/internal/index"
)

// Carriers lists the running pods of a namespace with a gate for which holds is true.
func Carriers(ctx context.Context, r client.Reader, namespace, gate string, holds func(*corev1.Pod) bool) ([]types.NamespacedName, error) {
	pods, err := running(ctx, r, namespace, gate)
	var found []types.NamespacedName
	for _, pod := range pods {
		if holds(pod) {
			found = append(found, client.ObjectKeyFromObject(pod))
		}
	}
	return found, err
}

// running lists the pods of a namespace with a gate that neither end nor have ended.
func running(ctx context.Context, r client.Reader, namespace, gate string) ([]*corev1.Pod, error) {
	pods, err := index.PodsWithGate(ctx, r, namespace, gate)
	var found []*corev1.Pod
	for i := range pods {
		if pod := &pods[i]; pod.DeletionTimestamp.IsZero() && !Over(pod) {
			found = append(found, pod)
		}
	}
	return found, err
}

// OpenGates reports, for each running pod of a namespace with a gate that a Service
// selects, or any where it is nil, and whose containers are ready, whether the gate is open, and no other gate holds the pod back.
func OpenGates(ctx context.Context, r client.Reader, namespace, gate string, svc *corev1.Service) (map[types.NamespacedName]bool, error) {
	pods, err := running(ctx, r, namespace, gate)
	open := map[types.NamespacedName]bool{}
	for _, pod := range pods {
		if IsTrue(pod, corev1.ContainersReady) && (svc == nil || index.Selects(svc, pod.Labels)) {
			open[client.ObjectKeyFromObject(pod)] = !slices.ContainsFunc(pod.Spec.ReadinessGates, func(g corev1.PodReadinessGate) bool {
				return !IsTrue(pod, g.ConditionType)
			})
		}
	}
	return open, err
}
