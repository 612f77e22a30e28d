// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"testing"

	appsv1 "k8s.io/api/apps/v1"
)

// TestReplicasOfTheClusterHold: a manifest that leaves replicas to an autoscaler takes nothing away from the live object.
func TestReplicasOfTheClusterHold(t *testing.T) {
	live := &appsv1.Deployment{Spec: appsv1.DeploymentSpec{Replicas: new(int32(3))}}
	for name, c := range map[string]struct {
		manifest *int32
		want     int32
	}{
		"left out": {manifest: nil, want: 3},
		"stated":   {manifest: new(int32(5)), want: 5},
	} {
		t.Run(name, func(t *testing.T) {
			d := &appsv1.Deployment{Spec: appsv1.DeploymentSpec{Replicas: c.manifest}}
			inherit(d, live)
			w, _ := workloadOf(d)
			if w.replicas != c.want || w.assumed {
				t.Errorf("%d replicas, assumed %t, want %d", w.replicas, w.assumed, c.want)
			}
		})
	}
}
