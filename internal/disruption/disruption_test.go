// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package disruption

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestOfNode(t *testing.T) {
	taint := func(key string, effect corev1.TaintEffect) []corev1.Taint {
		return []corev1.Taint{{Key: key, Effect: effect}}
	}

	ready := func(status corev1.ConditionStatus, message string) []corev1.NodeCondition {
		return []corev1.NodeCondition{{Type: corev1.NodeMemoryPressure, Status: corev1.ConditionFalse, Message: message}, {Type: corev1.NodeReady, Status: status, Message: message}}
	}

	cases := map[string]struct {
		reason     string
		taints     []corev1.Taint
		conditions []corev1.NodeCondition
		want       Notice
	}{
		"Nothing":           {reason: "A node like any other.", conditions: ready(corev1.ConditionTrue, "kubelet is posting ready status")},
		"ClusterAutoscaler": {reason: "It is about to evict the pods.", taints: taint("ToBeDeletedByClusterAutoscaler", corev1.TaintEffectNoSchedule), want: Announced},
		"Karpenter":         {reason: "It has chosen the node.", taints: taint("karpenter.sh/disrupted", corev1.TaintEffectNoSchedule), want: Announced},
		"Candidate":         {reason: "A node that is only thought of stays.", taints: taint("DeletionCandidateOfClusterAutoscaler", corev1.TaintEffectPreferNoSchedule)},
		"Preference":        {reason: "Whatever the name: a preference removes nothing.", taints: taint("karpenter.sh/disrupted", corev1.TaintEffectPreferNoSchedule)},
		"Cordoned":          {reason: "Pods on a cordoned node may stay for ever.", taints: taint(corev1.TaintNodeUnschedulable, corev1.TaintEffectNoSchedule)},
		"OutOfService":      {reason: "Somebody has made sure that it is off.", taints: taint("node.kubernetes.io/out-of-service", corev1.TaintEffectNoExecute), want: Dead},
		"NotReady":          {reason: "The kubelet may be ill alone.", taints: taint(corev1.TaintNodeNotReady, corev1.TaintEffectNoExecute), conditions: ready(corev1.ConditionFalse, "container runtime is down")},
		"Unreachable":       {reason: "So may the network between it and the API server.", taints: taint(corev1.TaintNodeUnreachable, corev1.TaintEffectNoExecute), conditions: ready(corev1.ConditionUnknown, "Kubelet stopped posting node status.")},
		"ShuttingDown":      {reason: "Its pods are being ended.", conditions: ready(corev1.ConditionFalse, "node is shutting down"), want: Ending},
		"ShuttingDownToo":   {reason: "Other trouble may be told beside it.", conditions: ready(corev1.ConditionFalse, "[container runtime is down, node is shutting down]"), want: Ending},
		"Cancelled":         {reason: "The shutdown was called off.", conditions: ready(corev1.ConditionTrue, "kubelet is posting ready status. WARNING: node is shutting down")},
		"Worst":             {reason: "The most urgent counts.", taints: append(taint("node.kubernetes.io/out-of-service", corev1.TaintEffectNoExecute), taint("karpenter.sh/disrupted", corev1.TaintEffectNoSchedule)...), want: Dead},
	}

	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "a"}, Spec: corev1.NodeSpec{Taints: tc.taints}, Status: corev1.NodeStatus{Conditions: tc.conditions}}
			slim, err := Slim(node)
			if err != nil {
				t.Fatal(err)
			}
			if got := slim.(*Node); got.Notice != tc.want || got.Name != "a" {
				t.Errorf("%s\nwant %d of a, got %d of %s", tc.reason, tc.want, got.Notice, got.Name)
			}
			if again, err := Slim(slim); err != nil || again != slim {
				t.Errorf("what is slim does not stay as it is: %v, %v", again, err)
			}
		})
	}
}

func TestOfPod(t *testing.T) {
	for status, want := range map[corev1.ConditionStatus]Notice{corev1.ConditionTrue: Ending, corev1.ConditionFalse: None, "": None} {
		pod := &corev1.Pod{Status: corev1.PodStatus{Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}}}
		if status != "" {
			pod.Status.Conditions = append(pod.Status.Conditions, corev1.PodCondition{Type: corev1.DisruptionTarget, Status: status})
		}
		if got := OfPod(pod); got != want {
			t.Errorf("DisruptionTarget %q: want %d, got %d", status, want, got)
		}
	}
}

// TestSlimReady: a node is ready when its kubelet says so, whatever else is true of it.
func TestSlimReady(t *testing.T) {
	for _, c := range []corev1.NodeCondition{
		{Type: corev1.NodeReady, Status: corev1.ConditionTrue},
		{Type: corev1.NodeReady, Status: corev1.ConditionFalse},
		{Type: corev1.NodeReady, Status: corev1.ConditionUnknown},
		{Type: corev1.NodeMemoryPressure, Status: corev1.ConditionTrue},
		{Type: corev1.NodeMemoryPressure, Status: corev1.ConditionUnknown},
	} {
		slim, err := Slim(&corev1.Node{Status: corev1.NodeStatus{Conditions: []corev1.NodeCondition{c}}})
		if err != nil {
			t.Fatal(err)
		}
		if want := c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue; slim.(*Node).Ready != want {
			t.Errorf("%s is %s: ready %t", c.Type, c.Status, !want)
		}
		if want := c.Type == corev1.NodeReady && c.Status == corev1.ConditionUnknown; slim.(*Node).Silent != want {
			t.Errorf("%s is %s: silent %t", c.Type, c.Status, !want)
		}
	}
}

// TestSlimTarget: what makes a node a target of load balancers is kept.
func TestSlimTarget(t *testing.T) {
	node := &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: "a", Labels: map[string]string{"role": "web"}, DeletionTimestamp: new(metav1.Now())},
		Spec:       corev1.NodeSpec{ProviderID: "aws:///eu-west-1a/i-0a"},
	}
	slim, err := Slim(node)
	if err != nil {
		t.Fatal(err)
	}
	if got := slim.(*Node); got.Labels["role"] != "web" || !got.DeletionTimestamp.Equal(node.DeletionTimestamp) || got.ProviderID != node.Spec.ProviderID {
		t.Errorf("got %+v", got)
	}
}
