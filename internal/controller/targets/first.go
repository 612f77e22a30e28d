// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package targets

import (
	"context"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/gates"
	"github.com/podgate/podgate/internal/index"
	"github.com/podgate/podgate/internal/lbc"
)

// first has a new leader begin with the bindings whose pods are being deleted or wait
// at a gate. What a cache holds at the start is queued with a low priority, so these
// overtake it.
func first(r client.Reader, owners *lbc.Owners, kinds gates.Kinds) source.Source {
	return source.Func(func(ctx context.Context, q workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
		pods, err := index.PodsPressing(ctx, r, kinds.Owns)
		if err != nil {
			return err
		}

		for i := range pods {
			pod := &pods[i]
			if !presses(pod, kinds) {
				continue
			}

			bindings, err := binding.ForPod(ctx, r, pod)
			if err != nil {
				return err
			}

			for j := range bindings {
				if owners.Serves(bindings[j]) {
					q.Add(reconcile.Request{NamespacedName: bindings[j].Key()})
				}
			}
		}

		return nil
	})
}

// presses reports whether somebody waits for what becomes of a pod's target.
func presses(pod *corev1.Pod, kinds gates.Kinds) bool {
	if binding.Over(pod) || len(pod.Status.PodIPs) == 0 {
		return false
	}
	if !pod.DeletionTimestamp.IsZero() {
		return true
	}
	return binding.IsTrue(pod, corev1.ContainersReady) && slices.ContainsFunc(kinds.Of(pod), func(gate string) bool {
		return !binding.IsTrue(pod, corev1.PodConditionType(gate))
	})
}
