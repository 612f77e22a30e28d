// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package binding

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
)

// Gates lists the names of the bindings whose gates a pod carries.
func Gates(pod *corev1.Pod) []string {
	var names []string
	for _, g := range pod.Spec.ReadinessGates {
		if name, ok := strings.CutPrefix(string(g.ConditionType), elbv2.GatePrefix); ok {
			names = append(names, name)
		}
	}
	return names
}

// Waiting lists the running pods whose gate of a binding is not open; with an empty
// name, any gate of the key's namespace.
func Waiting(ctx context.Context, r client.Reader, key types.NamespacedName) ([]types.NamespacedName, error) {
	return carriers(ctx, r, key, func(pod *corev1.Pod, gate string) bool {
		return !IsTrue(pod, corev1.PodConditionType(elbv2.GateType(gate)))
	})
}

// Gated lists the running pods that have a binding's gate, open or not.
func Gated(ctx context.Context, r client.Reader, key types.NamespacedName) ([]types.NamespacedName, error) {
	return carriers(ctx, r, key, func(*corev1.Pod, string) bool { return true })
}

// carriers lists the running pods with a gate of a binding for which holds is true.
func carriers(ctx context.Context, r client.Reader, key types.NamespacedName, holds func(*corev1.Pod, string) bool) ([]types.NamespacedName, error) {
	var pods corev1.PodList
	if err := r.List(ctx, &pods, client.InNamespace(key.Namespace), client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("list pods: %w", err)
	}
	var found []types.NamespacedName
	for i := range pods.Items {
		if carries(&pods.Items[i], key.Name, holds) {
			found = append(found, client.ObjectKeyFromObject(&pods.Items[i]))
		}
	}
	return found, nil
}

func carries(pod *corev1.Pod, name string, holds func(*corev1.Pod, string) bool) bool {
	if !pod.DeletionTimestamp.IsZero() || Over(pod) {
		return false
	}
	for _, gate := range Gates(pod) {
		if (name == "" || gate == name) && holds(pod, gate) {
			return true
		}
	}
	return false
}
