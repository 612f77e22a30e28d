// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package targets

import (
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/disruption"
	"github.com/podgate/podgate/internal/gates"
)

// relevant reports whether a pod changed in what membership depends on. Only a pod that is Ready
// drains ahead of its deletion, and Ready may come without any other change, when its last gate opens.
func relevant(before, after *corev1.Pod, kinds gates.Kinds) bool {
	return !maps.Equal(before.Labels, after.Labels) ||
		!slices.Equal(before.Status.PodIPs, after.Status.PodIPs) ||
		!before.DeletionTimestamp.Equal(after.DeletionTimestamp) ||
		binding.Over(before) != binding.Over(after) ||
		disruption.OfPod(before) != disruption.OfPod(after) ||
		binding.IsTrue(before, corev1.ContainersReady) != binding.IsTrue(after, corev1.ContainersReady) ||
		binding.IsTrue(before, corev1.PodReady) != binding.IsTrue(after, corev1.PodReady) ||
		!slices.Equal(kinds.HeldBy(before), kinds.HeldBy(after))
}
