// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	elbv2 "github.com/podgate/podgate/api/elbv2/v1beta1"
	"github.com/podgate/podgate/api/v1alpha1"
	"github.com/podgate/podgate/internal/disruption"
)

// node makes a node.
func (c *cluster) node(name string) *corev1.Node {
	c.Helper()
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: c.ns + "-" + name}}
	c.create(node)
	c.Cleanup(func() { _ = c.kube.Delete(c.Context(), node) })
	return node
}

// taint gives a node some taints in place of those it has.
func (c *cluster) taint(node *corev1.Node, taints ...corev1.Taint) {
	c.Helper()
	before := node.DeepCopy()
	node.Spec.Taints = taints
	if err := c.kube.Patch(c.Context(), node, client.MergeFrom(before)); err != nil {
		c.Fatal(err)
	}
}

// readyOn makes a pod on a node, waits until its gate opens and plays the kubelet, which
// takes it for Ready then.
func (c *cluster) readyOn(node *corev1.Node, name, ip string) {
	c.Helper()
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: c.ns, Labels: map[string]string{"app": "web"}},
		Spec: corev1.PodSpec{
			NodeName: node.Name, TerminationGracePeriodSeconds: aws.Int64(60), Containers: []corev1.Container{{Name: "app", Image: "app"}},
			ReadinessGates: []corev1.PodReadinessGate{{ConditionType: corev1.PodConditionType(elbv2.GateType("web"))}},
		},
	}

	c.create(pod)
	c.ready(pod, ip, true)
	c.eventually("open", func() bool { return c.gate(name, "web").Status == corev1.ConditionTrue })
	body := `{"status":{"conditions":[{"type":"Ready","status":"True"}]}}`
	if err := c.kube.Status().Patch(c.Context(), pod.DeepCopy(), client.RawPatch(types.StrategicMergePatchType, []byte(body))); err != nil {
		c.Fatal(err)
	}
}

// TestLaw9TaintTakenBack: pods of a node that is to be removed leave the group ahead of their deletion,
// come back when that is called off, and their gates stay open all the time. What is out of
// service goes without being asked for.
func TestLaw9TaintTakenBack(t *testing.T) {
	c := newCluster(t)
	arn := c.group("web")
	c.service("web")
	b := c.binding("web", "web", arn)
	c.script(arn, "healthy")
	c.start()
	one, other := c.node("a"), c.node("b")
	c.readyOn(one, "web-1", "10.0.0.1")
	c.readyOn(other, "web-2", "10.0.0.2")
	opened := c.gate("web-1", "web")
	disrupted := corev1.Taint{Key: disruption.TaintKarpenter, Effect: corev1.TaintEffectNoSchedule}
	c.taint(one, disrupted)
	c.never("removed though nobody asked for it", time.Second, func() bool { return c.rows(arn)["10.0.0.1"] == "draining" })
	before := b.DeepCopy()
	b.Annotations = map[string]string{v1alpha1.DrainAtAnnotation: "Taint"}
	if err := c.kube.Patch(t.Context(), b, client.MergeFrom(before)); err != nil {
		t.Fatal(err)
	}

	c.eventually("removed", func() bool { return c.rows(arn)["10.0.0.1"] == "draining" })
	c.taint(one)
	c.eventually("back", func() bool { return c.rows(arn)["10.0.0.1"] == "healthy" })
	c.taint(one, disrupted)
	c.eventually("removed again", func() bool { return c.rows(arn)["10.0.0.1"] == "draining" })
	c.start()
	c.never("brought back by a restart", 2*time.Second, func() bool { return c.rows(arn)["10.0.0.1"] != "draining" })
	c.taint(one)
	c.eventually("back again", func() bool { return c.rows(arn)["10.0.0.1"] == "healthy" })

	if now := c.gate("web-1", "web"); now.Status != corev1.ConditionTrue || !now.LastTransitionTime.Equal(&opened.LastTransitionTime) {
		t.Errorf("the gate did not stay open: %+v, opened as %+v", now, opened)
	}

	c.taint(other, corev1.Taint{Key: corev1.TaintNodeOutOfService, Effect: corev1.TaintEffectNoExecute, Value: "nodeshutdown"})
	c.eventually("the dead node's removed", func() bool { return c.rows(arn)["10.0.0.2"] == "draining" })
}

// Whoever may not read nodes, as with an older role, is told nothing by them; all else works.
func TestRoleWithoutNodes(t *testing.T) {
	newCluster(t).worksWithout("nodes")
}
