// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// says plays another controller, which sets a condition of a pod.
func (c *cluster) says(pod *corev1.Pod, condition string, open bool) {
	c.Helper()
	status := map[bool]string{true: "True", false: "False"}[open]
	body := fmt.Sprintf(`{"status":{"conditions":[{"type":%q,"status":%q,"lastTransitionTime":%q}]}}`, condition, status, time.Now().UTC().Format(time.RFC3339))
	if err := c.kube.Status().Patch(c.Context(), pod.DeepCopy(), client.RawPatch(types.StrategicMergePatchType, []byte(body))); err != nil {
		c.Fatal(err)
	}
}

// A pod that another controller holds back is no target until it is let in, and is drained when it is taken out. Another load
// balancer's gate does not hold it back.
func TestOtherGateHoldsBack(t *testing.T) {
	const inService, neg = "example.com/in-service", "cloud.google.com/load-balancer-neg-ready"
	c := newCluster(t)
	arn := c.group("web")
	c.script(arn, "healthy")
	c.service("web")
	c.binding("web", "web", arn)
	c.start()
	c.pod("web-1", "web", "10.0.0.1", "web")
	c.eventually("the other pod serves", func() bool { return c.gate("web-1", "web").Reason == "Healthy" })

	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "web-2", Namespace: c.ns, Labels: map[string]string{"app": "web"}},
		Spec: corev1.PodSpec{
			NodeName: "node", Containers: []corev1.Container{{Name: "app", Image: "app"}},
			ReadinessGates: []corev1.PodReadinessGate{{ConditionType: inService}, {ConditionType: neg}, {ConditionType: "target-health.elbv2.k8s.aws/web"}},
		},
	}
	c.create(pod)
	c.ready(pod, "10.0.0.2", true)
	c.eventually("it is told why its gate is closed", func() bool { return c.gate("web-2", "web").Reason == "OtherGateClosed" })
	if got := c.rows(arn)["10.0.0.2"]; got != "" {
		t.Errorf("it is held back, and its target is %q", got)
	}

	for range 2 {
		c.says(pod, inService, true)
		c.eventually("it is let in", func() bool {
			return c.rows(arn)["10.0.0.2"] == "healthy" && c.gate("web-2", "web").Status == corev1.ConditionTrue
		})

		c.says(pod, inService, false)
		c.eventually("it is taken out", func() bool {
			return c.rows(arn)["10.0.0.2"] != "healthy" && c.gate("web-2", "web").Reason == "OtherGateClosed"
		})
	}

	if got := c.rows(arn)["10.0.0.1"]; got != "healthy" {
		t.Errorf("the other pod is %q", got)
	}
}

// Workers share the labels of the pods that serve and lack the Service's port. A gate that one has opens as soon as it is seen
// who serves; that of a pod of the workload that serves does not.
func TestWorkerIsNoTarget(t *testing.T) {
	c := newCluster(t)
	arn := c.group("web")
	c.script(arn, "healthy")
	c.service("web")
	c.updateService(func(svc *corev1.Service) { svc.Spec.Ports[0].TargetPort = intstr.FromString("http") })
	c.binding("web", "web", arn)
	c.start()

	of := func(workload, revision, ip, port string) {
		pod := &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{
				Name: workload + "-" + revision + "-x", Namespace: c.ns, Labels: map[string]string{"app": "web", "pod-template-hash": revision},
				OwnerReferences: []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: workload + "-" + revision, UID: types.UID(workload + revision), Controller: new(true)}},
			},
			Spec: corev1.PodSpec{
				NodeName: "node", Containers: []corev1.Container{{Name: "app", Image: "app", Ports: []corev1.ContainerPort{{Name: port, ContainerPort: 8080}}}},
				ReadinessGates: []corev1.PodReadinessGate{{ConditionType: "target-health.elbv2.k8s.aws/web"}},
			},
		}
		c.create(pod)
		c.ready(pod, ip, true)
	}

	of("worker", "a", "10.0.0.1", "metrics")
	c.eventually("nobody has the port yet", func() bool { return c.gate("worker-a-x", "web").Reason == "BindingNotReady" })
	of("web", "a", "10.0.0.2", "http")
	c.eventually("the pod that has it serves", func() bool { return c.gate("web-a-x", "web").Reason == "Healthy" })
	c.eventually("the worker's gate opens", func() bool { return c.gate("worker-a-x", "web").Reason == "NotTarget" })

	of("web", "b", "10.0.0.3", "https")
	c.eventually("the renamed port is reported", func() bool { return c.gate("web-b-x", "web").Reason == "BindingNotReady" })
	c.never("it is released, or the binding spoilt", 7*time.Second, func() bool {
		return c.gate("web-b-x", "web").Status == corev1.ConditionTrue || c.verdict("web").Reason != "Synced"
	})
}
