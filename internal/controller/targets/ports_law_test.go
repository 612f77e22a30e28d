// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package targets

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/podgate/podgate/internal/gate"
)

// names gives the n-th pod's port a name.
func (w *world) names(n int, port string) {
	w.pods[name(n)].Spec.Containers = []corev1.Container{{Ports: []corev1.ContainerPort{{Name: port, ContainerPort: 8080}}}}
}

// TestLaw3RenamedPort: a Service and its Deployment give their port another name together. The
// first pod of the new name is no replacement for all of the old one, which the Service still selects.
func TestLaw3RenamedPort(t *testing.T) {
	w := newWorld(t)
	w.services["web"].Spec.Ports[0].TargetPort = intstr.FromString("http")
	w.serve(upTo(10)...)

	for n := range 10 {
		w.names(n+1, "http")
	}

	w.reconcile()
	w.let(time.Hour)
	w.services["web"].Spec.Ports[0].TargetPort = intstr.FromString("web")
	w.pod(11)
	w.names(11, "web")
	w.reconcile()
	w.rows[at(11)] = gate.Health{State: gate.Healthy}
	w.reconcile()
	w.let(30 * time.Second)

	if got := w.taken(); got != 11 {
		t.Errorf("one pod of eleven replaces nobody yet: want all targets kept, got %d", got)
	}

	for n := range 10 {
		delete(w.pods, name(n+1))
		w.serve(n + 21)
		w.names(n+21, "web")
	}

	w.reconcile()
	w.let(30 * time.Second)

	if got := w.taken(); got != 11 {
		t.Errorf("the rollout is over: want the new pods' targets only, got %d", got)
	}
}
