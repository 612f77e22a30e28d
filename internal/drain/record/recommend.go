// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package record

import (
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/drain"
)

// remember keeps what a drain took for the binding's recommendation, when it is about the load balancer: what was put
// off because nothing else served, or began before this process, is not.
func (r *Reports) remember(binding types.NamespacedName, d Drain, podEnded time.Time) {
	if !d.Served || d.Held || d.Accepted.IsZero() || d.Deleted.IsZero() {
		return
	}

	until := d.Gone
	if until.IsZero() {
		until = podEnded // It would have taken longer.
	}

	r.mu.Lock()
	defer r.mu.Unlock()
	r.history(binding).latest.Add(d.Accepted.Sub(d.Deleted), until.Sub(d.Accepted))
}

// Latest returns what a binding's latest drains took; an empty window when there were none.
func (r *Reports) Latest(binding types.NamespacedName) *drain.Window {
	r.mu.Lock()
	defer r.mu.Unlock()

	var latest drain.Window
	if h := r.bindings[binding]; h != nil {
		latest = h.latest
	}
	return &latest
}

// Follow says what to set on a binding so that hooks follow the recommendation.
func Follow(b *binding.Binding) string {
	annotation := v1alpha1.DrainTimeAnnotation + ": " + v1alpha1.DrainRecommended
	if !b.OfLBC {
		return v1alpha1.InFields(annotation)
	}
	return "the annotation " + annotation
}

// Recommended reports on a binding that the recommended drain time has changed from what it was before.
func (r *Reports) Recommended(before, b *binding.Binding, recommended time.Duration) {
	if recommended == 0 || before.Recommended() == recommended {
		return
	}

	said := fmt.Sprintf("By their latest drains, pods should serve on for %s after their deletion.", recommended)
	if b.Drain().Recommended {
		said += " Hooks that podgate adds from now on sleep as long."
	} else {
		said += " To follow it, set " + Follow(b) + "."
	}

	r.recorder.Eventf(b.Object, nil, corev1.EventTypeNormal, v1alpha1.ReasonDrainTimeRecommended, "Drain", "%s", said)
}
