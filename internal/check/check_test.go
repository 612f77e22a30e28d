// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package check

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestLaw11NamesThatReturn: only controllers that add a random suffix to each name rule out that it returns.
func TestLaw11NamesThatReturn(t *testing.T) {
	owned := func(kind string, controls bool) []metav1.OwnerReference {
		return []metav1.OwnerReference{{Kind: kind, Controller: new(controls)}}
	}
	for name, tc := range map[string]struct {
		owners []metav1.OwnerReference
		want   bool
	}{
		"Nobody":                {want: true},
		"StatefulSet":           {owners: owned("StatefulSet", true), want: true},
		"Operator":              {owners: owned("Cluster", true), want: true},
		"ReplicaSet":            {owners: owned("ReplicaSet", true)},
		"DaemonSet":             {owners: owned("DaemonSet", true)},
		"Job":                   {owners: owned("Job", true)},
		"ReplicationController": {owners: owned("ReplicationController", true)},
		"NotItsController":      {owners: owned("ReplicaSet", false), want: true},
	} {
		t.Run(name, func(t *testing.T) {
			pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{OwnerReferences: tc.owners}}
			if got := NameReturns(pod); got != tc.want {
				t.Errorf("got %t", got)
			}
		})
	}
}
