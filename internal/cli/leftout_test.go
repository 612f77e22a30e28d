// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/podgate/podgate/api/v1alpha1"
)

// TestPreflightOfALostPort: a workload whose pods have the port, and whose new ones will not, is not passed over for another
// that has it, such as a canary.
func TestPreflightOfALostPort(t *testing.T) {
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "shop", Name: "queue-1", Labels: map[string]string{"app": "web", "role": "queue", "pod-template-hash": "1"},
			OwnerReferences: []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "queue-1", UID: "uid", Controller: new(true)}},
		},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "queue", Ports: []corev1.ContainerPort{{Name: "http", ContainerPort: 8080}}}}},
	}

	r := offline(t, append(objects(t, "preflight/workers.yaml"), pod))
	p, err := preflightOf(t.Context(), r, preflightScope{namespace: "shop", files: true}, "podgate-system", noon)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(p.Findings, func(f Finding) bool {
		return f.Severity == SeverityError && f.Check == v1alpha1.ReasonTargetPortNotFound
	}) {
		t.Errorf("want an error %s, got %+v", v1alpha1.ReasonTargetPortNotFound, p.Findings)
	}
}
