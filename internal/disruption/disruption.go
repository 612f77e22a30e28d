// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Package disruption reads from a node, and from a pod's conditions, that a pod is going to
// end though nobody has deleted it yet. It is pure, and it refuses to guess: a node that is
// only not ready or unreachable says nothing of its pods, which may well serve.
package disruption

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Notice is what is known of a pod's end, the most urgent last.
type Notice int

// The notices.
const (
	// None: nothing.
	None Notice = iota
	// Announced: the pod's node is to be removed. It serves on until it is evicted, which may
	// be minutes later or never: the announcement may be taken back.
	Announced
	// Ending: the pod is being ended, or will be within the second.
	Ending
	// Dead: the pod's node is out of service, and nothing runs on it.
	Dead
)

// String is for logs.
func (n Notice) String() string {
	return [...]string{"none", "announced", "ending", "dead"}[n]
}

// The taints that announce a node's removal, both with the effect NoSchedule.
const (
	// TaintClusterAutoscaler is put on some seconds (--node-delete-delay-after-taint) before
	// the pods are evicted, and taken off when that fails.
	TaintClusterAutoscaler = "ToBeDeletedByClusterAutoscaler"
	// TaintKarpenter is put on before replacements are launched, and the pods are evicted when
	// those are ready; it is taken off when they do not come, or when Karpenter starts anew.
	TaintKarpenter = "karpenter.sh/disrupted"
)

// shuttingDown is what kubelet says in its node's condition Ready from the moment that it
// begins to end the pods for a graceful shutdown (pkg/kubelet/nodeshutdown of Kubernetes
// 1.37). It ends them without deleting them.
const shuttingDown = "node is shutting down"

// OfNode tells what a node's object says of its pods.
func OfNode(node *corev1.Node) Notice {
	worst := None
	for _, t := range node.Spec.Taints {
		worst = max(worst, ofTaint(t))
	}
	for _, c := range node.Status.Conditions {
		if c.Type == corev1.NodeReady && c.Status == corev1.ConditionFalse && strings.Contains(c.Message, shuttingDown) {
			worst = max(worst, Ending)
		}
	}
	return worst
}

// ofTaint goes by the effects that the taints have; a preference announces nothing. Whoever
// taints a node out of service has made sure that it is off.
func ofTaint(t corev1.Taint) Notice {
	switch {
	case t.Effect == corev1.TaintEffectPreferNoSchedule:
		return None
	case t.Key == TaintClusterAutoscaler || t.Key == TaintKarpenter:
		return Announced
	case t.Key == corev1.TaintNodeOutOfService:
		return Dead
	}
	return None
}

// OfPod tells what a pod says itself. The condition comes right before the deletion, by
// whoever evicts or preempts the pod; where no deletion follows it is made False after two
// minutes. The kubelet sets it only when the containers have ended.
func OfPod(pod *corev1.Pod) Notice {
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.DisruptionTarget && c.Status == corev1.ConditionTrue {
			return Ending
		}
	}
	return None
}

// Node is what is kept of a node in memory.
type Node struct {
	metav1.ObjectMeta
	Notice Notice
	// Ready: its kubelet says that it is. Silent: nobody knows, since it says nothing.
	Ready, Silent bool
	// ProviderID is what its cloud calls it.
	ProviderID string
	// Info is what its kubelet and its container runtime are.
	Info Info
}

// Info is what is kept of a node's system.
type Info struct{ OS, Kubelet, Runtime string }

// Slim makes a Node of a node, which is some twenty times as large, and leaves all else as
// it is. It is a cache's transformation.
func Slim(o any) (any, error) {
	node, ok := o.(*corev1.Node)
	if !ok {
		return o, nil
	}
	ready := func(status corev1.ConditionStatus) bool {
		return slices.ContainsFunc(node.Status.Conditions, func(c corev1.NodeCondition) bool { return c.Type == corev1.NodeReady && c.Status == status })
	}
	info := node.Status.NodeInfo
	return &Node{
		ObjectMeta: metav1.ObjectMeta{Name: node.Name, ResourceVersion: node.ResourceVersion, Labels: node.Labels, DeletionTimestamp: node.DeletionTimestamp},
		Notice:     OfNode(node), Ready: ready(corev1.ConditionTrue), Silent: ready(corev1.ConditionUnknown), ProviderID: node.Spec.ProviderID,
		Info: Info{OS: info.OperatingSystem, Kubelet: info.KubeletVersion, Runtime: info.ContainerRuntimeVersion},
	}, nil
}
