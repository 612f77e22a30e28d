// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"context"
	"fmt"
	"testing"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/manager"
)

// Pods that are older than their binding, which asks for it, are evicted one by one; the second when the
// first one's successor serves. The test plays the kubelet and the ReplicaSet controller.
func TestUngatedPodsAreReplaced(t *testing.T) {
	c := newCluster(t)
	arn := c.group("web")
	c.script(arn, "healthy")
	c.service("web")
	set := c.replicaSet("set")
	owned := func(name, ip string, of ...string) *corev1.Pod {
		pod := c.pod(name, "web", ip, of...)
		c.patch(pod, fmt.Sprintf(`{"metadata":{"ownerReferences":[{"apiVersion":"apps/v1","kind":"ReplicaSet","name":"set","uid":%q,"controller":true}]}}`, set.UID))
		return pod
	}

	pods := map[string]*corev1.Pod{"web-1": owned("web-1", "10.0.0.1"), "web-2": owned("web-2", "10.0.0.2")}
	for _, p := range pods {
		c.serves(p)
	}

	b := c.binding("web", "web", arn)
	c.patch(b, fmt.Sprintf(`{"metadata":{"annotations":{%q:%q}}}`, v1alpha1.ReplaceAnnotation, v1alpha1.ReplaceEnabled))
	c.config = func(cfg *manager.Config) {
		cfg.Parts.Ask = func(context.Context, *admissionv1.MutatingWebhookConfiguration, *corev1.Pod, []string) error {
			return nil
		}
	}

	c.start()

	leaving := func() []string {
		var names []string
		for name, p := range pods {
			if err := c.kube.Get(t.Context(), client.ObjectKeyFromObject(p), p); err == nil && !p.DeletionTimestamp.IsZero() {
				names = append(names, name)
			}
		}
		return names
	}

	c.eventually("one is evicted", func() bool { return len(leaving()) > 0 })
	first := leaving()[0]
	c.eventually("the binding is told", func() bool { return c.event("web", "Replaced", "Evicted pod "+first) })
	c.remove(pods[first])
	delete(pods, first)
	next := owned("web-3", "10.0.0.3", "web")
	c.eventually("the successor's gate opens", func() bool { return c.gate("web-3", "web").Status == corev1.ConditionTrue })

	if names := leaving(); len(names) > 0 {
		t.Fatalf("%q were evicted before the successor was Ready", names)
	}

	c.serves(next)
	c.eventually("the other is evicted", func() bool { return len(leaving()) > 0 })
	pods["web-3"] = next

	if names := leaving(); len(names) != 1 || names[0] == "web-3" {
		t.Errorf("%q are evicted", names)
	}
}

// serves has a pod be Ready, as the kubelet finds once its gates are open.
func (c *cluster) serves(pod *corev1.Pod) {
	c.Helper()
	body := `{"status":{"conditions":[{"type":"Ready","status":"True"}]}}`
	if err := c.kube.Status().Patch(c.Context(), pod.DeepCopy(), client.RawPatch(types.StrategicMergePatchType, []byte(body))); err != nil {
		c.Fatal(err)
	}
}

func (c *cluster) patch(o client.Object, body string) {
	c.Helper()
	if err := c.kube.Patch(c.Context(), o, client.RawPatch(types.MergePatchType, []byte(body))); err != nil {
		c.Fatal(err)
	}
}

// replicaSet makes an owner of pods of application web.
func (c *cluster) replicaSet(name string) *appsv1.ReplicaSet {
	c.Helper()
	web := map[string]string{"app": "web"}
	set := &appsv1.ReplicaSet{
		ObjectMeta: metav1.ObjectMeta{Namespace: c.ns, Name: name},
		Spec: appsv1.ReplicaSetSpec{
			Selector: &metav1.LabelSelector{MatchLabels: web},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: web},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: "app"}}},
			},
		},
	}

	c.create(set)
	return set
}
