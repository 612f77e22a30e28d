// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package record

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
)

// TestEndsAreNotKept: those of bindings that this process does not serve are nobody's.
func TestEndsAreNotKept(t *testing.T) {
	r, err := NewReports(Options{Recorder: &events.FakeRecorder{}, Metrics: prometheus.NewRegistry(), Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}

	web := types.NamespacedName{Namespace: "shop", Name: "web-tg"}
	for range mostEnded + 10 {
		r.Ended(web, &corev1.Pod{}, true)
	}

	if n := len(r.bindings[web].ended); n != mostEnded {
		t.Errorf("%d are kept", n)
	}

	r.Forget(web)
	if len(r.bindings) != 0 {
		t.Error("they are kept for a binding that is gone")
	}
}
