// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package binding

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/gate"
)

// Count notes what a read of the group that began at a time said, for WriteCount; nil
// targets are none.
func (b *Binding) Count(at time.Time, targets map[gate.Target]gate.Health) {
	if b.own == nil || targets == nil {
		return
	}
	counts := v1alpha1.TargetCounts{Total: int32(len(targets))}
	for _, h := range targets {
		switch h.State {
		case gate.Healthy:
			counts.Healthy++
		case gate.Initial:
			counts.Initial++
		case gate.Unhealthy, gate.UnhealthyDraining:
			counts.Unhealthy++
		case gate.Draining:
			counts.Draining++
		default:
			counts.Other++
		}
	}
	b.counted, b.at = &counts, at
}

// WriteCount puts what was counted into the object's status, if it has a place for it,
// and tells whether that changed it.
func (b *Binding) WriteCount() (changed bool) {
	if b.counted == nil {
		return false
	}
	status := &b.own.Status
	if status.Targets != nil && *status.Targets == *b.counted {
		return false
	}
	status.Targets, status.ObservedAt = b.counted, &metav1.Time{Time: b.at}
	return true
}
