// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// A migration Job's pod has the labels by which the Service selects, and not the port: the binding
// stays Ready, the pod is no target, and a gate that it has all the same opens. With a number as
// target port it is the same.
func TestJobsPodIsNoTarget(t *testing.T) {
	c := newCluster(t)
	arn := c.group("web")
	c.script(arn, "healthy")
	c.service("web")
	c.updateService(func(svc *corev1.Service) { svc.Spec.Ports[0].TargetPort = intstr.FromString("http") })
	c.binding("web", "web", arn)
	c.start()

	serving := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "web-1", Namespace: c.ns, Labels: map[string]string{"app": "web"}},
		Spec: corev1.PodSpec{NodeName: "node", Containers: []corev1.Container{{
			Name: "app", Image: "app", Ports: []corev1.ContainerPort{{Name: "http", ContainerPort: 8080}},
		}}},
	}
	c.create(serving)
	c.ready(serving, "10.0.0.1", true)
	c.eventually("registered", func() bool { return c.rows(arn)["10.0.0.1"] == "healthy" })
	c.eventually("Ready", func() bool { return c.verdict("web").Reason == "Synced" })

	job := serving.DeepCopy()
	job.ObjectMeta = metav1.ObjectMeta{
		Name: "migrate", Namespace: c.ns, Labels: map[string]string{"app": "web"},
		OwnerReferences: []metav1.OwnerReference{{APIVersion: "batch/v1", Kind: "Job", Name: "migrate", UID: "migrate", Controller: new(true)}},
	}
	job.Spec.Containers[0].Ports = nil
	job.Spec.ReadinessGates = []corev1.PodReadinessGate{{ConditionType: "target-health.elbv2.k8s.aws/web"}}
	c.create(job)
	c.ready(job, "10.0.0.2", true)

	c.eventually("its gate opens", func() bool {
		g := c.gate("migrate", "web")
		return g.Status == corev1.ConditionTrue && g.Reason == "NotTarget"
	})
	c.never("the binding is spoilt, or the pod registered", 3*time.Second, func() bool {
		return c.verdict("web").Reason != "Synced" || c.rows(arn)["10.0.0.2"] != ""
	})

	c.updateService(func(svc *corev1.Service) { svc.Spec.Ports[0].TargetPort = intstr.FromInt32(8080) })
	c.never("the pod is registered by number", 3*time.Second, func() bool {
		return c.verdict("web").Reason != "Synced" || c.rows(arn)["10.0.0.2"] != ""
	})
	if got := c.rows(arn)["10.0.0.1"]; got != "healthy" {
		t.Errorf("the pod that serves is %q", got)
	}
}
