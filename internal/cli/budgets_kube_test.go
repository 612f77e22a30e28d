// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// TestPreflightOfABlockedBudget: a PodDisruptionBudget whose spec lets a pod go may let none go for now, as its status says.
func TestPreflightOfABlockedBudget(t *testing.T) {
	c := newCluster(t, nil)
	c.wire()
	labels := map[string]string{"app": "web"}
	c.create(&appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: "web"}, Spec: appsv1.DeploymentSpec{
		Replicas: new(int32(2)), Selector: &metav1.LabelSelector{MatchLabels: labels},
		Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: "app"}}}},
	}})
	b := &policyv1.PodDisruptionBudget{ObjectMeta: metav1.ObjectMeta{Name: "web"}, Spec: policyv1.PodDisruptionBudgetSpec{Selector: &metav1.LabelSelector{MatchLabels: labels}, MinAvailable: new(intstr.FromInt32(1))}}
	c.create(b)
	if a := c.run("preflight"); strings.Contains(a.out, CheckBudget) {
		t.Errorf("nothing is known of its pods, and it says\n%s", a.out)
	}

	b.Status = policyv1.PodDisruptionBudgetStatus{ObservedGeneration: b.Generation, ExpectedPods: 2, DesiredHealthy: 1, CurrentHealthy: 1}
	if err := c.kube.Status().Update(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	c.has(c.run("preflight"), ExitNo, CheckBudget+": PodDisruptionBudget "+c.ns+"/web", "1 of 2 pods has to be Ready, and 1 is", "podgate status -n "+c.ns)
}
