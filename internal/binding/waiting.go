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
	var pods corev1.PodList
	if err := r.List(ctx, &pods, client.InNamespace(key.Namespace), client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("list pods: %w", err)
	}
	var found []types.NamespacedName
	for i := range pods.Items {
		if waits(&pods.Items[i], key.Name) {
			found = append(found, client.ObjectKeyFromObject(&pods.Items[i]))
		}
	}
	return found, nil
}

func waits(pod *corev1.Pod, name string) bool {
	if !pod.DeletionTimestamp.IsZero() || Over(pod) {
		return false
	}
	for _, gate := range Gates(pod) {
		if name != "" && gate != name {
			continue
		}
		if !IsTrue(pod, corev1.PodConditionType(elbv2.GateType(gate))) {
			return true
		}
	}
	return false
}
