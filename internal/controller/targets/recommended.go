// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package targets

import (
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/binding"
	"github.com/podgate/podgate/internal/drain"
	"github.com/podgate/podgate/internal/drain/record"
)

// windows are what the latest drains of each binding took. The zero value is ready to
// use; each window is used by the one worker that its binding has.
type windows struct {
	mu sync.Mutex
	of map[types.NamespacedName]*drain.Window
}

// get gives a binding's window; an empty one that is not kept when it has none.
func (w *windows) get(key types.NamespacedName) *drain.Window {
	w.mu.Lock()
	defer w.mu.Unlock()
	if known, ok := w.of[key]; ok {
		return known
	}
	return &drain.Window{}
}

// add adds what a drain took, when it is about the load balancer: what was put off because
// nothing else served, or began before this process, is not.
func (w *windows) add(key types.NamespacedName, d record.Drain, ended time.Time) {
	if !d.Served || d.Held || d.Accepted.IsZero() || d.Deleted.IsZero() {
		return
	}

	until := d.Gone
	if until.IsZero() {
		until = ended // It would have taken longer.
	}

	w.mu.Lock()
	defer w.mu.Unlock()

	if w.of == nil {
		w.of = map[types.NamespacedName]*drain.Window{}
	}

	if w.of[key] == nil {
		w.of[key] = &drain.Window{}
	}

	w.of[key].Add(d.Accepted.Sub(d.Deleted), until.Sub(d.Accepted))
}

func (w *windows) forget(key types.NamespacedName) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.of, key)
}

// tellRecommended tells a recommendation that has changed.
func (r *Reconciler) tellRecommended(before, b *binding.Binding, recommended time.Duration) {
	if recommended == 0 || before.Recommended() == recommended {
		return
	}
	said := fmt.Sprintf("By their latest drains, pods should serve on for %s after their deletion.", recommended)
	if b.Drain().Recommended {
		said += " Pods that are created from now on do."
	} else {
		said += fmt.Sprintf(" To follow it, set %s: %s; on a TargetBinding spec.drain.timeFrom: %s.", v1alpha1.DrainTimeAnnotation, drain.Recommended, v1alpha1.DrainTimeRecommended)
	}
	r.recorder.Eventf(b.Object, nil, corev1.EventTypeNormal, v1alpha1.ReasonDrainTimeRecommended, "Drain", "%s", said)
}
