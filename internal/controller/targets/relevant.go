// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package targets

import (
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/disruption"
)

// relevant reports whether a pod changed in what membership depends on. That it is Ready only decides whether it drains ahead
// of its deletion, once that is announced: all pods of a rollout get Ready, and a pass for each would split into several calls
// what becomes one.
func (p podEvents) relevant(before, after *corev1.Pod) bool {
	return !maps.Equal(before.Labels, after.Labels) ||
		!slices.Equal(before.Status.PodIPs, after.Status.PodIPs) ||
		!before.DeletionTimestamp.Equal(after.DeletionTimestamp) ||
		binding.Over(before) != binding.Over(after) ||
		disruption.OfPod(before) != disruption.OfPod(after) ||
		binding.IsTrue(before, corev1.ContainersReady) != binding.IsTrue(after, corev1.ContainersReady) ||
		binding.IsTrue(before, corev1.PodReady) != binding.IsTrue(after, corev1.PodReady) && p.notice(after) == disruption.Announced ||
		!slices.Equal(p.kinds.HeldBy(before), p.kinds.HeldBy(after))
}
