// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package replace

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/binding"
)

// replaced makes the event of an eviction. What was in the way before is news when it comes back.
func (r *Reconciler) replaced(b *binding.Binding, pod *corev1.Pod) {
	r.forget(b.Key())
	r.recorder.Eventf(b.Object, pod, corev1.EventTypeNormal, v1alpha1.ReasonReplaced, "Evict", "Evicted pod %s, which had no readiness gate; its owner makes one that has it.", pod.Name)
}

// notReplaced makes the event of what is in a binding's way, once; an empty message says that nothing is.
func (r *Reconciler) notReplaced(b *binding.Binding, message string) {
	r.mu.Lock()
	before := r.reported[b.Key()]
	r.reported[b.Key()] = message
	r.mu.Unlock()

	if message != "" && message != before {
		r.recorder.Eventf(b.Object, nil, corev1.EventTypeWarning, v1alpha1.ReasonNotReplaced, "Evict", "%s", message)
	}
}

// forget forgets what was reported of a binding.
func (r *Reconciler) forget(key types.NamespacedName) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.reported, key)
}
